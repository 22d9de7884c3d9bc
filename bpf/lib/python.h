/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * The thread state and the Python frames of the current thread, as user space has told where they are (abi/python.h). Everything here is
 * read from memory that the program may have filled with anything: a read that fails ends the walk, and loops are bounded.
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
 * The current thread's PyThreadState, with THREAD_COLLECTING; 0: none. Not by _PyRuntime's tstate_current, which names the thread that
 * holds the GIL: somebody else where code has released it. A stale pointer or another interpreter's state does not name our interpreter.
 * Global functions, as begin_stack() is.
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
	if (!state || (state & 7) || read_user_u64(state + python->thread_interpreter) != python->interpreter)
		return 0;
	if (python->collecting &&
	    bpf_probe_read_user(&collecting, sizeof(collecting), (void *)python->collecting))
		collecting = 0;
	return collecting ? state | THREAD_COLLECTING : state;
}

/* 8 bytes of what was read of a frame, and one. */
static __always_inline u64 frame_word(const u64 *frame, u8 offset)
{
	return frame[(offset >> 3) & (COWTRACE_PYTHON_FRAME_BYTES / 8 - 1)];
}

static __always_inline u8 frame_byte(const u64 *frame, u8 offset)
{
	return ((const u8 *)frame)[offset & (COWTRACE_PYTHON_FRAME_BYTES - 1)];
}

/* The innermost frame of a thread; 0: it runs no Python. */
static __always_inline u64 first_python_frame(const struct cowtrace_python *python, u64 thread)
{
	u64 frame = read_user_u64((thread & ~THREAD_COLLECTING) + python->thread_frame);

	return frame && python->cframe_frame >= 0 ? read_user_u64(frame + python->cframe_frame) : frame;
}

#endif
