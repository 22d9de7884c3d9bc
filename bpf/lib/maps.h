/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* Maps, switches and per-task state that the hook files share; weak, so that linking the objects leaves one of each. */
#ifndef COWTRACE_LIB_MAPS_H
#define COWTRACE_LIB_MAPS_H

#include "vmlinux.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_core_read.h>
#include "abi/config.h"

/* Set by user space before load; the verifier prunes what is switched off. */
const volatile struct cowtrace_config options SEC(".rodata") __weak;

/* Set by user space before anything is attached. */
struct cowtrace_layout layout SEC(".data") __weak = { .levels = 4 };

/* Where an address is mapped, as read from the page tables. */
struct walk {
	u64 entry_at; /* kernel address of the entry that maps it, 0: none */
	u64 entry;    /* its value; a PTE, or a huge PMD or PUD */
	u64 table_at; /* for a PTE: kernel address of the PMD that points to its table */
	u64 table;    /* that PMD's value: when it changes, entry_at is stale */
	u32 level;    /* 1: PTE, 2: huge PMD, 3: huge PUD, 0: no entry */
	u32 failed;   /* memory could not be read */
};

enum page_class {
	PAGE_UNKNOWN = 0,
	PAGE_ANON = 1,
	PAGE_FILE = 2,
	PAGE_KSM = 3,
	PAGE_NONE = 4, /* belongs to nothing: a zero page */
};

/* A write fault that is under way, and what a thread has counted. Zeroed when created; what every break needs comes first. */
struct task_state {
	u64 mm;	   /* whose space number `space` is; 0: not entered yet */
	u32 space; /* 0: not traced (the command before its exec) */
	u8 open;   /* a fault is under way */
	u8 user_mode;
	u8 write;
	u8 present;
	u8 nofault; /* the kernel wrote with page faults disabled: no completion will come */
	u8 old_class;
	u8 shared_mm; /* other threads may race for the page */
	u8 mapping_valid;
	u8 mapping_private_file;
	u8 mapping_anonymous;
	u16 error_code;
	u64 address;
	u64 start_ns; /* taken before the page tables were read */
	struct walk before;
	/* the mapping seen last, valid while mm->mm_lock_seq stays */
	u64 mapping_start, mapping_end, mapping_hash;
	u64 pmd_region, pmd_at; /* the 2 MiB walked last, and the address of its PMD; valid as the mapping is */
	u32 mapping_seq;
	u32 pmd_seq;
	u64 stack_sent; /* hash of the stack that was sent last */
	struct cowtrace_counts counts;
	u64 allocated; /* pairing: frame that the page allocator gave meanwhile */
	u32 exec_from; /* the space left by an exec whose tracepoint has not fired yet */
	u32 pad;
	struct cowtrace_counts exec_counts; /* of exec_from */
};

/* The command before its exec, whose task_struct user space cannot name, and tasks whose place in the table is taken. */
struct {
	__uint(type, BPF_MAP_TYPE_TASK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, struct task_state);
} tasks SEC(".maps") __weak;

/* In front of task storage, whose look-up costs three times as much: a task has one place here, by its address. */
#define TABLE_BITS 12

struct table_entry {
	u64 task; /* struct task_struct *, 0: free */
	struct task_state state;
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1 << TABLE_BITS);
	__type(key, u32);
	__type(value, struct table_entry);
} table SEC(".maps") __weak;

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1); /* as many as CPUs */
	__type(key, u32);
	__type(value, struct cowtrace_lane);
} lanes SEC(".maps") __weak;

/* Breaks that find no room in their lane; its size is --buffer. */
struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 64 << 20);
} data_ring SEC(".maps") __weak;

/* What gives breaks their meaning: rare, and kept apart so that a storm of breaks does not push it out. */
struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 8 << 20);
} control_ring SEC(".maps") __weak;

struct cowtrace_shared shared SEC(".data") __weak = { .next_space = 1 };

static __always_inline struct cowtrace_lane *this_lane(void)
{
	u32 cpu = bpf_get_smp_processor_id();

	return bpf_map_lookup_elem(&lanes, &cpu);
}

