/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* Which address spaces have a CPython, as user space has found out. */
#ifndef COWTRACE_LIB_PYTHONS_H
#define COWTRACE_LIB_PYTHONS_H

#include "lib/maps.h"
#include "abi/python.h"

/* By the number of the space. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 16384);
	__type(key, u32);
	__type(value, struct cowtrace_python);
} pythons SEC(".maps") __weak;

/* A fork hands on the interpreter with the memory: no break of the child is to wait for user space.
 */
static __always_inline void inherit_python(u32 parent, u32 child)
{
	struct cowtrace_python *python =
		shared.pythons ? bpf_map_lookup_elem(&pythons, &parent) : 0;

	if (python)
		bpf_map_update_elem(&pythons, &child, python, BPF_ANY);
}

static __always_inline void forget_python(u32 space)
{
	if (shared.pythons)
		bpf_map_delete_elem(&pythons, &space);
}

#endif
