/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * Hooks that no preemption hides. The kernel does not run a program that runs already on the same
 * CPU (since 5.12; raw tracepoints since 6.1). Where it preempts itself that may be for another
 * task, which waits half-way, and what the hook should have seen is lost: fentry is preemptible
 * since 5.11, tracepoints since 7.0. So a hook is there several times, and user space attaches the
 * others where that is needed: one run is made by whichever program is free, and the others find
 * that it has been made. Whole programs, not jumps to one: the kernel gives a program one private
 * stack on each CPU (6.13) and takes it for granted that it runs there once.
 */
#ifndef COWTRACE_LIB_AGAIN_H
#define COWTRACE_LIB_AGAIN_H

#include "lib/kernel.h"

#define ONE_HOOK(section, name, run)                                                               \
	SEC(section)                                                                               \
	int name(u64 *ctx)                                                                         \
	{                                                                                          \
		run(ctx);                                                                          \
		return 0;                                                                          \
	}

/* Programs `name`, `name`_again1 and so on of `section`. `run` has to be always inlined, and
 * harmless when it is run again. */
#define HOOK(section, name, run)                                                                   \
	ONE_HOOK(section, name, run)                                                               \
	ONE_HOOK(section, name##_again1, run)                                                      \
	ONE_HOOK(section, name##_again2, run)                                                      \
	ONE_HOOK(section, name##_again3, run)

#endif
