/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* Maps, switches and per-task state that the hook files share; weak, so that linking the objects
 * leaves one of each. */
#ifndef COWTRACE_LIB_MAPS_H
#define COWTRACE_LIB_MAPS_H

#include "lib/kernel.h"

/* Set by user space before anything is attached. */
struct cowtrace_layout layout SEC(".data") __weak = {.levels = 4};

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

/* A write fault that is under way, and what a thread has counted. Zeroed when created; what every
 * break needs comes first. */
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
	u8 unshare;   /* a pin that only reads: shared anonymous memory is copied for it */
	u8 replacing; /* said so in `races`, see replacing_begins() */
	u8 retried;   /* the kernel has not answered yet: it takes the fault once more */
	u8 visit;     /* in somebody else's memory; see `visits` */
	u8 guest;     /* of a process that shares its parent's memory: vfork, CLONE_VM */
	u8 mapping_valid;
	u8 mapping_private_file;
	u8 mapping_anonymous; /* and not for KSM */
	u8 told_exit;	      /* the task has ended: only its very last writes are still to come */
	u16 error_code;
	u64 address;
	u64 start_ns; /* taken before the page tables were read */
	struct walk before;
	/* the mapping seen last, valid while mm->mm_lock_seq stays */
	u64 mapping_start, mapping_end, mapping_hash;
	u64 pmd_region, pmd_at; /* the 2 MiB walked last, and the address of its PMD; valid as the
				   mapping is */
	u32 mapping_seq;
	u32 pmd_seq;
	u64 stack_sent; /* hash of the stack that was sent last */
	struct cowtrace_counts counts;
	u64 allocated; /* pairing: frame that the page allocator gave meanwhile */
	u64 regs;      /* fault path: the exception's registers, 0: a fault without exception */
	u64 vma;       /* fault path: the vm_area_struct */
	u64 call; /* fault path: where the trampoline keeps the arguments of this very call, 0: no
		     trampoline */
	u64 swapped_in;	   /* fault path: frame that came back from swap and had to be copied */
	u64 copying_to;	   /* fault path: the mm that a fork under way fills */
	u64 fork_began_ns; /* when a fork under way has begun to make the child's memory */
	u64 copied_vma;	   /* fault path: start of the mapping that it has copied last */
	u32 exec_from;	   /* the space left by an exec whose tracepoint has not fired yet */
	u32 told_exec; /* the space of the last exec that was told: hooks on the family may run more
			  than once (lib/again.h) */
	u32 code_owner, code_pages; /* note_code() */
	struct registers user;	    /* where user space was; ip 0: not known. Here, for programs on
				       faults have no room on their stacks */
	struct cowtrace_counts exec_counts; /* of exec_from */
	u64 forked_task, forked_ns;	    /* the last child that was told, and when it was born */
	u64 born_ns;			    /* start_boottime of the task when it got this state */
	struct cowtrace_counts visitors;    /* what others broke in this task's memory */
};

/* A task has one place here, by its address; who finds it taken is in `tasks`. */
#define TABLE_BITS 12

struct table_entry {
	u64 task; /* address of its task_struct, 0: free */
	struct task_state state;
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1 << TABLE_BITS);
	__type(key, u32);
	__type(value, struct table_entry);
} table SEC(".maps") __weak;

/* Behind the table; on kernels without atomic instructions all tasks. User space makes it larger
 * where memory is taken as needed (6.1). */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 4096);
	__type(key, u64);
	__type(value, struct task_state);
} tasks SEC(".maps") __weak;

/* Faults that somebody takes in memory that is not his own (/proc/PID/mem, ptrace, kernel threads),
 * while they are under way; by his task. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1024);
	__type(key, u64);
	__type(value, struct task_state);
} visits SEC(".maps") __weak;

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

/* What gives breaks their meaning: rare, and kept apart so that a storm of breaks does not push it
 * out. */
struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 8 << 20);
} control_ring SEC(".maps") __weak;

struct cowtrace_shared shared SEC(".data") __weak = {};

