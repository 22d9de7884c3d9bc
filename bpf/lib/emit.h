/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* Counting a resolution exactly once and sending its event; what does not fit is counted as lost.
 */
#ifndef COWTRACE_LIB_EMIT_H
#define COWTRACE_LIB_EMIT_H

#include "lib/maps.h"
#include "lib/mapping.h"
#include "lib/pagetable.h"
#include "lib/stack.h"

/* What one fault led to; filled by the hooks, counted and sent by resolve(). */
struct outcome {
	u64 address;
	u64 old_frame;
	u64 new_frame;
	u64 old_pte;
	u64 new_pte;
	u64 mapping;
	u32 size;
	u8 old_level;
	u8 new_level;
	u8 flags;
	u8 mechanism;
};

struct race_key {
	u64 page;
	u32 space;
	u32 pad;
};
struct race_value {
	u64 change;   /* old and new frame */
	u64 time_ns;  /* when the last completion saw it */
	u64 begun_ns; /* the last fault of a thread that is about to replace the page began, */
	u64 done_ns;  /* and was finished */
};

/* Pages broken lately by address spaces with several threads. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 65536);
	__type(key, struct race_key);
	__type(value, struct race_value);
} races SEC(".maps") __weak;

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, struct cowtrace_pages_key);
	__type(value, struct cowtrace_pages);
} pages SEC(".maps") __weak;

/*
 * Threads that race for one page all enter before any of them completes, and all see the same
 * change of frames. The first to record the change owns the break. A later break of the same page
 * between the same two frames has entered after the recorded completion. The time of entry is taken
 * before the page tables are read and that of completion after: a thread that saw the old frame
 * entered before it was recorded gone. The other threads may be gone at completion, so both moments
 * are asked whether there are any.
 */
static __noinline bool lost_race(struct task_state *state, const struct outcome *outcome, u64 now)
{
	struct race_key key = {.page = outcome->address & ~(PAGE_BYTES - 1), .space = state->space};
	struct race_value fresh = {.change = (outcome->old_frame << 32) ^ outcome->new_frame ^
					     ((u64)outcome->mechanism << 60),
				   .time_ns = now};
	struct race_value *seen = bpf_map_lookup_elem(&races, &key);
	u64 old;

	if (!seen) {
		if (!bpf_map_update_elem(&races, &key, &fresh, BPF_NOEXIST))
			return false;
		seen = bpf_map_lookup_elem(&races, &key);
		if (!seen)
			return false;
	}
	old = seen->change;
	if (old == fresh.change && state->start_ns <= seen->time_ns)
		return true;
	seen->time_ns = now;
	if (old == fresh.change)
		return false;
	if (!ATOMICS) {
		seen->change = fresh.change;
		return false;
	}
	return __sync_val_compare_and_swap(&seen->change, old, fresh.change) != old;
}

/*
 * The kernel empties an entry for a moment before it puts the copy there (ptep_clear_flush() in
 * wp_page_copy(), mm/memory.c). A thread that faults in that moment finds an absent page, and then
 * a copy that is not its own. Whoever is about to replace a page where that would be taken for a
 * first write therefore says so before: a private mapping of a file.
 */
static __noinline void replacing_begins(struct task_state *state)
{
	struct race_key key = {.page = state->address & ~(PAGE_BYTES - 1), .space = state->space};
	struct race_value fresh = {.begun_ns = state->start_ns};
	struct race_value *seen = bpf_map_lookup_elem(&races, &key);

	state->replacing = 1;
	if (!seen && bpf_map_update_elem(&races, &key, &fresh, BPF_NOEXIST))
		seen = bpf_map_lookup_elem(&races, &key);
	if (seen)
		seen->begun_ns = state->start_ns;
}

/* `settled`: the page is there, and the fault will not be taken again. */
static __noinline void replacing_ends(struct task_state *state, bool replaced, bool settled,
				      u64 now)
{
	struct race_key key = {.page = state->address & ~(PAGE_BYTES - 1), .space = state->space};
	struct race_value *seen = bpf_map_lookup_elem(&races, &key);

	state->replacing = 0;
	/* Who changed nothing ends only what it has begun itself. */
	if (seen && (replaced || (settled && seen->begun_ns == state->start_ns)))
		seen->done_ns = now;
}

/* Was the absent page of this fault one that another thread was replacing meanwhile? */
static __noinline bool was_being_replaced(struct task_state *state)
{
	struct race_key key = {.page = state->address & ~(PAGE_BYTES - 1), .space = state->space};
	struct race_value *seen = bpf_map_lookup_elem(&races, &key);

	return seen && seen->begun_ns &&
	       (seen->done_ns >= state->start_ns || seen->begun_ns > seen->done_ns);
}

