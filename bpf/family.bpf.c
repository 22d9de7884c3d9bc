// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/* Keeps track of the family: fork, exec and exit of every task, from the scheduler's tracepoints.
 */
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>
#include "lib/again.h"
#include "lib/maps.h"
#include "lib/pythons.h"

static __always_inline void send_control(void *event, u64 size)
{
	if (bpf_ringbuf_output(&control_ring, event, size, BPF_RB_NO_WAKEUP))
		COUNT(lost_control);
}

static __always_inline void add_counts(struct cowtrace_counts *sum,
				       const struct cowtrace_counts *more)
{
#pragma unroll
	for (u32 i = 0; i < COWTRACE_MECHANISMS; i++) {
		sum->of[i].count += more->of[i].count;
		sum->of[i].bytes += more->of[i].bytes;
	}
}

/*
 * Pointers are read by helper calls below. Where one is loaded from an argument, which is trusted,
 * the verifier asks by name whether the loaded one is trusted as well (btf_nested_type_is_trusted()
 * of kernel/bpf/btf.c), and looks through all types of the kernel for the answer: 80 ms for what
 * these programs load, on 6.18.
 */
static __always_inline u64 mm_of(struct task_struct *task)
{
	return (u64)BPF_CORE_READ(task, mm);
}

/* Run once, by user space, over all tasks: finds our child, the command, while it waits to exec. Or
 * one that tests the hooks. */
SEC("iter/task")
int find_command(struct bpf_iter__task *ctx)
{
	struct task_struct *task = ctx->task;
	struct task_state *state;
	u64 address = 0;
	u32 level;

	if (!task || task->pid != task->tgid ||
	    task->real_parent->tgid != bpf_get_current_pid_tgid() >> 32)
		return 0;
	/* Its number in our pid namespace, which is the innermost of our child too. */
	level = BPF_CORE_READ(task, thread_pid, level);
	if (BPF_CORE_READ(task, thread_pid, numbers[level].nr) != shared.wanted_pid)
		return 0;
	bpf_probe_read_kernel(&address, sizeof(address), &ctx->task);
	state = create_state(address);
	if (!state)
		return 0;
	if (shared.trace_found) {
		state->mm = mm_of(task);
		state->space = new_space();
	}
	shared.found_tasks = shared.found_tasks + 1;
	return 0;
}

static __always_inline void forked(u64 *ctx)
{
	struct task_struct *parent = (void *)ctx[0], *child = (void *)ctx[1];
	u64 parent_address = argument_address(ctx, 0), child_address = argument_address(ctx, 1);
	struct task_state *state = running_state_of(parent_address), *child_state, *copied;
	u64 parent_mm = mm_of(parent), child_mm = mm_of(child);
	/* The command before its exec is still us: what it forks is not traced. */
	u32 space = state && parent_mm ? space_of(state, parent_mm) : 0;
	struct cowtrace_fork event = {};

	if (!space) {
		/* A child of strangers, whose address may have the state of a task that ended: see
		 * create_state(). */
		delete_state(child_address);
		return;
	}
	if (state->forked_task == child_address && state->forked_ns == child->start_boottime)
		return;
	state->forked_task = child_address;
	state->forked_ns = child->start_boottime;
	fill_header(&event.header, sizeof(event), COWTRACE_EVENT_FORK, bpf_ktime_get_ns());
	/* Namespaces of its own are made after the memory, and may look like the beginning of it.
	 */
	if (state->fork_began_ns && child_mm != parent_mm &&
	    BPF_CORE_READ(child, nsproxy) == BPF_CORE_READ(parent, nsproxy))
		event.took_ns = event.header.time_ns - state->fork_began_ns;
	state->fork_began_ns = 0;
	translate_numbers(&event.header);
	event.child_pid = visible_number(BPF_CORE_READ(child, group_leader));
	event.child_tid = visible_number(child);
	event.child_start_ns = BPF_CORE_READ(child, group_leader, start_boottime);
	event.parent_space = space;
	event.is_thread = child->tgid == parent->tgid;
	event.shares_memory = child_mm == parent_mm;
	BPF_CORE_READ_STR_INTO(&event.command, child, comm);
	child_state = create_state(child_address);
	if (child_state) {
		child_state->mm = child_mm;
		child_state->space = event.shares_memory ? space : 0;
		/* Pages were copied inside the fork (fault_path.bpf.c): the child's space has its
		 * number already. */
		copied = shared.visits && !event.shares_memory
				 ? bpf_map_lookup_elem(&visits, &parent_address)
				 : 0;
		if (copied && copied->mm == child_state->mm) {
			child_state->space = copied->space;
			child_state->counts = copied->counts;
			end_visit(parent_address);
		}
		if (!child_state->space)
			child_state->space = new_space();
		event.child_space = child_state->space;
		/* What is mapped is the same. */
		if (options.unwind && bpf_core_field_exists(((struct mm_struct *)0)->exec_vm))
			note_code(state, BPF_CORE_READ(parent, mm, exec_vm));
		child_state->code_owner = state->code_owner;
		child_state->code_pages = state->code_pages;
		child_state->guest = event.shares_memory && (!event.is_thread || state->guest);
		if (!event.shares_memory) {
			shared.forked = 1;
			inherit_python(space, child_state->space);
		}
	} else {
		event.untracked = 1;
		COUNT(untracked);
	}
	send_control(&event, sizeof(event));
}
HOOK("tp_btf/sched_process_fork", on_fork, forked)

