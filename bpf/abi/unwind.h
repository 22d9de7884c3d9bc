/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * Unwinding code without frame pointers: rules that user space has read from .eh_frame, by the
 * address of the code, and what BPF sends where it has none.
 */
#ifndef COWTRACE_ABI_UNWIND_H
#define COWTRACE_ABI_UNWIND_H

#include "abi/events.h"

/* A running sum: murmur3's finaliser, cheap, and every bit of every address counts. */
static inline __u64 cowtrace_mix(__u64 hash, __u64 value)
{
	hash = (hash ^ value) * 0xff51afd7ed558ccdULL;
	return hash ^ (hash >> 33);
}

/*
 * How the registers of a caller follow from those of its callee. The canonical frame address (CFA),
 * which is the caller's stack pointer, is a register and an offset, or what is kept there:
 *
 *   bit 0..2   kind, 0: no rule
 *       3      the caller was interrupted (a signal): its address is exact
 *       4      the CFA is kept at the register and offset
 *       5..6   the register: enum cowtrace_unwind_register
 *       8..9   where the caller's bp is: enum cowtrace_unwind_from; 10..11 its bx; 12..13 its ip
 *      16..23  in words of 8 bytes from there, signed; 24..31 of bx; 32..39 of ip
 *      40..63  the offset, signed, bytes
 */
enum cowtrace_unwind_kind {
	COWTRACE_UNWIND_CALLER = 1,
	COWTRACE_UNWIND_OUTERMOST = 2,
	COWTRACE_UNWIND_UNKNOWN = 3, /* there is a caller, which cannot be told so */
	COWTRACE_UNWIND_NO_CODE =
		4, /* there is no code at this address: what led here was no call */
};
enum cowtrace_unwind_register {
	COWTRACE_UNWIND_SP = 0,
	COWTRACE_UNWIND_BP = 1,
	COWTRACE_UNWIND_BX = 2,
};
enum cowtrace_unwind_from {
	COWTRACE_UNWIND_SAME = 0, /* as the callee has it */
	COWTRACE_UNWIND_AT_CFA = 1,
	COWTRACE_UNWIND_AT_BP = 2,
	COWTRACE_UNWIND_AT_SP = 3,
};
#define COWTRACE_UNWIND_KIND 7ULL
#define COWTRACE_UNWIND_SIGNAL (1ULL << 3)
#define COWTRACE_UNWIND_LOADED (1ULL << 4)

/* The address is that of an instruction; otherwise it is where a call returns to, and the rule is
 * that of the call. */
#define COWTRACE_UNWIND_EXACT (1ULL << 63)

/* All zero: free. Written by user space only; `rule` last. */
struct cowtrace_unwind_entry {
	__u64 address; /* with COWTRACE_UNWIND_EXACT or without */
	__u64 scope;
	__u64 rule;
};

#define COWTRACE_UNWIND_WAYS 5
#define COWTRACE_UNWIND_BUCKETS 16384 /* a power of two */

struct cowtrace_unwind_bucket {
	struct cowtrace_unwind_entry entries[COWTRACE_UNWIND_WAYS];
	__u64 pad;
};
COWTRACE_ASSERT(sizeof(struct cowtrace_unwind_bucket) == 128);

static inline __u32 cowtrace_unwind_bucket_of(__u64 scope, __u64 address)
{
	return cowtrace_mix(scope * 0x9e3779b97f4a7c15ULL, address) >> 32 &
	       (COWTRACE_UNWIND_BUCKETS - 1);
}

/* whole ones: of the stack at least two and at most three are copied */
#define COWTRACE_COPY_PAGES 3
/* all of it, where a program's first thread has no more: in bytes */
#define COWTRACE_COPY_SHORT 4096

/*
 * A stack whose walk met an address without a rule: how far it came, the registers there, and the
 * memory that the rest of it is in. No other stack has the hash. The event ends after
 * COWTRACE_COPY_SHORT or after all of `bytes`.
 */
struct cowtrace_stack_copy {
	struct cowtrace_stack stack;
	__u64 scope;
	__u64 ip, sp, bp, bx;
	__u64 file_start,
		file_size; /* of the interpreter, where the walk ends; size 0: there is none */
	__u64 start_code, start_stack; /* of the mm: what an exec chooses anew */
	__u8 exact;		       /* ip is the address of an instruction */
	__u8 limit;		       /* stack frames wanted */
	__u16 start, size; /* what is read from sp on, in `bytes`; the rest is not set */
	__u8 reserved[2];
	__u8 bytes[COWTRACE_COPY_PAGES * 4096];
};
COWTRACE_ASSERT(sizeof(struct cowtrace_stack_copy) ==
		sizeof(struct cowtrace_stack) + 80 + COWTRACE_COPY_PAGES * 4096);
#define COWTRACE_SHORT_COPY_BYTES                                                                  \
	(sizeof(struct cowtrace_stack_copy) - COWTRACE_COPY_PAGES * 4096 + COWTRACE_COPY_SHORT)
#endif