static const struct cowtrace_pages no_pages;

static __noinline void count_page(struct task_state *state, const struct outcome *outcome, u64 now)
{
	struct cowtrace_pages_key key = {.first = outcome->address &
						  ~(COWTRACE_NEIGHBOURS * PAGE_BYTES - 1),
					 .space = state->space,
					 .mechanism = outcome->mechanism};
	struct cowtrace_pages *found = bpf_map_lookup_elem(&pages, &key);
	struct cowtrace_page_row *row;

	if (!found) {
		/* Somebody else may have come first. */
		bpf_map_update_elem(&pages, &key, &no_pages, BPF_NOEXIST);
		found = bpf_map_lookup_elem(&pages, &key);
		if (!found) {
			COUNT(lost);
			return;
		}
	}
	row = &found->rows[outcome->address / PAGE_BYTES % COWTRACE_NEIGHBOURS];
	if (!row->first_ns)
		row->first_ns = now;
	__sync_fetch_and_add(&row->count, 1);
	row->last_ns = now;
	row->last_offset = outcome->address & (PAGE_BYTES - 1);
	row->old_frame = outcome->old_frame;
	row->new_frame = outcome->new_frame;
	row->mapping = outcome->mapping;
	row->size = outcome->size;
}

/* Other tasks may preempt us between the question and the taking: so many may take a slot too much.
 */
#define LANE_MARGIN 64

static __always_inline struct cowtrace_slot *take_slot(struct cowtrace_lane *lane, u64 *turn)
{
	u64 number;

	if (!options.lanes || lane->head - lane->tail >= COWTRACE_LANE_SLOTS - LANE_MARGIN)
		return 0;
	number = ATOMICS ? __sync_fetch_and_add(&lane->head, 1) : lane->head++;
	*turn = number + 1;
	return &lane->slots[number & (COWTRACE_LANE_SLOTS - 1)];
}

static __noinline void wake(struct cowtrace_lane *lane, u64 now)
{
	struct cowtrace_header header = {};

	lane->woken = lane->head;
	fill_header(&header, sizeof(header), COWTRACE_EVENT_WAKE, now);
	bpf_ringbuf_output(&control_ring, &header, sizeof(header), BPF_RB_FORCE_WAKEUP);
}

/* The slot is whole. User space is woken when the lane is half full, and not again at once. */
static __always_inline void submit_slot(struct cowtrace_lane *lane, struct cowtrace_slot *slot,
					u64 turn, u64 now)
{
	store_last(&slot->turn, turn);
	if (turn - lane->tail >= COWTRACE_LANE_SLOTS / 2 &&
	    turn - lane->woken >= COWTRACE_LANE_SLOTS / 4)
		wake(lane, now);
}

static __always_inline void submit_to_ring(void *event)
{
	bool half_full = bpf_ringbuf_query(&data_ring, BPF_RB_AVAIL_DATA) >= options.wakeup_bytes;

	bpf_ringbuf_submit(event, half_full ? BPF_RB_FORCE_WAKEUP : BPF_RB_NO_WAKEUP);
}

/* An entry as user space gets it: its frame without the bit that marks encrypted memory. */
static __always_inline u64 plain_entry(u64 entry)
{
	return entry & (layout.frame_mask | ~COWTRACE_FRAME_BITS);
}

/*
 * The 64 bytes around the address. At completion the kernel has made the copy and the instruction
 * has not written yet; the new frame is warm. Through the direct map, because a first touch of a
 * user page from the kernel can cost a fault of its own under a hypervisor.
 */
static __always_inline void read_window(struct cowtrace_resolution *event,
					const struct task_state *state,
					const struct outcome *outcome)
{
	u64 start = cowtrace_window_start(outcome->address);
	u64 *words = (u64 *)event->window;
	long failed = 0;

	if (outcome->flags & COWTRACE_LATE) {
		/* Written already. */
		failed = -1;
	} else if (layout.pairing || state->old_class == PAGE_UNKNOWN || !outcome->new_frame) {
		failed = state->visit ? -1
				      : bpf_probe_read_user(event->window, COWTRACE_WINDOW,
							    (void *)start);
	} else {
		u64 at = layout.direct_map + outcome->new_frame * PAGE_BYTES +
			 (start & (PAGE_BYTES - 1));

		if (options.direct_loads)
#pragma unroll
			for (u32 i = 0; i < COWTRACE_WINDOW / 8; i++)
				words[i] = load_word(at + i * 8);
		else
			failed = bpf_probe_read_kernel(event->window, COWTRACE_WINDOW, (void *)at);
	}
	event->window_size = failed ? 0 : COWTRACE_WINDOW;
}

