/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * The thread state and the Python frames of the current thread, as user space has told where they
 * are (abi/python.h). Everything here is read from memory that the program may have filled with
 * anything: a read that fails ends the walk, and loops are bounded.
 */
#ifndef COWTRACE_LIB_PYTHON_H
#define COWTRACE_LIB_PYTHON_H

#include "lib/pythons.h"

static __always_inline u64 read_user_u64(u64 address)
{
	u64 value = 0;

	if (bpf_probe_read_user(&value, sizeof(value), (void *)address))
		return 0;
	return value;
}

/* Bit 0 of what find_python_thread() returns; thread states are aligned. */
#define THREAD_COLLECTING 1ULL

/*
 * The current thread's PyThreadState, with THREAD_COLLECTING; 0: none. Not by _PyRuntime's
 * tstate_current, which names the thread that holds the GIL: somebody else where code has released
 * it. A stale pointer or another interpreter's state does not name our interpreter. Global
 * functions, as begin_stack() is.
 */
__weak __noinline u64 find_python_thread(u32 space)
{
	struct cowtrace_python *python = bpf_map_lookup_elem(&pythons, &space);
	u64 pointer, state;
	u32 collecting = 0;

	if (!python)
		return 0;
	pointer = FIELD(struct task_struct, (u64)bpf_get_current_task(), THREAD_POINTER);
	if (!pointer)
		return 0;
	state = read_user_u64(pointer + python->slot);
	if (state && python->block_slot >= 0)
		state = read_user_u64(state + python->block_slot);
	if (!state || (state & 7) ||
	    read_user_u64(state + python->thread_interpreter) != python->interpreter)
		return 0;
	if (python->collecting &&
	    bpf_probe_read_user(&collecting, sizeof(collecting), (void *)python->collecting))
		collecting = 0;
	return collecting ? state | THREAD_COLLECTING : state;
}

#define PYTHON_WINDOW 512 /* bytes, a power of two: four frames of small functions */

/* What was last read where frames are: from 3.11 on those of callers lie right before, and one read
 * gets several of them. */
struct python_window {
	u64 words[PYTHON_WINDOW / 8];
	u64 start; /* address of words[0] */
	u64 size;  /* bytes; 0: nothing was read */
};

/*
 * The place in `words` of the `size` bytes at `address`, which are read if they are not there;
 * negative: they cannot be read. Nothing of another page is read with them: it may be absent, and
 * that takes the kernel longer than all reads together.
 */
static __always_inline s32 look_at_frame(struct python_window *window, u64 address, u32 size,
					 bool one_by_one)
{
	u64 at = address - window->start, most = (PYTHON_WINDOW - size) & ~7U;
	u32 before = address & (4096 - 8);

	if (at < window->size && at + size <= window->size && !(at & 7))
		return at / 8;
	if (before > most)
		before = most;
	if (one_by_one)
		before = 0;
	window->start = address - before;
	window->size = 0;
	size += before;
	if (size > PYTHON_WINDOW || bpf_probe_read_user(window->words, size, (void *)window->start))
		return -1;
	window->size = size;
	return before / 8;
}

/* 8 bytes of the frame at that place, and one. */
static __always_inline u64 frame_word(const struct python_window *window, u32 place, u8 offset)
{
	return window->words[(place + (offset >> 3)) & (PYTHON_WINDOW / 8 - 1)];
}

static __always_inline u8 frame_byte(const struct python_window *window, u32 place, u8 offset)
{
	return ((const u8 *)window->words)[(place * 8 + offset) & (PYTHON_WINDOW - 1)];
}

/* The innermost frame of a thread; 0: it runs no Python. */
static __always_inline u64 first_python_frame(const struct cowtrace_python *python, u64 thread)
{
	u64 frame = read_user_u64((thread & ~THREAD_COLLECTING) + python->thread_frame);

	return frame && python->cframe_frame >= 0 ? read_user_u64(frame + python->cframe_frame)
						  : frame;
}

#endif
