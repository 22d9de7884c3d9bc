/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * Memory for what is too large for the BPF stack. Programs are not moved to another CPU, but where
 * the kernel preempts itself those of another task may run while one waits half-way (since 5.11,
 * 74d862b682f5): each takes a place of its own.
 */
#ifndef COWTRACE_LIB_SCRATCH_H
#define COWTRACE_LIB_SCRATCH_H

#include "lib/kernel.h"

/* As many as programs on one CPU can wait half-way: four each of the three hooks that take one
 * (lib/again.h). */
#define SCRATCH_PLACES 12

/* A map `name` with places for a `kind` each, and take_##name(), which returns one or 0: all are
 * taken. Give it back with give_back(). */
#define DEFINE_SCRATCH(kind, name)                                                                 \
	struct place_of_##name {                                                                   \
		kind content;                                                                      \
		u64 taken;                                                                         \
		u64 key;                                                                           \
	};                                                                                         \
	struct {                                                                                   \
		__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);                                           \
		__uint(max_entries, SCRATCH_PLACES);                                               \
		__type(key, u32);                                                                  \
		__type(value, struct place_of_##name);                                             \
	} name SEC(".maps") __weak;                                                                \
	static __always_inline struct place_of_##name *take_##name(void)                           \
	{                                                                                          \
		for (u32 i = 0; i < SCRATCH_PLACES; i++) {                                         \
			u32 key = i;                                                               \
			struct place_of_##name *place = bpf_map_lookup_elem(&name, &key);          \
                                                                                                   \
			if (!place)                                                                \
				return 0;                                                          \
			/* Kernels without such instructions keep preemption off here (but 5.11    \
			 * and 5.12). */                                                           \
			if (!ATOMICS || !__sync_val_compare_and_swap(&place->taken, 0, 1)) {       \
				place->key = i;                                                    \
				return place;                                                      \
			}                                                                          \
		}                                                                                  \
		return 0;                                                                          \
	}

#define give_back(place) store_last(&(place)->taken, 0)

#endif
