// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/*
 * Start-up only: lets user space read kernel memory a few words at a time while it looks for the
 * direct map, and shows the struct page of pages that it allocates itself. Run by
 * BPF_PROG_TEST_RUN, so the current task is the caller.
 */
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>
#include <bpf/bpf_core_read.h>
#include "abi/config.h"

struct cowtrace_peek shown = {};

SEC("raw_tp")
int peek(void *ctx)
{
	struct task_struct *task = (struct task_struct *)bpf_get_current_task();
	u32 level = BPF_CORE_READ(task, thread_pid, level);

	shown.task = (u64)task;
	shown.pid_level = level;
	shown.pid_namespace = (u64)BPF_CORE_READ(task, thread_pid, numbers[level].ns);
	shown.page_struct = bpf_core_type_size(struct page);
	shown.pgd = (u64)BPF_CORE_READ(task, mm, pgd);
	shown.failed =
		bpf_probe_read_kernel(shown.words, sizeof(shown.words), (void *)shown.address) != 0;
	return 0;
}

SEC("tp_btf/mm_page_alloc")
int BPF_PROG(on_allocation, struct page *page, unsigned int order)
{
	u32 slot;

	if (!shown.watched_task || bpf_get_current_task() != shown.watched_task || order)
		return 0;
	slot = shown.allocation_count++;
	if (slot < COWTRACE_ALLOCATIONS)
		shown.allocations[slot] = (u64)page;
	return 0;
}
