/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * User stacks: native ones by rules (lib/unwind.h) or by frame pointer, Python's from its thread
 * state. Each distinct pair is sent once, over the control ring; breaks carry its hash.
 */
#ifndef COWTRACE_LIB_STACK_H
#define COWTRACE_LIB_STACK_H

#include "lib/maps.h"
#include "lib/python.h"
#include "lib/scratch.h"
#include "lib/unwind.h"

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 65536);
	__type(key, u64);
	__type(value, u8);
} sent SEC(".maps") __weak;

static __always_inline u64 mix(u64 hash, u64 value)
{
	return cowtrace_mix(hash, value);
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

/*
 * By frame pointer. Leaves the stack frames in `walk`, mixed into its hash. Where Python frames are
 * known, the interpreter's own tell nothing more, nor does what called it: the walk ends at the
 * first of them.
 */
static __always_inline void walk_stack(struct stack_walk *walk, u32 limit)
{
	struct cowtrace_stack *stack = &walk->stack;
	u64 ip = walk->ip, bp = frame_pointer(walk->bp, walk->sp), hash = walk->hash;

	for (u32 i = 1; i < COWTRACE_MAX_FRAMES; i++) {
		u64 record[2]; /* caller's frame pointer, return address */

		if (ip - walk->file_start < walk->file_size)
			break;
		if (i >= limit) {
			stack->truncated = 1;
			break;
		}
		if (!bp || (bp & 7) || bpf_probe_read_user(record, sizeof(record), (void *)bp) ||
		    !record[1])
			break;
		ip = record[1];
		stack->ip[i] = ip;
		stack->depth = i + 1;
		hash = mix(hash, ip);
		/* Stacks grow down: a caller's stack frame lies above, or this is not a frame
		 * pointer. */
		if (record[0] <= bp || record[0] - bp > MOST_IN_A_STACK_FRAME)
			break;
		bp = record[0];
	}
	walk->hash = hash;
}

/* The same by rules. False: the last stack frame has none. */
static __always_inline bool unwind_stack(struct stack_walk *walk, u32 key, u32 limit)
{
	struct cowtrace_stack *stack = &walk->stack;

	walk->exact = COWTRACE_UNWIND_EXACT;
	walk->rule = find_rule(walk->scope, walk->ip | COWTRACE_UNWIND_EXACT);
	for (u32 i = 1; i <= COWTRACE_MAX_FRAMES; i++) {
		u32 kind = walk->rule & COWTRACE_UNWIND_KIND, unwound;

		if (walk->ip - walk->file_start < walk->file_size ||
		    kind == COWTRACE_UNWIND_OUTERMOST)
			return true;
		if (i >= limit || i >= COWTRACE_MAX_FRAMES || kind > COWTRACE_UNWIND_OUTERMOST) {
			stack->truncated = 1;
			return true;
		}
		if (!kind) {
			/* Whoever goes on from here is told registers. */
			if (have_read(&walk->bp, &walk->bp_at) &&
			    have_read(&walk->bx, &walk->bx_at))
				return false;
			stack->truncated = 1;
			return true;
		}
		unwound = unwind_step(key);
		if (unwound) {
			stack->truncated = unwound == UNWOUND_LOST;
			return true;
		}
		stack->ip[i] = walk->ip;
		stack->depth = i + 1;
		walk->hash = mix(walk->hash, walk->ip);
	}
	return true;
}

/* Leaves the Python frames of `thread` (find_python_thread()) in `walk`, and returns `hash` with
 * them mixed in. */
static __always_inline u64 walk_python(struct stack_walk *walk, u32 space, u64 thread, u64 hash)
{
	struct cowtrace_python *python = bpf_map_lookup_elem(&pythons, &space);
	struct cowtrace_stack *stack = &walk->stack;
	u32 limit = options.python_frames;
	u64 frame;

	if (!python)
		return hash;
	frame = first_python_frame(python, thread);
	if (frame) {
		walk->file_start = python->file_start;
		walk->file_size = python->file_size;
	}
	walk->window.size = 0;
	for (u32 i = 0; i < COWTRACE_MAX_FRAMES; i++) {
		u32 size = python->frame_size & (COWTRACE_PYTHON_FRAME_BYTES - 1);
		s32 place;

		if (!frame)
			return hash;
		if (i >= limit)
			break;
		place = look_at_frame(&walk->window, frame + python->frame_start, size,
				      python->kind == COWTRACE_PYTHON_OLD);
		if (place < 0)
			break;
		stack->python[i].code =
			frame_word(&walk->window, place, python->code) & ~(u64)python->tag_bits;
		stack->python[i].instruction =
			frame_word(&walk->window, place, python->instruction);
		if (python->kind == COWTRACE_PYTHON_OLD)
			stack->python[i].instruction = (u32)stack->python[i].instruction;
		*(u64 *)&stack->python[i].owner =
			python->owner < size ? frame_byte(&walk->window, place, python->owner) : 0;
		stack->python_depth = i + 1;
		hash = mix(mix(hash, stack->python[i].code), stack->python[i].instruction);
		frame = frame_word(&walk->window, place, python->previous);
	}
	stack->python_truncated = !!frame;
	return hash;
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
 * Steps, one after the other, for the stacks of all functions that are active together must fit
 * into 512 bytes; 6.16 and later give each program one of its own. Global functions: the verifier
 * goes through their loops once instead of once for each path that leads here (kernel 6.1 gave up
 * on those).
 *
 * begin_stack() walks the Python frames of `thread` (0: it runs no Python), and returns what the
 * others take: 0 if stacks are off.
 */
__weak __noinline u64 begin_stack(u32 space, u64 thread)
{
	bool python = thread && options.python_frames;
	struct place_of_stacks *place;
	struct stack_walk *walk;

	if (!options.frames && !python)
		return 0;
	place = take_stacks();
	if (!place) {
		COUNT(lost_control);
		return 0;
	}
	walk = &place->content;
	walk->stack.depth = walk->stack.truncated = 0;
	walk->stack.python_depth = walk->stack.python_truncated = 0;
	walk->file_size = 0;
	walk->hash = mix(space, 0);
	if (python)
		walk->hash = walk_python(walk, space, thread, walk->hash);
	return place->key + 1ULL;
}

/* Walks the native stack from the registers in the place. False: as far as rules lead; user space
 * has to find the rest. */
__weak __noinline u32 walk_native(u64 begun)
{
	u32 key = begun - 1;
	struct place_of_stacks *place = bpf_map_lookup_elem(&stacks, &key);
	struct stack_walk *walk;

	if (!place)
		return 1;
	walk = &place->content;
	walk->stack.depth = 1;
	walk->stack.ip[0] = walk->ip;
	walk->hash = mix(walk->hash, walk->ip);
	if (options.unwind)
		return unwind_stack(walk, key, options.frames);
	walk_stack(walk, options.frames);
	return 1;
}

/* Sends the stack, if it has not been sent, and returns its hash. `last` is the one that this
 * thread sent last; `sent_as`: it was, as that. */
__weak __noinline u64 end_stack(u64 begun, u32 space, u64 last, u64 sent_as)
{
	u32 key = begun - 1;
	struct place_of_stacks *place = bpf_map_lookup_elem(&stacks, &key);
	struct stack_walk *walk;
	u64 hash = sent_as;

	if (!place)
		return 0;
	walk = &place->content;
	if (!hash && (walk->stack.depth || walk->stack.python_depth)) {
		hash = walk->hash ? walk->hash : 1;
		if (hash != last && !already_sent(hash))
			send_stack(&walk->stack, space, hash);
	}
	give_back(place);
	return hash;
}

static __always_inline void set_registers(u64 begun, u64 mm, struct task_state *state)
{
	u32 key = begun - 1;
	struct place_of_stacks *place = bpf_map_lookup_elem(&stacks, &key);
	struct stack_walk *walk;

	if (!place)
		return;
	walk = &place->content;
	walk->ip = state->user.ip;
	walk->sp = state->user.sp;
	walk->bp = state->user.bp;
	walk->bx = state->user.bx;
	walk->bp_at = walk->bx_at = 0;
	if (options.unwind)
		walk->scope = unwind_scope(mm, state);
}

/* The hash of the current thread's stack; 0: stacks are off. */
static __always_inline u64 stack_of(u64 mm, struct task_state *state, u64 thread)
{
	u64 begun = begin_stack(state->space, thread), sent_as = 0;

	if (!begun)
		return 0;
	if (options.frames) {
		set_registers(begun, mm, state);
		if (!walk_native(begun))
			sent_as = send_copy(begun, state->space);
	}
	return end_stack(begun, state->space, state->stack_sent, sent_as);
}

#endif
