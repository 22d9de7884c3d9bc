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

struct registers {
	u64 ip;
	u64 bp;
};

/* Where user space was: at the fault itself, or at the system call that made the kernel write. */
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
	struct cowtrace_populate *event;

	if (!options.audit || !shared.forked)
		return;
	event = bpf_ringbuf_reserve(&data_ring, sizeof(*event), 0);
	if (!event) {
		COUNT(lost_populate);
		return;
	}
	fill_header(&event->header, sizeof(*event), COWTRACE_EVENT_POPULATE, bpf_ktime_get_ns());
	event->address = address;
	event->new_frame = frame;
	event->space = state->space;
	event->size = size;
	bpf_ringbuf_submit(event, BPF_RB_NO_WAKEUP);
}

/* The fault was on an absent page: the first write to a private file page copies it, everything else is no copy-on-write. */
static __always_inline bool absent_outcome(struct task_struct *task, struct mm_struct *mm, struct task_state *state,
					   u64 frame, struct outcome *outcome)
{
	if (!frame || (options.direct_map && walk_present(&state->before)))
		return false;
	if (!state->write) {
		populate(state, state->address, frame, outcome->size);
		return false;
	}
	/* A swap entry or a migration entry was not absent: its page comes back. */
	if (state->before.level == 1 && state->before.entry)
		return false;
	if (options.vmemmap && frame_class(frame) != PAGE_ANON)
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
static __always_inline bool huge_outcome(struct task_state *state, const struct walk *after, struct outcome *outcome)
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
static __always_inline bool paired_outcome(struct task_struct *task, struct mm_struct *mm, struct task_state *state,
					   struct outcome *outcome)
{
	outcome->flags |= COWTRACE_PAIRED;
	if (!state->present)
		return absent_outcome(task, mm, state, state->allocated, outcome);
	outcome->new_frame = state->allocated;
	outcome->mechanism = state->allocated ? COWTRACE_COPY : COWTRACE_REUSE;
	return state->write;
}

static __always_inline void finish_fault(struct task_struct *task, struct mm_struct *mm, struct task_state *state,
					 bool late)
{
	struct outcome outcome = { .address = state->address, .size = PAGE_BYTES, .flags = late ? COWTRACE_LATE : 0 };
	struct registers user;
	struct walk after;
	u64 now = bpf_ktime_get_ns();
	bool found, split = false;

	state->open = 0;
	if (!state->user_mode)
		outcome.flags |= COWTRACE_IN_KERNEL;
	if (options.pairing) {
		found = !late && paired_outcome(task, mm, state, &outcome);
	} else {
		walk_again((u64)mm->pgd, state->address, &state->before, &after);
		if (after.failed || state->before.failed) {
			COUNT(walk_failed);
			return;
		}
		outcome.old_pte = state->before.entry;
		outcome.new_pte = after.entry;
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
	if (late && ((found && outcome.mechanism == COWTRACE_REUSE) || (options.pairing && state->write))) {
		if (!state->nofault)
			COUNT(unfinished);
		found = false;
	}
	if (!found && !split)
		return;
	if (late)
		COUNT(late);
	user = user_registers(task);
	if (!outcome.mapping)
		outcome.mapping = find_mapping(task, mm, state, state->address);
	if (split) {
		struct outcome huge = outcome;

		huge.mechanism = COWTRACE_HUGE_SPLIT;
		huge.size = walk_size(&state->before);
		huge.new_frame = huge.old_frame;
		resolve(task, mm, state, &huge, user.ip, user.bp, now);
	}
	if (found)
		resolve(task, mm, state, &outcome, user.ip, user.bp, now);
}

/*
 * The 64 bytes around the address, within its page, before any write: through the direct map where the frame is ordinary memory, because a
 * first touch of a user page from the kernel can cost a fault of its own under a hypervisor.
 */
static __always_inline void read_window(struct task_state *state, u64 address)
{
	u64 page = address & ~(PAGE_BYTES - 1);
	u64 start = (address - COWTRACE_WINDOW / 2) & ~7ULL;
	u64 frame = walk_frame(&state->before, address);
	long failed;

	if (start < page)
		start = page;
	if (start > page + PAGE_BYTES - COWTRACE_WINDOW)
		start = page + PAGE_BYTES - COWTRACE_WINDOW;
	if (!options.pairing && frame && state->old_class != PAGE_UNKNOWN)
		failed = bpf_probe_read_kernel(state->window, COWTRACE_WINDOW,
					       (void *)(options.direct_map + frame * PAGE_BYTES + (start - page)));
	else
		failed = bpf_probe_read_user(state->window, COWTRACE_WINDOW, (void *)start);
	state->window_address = start;
	state->window_size = failed ? 0 : COWTRACE_WINDOW;
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
	state = state_of(task);
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
		finish_fault(task, mm, state, true);
	/* Before the page tables are read: lost_race() relies on it. */
	state->start_ns = bpf_ktime_get_ns();
	state->shared_mm = mm->mm_users.counter > 1;
	state->address = address;
	state->error_code = error;
	state->write = write;
	state->present = present;
	state->nofault = nofault;
	state->user_mode = !!(error & FAULT_USER);
	state->allocated = 0;
	if (!options.pairing) {
		walk_cached(mm, state, address);
		if (write && walk_present(&state->before))
			state->old_class = old_class(mm, state, address);
	}
	state->window_size = 0;
	if (write && present && !options.counts_only)
		read_window(state, address);
	state->open = 1;
}

SEC("tp_btf/page_fault_user")
int BPF_PROG(on_page_fault_user, unsigned long address, struct pt_regs *regs, unsigned long error)
{
	fault_entry(address, error);
	return 0;
}

SEC("tp_btf/page_fault_kernel")
int BPF_PROG(on_page_fault_kernel, unsigned long address, struct pt_regs *regs, unsigned long error)
{
	fault_entry(address, error);
	return 0;
}

/* Attached to PERF_COUNT_SW_PAGE_FAULTS_MIN and _MAJ: mm_account_fault() fires them when a fault is finished, after retries. */
SEC("perf_event")
int on_fault_done(struct bpf_perf_event_data *ctx)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct task_state *state = state_of(task);
	struct mm_struct *mm;

	if (!state || !state->open || ctx->addr != state->address)
		return 0;
	mm = task->mm;
	if (mm)
		finish_fault(task, mm, state, false);
	return 0;
}

#define GFP_MOVABLE 0x08U /* user pages have it, page tables and slabs do not (include/linux/gfp_types.h) */

/* Loaded only when page tables cannot be read. */
SEC("?tp_btf/mm_page_alloc")
int on_page_alloc(u64 *ctx)
{
	/* struct page *page, unsigned int order, gfp_t flags, int migratetype; the pointer is needed as a number. */
	struct task_state *state;
	u64 page = 0;

	if ((u32)ctx[1] || !((u32)ctx[2] & GFP_MOVABLE))
		return 0;
	state = state_of(bpf_get_current_task_btf());
	if (!state || !state->open || bpf_probe_read_kernel(&page, sizeof(page), ctx) || !page)
		return 0;
	if (options.vmemmap && options.page_struct)
		state->allocated = (page - options.vmemmap) / options.page_struct;
	else
		state->allocated = 1;
	return 0;
}
