/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* Counting a resolution exactly once and sending its event; what does not fit is counted as lost. */
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
	u32 flags;
	u8 mechanism;
};

struct race_key {
	u64 page;
	u32 space;
	u32 pad;
};
struct race_value {
	u64 change;  /* old and new frame */
	u64 time_ns; /* when the last completion saw it */
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
	__type(key, struct cowtrace_page_key);
	__type(value, struct cowtrace_page_value);
} pages SEC(".maps") __weak;

/*
 * Threads that race for one page all enter before any of them completes, and all see the same change of frames. The first to record the
 * change owns the break. A later break of the same page between the same two frames has entered after the recorded completion. The time of
 * entry is taken before the page tables are read and that of completion after: who saw the old frame entered before it was recorded gone.
 * The other threads may be gone at completion, so both moments are asked whether there are any.
 */
static __always_inline bool lost_race(struct task_state *state, const struct outcome *outcome, u64 now)
{
	struct race_key key = { .page = outcome->address & ~(PAGE_BYTES - 1), .space = state->space };
	struct race_value fresh = { .change = (outcome->old_frame << 32) ^ outcome->new_frame ^
					      ((u64)outcome->mechanism << 60),
				    .time_ns = now };
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
	return __sync_val_compare_and_swap(&seen->change, old, fresh.change) != old;
}

static __always_inline void count_page(struct task_state *state, const struct outcome *outcome, u64 now)
{
	struct cowtrace_page_key key = { .page = outcome->address & ~(PAGE_BYTES - 1),
					 .space = state->space,
					 .mechanism = outcome->mechanism };
	struct cowtrace_page_value *value = bpf_map_lookup_elem(&pages, &key);

	if (!value) {
		struct cowtrace_page_value fresh = { .first_ns = now, .mapping = outcome->mapping, .size = outcome->size };

		bpf_map_update_elem(&pages, &key, &fresh, BPF_NOEXIST);
		value = bpf_map_lookup_elem(&pages, &key);
		if (!value) {
			COUNT(lost);
			return;
		}
	}
	__sync_fetch_and_add(&value->count, 1);
	value->last_ns = now;
	value->last_address = outcome->address;
	value->old_frame = outcome->old_frame;
	value->new_frame = outcome->new_frame;
}

static __always_inline void send_resolution(struct task_state *state, const struct outcome *outcome, u64 mm, u64 stack,
					    u64 ip, u64 now)
{
	struct cowtrace_resolution *event = bpf_ringbuf_reserve(&data_ring, sizeof(*event), 0);
	u64 latency = now - state->start_ns;
	u64 flags;

	if (!event) {
		COUNT(lost);
		return;
	}
	fill_header(&event->header, sizeof(*event), COWTRACE_EVENT_RESOLUTION, now);
	event->mm = mm;
	event->address = outcome->address;
	event->ip = ip;
	event->error_code = state->error_code;
	event->old_pte = outcome->old_pte;
	event->new_pte = outcome->new_pte;
	event->old_frame = outcome->old_frame;
	event->new_frame = outcome->new_frame;
	event->stack = stack;
	event->mapping = outcome->mapping;
	event->space = state->space;
	event->latency_ns = latency > 0xffffffffULL ? 0xffffffffU : latency;
	event->size = outcome->size;
	event->flags = outcome->flags;
	event->mechanism = outcome->mechanism;
	event->cause = state->user_mode ? COWTRACE_CAUSE_UNKNOWN : COWTRACE_CAUSE_SYSCALL;
	event->reserved = 0;
	event->window_address = state->window_address;
	event->window_size = state->window_size;
	__builtin_memcpy(event->window, state->window, COWTRACE_WINDOW);
	flags = bpf_ringbuf_query(&data_ring, BPF_RB_AVAIL_DATA) >= options.wakeup_bytes ? BPF_RB_FORCE_WAKEUP :
											    BPF_RB_NO_WAKEUP;
	bpf_ringbuf_submit(event, flags);
}

static __always_inline void resolve(struct task_struct *task, struct mm_struct *mm, struct task_state *state,
				    const struct outcome *outcome, u64 ip, u64 bp, u64 now)
{
	struct cowtrace_counters *counters_here;
	u32 mechanism = outcome->mechanism;
	u64 stack;

	if (mechanism >= COWTRACE_MECHANISMS)
		return;
	if ((state->shared_mm || mm->mm_users.counter > 1) && lost_race(state, outcome, now)) {
		COUNT(duplicates);
		return;
	}
	counters_here = this_cpu_counters();
	if (counters_here) {
		counters_here->resolutions.count[mechanism] += 1;
		counters_here->resolutions.bytes[mechanism] += outcome->size;
	}
	state->counts.count[mechanism] += 1;
	state->counts.bytes[mechanism] += outcome->size;
	if (options.counts_only) {
		count_page(state, outcome, now);
		return;
	}
	stack = capture_stack(state->space, ip, bp, state->stack_sent);
	state->stack_sent = stack;
	send_resolution(state, outcome, (u64)mm, stack, ip, now);
}

#endif
