// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/*
 * Finds running processes: those that user space names, and their descendants. User space runs the
 * iterator, with the hooks on fork, exec and exit attached, until a pass finds no new task. The
 * hook on fork traces what a traced task forks meanwhile.
 */
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_core_read.h>
#include "lib/maps.h"

/* include/linux/sched.h */
#define PF_EXITING 0x00000004
#define PF_FORKNOEXEC 0x00000040
#define PF_KTHREAD 0x00200000

/* Thread group ids, as in the pid namespace of user space. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, u32);
	__type(value, u8);
} wanted SEC(".maps");

struct met_space {
	u32 number;
	u32 group; /* who was met in it first */
};

/* Address spaces by their mm: threads have one together, and so may processes (vfork, CLONE_VM).
 * Emptied before each search. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, u64);
	__type(value, struct met_space);
} met_spaces SEC(".maps");

static __always_inline bool is_named(struct task_struct *task)
{
	u32 number;

	if (shared.want_all)
		return true;
	number = visible_number(BPF_CORE_READ(task, group_leader));
	return number && bpf_map_lookup_elem(&wanted, &number);
}

static __always_inline bool is_forked_from(struct task_struct *task, struct mm_struct *mm,
					   struct mm_struct *parent_mm)
{
	/* What an exec chooses anew, and a fork keeps. */
	return parent_mm && parent_mm != mm && BPF_CORE_READ(task, flags) & PF_FORKNOEXEC &&
	       BPF_CORE_READ(mm, start_code) == BPF_CORE_READ(parent_mm, start_code) &&
	       BPF_CORE_READ(mm, start_stack) == BPF_CORE_READ(parent_mm, start_stack) &&
	       BPF_CORE_READ(mm, start_brk) == BPF_CORE_READ(parent_mm, start_brk);
}

/* The number of an address space, 0 if there is no room for it; in `met` what was known of it:
 * nothing if it is new. */
static __always_inline u32 meet_space(struct task_struct *task, struct task_state *leader, u64 mm,
				      struct met_space *met)
{
	struct met_space *known = bpf_map_lookup_elem(&met_spaces, &mm), fresh = {};

	if (leader && leader->mm == mm) { /* met in an earlier search */
		met->number = leader->space;
		met->group = task->tgid;
		return met->number;
	}
	if (known) {
		*met = *known;
		return met->number;
	}
	fresh.number = new_space();
	fresh.group = task->tgid;
	return fresh.number && !bpf_map_update_elem(&met_spaces, &mm, &fresh, BPF_NOEXIST)
		       ? fresh.number
		       : 0;
}

SEC("iter/task")
int find_running(struct bpf_iter__task *ctx)
{
	struct task_struct *task = ctx->task, *leader, *parent;
	struct task_state *state, *leader_state, *parent_state;
	struct cowtrace_attach event = {};
	struct mm_struct *mm, *parent_mm;
	struct met_space met = {};
	u64 address = 0;

	if (!task || task->tgid == bpf_get_current_pid_tgid() >> 32)
		return 0; /* not ourselves */
	bpf_probe_read_kernel(&address, sizeof(address), &ctx->task);
	mm = task->mm;
	/* Kernel threads, and what is at its end. */
	if (!mm || task->flags & (PF_KTHREAD | PF_EXITING))
		return 0;
	if (running_state_of(address))
		return 0;
	leader = BPF_CORE_READ(task, group_leader);
	leader_state = leader == task ? 0 : running_state_of((u64)leader);
	parent = BPF_CORE_READ(leader, real_parent);
	parent_state = running_state_of((u64)parent);
	parent_mm = BPF_CORE_READ(parent, mm);
	if (!parent_state) {
		if (!leader_state && !is_named(task))
			return 0;
		/* The parent comes first, in the next pass if need be; unless it is one that no
		 * pass shows. */
		if (!shared.any_order && parent_mm &&
		    !(BPF_CORE_READ(parent, flags) & (PF_KTHREAD | PF_EXITING)) && is_named(parent))
			return 0;
	}
	fill_header(&event.header, sizeof(event), COWTRACE_EVENT_ATTACH, bpf_ktime_get_ns());
	event.header.pid = visible_number(leader);
	event.header.tid = visible_number(task);
	event.space = meet_space(task, leader_state, (u64)mm, &met);
	state = event.space ? create_state(address) : 0;
	if (!state) {
		COUNT(untracked);
		return 0;
	}
	state->mm = (u64)mm;
	state->space = event.space;
	state->guest = met.number && met.group != (u32)task->tgid;
	shared.found_tasks = shared.found_tasks + 1;
	/* Once for each process. */
	if (met.number && !state->guest)
		return 0;
	event.start_ns = BPF_CORE_READ(leader, start_boottime);
	event.parent_pid = visible_number(BPF_CORE_READ(parent, group_leader));
	if (!met.number && parent_state && is_forked_from(leader, mm, parent_mm))
		event.parent_space = parent_state->space;
	BPF_CORE_READ_STR_INTO(&event.command, leader, comm);
	if (bpf_ringbuf_output(&control_ring, &event, sizeof(event), BPF_RB_NO_WAKEUP))
		COUNT(lost_control);
	return 0;
}