#define COUNT(counter)                                                                                                 \
	do {                                                                                                           \
		struct cowtrace_lane *on_this_cpu = this_lane();                                                       \
                                                                                                                       \
		if (on_this_cpu)                                                                                       \
			on_this_cpu->counters.counter += 1;                                                            \
	} while (0)

/* The verifier lets nobody calculate with a pointer: the address of a task comes along as a number. */
static __always_inline struct table_entry *entry_of(u64 address)
{
	u32 place = (address >> 6) * 0x9e3779b97f4a7c15ULL >> (64 - TABLE_BITS);

	return bpf_map_lookup_elem(&table, &place);
}

/* A pointer argument of a tp_btf program as a number. */
static __always_inline u64 argument_address(const u64 *ctx, u32 index)
{
	u64 address = 0;

	bpf_probe_read_kernel(&address, sizeof(address), ctx + index);
	return address;
}

static __always_inline struct task_state *state_of(struct task_struct *task, u64 address)
{
	struct table_entry *entry = entry_of(address);

	if (entry && entry->task == address)
		return &entry->state;
	return shared.stored ? bpf_task_storage_get(&tasks, task, 0, 0) : 0;
}

static __always_inline struct task_state *current_state(struct task_struct *task)
{
	return state_of(task, bpf_get_current_task());
}

/* A place for a task that has none yet; 0: there is no memory. */
static __always_inline struct task_state *create_state(struct task_struct *task, u64 address)
{
	struct table_entry *entry = entry_of(address);
	struct task_state *state;

	if (entry && !__sync_val_compare_and_swap(&entry->task, 0, address)) {
		__builtin_memset(&entry->state, 0, sizeof(entry->state));
		return &entry->state;
	}
	state = bpf_task_storage_get(&tasks, task, 0, BPF_LOCAL_STORAGE_GET_F_CREATE);
	if (state)
		__sync_fetch_and_add(&shared.stored, 1);
	return state;
}

static __always_inline void delete_state(struct task_struct *task, u64 address)
{
	struct table_entry *entry = entry_of(address);

	if (entry && entry->task == address)
		entry->task = 0;
	else if (shared.stored && !bpf_task_storage_delete(&tasks, task))
		__sync_fetch_and_add(&shared.stored, -1);
}

/* From storage, where user space has put it, to the table. */
static __always_inline void move_to_table(struct task_struct *task, u64 address, struct task_state *state)
{
	struct table_entry *entry = entry_of(address);

	if (!entry || entry->task == address || __sync_val_compare_and_swap(&entry->task, 0, address))
		return;
	bpf_probe_read_kernel(&entry->state, sizeof(entry->state), state);
	if (!bpf_task_storage_delete(&tasks, task))
		__sync_fetch_and_add(&shared.stored, -1);
}

static __always_inline void enter_new_space(struct task_state *state, u64 mm)
{
	state->exec_from = state->space;
	state->exec_counts = state->counts;
	__builtin_memset(&state->counts, 0, sizeof(state->counts));
	state->space = __sync_fetch_and_add(&shared.next_space, 1);
	state->mm = mm;
	state->mapping_valid = 0;
	state->pmd_at = 0;
	state->open = 0;
}

/*
 * The number of the address space that `task` runs in; 0: not traced. An exec installs the new mm before its tracepoint fires, and the
 * kernel already writes there (the end of .data), so a new mm starts a new number wherever it is first seen.
 */
static __always_inline u32 space_of(struct task_state *state, struct mm_struct *mm)
{
	if (state->mm == (u64)mm)
		return state->space;
	if (state->mm)
		enter_new_space(state, (u64)mm);
	else
		state->mm = (u64)mm;
	return state->space;
}

static __always_inline void fill_header(struct cowtrace_header *header, u32 size, u16 kind, u64 now)
{
	u64 id = bpf_get_current_pid_tgid();

	header->size = size;
	header->kind = kind;
	header->cpu = bpf_get_smp_processor_id();
	header->pid = id >> 32;
	header->tid = (u32)id;
	header->time_ns = now;
}

#endif
