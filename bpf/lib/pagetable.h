/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* Page tables and struct page, read through the direct map that user space has calibrated and
 * verified. */
#ifndef COWTRACE_LIB_PAGETABLE_H
#define COWTRACE_LIB_PAGETABLE_H

#include "lib/arch.h"
#include "lib/maps.h"

#define PAGE_BYTES 4096ULL
#define HUGE_BYTES (2ULL << 20)
#define GIGANTIC_BYTES (1ULL << 30)

static __always_inline u64 table_entry(u64 table, u64 address, u32 shift)
{
	return layout.direct_map + (table & layout.frame_mask) + ((address >> shift) & 511) * 8;
}

/* The last two levels, from the PMD at kernel address `at`. */
static __always_inline void walk_from_pmd(u64 at, u64 address, struct walk *walk)
{
	u32 failed = 0;
	u64 entry = read_kernel_u64(at, &failed);

	walk->entry_at = walk->entry = walk->table_at = walk->table = 0;
	walk->level = 0;
	if (entry_is_huge(entry)) {
		walk->entry_at = at;
		walk->entry = entry;
		walk->level = 2;
	} else if (entry_is_table(entry)) {
		walk->table_at = at;
		walk->table = entry;
		walk->entry_at = table_entry(entry, address, 12);
		walk->entry = read_kernel_u64(walk->entry_at, &failed);
		walk->level = 1;
	}
	walk->failed = failed;
}

/* From the top. Returns the kernel address of the PMD, 0 if there is none. */
static __always_inline u64 walk_page_table(u64 pgd, u64 address, struct walk *walk)
{
	u32 failed = 0;
	u64 at, entry;

	walk->entry_at = walk->entry = walk->table_at = walk->table = 0;
	walk->level = 0;
	at = pgd + ((address >> (layout.levels == 5 ? 48 : 39)) & 511) * 8;
	entry = read_kernel_u64(at, &failed);
	if (!entry_is_table(entry))
		goto out;
	if (layout.levels == 5) {
		entry = read_kernel_u64(table_entry(entry, address, 39), &failed);
		if (!entry_is_table(entry))
			goto out;
	}
	at = table_entry(entry, address, 30);
	entry = read_kernel_u64(at, &failed);
	if (entry_is_huge(entry)) {
		walk->entry_at = at;
		walk->entry = entry;
		walk->level = 3;
		goto out;
	}
	if (!entry_is_table(entry))
		goto out;
	at = table_entry(entry, address, 21);
	if (failed)
		goto out;
	walk_from_pmd(at, address, walk);
	return at;
out:
	walk->failed = failed;
	return 0;
}

/* The same address again, from the entry that `before` found if its table is still the same one. */
static __always_inline void walk_again(u64 pgd, u64 address, const struct walk *before,
				       struct walk *walk)
{
	u32 failed = 0;

	if (before->level == 1 && read_kernel_u64(before->table_at, &failed) == before->table &&
	    !failed) {
		walk->entry_at = before->entry_at;
		walk->table_at = before->table_at;
		walk->table = before->table;
		walk->entry = read_kernel_u64(before->entry_at, &failed);
		walk->level = 1;
		walk->failed = failed;
		return;
	}
	walk_page_table(pgd, address, walk);
}

static __always_inline bool walk_present(const struct walk *walk)
{
	return walk->level && (walk->entry & ENTRY_HERE);
}

/* A base page that is there and may not be written. */
static __always_inline bool is_write_protected(const struct walk *walk)
{
	return walk->level == 1 && (walk->entry & ENTRY_HERE) && !(walk->entry & ENTRY_WRITABLE);
}

/* The frame of the base page that holds `address`, also inside a huge entry; 0 if absent. */
static __always_inline u64 walk_frame(const struct walk *walk, u64 address)
{
	u64 frame = (walk->entry & layout.frame_mask) >> 12;

	if (!walk_present(walk))
		return 0;
	/* The lower bits of a huge entry are no address; bit 12 is PAT on x86. */
	if (walk->level == 2)
		return (frame & ~511ULL) + ((address >> 12) & 511);
	if (walk->level == 3)
		return (frame & ~((1ULL << 18) - 1)) + ((address >> 12) & ((1ULL << 18) - 1));
	return frame;
}

static __always_inline u64 walk_size(const struct walk *walk)
{
	return walk->level == 3 ? GIGANTIC_BYTES : walk->level == 2 ? HUGE_BYTES : PAGE_BYTES;
}

/* The field's name in 7.x. */
struct page___info {
	unsigned long compound_info;
} __attribute__((preserve_access_index));

#define HEAD_MASKS 0xffffffffff000000ULL /* of 1 GiB, 2^18 times 64 bytes, and smaller */

/*
 * The first struct page of the folio that `page` belongs to. A tail page has bit 0 set and the
 * head's address above it, or, in 7.x, the mask that makes the head's address of its own: all ones
 * down to the folio's size, which is above all addresses of struct pages.
 */
static __always_inline u64 head_of(u64 page, u32 *failed)
{
	u64 head;

	if (bpf_core_field_exists(((struct page___info *)0)->compound_info))
		head = read_kernel_u64(
			page + bpf_core_field_offset(struct page___info, compound_info), failed);
	else
		head = read_kernel_u64(page + bpf_core_field_offset(struct page, compound_head),
				       failed);
	if (!(head & 1))
		return page;
	return head >= HEAD_MASKS ? page & head : head - 1;
}

/* What a frame holds, from its folio's mapping word: bit 0 anonymous, bits 0 and 1 KSM
 * (include/linux/page-flags.h). */
static __always_inline u8 frame_class(u64 frame)
{
	u64 page, mapping;
	u32 failed = 0;

	if (options.zero_frame && frame == options.zero_frame)
		return PAGE_NONE;
	if (!layout.vmemmap)
		return PAGE_UNKNOWN;
	page = layout.vmemmap + frame * bpf_core_type_size(struct page);
	page = head_of(page, &failed);
	mapping = read_kernel_u64(page + bpf_core_field_offset(struct page, mapping), &failed);
	if (failed)
		return PAGE_UNKNOWN;
	if (!mapping)
		return PAGE_NONE;
	if ((mapping & 3) == 3)
		return PAGE_KSM;
	return mapping & 1 ? PAGE_ANON : PAGE_FILE;
}

#endif
