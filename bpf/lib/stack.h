/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * User stacks: native ones by frame pointer, Python's from its thread state. Each distinct pair is sent once, over the control ring; breaks
 * carry its hash.
 */
#ifndef COWTRACE_LIB_STACK_H
#define COWTRACE_LIB_STACK_H

#include "lib/maps.h"
#include "lib/python.h"
#include "lib/scratch.h"

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 65536);
	__type(key, u64);
	__type(value, u8);
} sent SEC(".maps") __weak;

struct stack_walk {
	struct cowtrace_stack stack;
	u64 frame[COWTRACE_PYTHON_FRAME_BYTES / 8]; /* the Python frame at hand */
	u64 file_start, file_size; /* of the interpreter that these belong to; size 0: there are none */
};

DEFINE_SCRATCH(struct stack_walk, stacks)

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

/* Bytes of one stack frame: the usual limit of a whole stack. */
#define MOST_IN_A_STACK_FRAME (8ULL << 20)

/* 0 where the register is used for something else, as code without frame pointers does: it does not point above the stack pointer. */
static __always_inline u64 frame_pointer(const struct registers *user)
{
	return user->bp - user->sp < MOST_IN_A_STACK_FRAME ? user->bp : 0;
}

/*
 * Leaves the stack frames in `stack` and returns `hash` with them mixed in. Where Python frames are known, the interpreter's own tell nothing
 * more, nor does what called it: the walk ends at the first of them.
 */
static __always_inline u64 walk_stack(struct stack_walk *walk, u64 hash, u64 ip, u64 bp, u32 limit)
{
	struct cowtrace_stack *stack = &walk->stack;

	hash = mix(hash, ip);
	stack->depth = 1;
	stack->truncated = 0;
	stack->ip[0] = ip;
	for (u32 i = 1; i < COWTRACE_MAX_FRAMES; i++) {
		u64 record[2]; /* caller's frame pointer, return address */

		if (ip - walk->file_start < walk->file_size)
			break;
		if (i >= limit) {
			stack->truncated = 1;
			break;
		}
		if (!bp || (bp & 7) || bpf_probe_read_user(record, sizeof(record), (void *)bp) || !record[1])
			break;
		ip = record[1];
		stack->ip[i] = ip;
		stack->depth = i + 1;
		hash = mix(hash, ip);
		/* Stacks grow down: a caller's stack frame lies above, or this is not a frame pointer. */
		if (record[0] <= bp || record[0] - bp > MOST_IN_A_STACK_FRAME)
			break;
		bp = record[0];
	}
	return hash ? hash : 1;
}

/*
 * Leaves the Python frames of `thread` (find_python_thread()) in place `key` of the scratch memory, and returns `hash` with them mixed in. A
 * global function, for what capture_stack() says.
 */
__weak __noinline u64 walk_python(u32 key, u32 space, u64 thread, u64 hash)
{
	struct place_of_stacks *place = bpf_map_lookup_elem(&stacks, &key);
	struct cowtrace_python *python = bpf_map_lookup_elem(&pythons, &space);
	u32 limit = options.python_frames;
	struct cowtrace_stack *stack;
	u64 frame;

	if (!place || !python)
		return hash;
	stack = &place->content.stack;
	frame = first_python_frame(python, thread);
	if (frame) {
		place->content.file_start = python->file_start;
		place->content.file_size = python->file_size;
	}
	for (u32 i = 0; i < COWTRACE_MAX_FRAMES; i++) {
		u32 size = python->frame_size & (COWTRACE_PYTHON_FRAME_BYTES - 1);

		if (!frame)
			return hash;
		if (i >= limit ||
		    bpf_probe_read_user(place->content.frame, size, (void *)(frame + python->frame_start)))
			break;
		stack->python[i].code = frame_word(place->content.frame, python->code) & ~(u64)python->tag_bits;
		stack->python[i].instruction = frame_word(place->content.frame, python->instruction);
		if (python->kind == COWTRACE_PYTHON_OLD)
			stack->python[i].instruction = (u32)stack->python[i].instruction;
		*(u64 *)&stack->python[i].owner =
			python->owner < size ? frame_byte(place->content.frame, python->owner) : 0;
		stack->python_depth = i + 1;
		hash = mix(mix(hash, stack->python[i].code), stack->python[i].instruction);
		frame = frame_word(place->content.frame, python->previous);
	}
	stack->python_truncated = !!frame;
	return hash ? hash : 1;
}

static __always_inline void send_stack(struct cowtrace_stack *stack, u32 space, u64 hash)
{
	u32 python_depth = stack->python_depth, size;

	if (python_depth > COWTRACE_MAX_FRAMES)
		return;
	size = COWTRACE_STACK_BYTES(python_depth);
	stack->hash = hash;
	stack->space = space;
	__builtin_memset(stack->reserved, 0, sizeof(stack->reserved));
	fill_header(&stack->header, size, COWTRACE_EVENT_STACK, bpf_ktime_get_ns());
	for (u32 i = 0; i < COWTRACE_MAX_FRAMES; i++)
		if (i >= stack->depth)
			stack->ip[i] = 0;
	if (bpf_ringbuf_output(&control_ring, stack, size, BPF_RB_NO_WAKEUP))
		COUNT(lost_control);
	else
		mark_sent(hash);
}

/*
 * The hash of the user stack that starts at ip and bp, with the Python frames of `thread` (0: it runs no Python); 0: stacks are off. `last`
 * is the hash that this thread sent last. A global function: the verifier goes through its loops once instead of once for each path that
 * leads here (kernel 6.1 gave up on those).
 */
__weak __noinline u64 capture_stack(u32 space, u64 ip, u64 bp, u64 last, u64 thread)
{
	bool python = thread && options.python_frames;
	struct place_of_stacks *place;
	struct cowtrace_stack *stack;
	u64 hash;

	if (!options.frames && !python)
		return 0;
	place = take_stacks();
	if (!place) {
		COUNT(lost_control);
		return 0;
	}
	stack = &place->content.stack;
	stack->depth = stack->truncated = 0;
	stack->python_depth = stack->python_truncated = 0;
	place->content.file_size = 0;
	hash = mix(space, 0);
	if (python)
		hash = walk_python(place->key, space, thread, hash);
	if (options.frames)
		hash = walk_stack(&place->content, hash, ip, bp, options.frames);
	if (!stack->depth && !stack->python_depth)
		hash = 0;
	else if (hash != last && !already_sent(hash))
		send_stack(stack, space, hash);
	give_back(place);
	return hash;
}

#endif
