// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/*
 * The static backend. Entry: the page-fault exceptions, where the page tables still show what was there. Completion: the perf software
 * events of finished faults, where they show what the kernel made of it. What changed in between is the mechanism.
 */
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>
#include "lib/maps.h"
#include "lib/pagetable.h"
#include "lib/emit.h"

char LICENSE[] SEC("license") = "Dual BSD/GPL";

/* Page fault error code (arch/x86/include/asm/trap_pf.h). */
#define FAULT_PRESENT 1
#define FAULT_WRITE 2
#define FAULT_USER 4

static __always_inline struct registers user_registers(struct task_struct *task)
{
	struct pt_regs *regs = (struct pt_regs *)bpf_task_pt_regs(task);
	struct registers user = { .ip = regs->ip, .bp = regs->bp };

	return user;
}

static __always_inline bool is_copy_of(u8 old_class, u8 *mechanism)
{
	switch (old_class) {
	case PAGE_NONE:
		*mechanism = COWTRACE_ZERO_FILL;
		return true;
	case PAGE_FILE:
		*mechanism = COWTRACE_FILE_COPY;
		return true;
	case PAGE_KSM:
		*mechanism = COWTRACE_KSM_COPY;
		return true;
	default:
		*mechanism = COWTRACE_COPY;
		return true;
	}
}

static __always_inline void populate(struct task_state *state, u64 address, u64 frame, u32 size)
{
	if (options.audit && shared.forked)
		send_populate(state, address, frame, size);
}

/* The fault was on an absent page: the first write to a private file page copies it, everything else is no copy-on-write. */
static __noinline bool absent_outcome(struct task_struct *task, struct mm_struct *mm, struct task_state *state, u64 frame,
				      struct outcome *outcome)
{
	if (!frame || (layout.direct_map && walk_present(&state->before)))
		return false;
	if (!state->write) {
		populate(state, state->address, frame, outcome->size);
		return false;
	}
	/* A swap entry or a migration entry was not absent: its page comes back. */
	if (state->before.level == 1 && state->before.entry)
		return false;
	if (layout.vmemmap && frame_class(frame) != PAGE_ANON)
		return false;
	outcome->mapping = find_mapping(task, mm, state, state->address);
	if (!state->mapping_private_file) {
		populate(state, state->address, frame, outcome->size);
		return false;
	}
	outcome->mechanism = COWTRACE_FILE_COPY;
	outcome->new_frame = frame;
	return true;
}

/* A write to a present base page: another frame is a copy, the same frame made writable a reuse. */
static __always_inline bool base_outcome(struct task_state *state, const struct walk *after, struct outcome *outcome)
{
	outcome->old_frame = walk_frame(&state->before, state->address);
	outcome->new_frame = walk_frame(after, state->address);
	if (!outcome->new_frame || after->level != 1)
		return false;
	if (outcome->old_frame != outcome->new_frame)
		return is_copy_of(state->old_class, &outcome->mechanism);
	outcome->mechanism = COWTRACE_REUSE;
	/* A page-cache page becomes writable in place only in a shared mapping, for the file system's sake: no copy-on-write. */
	return state->old_class != PAGE_FILE && (after->entry & ENTRY_WRITABLE) && !(state->before.entry & ENTRY_WRITABLE);
}

/* A write to a huge entry that still is one: hugetlb copies it whole, a huge zero page may be replaced whole. */
static __noinline bool huge_outcome(struct task_state *state, const struct walk *after, struct outcome *outcome)
{
	outcome->old_frame = walk_frame(&state->before, state->address);
	outcome->new_frame = walk_frame(after, state->address);
	outcome->size = walk_size(after);
	if (!outcome->new_frame)
		return false;
	if (outcome->old_frame == outcome->new_frame) {
		outcome->mechanism = COWTRACE_REUSE;
		return state->old_class != PAGE_FILE && (after->entry & ENTRY_WRITABLE) && !(state->before.entry & ENTRY_WRITABLE);
	}
	outcome->mechanism = state->old_class == PAGE_NONE ? COWTRACE_HUGE_ZERO_FILL :
			     state->old_class == PAGE_FILE ? COWTRACE_FILE_COPY :
							     COWTRACE_HUGETLB_COPY;
	return true;
}

