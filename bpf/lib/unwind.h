/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * Native stacks of code without frame pointers, by rules that user space has read from .eh_frame
 * (abi/unwind.h). Rules are few and come when they are missed: a break that meets an address
 * without one sends a copy of its stack, which user space unwinds.
 */
#ifndef COWTRACE_LIB_UNWIND_H
#define COWTRACE_LIB_UNWIND_H

#include "lib/maps.h"
#include "lib/python.h"
#include "lib/scratch.h"
#include "abi/unwind.h"

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, COWTRACE_UNWIND_BUCKETS);
	__type(key, u32);
	__type(value, struct cowtrace_unwind_bucket);
} unwind_rules SEC(".maps") __weak;

/* Copies of stacks: large, and only until their rules are known. User space chooses the size. */
struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 32 << 20);
} copy_ring SEC(".maps") __weak;

struct stack_walk {
	struct cowtrace_stack stack;
	struct python_window window;
	u64 file_start,
		file_size; /* of the interpreter that these belong to; size 0: there are none */
	u64 hash;	   /* of the Python frames */
	/* Of the native stack frame at hand: as the task entered the kernel, to begin with. */
	u64 ip, sp, bp, bx;
	u64 bp_at,
		bx_at; /* where these have still to be read, see have_read(); 0: they are known */
	u64 scope;
	u64 rule;  /* of `ip` */
	u64 exact; /* COWTRACE_UNWIND_EXACT: `ip` is no return address */
	u64 caller_ip;
};

DEFINE_SCRATCH(struct stack_walk, stacks)

/* 0: there is none. */
static __always_inline u64 find_rule(u64 scope, u64 address)
{
	u32 key = cowtrace_unwind_bucket_of(scope, address);
	struct cowtrace_unwind_bucket *bucket = bpf_map_lookup_elem(&unwind_rules, &key);

	if (!bucket)
		return 0;
#pragma unroll
	for (u32 i = 0; i < COWTRACE_UNWIND_WAYS; i++) {
		volatile struct cowtrace_unwind_entry *entry = &bucket->entries[i];

		if (entry->address == address && entry->scope == scope) {
			u64 rule = entry->rule;

			/* User space may put another one there meanwhile, and writes the rule last.
			 */
			barrier();
			return entry->address == address && entry->scope == scope ? rule : 0;
		}
	}
	return 0;
}

/* Where the caller's register is kept; `from` is not COWTRACE_UNWIND_SAME. */
static __always_inline u64 kept_at(const struct stack_walk *walk, u64 cfa, u32 from, s8 words)
{
	u64 base = from == COWTRACE_UNWIND_AT_CFA  ? cfa
		   : from == COWTRACE_UNWIND_AT_BP ? walk->bp
						   : walk->sp;

	return base + (s64)words * 8;
}

/* The callers' registers are kept in many a stack frame, and of use for few: they are read when
 * they are. False: it cannot be read. */
static __always_inline bool have_read(u64 *value, u64 *kept)
{
	if (*kept && bpf_probe_read_user(value, sizeof(*value), (void *)*kept))
		return false;
	*kept = 0;
	return true;
}

/* Whether bp has to be known to tell the caller's registers, or where they are kept. */
static __always_inline bool takes_bp(u64 rule)
{
	return ((rule >> 5) & 3) == COWTRACE_UNWIND_BP ||
	       ((rule >> 8) & 3) == COWTRACE_UNWIND_AT_BP ||
	       ((rule >> 10) & 3) == COWTRACE_UNWIND_AT_BP ||
	       ((rule >> 12) & 3) == COWTRACE_UNWIND_AT_BP;
}

enum unwound {
	UNWOUND_CALLER = 0,
	UNWOUND_ALL = 1,  /* there was no caller */
	UNWOUND_LOST = 2, /* there is one, which was not found */
};

/*
 * From the stack frame in the place `key` of `stacks` to its caller's, by its rule, which is of
 * kind COWTRACE_UNWIND_CALLER. A function of its own: the verifier goes through it once, and not
 * once for each stack frame.
 */
__weak __noinline u32 unwind_step(u32 key)
{
	struct place_of_stacks *place = bpf_map_lookup_elem(&stacks, &key);
	struct stack_walk *walk;
	u64 rule, cfa;
	u32 from;

	if (!place)
		return UNWOUND_LOST;
	walk = &place->content;
	rule = walk->rule;
	from = (rule >> 5) & 3;
	if (takes_bp(rule) && !have_read(&walk->bp, &walk->bp_at))
		return UNWOUND_LOST;
	if (from == COWTRACE_UNWIND_BX && !have_read(&walk->bx, &walk->bx_at))
		return UNWOUND_LOST;
	/* Who calls with frame pointers ends their chain so. */
	if (from == COWTRACE_UNWIND_BP && !walk->bp)
		return UNWOUND_ALL;
	cfa = (from == COWTRACE_UNWIND_SP   ? walk->sp
	       : from == COWTRACE_UNWIND_BP ? walk->bp
					    : walk->bx) +
	      ((s64)rule >> 40);
	if (rule & COWTRACE_UNWIND_LOADED) {
		if (bpf_probe_read_user(&walk->caller_ip, sizeof(walk->caller_ip), (void *)cfa))
			return UNWOUND_LOST;
		cfa = walk->caller_ip;
	}
	if (bpf_probe_read_user(&walk->caller_ip, sizeof(walk->caller_ip),
				(void *)kept_at(walk, cfa, (rule >> 12) & 3, rule >> 32)))
		return UNWOUND_LOST;
	if (!walk->caller_ip)
		return UNWOUND_ALL;
	/* Stacks grow down, and callers lie above; a signal may be handled on a stack of its own.
	 */
	if (!(rule & COWTRACE_UNWIND_SIGNAL) &&
	    (cfa <= walk->sp || cfa - walk->sp > MOST_IN_A_STACK_FRAME))
		return UNWOUND_LOST;
	from = (rule >> 10) & 3;
	if (from)
		walk->bx_at = kept_at(walk, cfa, from, rule >> 24);
	from = (rule >> 8) & 3;
	if (from)
		walk->bp_at = kept_at(walk, cfa, from, rule >> 16);
	walk->ip = walk->caller_ip;
	walk->sp = cfa;
	walk->exact = rule & COWTRACE_UNWIND_SIGNAL ? COWTRACE_UNWIND_EXACT : 0;
	walk->rule = find_rule(walk->scope, walk->ip | walk->exact);
	return (walk->rule & COWTRACE_UNWIND_KIND) == COWTRACE_UNWIND_NO_CODE ? UNWOUND_LOST
									      : UNWOUND_CALLER;
}