static __always_inline struct cowtrace_lane *this_lane(void)
{
	u32 cpu = bpf_get_smp_processor_id();

	return bpf_map_lookup_elem(&lanes, &cpu);
}

#define COUNT(counter)                                                                             \
	do {                                                                                       \
		struct cowtrace_lane *on_this_cpu = this_lane();                                   \
                                                                                                   \
		if (on_this_cpu)                                                                   \
			__sync_fetch_and_add(&on_this_cpu->counters.counter, 1);                   \
	} while (0)

static __always_inline struct table_entry *entry_of(u64 task)
{
	u32 place = (task >> 6) * 0x9e3779b97f4a7c15ULL >> (64 - TABLE_BITS);

	return ATOMICS ? bpf_map_lookup_elem(&table, &place) : 0;
}

/* A pointer argument of a tp_btf program as a number. */
static __always_inline u64 argument_address(const u64 *ctx, u32 index)
{
	u64 address = 0;

	bpf_probe_read_kernel(&address, sizeof(address), ctx + index);
	return address;
}

static __always_inline struct task_state *state_of(u64 task)
{
	struct table_entry *entry = entry_of(task);

	if (entry && entry->task == task)
		return &entry->state;
	return shared.stored ? bpf_map_lookup_elem(&tasks, &task) : 0;
}

static __always_inline u64 birth_of(u64 task)
{
	u64 birth = 0;

	/* By the helper: hooks on the family are linked without bpf_rdonly_cast. */
	bpf_probe_read_kernel(
		&birth, sizeof(birth),
		(void *)(task + bpf_core_field_offset(struct task_struct, start_boottime)));
	return birth;
}

/* Whether the task at this address is another one than that which the state was made for. */
static __noinline int is_another(struct task_state *state, u64 task)
{
	return state->born_ns != birth_of(task);
}

/*
 * The state of a task that runs; 0: it has none. The state of a task that has ended may outlive it
 * (create_state()), and a task that no fork made (a worker of io_uring, which sched_process_fork
 * does not show) may then have its address.
 */
static __always_inline struct task_state *running_state_of(u64 task)
{
	struct task_state *state = state_of(task);

	return state && state->told_exit && is_another(state, task) ? 0 : state;
}

static const struct task_state no_state;

static __always_inline void delete_stored_state(u64 task)
{
	if (shared.stored && !bpf_map_delete_elem(&tasks, &task))
		__sync_fetch_and_add(&shared.stored, -1);
}

static __always_inline void delete_state(u64 task)
{
	struct table_entry *entry = entry_of(task);

	if (entry && entry->task == task)
		entry->task = 0;
	delete_stored_state(task);
}

/* A zeroed place for a task; 0: there is no room. */
static __always_inline struct task_state *place_for(u64 task)
{
	struct table_entry *entry = entry_of(task);

	if (entry && ATOMICS &&
	    (entry->task == task || !__sync_val_compare_and_swap(&entry->task, 0, task))) {
		__builtin_memset(&entry->state, 0, sizeof(entry->state));
		/* One from an earlier time would be found as soon as this one is deleted. */
		delete_stored_state(task);
		return &entry->state;
	}
	if (!bpf_map_update_elem(&tasks, &task, &no_state, BPF_NOEXIST))
		__sync_fetch_and_add(&shared.stored, 1);
	else if (bpf_map_update_elem(&tasks, &task, &no_state, BPF_EXIST))
		return 0;
	return bpf_map_lookup_elem(&tasks, &task);
}

/*
 * For a task that has just come to be; 0: there is no room. Its address may have a state already:
 * some kernels free a task without sched_process_free (docs/architecture.md), and use its memory
 * again.
 */
static __always_inline struct task_state *create_state(u64 task)
{
	struct task_state *state = place_for(task);

	if (state)
		state->born_ns = birth_of(task);
	return state;
}

static __always_inline void end_visit(u64 task)
{
	if (!bpf_map_delete_elem(&visits, &task))
		__sync_fetch_and_add(&shared.visits, -1);
}

/* A number that no address space has had yet. Not from one shared counter: before 5.12 there is no
 * atomic addition that tells its result. */
