// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/*
 * The fentry and kprobe backends. handle_mm_fault() is where every fault goes through, of every
 * architecture and every kind of page, whether an exception raised it or get_user_pages() did for
 * somebody else: its beginning and its end are the two hooks. Two more functions show what it alone
 * cannot: do_wp_page() that a page from swap was copied once more, and the reverse mapping of a new
 * anonymous page that fork itself copied a pinned one.
 */
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>
#include "lib/again.h"
#include "lib/fault.h"

/* include/linux/mm_types.h; an enum since 5.13, the same numbers before. */
#define FLAG_WRITE 0x1
#define FLAG_USER 0x40
#define FLAG_UNSHARE 0x400 /* 5.19; never set before */

/* include/linux/mm_types.h: the fault has to be taken again, or is done, and the lock that keeps
 * the vm_area_struct has been given back. */
#define RESULT_RETRY 0x400
#define RESULT_COMPLETED 0x4000

/* include/linux/sched.h */
#define TASK_IO_WORKER 0x00000010
#define TASK_KERNEL_THREAD 0x00200000

/* Has this very call begun this fault already, in another program of the same hook? */
static __always_inline bool begun_by(const struct task_state *state, u64 address, u64 call)
{
	return state->open && call && state->call == call && state->address == address;
}

/* The task faults in another process's mm. Returns the state of the visit; NULL if the mm's owner
 * is not traced, or this fault has begun already. */
static __noinline struct task_state *begin_visit(u64 task, u64 mm, u64 address, u64 call)
{
	struct task_state *owner, *visit;
	u64 key = task;

	if (!bpf_core_field_exists(((struct mm_struct *)0)->owner))
		return 0;
	owner = state_of(FIELD(struct mm_struct, mm, owner));
	if (!owner || owner->mm != mm || !owner->space)
		return 0;
	if (bpf_map_update_elem(&visits, &key, &no_state, BPF_NOEXIST)) {
		visit = bpf_map_lookup_elem(&visits, &key);
		if (visit && begun_by(visit, address, call))
			return 0;
		/* The end of an earlier visit was missed. */
		end_visit(task);
		if (bpf_map_update_elem(&visits, &key, &no_state, BPF_NOEXIST)) {
			COUNT(unfinished);
			return 0;
		}
	}
	__sync_fetch_and_add(&shared.visits, 1);
	visit = bpf_map_lookup_elem(&visits, &key);
	if (!visit)
		return 0;
	visit->mm = mm;
	visit->space = owner->space;
	visit->visit = 1;
	return visit;
}

static __noinline void tell_actor(u64 now)
{
	struct cowtrace_actor event = {};
	u64 hash;

	fill_header(&event.header, sizeof(event), COWTRACE_EVENT_ACTOR, now);
	translate_numbers(&event.header);
	bpf_get_current_comm(event.command, sizeof(event.command));
	hash = mix(mix(event.header.pid, COWTRACE_EVENT_ACTOR), *(u64 *)event.command);
	if (already_sent(hash))
		return;
	if (bpf_ringbuf_output(&control_ring, &event, sizeof(event), BPF_RB_NO_WAKEUP))
		COUNT(lost_control);
	else
		mark_sent(hash);
}

/* What the visitor broke is the memory's owner's: no exit of the visitor will hand it over. */
static __noinline void close_visit(u64 task, struct task_state *visit)
{
	struct task_state *owner = state_of(FIELD(struct mm_struct, visit->mm, owner));

	for (u32 i = 0; i < COWTRACE_MECHANISMS; i++) {
		if (!visit->counts.of[i].count)
			continue;
		tell_actor(bpf_ktime_get_ns());
		if (!owner || owner->mm != visit->mm)
			continue;
		__sync_fetch_and_add(&owner->visitors.of[i].count, visit->counts.of[i].count);
		__sync_fetch_and_add(&owner->visitors.of[i].bytes, visit->counts.of[i].bytes);
	}
	end_visit(task);
}

