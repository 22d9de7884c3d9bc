/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * Everything that differs from one architecture to another: entries of the page tables, registers,
 * the error code of a fault, the order of stores. Both have base pages of 4 KiB and 512 entries a
 * table.
 */
#ifndef COWTRACE_LIB_ARCH_H
#define COWTRACE_LIB_ARCH_H

#include "vmlinux.h"
#include "abi/events.h"

/* A fault's error code as events carry it, which is x86's (arch/x86/include/asm/trap_pf.h). */
#define FAULT_PRESENT 1
#define FAULT_WRITE 2
#define FAULT_USER 4

#if defined(__TARGET_ARCH_x86)

/*
 * arch/x86/include/asm/pgtable_types.h: 0 present, 1 writable, 7 page size (above the PTE level),
 * bit 8 without bit 0 present for the kernel, not for the CPU (NUMA hinting, PROT_NONE).
 */
#define ENTRY_PRESENT 0x001ULL
#define ENTRY_HERE (ENTRY_PRESENT | 0x100ULL)
#define ENTRY_WRITABLE 0x002ULL

/* Above the PTE level: maps a huge page itself, or leads to a table. */
static __always_inline bool entry_is_huge(u64 entry)
{
	return (entry & 0x080ULL) && (entry & ENTRY_HERE);
}

static __always_inline bool entry_is_table(u64 entry)
{
	return entry & ENTRY_PRESENT;
}

#define REGISTER_IP ip
#define REGISTER_BP bp
#define REGISTER_SP sp
#define REGISTER_BX bx
#define REGISTER_IP_OF(regs) ((regs).ip)
#define REGISTER_BP_OF(regs) ((regs).bp)
#define REGISTER_SP_OF(regs) ((regs).sp)
#define REGISTER_BX_OF(regs) ((regs).bx)
/* As arch_prctl() or clone() has set it; a program that writes FS itself (FSGSBASE) is seen after
 * the next switch of tasks. */
#define THREAD_POINTER thread.fsbase

static __always_inline u32 fault_bits(u64 error)
{
	return error;
}

/* x86 does not reorder stores: what was written before is seen before. */
static __always_inline void store_last(u64 *at, u64 value)
{
	barrier();
	*(volatile u64 *)at = value;
}

#elif defined(__TARGET_ARCH_arm64)

/*
 * arch/arm64/include/asm/pgtable-hwdef.h: bits 0 and 1 are 3 for a table or a page, 1 for a block
 * (huge page); 51 may be written (DBM). An entry that is present for the kernel alone has another
 * bit from one kernel to the next and is taken as absent: its page is made present by a fault of
 * its own before it is written.
 */
#define ENTRY_PRESENT 0x001ULL
#define ENTRY_HERE ENTRY_PRESENT
#define ENTRY_WRITABLE (1ULL << 51)

static __always_inline bool entry_is_huge(u64 entry)
{
	return (entry & 3) == 1;
}

static __always_inline bool entry_is_table(u64 entry)
{
	return (entry & 3) == 3;
}

#define REGISTER_IP pc
#define REGISTER_BP regs[29]
#define REGISTER_SP sp
#define REGISTER_BX regs[19] /* no rules use it */
#define REGISTER_IP_OF(registers) ((registers).pc)
#define REGISTER_BP_OF(registers) ((registers).regs[29])
#define REGISTER_SP_OF(registers) ((registers).sp)
#define REGISTER_BX_OF(registers) ((registers).regs[19])
/* As it was at the last switch of tasks: the register itself is the user's to write. */
#define THREAD_POINTER thread.uw.tp_value

/* arch/arm64/include/asm/esr.h: the class (0x24 from user space, 0x25 from the kernel), 6 a
 * write, 2..5 the kind (3 a permission). */
static __always_inline u32 fault_bits(u64 esr)
{
	return ((esr & 0x3c) == 0x0c ? FAULT_PRESENT : 0) | ((esr & 0x40) ? FAULT_WRITE : 0) |
	       ((esr >> 26) == 0x24 ? FAULT_USER : 0);
}

/* An exchange is ordered after all stores before it. */
static __always_inline void store_last(u64 *at, u64 value)
{
	__sync_lock_test_and_set(at, value);
}

#else
#error "no page tables and registers of this architecture yet"
#endif

#endif