static __always_inline u32 new_space(void)
{
	struct cowtrace_lane *lane = this_lane();

	u32 number;

	if (!lane)
		return 0;
	/* Where there are such instructions, programs may also be preempted. */
	number = ATOMICS ? __sync_fetch_and_add(&lane->spaces, 1) : lane->spaces++;
	return (number + 1) * options.cpus + bpf_get_smp_processor_id();
}

static __always_inline void enter_new_space(struct task_state *state, u64 mm)
{
	state->exec_from = state->space;
	state->exec_counts = state->counts;
	__builtin_memset(&state->counts, 0, sizeof(state->counts));
	state->space = new_space();
	state->mm = mm;
	state->code_owner = state->code_pages = 0;
	state->mapping_valid = 0;
	state->pmd_at = 0;
	state->open = 0;
}

/*
 * Rules for code (lib/unwind.h) are those of the address space where it was mapped, while that has
 * so many pages of it: a forked child goes on with its parent's until it maps code of its own.
 * `pages`: 0 if not known.
 */
static __always_inline void note_code(struct task_state *state, u32 pages)
{
	if (!state->code_owner || !pages || (state->code_pages && state->code_pages != pages))
		state->code_owner = state->space;
	state->code_pages = pages;
}

/*
 * The number of the address space that `task` runs in; 0: not traced. An exec installs the new mm
 * before its tracepoint fires, and the kernel already writes there (the end of .data), so a new mm
 * starts a new number wherever it is first seen.
 */
static __always_inline u32 space_of(struct task_state *state, u64 mm)
{
	if (state->mm == mm)
		return state->space;
	if (state->mm)
		enter_new_space(state, mm);
	else
		state->mm = mm;
	return state->space;
}

/* Reads through memory that there is anyway: programs on faults have no room on their stacks. */
static __always_inline u64 read_through(u64 *place, u64 address)
{
	*place = 0;
	bpf_probe_read_kernel(place, sizeof(*place), (void *)address);
	return *place;
}

/*
 * The number of a thread in the pid namespace of user space, as /proc shows it there; 0: it has
 * none. Of a process: ask for its leader. Only where layout.pid_level is not 0.
 */
static __always_inline s32 number_below(u64 task, u64 *place)
{
	u64 pid = read_through(place, task + bpf_core_field_offset(struct task_struct, thread_pid)),
	    number;

	if (!pid || (u32)read_through(place, pid + bpf_core_field_offset(struct pid, level)) <
			    layout.pid_level)
		return 0;
	number = pid + bpf_core_field_offset(struct pid, numbers) +
		 layout.pid_level * bpf_core_type_size(struct upid);
	if (read_through(place, number + bpf_core_field_offset(struct upid, ns)) !=
	    layout.pid_namespace)
		return 0;
	return (s32)read_through(place, number + bpf_core_field_offset(struct upid, nr));
}

/* The same in any namespace. */
static __always_inline s32 visible_number(struct task_struct *task)
{
	u64 place;

	return layout.pid_level ? number_below((u64)task, &place) : BPF_CORE_READ(task, pid);
}

static __always_inline void fill_header(struct cowtrace_header *header, u32 size, u16 kind, u64 now)
{
	u64 id = bpf_get_current_pid_tgid();

	header->time_ns = now;
	header->size = size;
	header->kind = kind;
	header->cpu = bpf_get_smp_processor_id();
	header->pid = id >> 32;
	header->tid = (u32)id;
}

/* In a pid namespace below the initial one: the numbers there. `header` is not on the stack, or
 * there is room. */
static __always_inline void translate_numbers(struct cowtrace_header *header)
{
	u64 now = header->time_ns, *place = &header->time_ns;

	if (!layout.pid_level)
		return;
	header->tid = number_below(bpf_get_current_task(), place);
	header->pid =
		number_below(read_through(place, bpf_get_current_task() +
							 bpf_core_field_offset(struct task_struct,
									       group_leader)),
			     place);
	header->time_ns = now;
}

#endif
