// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/* Who belongs to the family: fork, exec and exit of every task, from the scheduler's tracepoints. */
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>
#include "lib/maps.h"

static __always_inline void send_control(void *event, u64 size)
{
	if (bpf_ringbuf_output(&control_ring, event, size, BPF_RB_NO_WAKEUP))
		COUNT(lost_control);
}

SEC("tp_btf/sched_process_fork")
int BPF_PROG(on_fork, struct task_struct *parent, struct task_struct *child)
{
	struct task_state *state = current_state(parent), *child_state;
	struct cowtrace_fork event = {};
	u32 space;

	if (!state || !parent->mm)
		return 0;
	space = space_of(state, parent->mm);
	/* The command before its exec is still us: what it forks is not traced. */
	if (!space)
		return 0;
	fill_header(&event.header, sizeof(event), COWTRACE_EVENT_FORK, bpf_ktime_get_ns());
	event.child_pid = child->tgid;
	event.child_tid = child->pid;
	event.child_start_ns = child->group_leader->start_boottime;
	event.parent_space = space;
	event.is_thread = child->tgid == parent->tgid;
	event.shares_memory = child->mm == parent->mm;
	BPF_CORE_READ_STR_INTO(&event.command, child, comm);
	child_state = create_state(child, argument_address(ctx, 1));
	if (child_state) {
		child_state->mm = (u64)child->mm;
		child_state->space = event.shares_memory ? space : __sync_fetch_and_add(&shared.next_space, 1);
		event.child_space = child_state->space;
		if (!event.shares_memory)
			shared.forked = 1;
	} else {
		event.untracked = 1;
		COUNT(untracked);
	}
	send_control(&event, sizeof(event));
	return 0;
}

SEC("tp_btf/sched_process_exec")
int BPF_PROG(on_exec, struct task_struct *task, pid_t old_pid, struct linux_binprm *bprm)
{
	struct task_state *state = current_state(task);
	struct cowtrace_exec event = {};
	u64 mm;

	if (!state)
		return 0;
	mm = (u64)task->mm;
	fill_header(&event.header, sizeof(event), COWTRACE_EVENT_EXEC, bpf_ktime_get_ns());
	event.old_tid = old_pid;
	event.start_ns = task->group_leader->start_boottime;
	if (state->mm != mm || !state->space)
		enter_new_space(state, mm);
	event.old_space = state->exec_from;
	event.new_space = state->space;
	event.counts = state->exec_counts;
	BPF_CORE_READ_STR_INTO(&event.command, task, comm);
	send_control(&event, sizeof(event));
	move_to_table(task, bpf_get_current_task(), state);
	return 0;
}

SEC("tp_btf/sched_process_exit")
int BPF_PROG(on_exit, struct task_struct *task)
{
	struct task_state *state = current_state(task);
	struct cowtrace_exit event = {};

	if (!state)
		return 0;
	/* A fault that killed its thread was never completed. */
	if (state->open && state->write && !state->nofault && !(task->exit_code & 0x7f))
		COUNT(unfinished);
	state->open = 0;
	fill_header(&event.header, sizeof(event), COWTRACE_EVENT_EXIT, bpf_ktime_get_ns());
	event.start_ns = task->group_leader->start_boottime;
	event.space = state->space;
	/* Already lowered for this thread, on every kernel, before the tracepoint. */
	event.process_ended = task->signal->live.counter == 0;
	event.counts = state->counts;
	send_control(&event, sizeof(event));
	return 0;
}

/* Not at exit: since 6.16 its tracepoint comes before the kernel's last writes to the address space (clear_child_tid, robust futexes). */
SEC("tp_btf/sched_process_free")
int BPF_PROG(on_free, struct task_struct *task)
{
	delete_state(task, argument_address(ctx, 0));
	return 0;
}