/* `call` names one call of the function while it lasts, 0: nothing does. */
static __always_inline void path_entry(u64 vma, u64 address, u32 flags, u64 regs, u64 call)
{
	struct fault fault = {.address = address,
			      .write = !!(flags & FLAG_WRITE),
			      .unshare = !!(flags & FLAG_UNSHARE),
			      .user_mode = regs && (flags & FLAG_USER),
			      .present = 1};
	struct task_state *state;
	u64 task, mm;

	/* Reads matter only where they fill a page that an audit compares. */
	if (!fault.write && !fault.unshare && (!options.audit || !shared.forked))
		return;
	task = bpf_get_current_task();
	mm = FIELD(struct vm_area_struct, vma, vm_mm);
	state = running_state_of(task);
	if (state && mm == current_mm(task)) {
		if (!space_of(state, mm))
			return;
		if (begun_by(state, address, call))
			return;
		if (state->open)
			finish_late(task, mm, state);
	} else {
		/* Most faults of the machine end here: a task's own, and none of ours. */
		if (mm == current_mm(task) && !((u32)FIELD(struct task_struct, task, flags) &
						(TASK_IO_WORKER | TASK_KERNEL_THREAD)))
			return;
		state = begin_visit(task, mm, address, call);
		if (!state)
			return;
	}
	state->regs = regs;
	state->vma = vma;
	state->call = call;
	fault.error_code = (fault.write ? FAULT_WRITE : 0) | (fault.user_mode ? FAULT_USER : 0);
	begin_fault(mm, state, &fault);
	if (walk_present(&state->before))
		state->error_code |= FAULT_PRESENT;
}

static __always_inline void path_done(u32 result, u64 call)
{
	u64 task = bpf_get_current_task();
	struct task_state *state = shared.visits ? bpf_map_lookup_elem(&visits, &task) : 0;

	/* A visit that is not open belongs to a fork (below). */
	if (!state || !state->open)
		state = state_of(task);
	if (!state || !state->open || state->call != call)
		return;
	if (result & (RESULT_RETRY | RESULT_COMPLETED))
		state->vma = 0;
	state->retried = !!(result & RESULT_RETRY);
	/* A visitor's stack is not in this memory. */
	if (state->visit)
		state->user.ip = 0;
	else if (state->user_mode)
		registers_at(&state->user, state->regs);
	else
		user_registers(&state->user, task);
	finish_fault(state->mm, state, false);
	if (state->visit)
		close_visit(task, state);
}

/* A page has come back from swap for a write, is still shared, and is about to be copied. */
static __always_inline void path_swapped_in(u64 fault)
{
	u64 task = bpf_get_current_task();
	struct task_state *state = state_of(task);
	u64 entry;

	if (shared.visits) {
		struct task_state *visit = bpf_map_lookup_elem(&visits, &task);

		if (visit && visit->open)
			state = visit;
	}
	if (!state || !state->open || walk_present(&state->before))
		return;
	entry = FIELD(struct vm_fault, fault, orig_pte);
	if (entry & ENTRY_PRESENT)
		state->swapped_in = (entry & layout.frame_mask) >> 12;
}

static __always_inline void copying_begins(u64 child_vma)
{
	struct task_state *state = state_of(bpf_get_current_task());
	u64 start;

	if (!state || !state->space)
		return;
	if (!state->copying_to)
		__sync_fetch_and_add(&shared.pinning_forks, 1);
	state->copying_to = FIELD(struct vm_area_struct, child_vma, vm_mm);
	/* Mappings are copied in the order of their addresses: what does not ascend is another
	 * fork, the one before having failed. */
	start = FIELD(struct vm_area_struct, child_vma, vm_start);
	if (!state->fork_began_ns || start <= state->copied_vma)
		state->fork_began_ns = bpf_ktime_get_ns();
	state->copied_vma = start;
}

static __always_inline void copying_ends(void)
{
	struct task_state *state;

	if (!shared.pinning_forks)
		return;
	state = state_of(bpf_get_current_task());
	if (!state || !state->copying_to)
		return;
	state->copying_to = 0;
	__sync_fetch_and_add(&shared.pinning_forks, -1);
}

/* The child's space has no task yet: its counts are kept as those of a visit, until
 * sched_process_fork. */
static __noinline struct task_state *child_of_fork(u64 parent, struct task_state *state)
{
	struct task_state *child = bpf_map_lookup_elem(&visits, &parent);
	u64 key = parent, child_mm = state->copying_to;

	if (child && child->mm == child_mm)
		return child;
	if (child)
		end_visit(parent);
	if (bpf_map_update_elem(&visits, &key, &no_state, BPF_NOEXIST))
		return 0;
	__sync_fetch_and_add(&shared.visits, 1);
	child = bpf_map_lookup_elem(&visits, &key);
	if (!child)
		return 0;
	child->mm = child_mm;
	child->space = new_space();
	/* The stack that forks is the parent's. */
	child->code_owner = state->code_owner ? state->code_owner : state->space;
	child->code_pages = state->code_pages;
	inherit_python(state->space, child->space);
	return child;
}

