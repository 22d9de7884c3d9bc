/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * What all backends share: the page tables before a fault and after it, and what the difference
 * means. A backend is a pair of hooks, one that begins a fault and one that finishes it.
 */
#ifndef COWTRACE_LIB_FAULT_H
#define COWTRACE_LIB_FAULT_H

#include "lib/emit.h"

/* What it means that a page of this kind was replaced by another. */
static __always_inline u8 mechanism_of_copy(const struct task_state *state)
{
	switch (state->old_class) {
	case PAGE_NONE:
		return COWTRACE_ZERO_FILL;
	case PAGE_FILE:
		return COWTRACE_FILE_COPY;
	case PAGE_KSM:
		return COWTRACE_KSM_COPY;
	default:
		return state->unshare ? COWTRACE_UNSHARE : COWTRACE_COPY;
	}
}

static __always_inline void populate(struct task_state *state, u64 address, u64 frame, u32 size)
{
	if (options.audit && shared.forked)
		send_populate(state, address, frame, size);
}

/* The fault was on an absent page: the first write to a private file page copies it, everything
 * else is no copy-on-write. */
static __noinline bool absent_outcome(u64 mm, struct task_state *state, u64 frame,
				      struct outcome *outcome)
{
	if (!frame || (layout.direct_map && walk_present(&state->before)))
		return false;
	if (!state->write) {
		populate(state, state->address, frame, outcome->size);
		return false;
	}
	/* A swap entry or a migration entry was not absent: its page comes back, and only the fault
	 * path shows whether it was copied then. */
	if (state->before.level == 1 && state->before.entry) {
		outcome->mechanism = COWTRACE_COPY;
		outcome->old_frame = state->swapped_in;
		outcome->new_frame = frame;
		return state->swapped_in && state->swapped_in != frame;
	}
	if (layout.vmemmap && frame_class(frame) != PAGE_ANON)
		return false;
	outcome->mapping = find_mapping(mm, state, state->address, state->vma);
	/* Of files only hugetlbfs fills a whole huge page for a private write: with zeros, where
	 * the mapping is anonymous to its user. */
	if (!state->mapping_private_file || outcome->size > PAGE_BYTES) {
		populate(state, state->address, frame, outcome->size);
		outcome->mechanism = COWTRACE_FIRST_WRITE;
		outcome->new_frame = frame;
		return options.first_writes;
	}
	outcome->mechanism = COWTRACE_FILE_COPY;
	outcome->new_frame = frame;
	if ((state->shared_mm || is_used_by_several(mm)) && was_being_replaced(state)) {
		COUNT(duplicates);
		return false;
	}
	return true;
}

/* A write to a present base page: another frame is a copy, the same frame made writable a reuse. */
static __always_inline bool base_outcome(struct task_state *state, const struct walk *after,
					 struct outcome *outcome)
{
	outcome->old_frame = walk_frame(&state->before, state->address);
	outcome->new_frame = walk_frame(after, state->address);
	if (!outcome->new_frame || after->level != 1)
		return false;
	if (outcome->old_frame != outcome->new_frame) {
		outcome->mechanism = mechanism_of_copy(state);
		return true;
	}
	outcome->mechanism = COWTRACE_REUSE;
	/* A page-cache page becomes writable in place only in a shared mapping, for the file
	 * system's sake: no copy-on-write. */
	return state->old_class != PAGE_FILE && (after->entry & ENTRY_WRITABLE) &&
	       !(state->before.entry & ENTRY_WRITABLE);
}

/* A write to a huge entry that still is one: hugetlb copies it whole, a huge zero page may be
 * replaced whole. */
static __noinline bool huge_outcome(struct task_state *state, const struct walk *after,
				    struct outcome *outcome)
{
	outcome->old_frame = walk_frame(&state->before, state->address);
	outcome->new_frame = walk_frame(after, state->address);
	outcome->size = walk_size(after);
	if (!outcome->new_frame)
		return false;
	if (outcome->old_frame == outcome->new_frame) {
		outcome->mechanism = COWTRACE_REUSE;
		return state->old_class != PAGE_FILE && (after->entry & ENTRY_WRITABLE) &&
		       !(state->before.entry & ENTRY_WRITABLE);
	}
	outcome->mechanism = state->old_class == PAGE_NONE   ? COWTRACE_HUGE_ZERO_FILL
			     : state->old_class == PAGE_FILE ? COWTRACE_FILE_COPY
							     : COWTRACE_HUGETLB_COPY;
	return true;
}

/* No page tables: a frame allocated for user memory during the fault is a copy, none is a reuse. */
static __noinline bool paired_outcome(u64 mm, struct task_state *state, struct outcome *outcome)
{
	outcome->flags |= COWTRACE_PAIRED;
	outcome->new_level = 1;
	outcome->new_pte = state->allocated * PAGE_BYTES;
	if (!state->present)
		return absent_outcome(mm, state, state->allocated, outcome);
	outcome->new_frame = state->allocated;
	outcome->mechanism = state->allocated ? COWTRACE_COPY : COWTRACE_REUSE;
	return state->write;
}

/* A huge entry became base pages: one more resolution, about the huge page that was. The last use
 * of `outcome`. */
static __noinline void resolve_split(u64 mm, struct task_state *state, struct outcome *outcome)
{
	outcome->mechanism = COWTRACE_HUGE_SPLIT;
	outcome->size = walk_size(&state->before);
	outcome->new_frame = outcome->old_frame = walk_frame(&state->before, state->address);
	outcome->new_pte = outcome->old_pte;
	outcome->new_level = outcome->old_level;
	resolve(mm, state, outcome, bpf_ktime_get_ns());
}