static __always_inline void executed(u64 *ctx)
{
	struct task_struct *task = (void *)ctx[0];
	struct task_state *state = state_of(argument_address(ctx, 0));
	struct cowtrace_exec event = {};
	u64 mm;

	if (!state || state->told_exit)
		return;
	mm = mm_of(task);
	if (state->told_exec && state->told_exec == state->space && state->mm == mm)
		return;
	fill_header(&event.header, sizeof(event), COWTRACE_EVENT_EXEC, bpf_ktime_get_ns());
	translate_numbers(&event.header);
	event.old_tid = layout.pid_level ? event.header.tid : (s32)ctx[1];
	event.start_ns = BPF_CORE_READ(task, group_leader, start_boottime);
	if (state->mm != mm || !state->space)
		enter_new_space(state, mm);
	event.old_space = state->exec_from;
	event.new_space = state->told_exec = state->space;
	/* A thread that is not the leader takes over the leader's. */
	state->born_ns = BPF_CORE_READ(task, start_boottime);
	event.counts = state->exec_counts;
	if (!state->guest)
		forget_python(event.old_space);
	state->guest = 0;
	BPF_CORE_READ_STR_INTO(&event.command, task, comm);
	add_counts(&event.counts, &state->visitors);
	__builtin_memset(&state->visitors, 0, sizeof(state->visitors));
	send_control(&event, sizeof(event));
}
HOOK("tp_btf/sched_process_exec", on_exec, executed)

/* What the parent of a process is told by wait(2) when its last thread has ended: as
 * wait_task_zombie() makes it. */
static __always_inline u16 wait_status(struct task_struct *task)
{
	const u32 group_exit = 0x4; /* SIGNAL_GROUP_EXIT: by exit_group(2) or a fatal signal */

	if (BPF_CORE_READ(task, signal, flags) & group_exit)
		return BPF_CORE_READ(task, signal, group_exit_code);
	return BPF_CORE_READ(task, group_leader, exit_code);
}

static __always_inline void exited(u64 *ctx)
{
	struct task_struct *task = (void *)ctx[0];
	struct task_state *state = state_of(argument_address(ctx, 0));
	struct cowtrace_exit event = {};

	if (!state || state->told_exit)
		return;
	state->told_exit = 1;
	/* A fault that killed its thread was never completed. */
	if (state->open && state->write && !state->nofault && !(task->exit_code & 0x7f))
		COUNT(unfinished);
	state->open = 0;
	fill_header(&event.header, sizeof(event), COWTRACE_EVENT_EXIT, bpf_ktime_get_ns());
	translate_numbers(&event.header);
	event.start_ns = BPF_CORE_READ(task, group_leader, start_boottime);
	event.space = state->space;
	/* Already lowered for this thread, on every kernel, before the tracepoint. */
	event.process_ended = BPF_CORE_READ(task, signal, live.counter) == 0;
	if (event.process_ended)
		event.wait_status = wait_status(task);
	event.counts = state->counts;
	if (event.process_ended && !state->guest)
		forget_python(event.space);
	BPF_CORE_READ_STR_INTO(&event.command, task, group_leader, comm);
	add_counts(&event.counts, &state->visitors);
	send_control(&event, sizeof(event));
}
HOOK("tp_btf/sched_process_exit", on_exit, exited)

/* Not at exit: since 6.16 its tracepoint comes before the kernel's last writes to the address space
 * (clear_child_tid, robust futexes). */
static __always_inline void freed(u64 *ctx)
{
	u64 task = argument_address(ctx, 0);

	delete_state(task);
	if (shared.visits)
		end_visit(task);
}
HOOK("tp_btf/sched_process_free", on_free, freed)