/* A new anonymous page inside fork: the parent's is pinned. */
static __always_inline void path_new_page(u64 page, u64 vma, u64 address)
{
	struct outcome outcome = {.address = address,
				  .size = PAGE_BYTES,
				  .mechanism = COWTRACE_FORK_COPY,
				  .flags = COWTRACE_IN_KERNEL,
				  .old_level = 1,
				  .new_level = 1};
	struct task_state *state, *child;
	struct walk parents;
	u64 task;

	if (!shared.pinning_forks)
		return;
	task = bpf_get_current_task();
	state = state_of(task);
	if (!state || !state->copying_to ||
	    FIELD(struct vm_area_struct, vma, vm_mm) != state->copying_to)
		return;
	child = child_of_fork(task, state);
	if (!child) {
		COUNT(lost);
		return;
	}
	/* Told by another program of this hook. */
	if (child->address == address)
		return;
	walk_page_table(page_table_of(state->mm), address, &parents);
	outcome.old_pte = parents.entry;
	outcome.old_frame = walk_frame(&parents, address);
	if (layout.vmemmap)
		outcome.new_frame = (page - layout.vmemmap) / bpf_core_type_size(struct page);
	outcome.new_pte = outcome.new_frame * PAGE_BYTES;
	child->address = address;
	child->start_ns = bpf_ktime_get_ns();
	child->old_class = PAGE_ANON;
	outcome.mapping = find_mapping(child->mm, child, address, vma);
	user_registers(&child->user, task);
	resolve(child->mm, child, &outcome, child->start_ns);
}

static __always_inline void trampoline_entry(u64 *ctx)
{
	path_entry(argument_address(ctx, 0), ctx[1], ctx[2], argument_address(ctx, 3), (u64)ctx);
}
HOOK("fentry/handle_mm_fault", fentry_fault, trampoline_entry)

static __always_inline void trampoline_done(u64 *ctx)
{
	path_done(ctx[4], (u64)ctx);
}
HOOK("fexit/handle_mm_fault", fexit_fault, trampoline_done)

static __always_inline void trampoline_write_protected(u64 *ctx)
{
	path_swapped_in(argument_address(ctx, 0));
}
HOOK("fentry/do_wp_page", fentry_write_protected, trampoline_write_protected)

static __always_inline void trampoline_copy_range(u64 *ctx)
{
	copying_begins(argument_address(ctx, 0));
}
HOOK("fentry/copy_page_range", fentry_copy_range, trampoline_copy_range)

static __always_inline void trampoline_range_copied(u64 *ctx)
{
	copying_ends();
}
HOOK("fexit/copy_page_range", fexit_copy_range, trampoline_range_copied)

/* page_add_new_anon_rmap before 6.8: the same three arguments first. */
static __always_inline void trampoline_new_page(u64 *ctx)
{
	path_new_page(argument_address(ctx, 0), argument_address(ctx, 1), ctx[2]);
}
HOOK("fentry/folio_add_new_anon_rmap", fentry_new_page, trampoline_new_page)

SEC("kprobe/handle_mm_fault")
int BPF_KPROBE(kprobe_fault, u64 vma, u64 address, u32 flags, u64 regs)
{
	path_entry(vma, address, flags, regs, 0);
	return 0;
}

SEC("kretprobe/handle_mm_fault")
int BPF_KRETPROBE(kretprobe_fault, u32 result)
{
	path_done(result, 0);
	return 0;
}

SEC("kprobe/do_wp_page")
int BPF_KPROBE(kprobe_write_protected, u64 fault)
{
	path_swapped_in(fault);
	return 0;
}

SEC("kprobe/copy_page_range")
int BPF_KPROBE(kprobe_copy_range, u64 child_vma)
{
	copying_begins(child_vma);
	return 0;
}

SEC("kretprobe/copy_page_range")
int BPF_KRETPROBE(kretprobe_copy_range)
{
	copying_ends();
	return 0;
}

SEC("kprobe/folio_add_new_anon_rmap")
int BPF_KPROBE(kprobe_new_page, u64 page, u64 vma, u64 address)
{
	path_new_page(page, vma, address);
	return 0;
}