/* No page tables: a frame allocated for user memory during the fault is a copy, none is a reuse. */
static __noinline bool paired_outcome(struct task_struct *task, struct mm_struct *mm, struct task_state *state,
				      struct outcome *outcome)
{
	outcome->flags |= COWTRACE_PAIRED;
	outcome->new_level = 1;
	outcome->new_pte = state->allocated * PAGE_BYTES;
	if (!state->present)
		return absent_outcome(task, mm, state, state->allocated, outcome);
	outcome->new_frame = state->allocated;
	outcome->mechanism = state->allocated ? COWTRACE_COPY : COWTRACE_REUSE;
	return state->write;
}

/* A huge entry became base pages: one more resolution, about the huge page that was. */
static __noinline void resolve_split(struct task_struct *task, struct mm_struct *mm, struct task_state *state,
				     const struct outcome *outcome, const struct registers *user)
{
	struct outcome huge = *outcome;

	huge.mechanism = COWTRACE_HUGE_SPLIT;
	huge.size = walk_size(&state->before);
	huge.new_frame = huge.old_frame = walk_frame(&state->before, state->address);
	huge.new_pte = huge.old_pte;
	huge.new_level = huge.old_level;
	resolve(task, mm, state, &huge, user, bpf_ktime_get_ns());
}

/* What the kernel made of the fault that `state` holds; `late`: known only at the thread's next one. */
static __always_inline void finish_fault(struct task_struct *task, struct mm_struct *mm, struct task_state *state,
					 const struct registers *user, bool late)
{
	struct outcome outcome = { .address = state->address, .size = PAGE_BYTES, .flags = late ? COWTRACE_LATE : 0 };
	struct walk after;
	u64 now = bpf_ktime_get_ns();
	bool found, split = false;

	state->open = 0;
	if (!state->user_mode)
		outcome.flags |= COWTRACE_IN_KERNEL;
	if (layout.pairing) {
		found = !late && paired_outcome(task, mm, state, &outcome);
	} else {
		walk_again((u64)mm->pgd, state->address, &state->before, &after);
		if (after.failed || state->before.failed) {
			COUNT(walk_failed);
			return;
		}
		outcome.old_pte = state->before.entry;
		outcome.old_level = state->before.level;
		outcome.new_pte = after.entry;
		outcome.new_level = after.level;
		if (!walk_present(&state->before)) {
			outcome.size = walk_size(&after);
			found = absent_outcome(task, mm, state, walk_frame(&after, state->address), &outcome);
		} else if (!state->write) {
			return;
		} else if (state->before.level >= 2 && after.level >= 2) {
			found = huge_outcome(state, &after, &outcome);
		} else {
			split = state->before.level >= 2 && after.level == 1;
			found = base_outcome(state, &after, &outcome);
		}
	}
	/*
	 * Without a completion another frame is proof of a copy, but a page that became writable may owe it to mprotect. A fault that changed
	 * nothing (it ended in a signal) has nothing to tell.
	 */
	if (late && ((found && outcome.mechanism == COWTRACE_REUSE) || (layout.pairing && state->write))) {
		if (!state->nofault)
			COUNT(unfinished);
		found = false;
	}
	if (!found && !split)
		return;
	if (late)
		COUNT(late);
	if (!outcome.mapping)
		outcome.mapping = find_mapping(task, mm, state, state->address);
	if (split)
		resolve_split(task, mm, state, &outcome, user);
	if (found)
		resolve(task, mm, state, &outcome, user, now);
}

static __noinline void finish_late(struct task_struct *task, struct mm_struct *mm, struct task_state *state)
{
	struct registers user = user_registers(task);

	finish_fault(task, mm, state, &user, true);
}

/*
 * PMD tables are freed only by munmap and exec, under mmap_lock for writing, which changes the mm's sequence number: while that stays, the
 * upper levels need not be walked again.
 */
static __always_inline void walk_cached(struct mm_struct *mm, struct task_state *state, u64 address)
{
	u32 seq = 0;
	bool cacheable = read_mm_seq(mm, &seq);

	if (cacheable && state->pmd_at && state->pmd_region == address >> 21 && state->pmd_seq == seq) {
		walk_from_pmd(state->pmd_at, address, &state->before);
		return;
	}
	state->pmd_at = walk_page_table((u64)mm->pgd, address, &state->before);
	state->pmd_region = address >> 21;
	state->pmd_seq = seq;
	if (!cacheable)
		state->pmd_at = 0;
}

