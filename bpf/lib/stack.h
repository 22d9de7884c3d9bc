/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* User stacks by frame pointer. Each distinct stack is sent once, over the control ring; breaks carry its hash. */
#ifndef COWTRACE_LIB_STACK_H
#define COWTRACE_LIB_STACK_H

#include "lib/maps.h"
#include "lib/scratch.h"

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 65536);
	__type(key, u64);
	__type(value, u8);
} sent SEC(".maps") __weak;

DEFINE_SCRATCH(struct cowtrace_stack, stacks)

static __always_inline u64 mix(u64 hash, u64 value)
{
	/* murmur3's finaliser over a running sum: cheap, and every bit of every address counts. */
	hash = (hash ^ value) * 0xff51afd7ed558ccdULL;
	return hash ^ (hash >> 33);
}

/* Remembers that `hash` was sent; true if it has been before. */
static __always_inline bool already_sent(u64 hash)
{
	return bpf_map_lookup_elem(&sent, &hash) != 0;
}

static __always_inline void mark_sent(u64 hash)
{
	u8 one = 1;

	bpf_map_update_elem(&sent, &hash, &one, BPF_ANY);
}

/* Leaves the stack frames in `stack` and returns its hash. */
static __always_inline u64 walk_stack(struct cowtrace_stack *stack, u32 space, u64 ip, u64 bp, u32 limit)
{
	u64 hash = mix(space, ip);

	stack->depth = 1;
	stack->truncated = 0;
	stack->ip[0] = ip;
	for (u32 i = 1; i < COWTRACE_MAX_FRAMES; i++) {
		u64 record[2]; /* caller's frame pointer, return address */

		if (i >= limit) {
			stack->truncated = 1;
			break;
		}
		if (!bp || (bp & 7) || bpf_probe_read_user(record, sizeof(record), (void *)bp) || !record[1])
			break;
		stack->ip[i] = record[1];
		stack->depth = i + 1;
		hash = mix(hash, record[1]);
		/* Stacks grow down: a caller's stack frame lies above, or this is not a frame pointer. */
		if (record[0] <= bp)
			break;
		bp = record[0];
	}
	return hash ? hash : 1;
}

static __always_inline void send_stack(struct cowtrace_stack *stack, u32 space, u64 hash)
{
	stack->hash = hash;
	stack->space = space;
	stack->reserved = 0;
	fill_header(&stack->header, sizeof(*stack), COWTRACE_EVENT_STACK, bpf_ktime_get_ns());
	for (u32 i = 0; i < COWTRACE_MAX_FRAMES; i++)
		if (i >= stack->depth)
			stack->ip[i] = 0;
	if (bpf_ringbuf_output(&control_ring, stack, sizeof(*stack), BPF_RB_NO_WAKEUP))
		COUNT(lost_control);
	else
		mark_sent(hash);
}

/*
 * The hash of the user stack that starts at ip and bp, 0: stacks are off. `last` is the hash that this thread sent last. A global function:
 * the verifier goes through its loops once instead of once for each path that leads here (kernel 6.1 gave up on those).
 */
__weak __noinline u64 capture_stack(u32 space, u64 ip, u64 bp, u64 last)
{
	struct place_of_stacks *place;
	u32 limit = options.frames;
	u64 hash;

	if (!limit)
		return 0;
	place = take_stacks();
	if (!place) {
		COUNT(lost_control);
		return 0;
	}
	hash = walk_stack(&place->content, space, ip, bp, limit);
	if (hash != last && !already_sent(hash))
		send_stack(&place->content, space, hash);
	give_back(place);
	return hash;
}

#endif
