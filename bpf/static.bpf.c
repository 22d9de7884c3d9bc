// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/*
 * The static backend. Entry: the page-fault exceptions, where the page tables still show what was
 * there. Completion: the perf software events of finished faults, where they show what the kernel
 * made of it. What changed in between is the mechanism.
 */
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>
#include "lib/again.h"
#include "lib/fault.h"

char LICENSE[] SEC("license") = "Dual BSD/GPL";

/* Reading kernel memory by helper disables page faults itself meanwhile (copy_from_kernel_nofault),
 * and finds that counted. */
static __always_inline bool page_faults_disabled(u64 task)
{
	return (s32)FIELD(struct task_struct, task, pagefault_disabled) >
	       (options.direct_loads ? 0 : 1);
}

static __always_inline void exception(unsigned long address, unsigned long error)
{
	struct fault fault = {.address = address,
			      .write = !!(error & FAULT_WRITE),
			      .present = !!(error & FAULT_PRESENT),
			      .user_mode = !!(error & FAULT_USER),
			      .error_code = error};
	struct task_state *state;
	u64 task, mm;

	/* Reads matter only where they fill a page that an audit compares. */
	if (!fault.write && (fault.present || !options.audit || !shared.forked))
		return;
	if ((long)address < 0)
		return;
	task = bpf_get_current_task();
	state = running_state_of(task);
	if (!state)
		return;
	mm = current_mm(task);
	if (!mm || !space_of(state, mm))
		return;
	/* The first touch of anonymous memory, the most frequent fault of all: nothing is shared
	 * yet, and nobody audits yet. */
	if (!fault.present && !(options.audit && shared.forked) && !options.first_writes &&
	    in_cached_mapping(mm, state, address) && !state->mapping_private_file)
		return;
	/* Our own reads of user memory fault like this; futexes write like this and let
	 * get_user_pages finish it. */
	fault.nofault = page_faults_disabled(task);
	if (fault.nofault && !(fault.write && fault.present))
		return;
	if (state->open)
		finish_late(task, mm, state);
	begin_fault(mm, state, &fault);
}

/*
 * Attached to page_fault_user and page_fault_kernel (arch/x86/include/asm/trace/exceptions.h):
 * address, registers, error code. A raw tracepoint program, because one of those is verified once
 * for both. Interrupts are off where they fire, so no preemption hides it (lib/again.h).
 */
SEC("raw_tp")
int fault_entry(struct bpf_raw_tracepoint_args *ctx)
{
	exception(ctx->args[0], fault_bits(ctx->args[2]));
	return 0;
}

/* Attached to PERF_COUNT_SW_PAGE_FAULTS_MIN and _MAJ: mm_account_fault() fires them when a fault is
 * finished, after retries. */
SEC("perf_event")
int fault_done(struct bpf_perf_event_data *ctx)
{
	u64 task = bpf_get_current_task(), mm;
	struct task_state *state = state_of(task);

	if (!state || !state->open || ctx->addr != state->address)
		return 0;
	mm = current_mm(task);
	if (!mm)
		return 0;
	if (state->user_mode) {
		state->user.ip = REGISTER_IP_OF(ctx->regs);
		state->user.sp = REGISTER_SP_OF(ctx->regs);
		state->user.bp = REGISTER_BP_OF(ctx->regs);
		state->user.bx = REGISTER_BX_OF(ctx->regs);
	} else {
		user_registers(&state->user, task);
	}
	finish_fault(mm, state, false);
	return 0;
}

/*
 * Attached to percpu_alloc_percpu (include/trace/events/percpu.h), which is rare. Since 6.2 a fork
 * makes the counters of the child's memory (mm_init(), kernel/fork.c, commit f1a7941243c10) right
 * before it copies the page tables: the last one before sched_process_fork.
 */
SEC("raw_tp")
int fault_fork_begins(struct bpf_raw_tracepoint_args *ctx)
{
	struct task_state *state = state_of(bpf_get_current_task());

	if (state && state->space)
		state->fork_began_ns = bpf_ktime_get_ns();
	return 0;
}

/* user pages have it, page tables and slabs do not (include/linux/gfp_types.h) */
#define GFP_MOVABLE 0x08U

/* struct page *page, unsigned int order, gfp_t flags, int migratetype; the pointer is needed as a
 * number. */
static __always_inline void allocated(u64 *ctx)
{
	struct task_state *state;
	u64 page = 0;

	if ((u32)ctx[1] || !((u32)ctx[2] & GFP_MOVABLE))
		return;
	state = state_of(bpf_get_current_task());
	if (!state || !state->open || bpf_probe_read_kernel(&page, sizeof(page), ctx) || !page)
		return;
	if (layout.vmemmap)
		state->allocated = (page - layout.vmemmap) / bpf_core_type_size(struct page);
	else
		state->allocated = 1;
}
/* Attached only when page tables cannot be read. */
HOOK("tp_btf/mm_page_alloc", fault_allocation, allocated)