static __always_inline void fill_resolution(struct cowtrace_resolution *event,
					    const struct task_state *state,
					    const struct outcome *outcome, u64 stack, u64 ip,
					    u64 now)
{
	u64 latency = now - state->start_ns;

	fill_header(&event->header, sizeof(*event), COWTRACE_EVENT_RESOLUTION, now);
	event->address = outcome->address;
	event->ip = ip;
	event->old_pte = plain_entry(outcome->old_pte);
	event->new_pte = plain_entry(outcome->new_pte);
	event->stack = stack;
	event->mapping = outcome->mapping;
	event->space = state->space;
	event->latency_ns = latency > 0xffffffffULL ? 0xffffffffU : latency;
	event->error_code = state->error_code;
	event->old_level = outcome->old_level;
	event->new_level = outcome->new_level;
	event->mechanism = outcome->mechanism;
	event->cause = outcome->flags & COWTRACE_REMOTE	     ? COWTRACE_CAUSE_REMOTE
		       : outcome->flags & COWTRACE_IN_KERNEL ? COWTRACE_CAUSE_SYSCALL
							     : COWTRACE_CAUSE_UNKNOWN;
	event->flags = outcome->flags;
	read_window(event, state, outcome);
	translate_numbers(&event->header);
}

/* The lane is full, or there is none. */
static __noinline void send_to_ring(struct task_state *state, struct outcome *outcome, u64 stack,
				    u64 ip, u64 now)
{
	struct cowtrace_resolution *event = bpf_ringbuf_reserve(&data_ring, sizeof(*event), 0);

	if (!event) {
		COUNT(lost);
		return;
	}
	fill_resolution(event, state, outcome, stack, ip, now);
	submit_to_ring(event);
}

VERIFIED_ONCE int resolve(u64 mm, struct task_state *state, struct outcome *outcome, u64 now)
{
	struct cowtrace_lane *lane = this_lane();
	struct cowtrace_slot *slot;
	u64 stack = 0, turn;
	u32 mechanism;

	if (!state || !outcome || !lane)
		return 0;
	mechanism = outcome->mechanism;
	if (mechanism >= COWTRACE_MECHANISMS)
		return 0;
	if ((state->shared_mm || is_used_by_several(mm)) && lost_race(state, outcome, now)) {
		COUNT(duplicates);
		return 0;
	}
	/* Atomic for the kernels where programs can be preempted: the totals are exact whatever
	 * else is lost. */
	__sync_fetch_and_add(&lane->counters.resolutions.of[mechanism].count, 1);
	__sync_fetch_and_add(&lane->counters.resolutions.of[mechanism].bytes, outcome->size);
	state->counts.of[mechanism].count += 1;
	state->counts.of[mechanism].bytes += outcome->size;
	if (options.counts_only) {
		count_page(state, outcome, now);
		return 0;
	}
	if (state->user.ip) {
		u64 thread = shared.pythons ? find_python_thread(state->space) : 0;

		if (thread)
			outcome->flags |= COWTRACE_PYTHON_THREAD |
					  (thread & THREAD_COLLECTING ? COWTRACE_GC_COLLECTING : 0);
		if (options.frames || options.python_frames)
			state->stack_sent = stack = stack_of(mm, state, thread);
	}
	slot = take_slot(lane, &turn);
	if (!slot) {
		send_to_ring(state, outcome, stack, state->user.ip, now);
		return 0;
	}
	fill_resolution((struct cowtrace_resolution *)slot->event, state, outcome, stack,
			state->user.ip, now);
	submit_slot(lane, slot, turn, now);
	return 0;
}

static __always_inline void send_populate(struct task_state *state, u64 address, u64 frame,
					  u32 size)
{
	struct cowtrace_populate *event = bpf_ringbuf_reserve(&data_ring, sizeof(*event), 0);

	if (!event) {
		COUNT(lost_populate);
		return;
	}
	fill_header(&event->header, sizeof(*event), COWTRACE_EVENT_POPULATE, bpf_ktime_get_ns());
	event->address = address;
	event->new_frame = frame;
	event->space = state->space;
	event->size = size;
	submit_to_ring(event);
}

#endif