/* What the kernel made of the fault that `state` holds; `late`: known only at the thread's next
 * one. */
static __always_inline void finish_fault(u64 mm, struct task_state *state, bool late)
{
	struct outcome outcome = {
		.address = state->address, .size = PAGE_BYTES, .flags = late ? COWTRACE_LATE : 0};
	struct walk after;
	u64 now = bpf_ktime_get_ns();
	bool found, split = false, settled = false;

	state->open = 0;
	if (!state->user_mode)
		outcome.flags |= COWTRACE_IN_KERNEL;
	if (state->visit && mm != current_mm(bpf_get_current_task()))
		outcome.flags |= COWTRACE_REMOTE;
	if (layout.pairing) {
		found = !late && paired_outcome(mm, state, &outcome);
	} else {
		walk_again(page_table_of(mm), state->address, &state->before, &after);
		if (after.failed || state->before.failed) {
			COUNT(walk_failed);
			return;
		}
		outcome.old_pte = state->before.entry;
		outcome.old_level = state->before.level;
		outcome.new_pte = after.entry;
		outcome.new_level = after.level;
		settled = walk_present(&after) && !state->retried;
		if (!walk_present(&state->before)) {
			outcome.size = walk_size(&after);
			found = absent_outcome(mm, state, walk_frame(&after, state->address),
					       &outcome);
		} else if (!state->write && !state->unshare) {
			return;
		} else if (state->before.level >= 2 && after.level >= 2) {
			found = huge_outcome(state, &after, &outcome);
		} else {
			split = state->before.level >= 2 && after.level == 1;
			found = base_outcome(state, &after, &outcome);
		}
	}
	if (state->replacing)
		replacing_ends(state, found, settled, now);
	/*
	 * Without a completion another frame is proof of a copy, but a page that became writable
	 * may owe it to mprotect. A fault that changed nothing (it ended in a signal) has nothing
	 * to tell.
	 */
	if (late &&
	    ((found && outcome.mechanism == COWTRACE_REUSE) || (layout.pairing && state->write))) {
		if (!state->nofault)
			COUNT(unfinished);
		found = false;
	}
	if (!found && !split)
		return;
	if (late)
		COUNT(late);
	if (!outcome.mapping)
		outcome.mapping = find_mapping(mm, state, state->address, state->vma);
	if (found)
		resolve(mm, state, &outcome, now);
	if (split)
		resolve_split(mm, state, &outcome);
}

static __noinline void finish_late(u64 task, u64 mm, struct task_state *state)
{
	user_registers(&state->user, task);
	/* It may be gone. */
	state->vma = 0;
	finish_fault(mm, state, true);
}

/*
 * PMD tables are freed only by munmap and exec, under mmap_lock for writing, which changes the mm's
 * sequence number: while that stays, the upper levels need not be walked again.
 */
static __always_inline void walk_cached(u64 mm, struct task_state *state, u64 address)
{
	u32 seq = 0;
	bool cacheable = read_mm_seq(mm, &seq);

	if (cacheable && state->pmd_at && state->pmd_region == address >> 21 &&
	    state->pmd_seq == seq) {
		walk_from_pmd(state->pmd_at, address, &state->before);
		return;
	}
	state->pmd_at = walk_page_table(page_table_of(mm), address, &state->before);
	state->pmd_region = address >> 21;
	state->pmd_seq = seq;
	if (!cacheable)
		state->pmd_at = 0;
}

/* A base page of an anonymous mapping is anonymous, unless it is the zero page or KSM may merge
 * there: then struct page need not be read. */
static __always_inline u8 old_class(u64 mm, struct task_state *state, u64 address)
{
	u64 frame = walk_frame(&state->before, address);

	if (state->before.level == 1 && frame != options.zero_frame && state->mapping_anonymous &&
	    in_cached_mapping(mm, state, address))
		return PAGE_ANON;
	return frame_class(frame);
}

/* What a hook at entry knows of a fault. */
struct fault {
	u64 address;
	u8 write;
	u8 unshare;
	u8 user_mode;
	u8 present; /* as far as known: only pairing relies on it */
	u8 nofault;
	u16 error_code;
};

/* Keeps how things are before the kernel handles the fault. The mapping at hand stays in `state`
 * till then. */
static __always_inline void begin_fault(u64 mm, struct task_state *state, const struct fault *fault)
{
	/* Before the page tables are read: lost_race() relies on it. */
	state->start_ns = bpf_ktime_get_ns();
	state->shared_mm = is_used_by_several(mm);
	state->address = fault->address;
	state->error_code = fault->error_code;
	state->write = fault->write;
	state->unshare = fault->unshare;
	state->present = fault->present;
	state->nofault = fault->nofault;
	state->user_mode = fault->user_mode;
	state->old_class = PAGE_NONE;
	state->swapped_in = 0;
	state->retried = state->replacing = 0;
	if (layout.pairing) {
		state->allocated = 0;
	} else {
		walk_cached(mm, state, fault->address);
		if ((fault->write || fault->unshare) && walk_present(&state->before))
			state->old_class = old_class(mm, state, fault->address);
		if (fault->write && state->shared_mm && is_write_protected(&state->before) &&
		    !(state->mapping_anonymous && in_cached_mapping(mm, state, fault->address)))
			replacing_begins(state);
	}
	state->open = 1;
}

#endif
