/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * What user space has found out about the CPython in an address space, and BPF needs to find the
 * Python frames of a thread that breaks a page there: the value of the map `pythons`, whose key is
 * the number of the space. Offsets are those of one build; nothing is assumed.
 */
#ifndef COWTRACE_ABI_PYTHON_H
#define COWTRACE_ABI_PYTHON_H

#include "abi/events.h"

enum cowtrace_python_kind {
	COWTRACE_PYTHON_OLD = 1, /* to 3.10: PyFrameObject, f_lasti is an int */
	COWTRACE_PYTHON_NEW = 2, /* from 3.11: _PyInterpreterFrame, a pointer to the instruction */
};

/* One read of so many bytes at most holds all that is wanted of a frame. */
#define COWTRACE_PYTHON_FRAME_BYTES 128

/*
 * The pointer to the thread state is at `slot` from the thread's own pointer (FS base, TPIDR_EL0),
 * or where that place points to and `block_slot` further on:
 *
 *	a pthread key below 32 of glibc, or a thread-local variable:
 *		thread pointer + slot -> PyThreadState
 *	glibc's other keys:
 *		thread pointer + slot -> block, + block_slot -> PyThreadState
 *
 *	to 3.10, and from 3.13:
 *		PyThreadState + thread_frame -> frame
 *	3.11 and 3.12:
 *		PyThreadState + thread_frame -> _PyCFrame, + cframe_frame -> frame
 */
struct cowtrace_python {
	/* address of the PyInterpreterState; a thread state that names another one is ignored */
	__u64 interpreter;
	__u64 collecting; /* address of the int gc.collecting, 0: not known */
	__u64 file_start; /* where the file that holds the interpreter is mapped: native stacks end
			     there; size 0: not known */
	__u64 file_size;
	__s32 slot;
	__s32 block_slot; /* -1: `slot` has the thread state itself */
	__s16 thread_interpreter;
	__s16 thread_frame;
	__s16 cframe_frame; /* -1: no _PyCFrame in between */
	/* of a frame: [start, start + size) is read, and all offsets that follow are from `start`;
	 * 8 bytes each, but for the owner */
	__u16 frame_start;
	__u8 frame_size;
	__u8 code;
	__u8 previous;
	__u8 instruction; /* OLD: f_lasti */
	__u8 owner;	  /* one byte; as large as frame_size: there is none */
	__u8 tag_bits;	  /* of `code`, that do not belong to the pointer (3.14) */
	__u8 kind;
	__u8 reserved;
};
COWTRACE_ASSERT(sizeof(struct cowtrace_python) == 56);
#endif