/* A base page of an anonymous mapping is anonymous, unless it is the zero page or KSM has merged it: then struct page need not be read. */
static __always_inline u8 old_class(struct mm_struct *mm, struct task_state *state, u64 address)
{
	u64 frame = walk_frame(&state->before, address);

	if (!options.ksm && state->before.level == 1 && frame != options.zero_frame && state->mapping_anonymous &&
	    in_cached_mapping(mm, state, address))
		return PAGE_ANON;
	return frame_class(frame);
}

static __always_inline void fault_entry(unsigned long address, unsigned long error)
{
	bool write = error & FAULT_WRITE, present = error & FAULT_PRESENT;
	struct task_struct *task;
	struct task_state *state;
	struct mm_struct *mm;
	bool nofault;

	/* Reads matter only where they fill a page that an audit compares. */
	if (!write && (present || !options.audit || !shared.forked))
		return;
	if ((long)address < 0)
		return;
	task = bpf_get_current_task_btf();
	state = current_state(task);
	if (!state)
		return;
	mm = task->mm;
	if (!mm || !space_of(state, mm))
		return;
	/* The first touch of anonymous memory, the most frequent fault of all: nothing is shared yet, and nobody audits yet. */
	if (!present && !(options.audit && shared.forked) && in_cached_mapping(mm, state, address) &&
	    !state->mapping_private_file)
		return;
	/* Our own reads of user memory fault like this; futexes write like this and let get_user_pages finish it. */
	nofault = task->pagefault_disabled > 0;
	if (nofault && !(write && present))
		return;
	if (state->open)
		finish_late(task, mm, state);
	/* Before the page tables are read: lost_race() relies on it. */
	state->start_ns = bpf_ktime_get_ns();
	state->shared_mm = mm->mm_users.counter > 1;
	state->address = address;
	state->error_code = error;
	state->write = write;
	state->present = present;
	state->nofault = nofault;
	state->user_mode = !!(error & FAULT_USER);
	state->old_class = PAGE_NONE;
	if (layout.pairing) {
		state->allocated = 0;
	} else {
		walk_cached(mm, state, address);
		if (write && walk_present(&state->before))
			state->old_class = old_class(mm, state, address);
	}
	state->open = 1;
}

/*
 * Attached to page_fault_user and page_fault_kernel (arch/x86/include/asm/trace/exceptions.h): address, registers, error code. A raw tracepoint
 * program, because one of those is verified once for both.
 */
SEC("raw_tp")
int on_page_fault(struct bpf_raw_tracepoint_args *ctx)
{
	fault_entry(ctx->args[0], ctx->args[2]);
	return 0;
}

/* Attached to PERF_COUNT_SW_PAGE_FAULTS_MIN and _MAJ: mm_account_fault() fires them when a fault is finished, after retries. */
SEC("perf_event")
int on_fault_done(struct bpf_perf_event_data *ctx)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct task_state *state = current_state(task);
	struct mm_struct *mm;
	struct registers user;

	if (!state || !state->open || ctx->addr != state->address)
		return 0;
	mm = task->mm;
	if (!mm)
		return 0;
	user.ip = ctx->regs.ip;
	user.bp = ctx->regs.bp;
	/* Or the compiler chooses between two pointers, of which the verifier refuses one. */
	barrier();
	if (!state->user_mode)
		user = user_registers(task);
	finish_fault(task, mm, state, &user, false);
	return 0;
}

#define GFP_MOVABLE 0x08U /* user pages have it, page tables and slabs do not (include/linux/gfp_types.h) */

/* Attached only when page tables cannot be read. */
SEC("tp_btf/mm_page_alloc")
int on_page_alloc(u64 *ctx)
{
	/* struct page *page, unsigned int order, gfp_t flags, int migratetype; the pointer is needed as a number. */
	struct task_state *state;
	u64 page = 0;

	if ((u32)ctx[1] || !((u32)ctx[2] & GFP_MOVABLE))
		return 0;
	state = current_state(bpf_get_current_task_btf());
	if (!state || !state->open || bpf_probe_read_kernel(&page, sizeof(page), ctx) || !page)
		return 0;
	if (layout.vmemmap)
		state->allocated = (page - layout.vmemmap) / bpf_core_type_size(struct page);
	else
		state->allocated = 1;
	return 0;
}
