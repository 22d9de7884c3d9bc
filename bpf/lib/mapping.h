/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * The mapping that holds an address at the moment of a break, read from the vm_area_struct itself:
 * no history of mmap, munmap, mremap and brk has to be kept to be exact. Each distinct one is sent
 * once, over the control ring; breaks carry its hash.
 */
#ifndef COWTRACE_LIB_MAPPING_H
#define COWTRACE_LIB_MAPPING_H

#include "lib/maps.h"
#include "lib/stack.h"

#define VM_SHARED_BIT 0x8ULL
/* KSM looks at it; unset only after what was merged is copied back */
#define VM_MERGEABLE_BIT 0x80000000ULL

struct mapping_query {
	struct cowtrace_mapping mapping;
	u8 private_file;
	u8 anonymous;
};

DEFINE_SCRATCH(struct mapping_query, queries)

struct vm_area_struct___named {
	struct anon_vma_name *anon_name; /* 5.17, CONFIG_ANON_VMA_NAME */
} __attribute__((preserve_access_index));

static __always_inline void read_mapping_name(struct vm_area_struct *vma, struct file *file,
					      struct cowtrace_mapping *mapping)
{
	struct vm_area_struct___named *named = (void *)vma;

	if (file) {
		const unsigned char *name = BPF_CORE_READ(file, f_path.dentry, d_name.name);

		bpf_probe_read_kernel_str(mapping->name, sizeof(mapping->name), name);
	} else if (bpf_core_field_exists(named->anon_name)) {
		struct anon_vma_name *anon = BPF_CORE_READ(named, anon_name);

		if (anon)
			bpf_probe_read_kernel_str(mapping->name, sizeof(mapping->name),
						  &anon->name);
	}
}

static __always_inline void read_mapping(struct vm_area_struct *vma, struct mapping_query *query)
{
	struct cowtrace_mapping *mapping = &query->mapping;
	struct file *file;

	__builtin_memset(mapping->name, 0, sizeof(mapping->name));
	mapping->start = BPF_CORE_READ(vma, vm_start);
	mapping->end = BPF_CORE_READ(vma, vm_end);
	mapping->file_offset = BPF_CORE_READ(vma, vm_pgoff) * 4096;
	mapping->flags = BPF_CORE_READ(vma, vm_flags);
	mapping->inode = 0;
	mapping->device = 0;
	file = BPF_CORE_READ(vma, vm_file);
	if (file) {
		mapping->inode = BPF_CORE_READ(file, f_inode, i_ino);
		mapping->device = BPF_CORE_READ(file, f_inode, i_sb, s_dev);
	}
	query->anonymous = !file && !(mapping->flags & VM_MERGEABLE_BIT);
	query->private_file = file && !(mapping->flags & VM_SHARED_BIT);
	read_mapping_name(vma, file, mapping);
}

/* `data`: the key of the query's place; the place itself cannot be handed to a callback. */
static long on_vma(struct task_struct *task, struct vm_area_struct *vma, void *data)
{
	struct place_of_queries *place = bpf_map_lookup_elem(&queries, data);

	if (place)
		read_mapping(vma, &place->content);
	return 0;
}

/* Is `address` in the mapping seen last, and that one still the same? */
static __always_inline bool in_cached_mapping(u64 mm, struct task_state *state, u64 address)
{
	u32 seq = 0;

	return state->mapping_valid && address >= state->mapping_start &&
	       address < state->mapping_end && read_mm_seq(mm, &seq) && seq == state->mapping_seq;
}

static __always_inline void send_mapping(struct cowtrace_mapping *mapping, u64 mm)
{
	if (already_sent(mapping->hash))
		return;
	mapping->brk_start = FIELD(struct mm_struct, mm, start_brk);
	mapping->brk_end = FIELD(struct mm_struct, mm, brk);
	mapping->stack_start = FIELD(struct mm_struct, mm, start_stack);
	fill_header(&mapping->header, sizeof(*mapping), COWTRACE_EVENT_MAPPING, bpf_ktime_get_ns());
	if (bpf_ringbuf_output(&control_ring, mapping, sizeof(*mapping),
			       options.wake_control ? BPF_RB_FORCE_WAKEUP : BPF_RB_NO_WAKEUP))
		COUNT(lost_control);
	else
		mark_sent(mapping->hash);
}

/* What `query` has learnt, as the mapping that `state` has met last. */
static __always_inline void keep_mapping(struct task_state *state,
					 const struct mapping_query *query)
{
	state->mapping_private_file = query->private_file;
	state->mapping_anonymous = query->anonymous;
	state->mapping_start = query->mapping.start;
	state->mapping_end = query->mapping.end;
	state->mapping_hash = query->mapping.hash;
}

static __always_inline u64 tell_mapping(u64 mm, struct task_state *state,
					struct mapping_query *query)
{
	struct cowtrace_mapping *mapping = &query->mapping;

	mapping->space = state->space;
	/* Not the end: a heap that grows stays one mapping. */
	mapping->hash = mix(
		mix(mix(mix(state->space, mapping->start), mapping->inode), mapping->file_offset),
		mapping->flags ^ ((u64)mapping->device << 40));
	if (!mapping->hash)
		mapping->hash = 1;
	send_mapping(mapping, mm);
	keep_mapping(state, query);
	return mapping->hash;
}

/*
 * The hash of the mapping that holds `address`; 0: not known. `vma` is its vm_area_struct, 0: to be
 * looked for in the current task's mm. Leaves state->mapping_private_file for the caller.
 */
VERIFIED_ONCE u64 find_mapping(u64 mm, struct task_state *state, u64 address, u64 vma)
{
	struct place_of_queries *place;
	u32 seq = 0, key;
	bool cacheable;
	u64 hash = 0;

	if (!state || (!options.find_mapping && !vma))
		return 0;
	if (in_cached_mapping(mm, state, address))
		return state->mapping_hash;
	cacheable = read_mm_seq(mm, &seq);
	state->mapping_valid = 0;
	state->mapping_private_file = state->mapping_anonymous = 0;
	place = take_queries();
	if (!place) {
		COUNT(mapping_busy);
		return 0;
	}
	key = place->key;
	if (vma) {
		read_mapping((struct vm_area_struct *)vma, &place->content);
		hash = tell_mapping(mm, state, &place->content);
	} else if (CALLBACKS && options.find_mapping &&
		   bpf_find_vma(bpf_get_current_task_btf(), address, on_vma, &key, 0)) {
		COUNT(mapping_busy);
	} else {
		hash = tell_mapping(mm, state, &place->content);
	}
	give_back(place);
	if (!hash)
		return 0;
	state->mapping_seq = seq;
	state->mapping_valid = cacheable;
	return hash;
}

#endif
