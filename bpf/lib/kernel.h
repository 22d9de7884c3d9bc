/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * Reading the kernel's own memory, and everything that differs from one kernel to another: what
 * came later than 5.10 is asked for by field, or switched by `options`, which the verifier prunes
 * by. Kernel objects are plain addresses here: the same code serves programs that get typed
 * pointers (tp_btf, fentry) and such that do not (kprobes), and the verifier lets nobody calculate
 * with a typed one.
 */
#ifndef COWTRACE_LIB_KERNEL_H
#define COWTRACE_LIB_KERNEL_H

#include "vmlinux.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_core_read.h>
#include "abi/config.h"
#include "lib/arch.h"

/*
 * Before 5.13 the kernel refuses atomic instructions that tell the old value (5.12), and the
 * address of a function (5.13), even where they never run: for it everything is compiled once more
 * without them.
 */
#ifdef COWTRACE_BEFORE_5_13
#define ATOMICS 0
#define CALLBACKS 0
#else
#define ATOMICS 1
#define CALLBACKS 1
#endif

/*
 * A global function: the kernel verifies it once for all ways that lead to it, without what these
 * know, which is most of the start-up saved. Pointers among its arguments need 5.13, and may be
 * null for all that it is told.
 */
#ifdef COWTRACE_BEFORE_5_13
#define VERIFIED_ONCE static __noinline
#else
#define VERIFIED_ONCE __noinline __weak
#endif

/* Set by user space before load; the verifier prunes what is switched off. */
const volatile struct cowtrace_config options SEC(".rodata") __weak;

extern void *bpf_rdonly_cast(const void *object, u32 btf_id) __ksym __weak; /* 6.2 */

/* A load that the kernel guards, instead of a helper call; a struct that starts with a plain word
 * gives it a type. Unmapped reads as 0. */
static __always_inline u64 load_word(u64 address)
{
	struct cpumask *word =
		bpf_rdonly_cast((void *)address, bpf_core_type_id_kernel(struct cpumask));

	return word->bits[0];
}

static __always_inline u64 read_kernel_u64(u64 address, u32 *failed)
{
	u64 value = 0;

	if (options.direct_loads)
		return load_word(address);
	if (bpf_probe_read_kernel(&value, sizeof(value), (void *)address))
		*failed = 1;
	return value;
}

static __always_inline u64 read_word(u64 address)
{
	u32 failed = 0;

	return read_kernel_u64(address, &failed);
}

/* The 8 bytes from a field on; cast to the field's type. */
#define FIELD(type, object, field) read_word((object) + bpf_core_field_offset(type, field))

static __always_inline u64 current_mm(u64 task)
{
	return FIELD(struct task_struct, task, mm);
}

static __always_inline u64 page_table_of(u64 mm)
{
	return FIELD(struct mm_struct, mm, pgd);
}

/* Some other thread, or somebody who looks in from outside, may fault in it too. */
static __always_inline bool is_used_by_several(u64 mm)
{
	return (s32)FIELD(struct mm_struct, mm, mm_users.counter) > 1;
}

/* 6.4 to 6.12; a seqcount_t since 6.13. */
struct mm_struct___int_seq {
	int mm_lock_seq;
} __attribute__((preserve_access_index));

/* A number that changes whenever any mapping of `mm` does; false where the kernel has none
 * (before 6.4, no CONFIG_PER_VMA_LOCK). */
static __always_inline bool read_mm_seq(u64 mm, u32 *seq)
{
	if (bpf_core_field_exists(((struct mm_struct *)0)->mm_lock_seq.sequence))
		*seq = FIELD(struct mm_struct, mm, mm_lock_seq.sequence);
	else if (bpf_core_field_exists(((struct mm_struct___int_seq *)0)->mm_lock_seq))
		*seq = FIELD(struct mm_struct___int_seq, mm, mm_lock_seq);
	else
		return false;
	return true;
}

/* Where user space was: at the fault itself, or at the system call that made the kernel write. */
struct registers {
	u64 ip, sp, bp, bx;
};

/* Bytes of one stack frame: the usual limit of a whole stack. */
#define MOST_IN_A_STACK_FRAME (8ULL << 20)

/* Code without frame pointers uses the register for something else. A frame pointer lies above the
 * stack pointer, and not far. */
static __always_inline u64 frame_pointer(u64 bp, u64 sp)
{
	return bp - sp < MOST_IN_A_STACK_FRAME ? bp : 0;
}

static __always_inline void registers_at(struct registers *user, u64 regs)
{
	user->ip = FIELD(struct pt_regs, regs, REGISTER_IP);
	user->sp = FIELD(struct pt_regs, regs, REGISTER_SP);
	user->bp = FIELD(struct pt_regs, regs, REGISTER_BP);
	user->bx = FIELD(struct pt_regs, regs, REGISTER_BX);
}

/* Of the current task, as it entered the kernel. Before 5.15 from the top of its stack: THREAD_SIZE
 * is 16 KiB and there is no padding. */
static __always_inline void user_registers(struct registers *user, u64 task)
{
	if (options.task_regs)
		registers_at(user, (u64)bpf_task_pt_regs(bpf_get_current_task_btf()));
	else
		registers_at(user, FIELD(struct task_struct, task, stack) + 16384 -
					   sizeof(struct pt_regs));
}

#endif