/* All but the memory. */
static __always_inline void fill_copy(struct cowtrace_stack_copy *copy, u32 size,
				      const struct stack_walk *walk, u64 mm, u32 space, u64 hash,
				      u64 now)
{
	bpf_probe_read_kernel(&copy->stack, sizeof(copy->stack), &walk->stack);
	fill_header(&copy->stack.header, size, COWTRACE_EVENT_STACK_COPY, now);
	translate_numbers(&copy->stack.header);
	copy->stack.hash = hash;
	copy->stack.space = space;
	copy->scope = walk->scope;
	copy->ip = walk->ip;
	copy->sp = walk->sp;
	copy->bp = walk->bp;
	copy->bx = walk->bx;
	copy->file_start = walk->file_start;
	copy->file_size = walk->file_size;
	copy->start_code = FIELD(struct mm_struct, mm, start_code);
	copy->start_stack = FIELD(struct mm_struct, mm, start_stack);
	copy->exact = !!walk->exact;
	copy->limit = options.frames;
	copy->start = copy->size = 0;
	__builtin_memset(copy->reserved, 0, sizeof(copy->reserved));
}

/* Reads the memory from `sp` on, page by page: a stack may end anywhere. */
static __always_inline void copy_pages(struct cowtrace_stack_copy *copy, u64 sp)
{
	u32 below = sp & (4096 - 1), pages = 1;
	u64 page = sp - below;

	if (bpf_probe_read_user(copy->bytes + below, 4096 - below, (void *)sp))
		return;
#pragma unroll
	for (u32 i = 1; i < COWTRACE_COPY_PAGES; i++) {
		if (bpf_probe_read_user(copy->bytes + i * 4096, 4096, (void *)(page + i * 4096)))
			break;
		pages = i + 1;
	}
	copy->start = below;
	copy->size = pages * 4096 - below;
}

static __always_inline void submit_copy(struct cowtrace_stack_copy *copy)
{
	/* Before: who counts what he has read is never ahead. */
	COUNT(copies);
	/* Wakes user space if it has read all there was before. */
	bpf_ringbuf_submit(copy, 0);
}

/* There was no room. Returns 0. */
static __always_inline u64 cut_short(struct stack_walk *walk)
{
	COUNT(lost_copies);
	/* Another stack than the same one that is whole. */
	walk->stack.truncated = 1;
	walk->hash = cowtrace_mix(walk->hash, COWTRACE_EVENT_STACK_COPY);
	return 0;
}

/*
 * Sends the walk in the place of `begun` as far as it came, and what the rest of it is in. Returns
 * the hash that it gave it, 0: there was no room, and it ends there.
 */
__weak __noinline u64 send_copy(u64 begun, u32 space)
{
	u32 key = begun - 1;
	struct place_of_stacks *place = bpf_map_lookup_elem(&stacks, &key);
	struct cowtrace_stack_copy *copy;
	struct stack_walk *walk;
	u64 mm = current_mm(bpf_get_current_task()), now = bpf_ktime_get_ns(), hash, depth;

	if (!place)
		return 0;
	walk = &place->content;
	hash = cowtrace_mix(cowtrace_mix(now, bpf_get_current_pid_tgid()),
			    bpf_get_smp_processor_id()) |
	       1;
	depth = FIELD(struct mm_struct, mm, start_stack) - walk->sp;
	/* Two ends, each with its reservation: a pointer that is tested again may be null once
	 * more, older verifiers think ("unreleased reference"). */
	if (depth > 0 && depth < COWTRACE_COPY_SHORT) {
		copy = bpf_ringbuf_reserve(&copy_ring, COWTRACE_SHORT_COPY_BYTES, 0);
		if (!copy)
			return cut_short(walk);
		fill_copy(copy, COWTRACE_SHORT_COPY_BYTES, walk, mm, space, hash, now);
		/* And the bound of the branch they forget ("unbounded memory access"). */
		barrier_var(depth);
		depth &= COWTRACE_COPY_SHORT - 1;
		if (!bpf_probe_read_user(copy->bytes, depth, (void *)walk->sp))
			copy->size = depth;
		submit_copy(copy);
	} else {
		copy = bpf_ringbuf_reserve(&copy_ring, sizeof(*copy), 0);
		if (!copy)
			return cut_short(walk);
		fill_copy(copy, sizeof(*copy), walk, mm, space, hash, now);
		copy_pages(copy, walk->sp);
		submit_copy(copy);
	}
	return hash;
}

/* Whose rules are valid for the code in `mm`: see note_code(). */
static __always_inline u64 unwind_scope(u64 mm, struct task_state *state)
{
	u32 pages = 0;

	if (bpf_core_field_exists(((struct mm_struct *)0)->exec_vm))
		pages = FIELD(struct mm_struct, mm, exec_vm);
	note_code(state, pages);
	return (u64)state->code_owner << 32 | pages;
}

#endif
