/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * The one contract between the BPF programs and user space. Included by BPF C (after vmlinux.h) and
 * by C++ (src/capture only). Natural alignment, explicit padding, sizes and offsets asserted here
 * for both sides. Enum values are append-only.
 */
#ifndef COWTRACE_ABI_EVENTS_H
#define COWTRACE_ABI_EVENTS_H

#ifdef __cplusplus
#define COWTRACE_ASSERT(condition) static_assert(condition, #condition)
#include <linux/types.h>
#else
#define COWTRACE_ASSERT(condition) _Static_assert(condition, #condition)
#endif

/* Bits of a page-table entry that hold the frame (arch/x86/include/asm/pgtable_types.h;
 * arch/arm64/include/asm/pgtable-hwdef.h). */
#if defined(__x86_64__) || defined(__TARGET_ARCH_x86)
#define COWTRACE_FRAME_BITS 0x000ffffffffff000ULL
#elif defined(__aarch64__) || defined(__TARGET_ARCH_arm64)
#define COWTRACE_FRAME_BITS 0x0000fffffffff000ULL
#endif

enum cowtrace_mechanism {
	COWTRACE_COPY = 0,
	COWTRACE_REUSE = 1,
	COWTRACE_ZERO_FILL = 2,
	COWTRACE_FILE_COPY = 3,
	COWTRACE_HUGE_SPLIT = 4,
	COWTRACE_HUGETLB_COPY = 5,
	COWTRACE_HUGE_ZERO_FILL = 6,
	COWTRACE_KSM_COPY = 7,
	COWTRACE_UNSHARE = 8,
	COWTRACE_FORK_COPY = 9,
	COWTRACE_FIRST_WRITE = 10,
	COWTRACE_MECHANISMS = 11,
};

enum cowtrace_cause {
	COWTRACE_CAUSE_UNKNOWN = 0,
	COWTRACE_CAUSE_REFCOUNT = 1,
	COWTRACE_CAUSE_GC_HEADER = 2,
	COWTRACE_CAUSE_CONTAINER = 3,
	COWTRACE_CAUSE_VALUE = 4,
	COWTRACE_CAUSE_ALLOCATOR = 5,
	COWTRACE_CAUSE_NATIVE = 6,
	COWTRACE_CAUSE_SYSCALL = 7,
	COWTRACE_CAUSE_REMOTE = 8,
	COWTRACE_CAUSES = 9,
};

enum cowtrace_event_kind {
	/* lanes and data ring */
	COWTRACE_EVENT_RESOLUTION = 1,
	COWTRACE_EVENT_POPULATE = 2,
	/* control ring */
	COWTRACE_EVENT_FORK = 16,
	COWTRACE_EVENT_EXEC = 17,
	COWTRACE_EVENT_EXIT = 18,
	COWTRACE_EVENT_MAPPING = 19,
	COWTRACE_EVENT_STACK = 20,
	COWTRACE_EVENT_WAKE = 21, /* a header only: a lane is half full */
	COWTRACE_EVENT_ACTOR = 22,
	COWTRACE_EVENT_ATTACH = 23,
	/* copy ring */
	COWTRACE_EVENT_STACK_COPY = 24, /* abi/unwind.h */
};

/* cowtrace_resolution.flags */
#define COWTRACE_IN_KERNEL (1u << 0)	 /* the kernel wrote, in a system call */
#define COWTRACE_LATE (1u << 1)		 /* found at the thread's next fault */
#define COWTRACE_PAIRED (1u << 2)	 /* no page tables: paired with an allocation */
#define COWTRACE_REMOTE (1u << 3)	 /* header.pid acted on memory that is not its own */
#define COWTRACE_PYTHON_THREAD (1u << 4) /* the thread has a Python thread state */
#define COWTRACE_GC_COLLECTING (1u << 5) /* and its interpreter was collecting garbage */

#define COWTRACE_WINDOW 64
#define COWTRACE_MAX_FRAMES 64 /* of either kind */
#define COWTRACE_COMM 16
#define COWTRACE_NAME 80

struct cowtrace_header {
	__u32 size; /* of the whole event */
	__u16 kind;
	__u16 cpu;
	__s32 pid; /* thread group id, in the pid namespace of user space; 0: it has none there */
	__s32 tid;
	__u64 time_ns; /* CLOCK_MONOTONIC */
};
COWTRACE_ASSERT(sizeof(struct cowtrace_header) == 24);

/* One answer of the kernel to a write-protect fault. As short as it can be: filling it is what a
 * break costs most. */
struct cowtrace_resolution {
	struct cowtrace_header header;
	__u64 address; /* exact */
	__u64 ip;      /* user space */
	__u64 old_pte; /* entries without the bit that marks encrypted memory; 0: not known */
	__u64 new_pte;
	__u64 stack;   /* cowtrace_stack.hash, 0: none */
	__u64 mapping; /* cowtrace_mapping.hash, 0: not known */
	__u32 space;   /* stands for the mm_struct, whose address the kernel reuses */
	__u32 latency_ns;
	__u16 error_code;
	__u8 old_level; /* of the page tables, where the entry was: 1 a PTE, 2 a PMD, 3 a PUD, 0
			   none */
	__u8 new_level;
	__u8 mechanism;
	__u8 cause;
	__u8 flags;
	__u8 window_size; /* valid bytes of window, 0: not readable */
	/* Memory around `address` before this write, from cowtrace_window_start(address) on. */
	__u8 window[COWTRACE_WINDOW];
};
COWTRACE_ASSERT(sizeof(struct cowtrace_resolution) == 24 + 48 + 8 + 8 + COWTRACE_WINDOW);
COWTRACE_ASSERT(__builtin_offsetof(struct cowtrace_resolution, space) == 72);
COWTRACE_ASSERT(__builtin_offsetof(struct cowtrace_resolution, window) == 88);

/* The window lies within the page of `address`, which is as near its middle as that allows. */
static inline __u64 cowtrace_window_start(__u64 address)
{
	__u64 page = address & ~4095ULL;
	__u64 start = (address - COWTRACE_WINDOW / 2) & ~7ULL;

	if (start < page || start > address)
		return page;
	return start > page + 4096 - COWTRACE_WINDOW ? page + 4096 - COWTRACE_WINDOW : start;
}

/* An absent page of a forked or forking address space got a frame: it had been unmapped or
 * discarded. */
struct cowtrace_populate {
	struct cowtrace_header header;
	__u64 address;
	__u64 new_frame; /* of the base page that holds `address` */
	__u32 space;
	__u32 size; /* bytes given: 4096 or a huge page */
};
COWTRACE_ASSERT(sizeof(struct cowtrace_populate) == 48);

struct cowtrace_fork {
	struct cowtrace_header header; /* of the parent */
	__s32 child_pid;
	__s32 child_tid;
	__u64 child_start_ns; /* CLOCK_BOOTTIME of the child's group leader */
	__u32 parent_space;
	__u32 child_space;
	__u8 shares_memory;
	__u8 is_thread;
	__u8 untracked; /* no task storage: the child is not seen */
	__u8 reserved[5];
	__u64 took_ns; /* copying the memory's tables; 0: not known, or not copied */
	char command[COWTRACE_COMM];
};
COWTRACE_ASSERT(sizeof(struct cowtrace_fork) == 80);

struct cowtrace_count {
	__u64 count;
	__u64 bytes;
};
struct cowtrace_counts {
	struct cowtrace_count of[COWTRACE_MECHANISMS];
};

/* counts: what this thread had counted in the old address space. */
struct cowtrace_exec {
	struct cowtrace_header header;
	__s32 old_tid;
	__u32 old_space;
	__u32 new_space;
	__u32 reserved;
	__u64 start_ns;
	struct cowtrace_counts counts;
	char command[COWTRACE_COMM];
};
COWTRACE_ASSERT(sizeof(struct cowtrace_exec) ==
		24 + 24 + sizeof(struct cowtrace_counts) + COWTRACE_COMM);

struct cowtrace_exit {
	struct cowtrace_header header;
	__u64 start_ns;
	__u32 space;
	__u8 process_ended;
	__u8 reserved;
	__u16 wait_status; /* of the process, as wait(2) gives it; 0 unless process_ended */
	struct cowtrace_counts counts;
	char command[COWTRACE_COMM]; /* of the process: programs rename themselves */
};
COWTRACE_ASSERT(sizeof(struct cowtrace_exit) ==
		24 + 16 + sizeof(struct cowtrace_counts) + COWTRACE_COMM);

/* The vm_area_struct that held an address at the moment of a break; once per distinct one. */
struct cowtrace_mapping {
	struct cowtrace_header header;
	__u64 hash;
	__u64 start;
	__u64 end;
	__u64 file_offset; /* bytes, of `start` */
	__u64 inode;	   /* 0: anonymous */
	__u64 flags;	   /* VM_* */
	__u64 brk_start;
	__u64 brk_end;
	__u64 stack_start;
	__u32 space;
	__u32 device;
	char name[COWTRACE_NAME];
};
COWTRACE_ASSERT(sizeof(struct cowtrace_mapping) == 24 + 72 + 8 + COWTRACE_NAME);

/* Somebody of another address space broke pages of the family: header.pid; once for each. */
struct cowtrace_actor {
	struct cowtrace_header header;
	char command[COWTRACE_COMM];
};
COWTRACE_ASSERT(sizeof(struct cowtrace_actor) == 24 + COWTRACE_COMM);

/* A process that ran already when it was taken into the family; header.pid. */
struct cowtrace_attach {
	struct cowtrace_header header;
	__u64 start_ns; /* CLOCK_BOOTTIME of its leader */
	__s32 parent_pid;
	__u32 parent_space; /* of the traced process that it was forked from, and has executed
			       nothing since; 0: not known to be so */
	__u32 space;
	__u32 reserved;
	char command[COWTRACE_COMM];
};
COWTRACE_ASSERT(sizeof(struct cowtrace_attach) == 24 + 24 + COWTRACE_COMM);

struct cowtrace_python_frame {
	__u64 code;	   /* address of the PyCodeObject */
	__u64 instruction; /* address in its code; to 3.10 f_lasti, as it is there */
	__u8 owner;	   /* enum _frameowner; 0 to 3.10 */
	__u8 reserved[7];
};
COWTRACE_ASSERT(sizeof(struct cowtrace_python_frame) == 24);

/*
 * A distinct user stack, innermost stack frame first; `depth` and `python_depth` are valid, one may
 * be 0. Ends after the last of the Python frames that it has.
 */
struct cowtrace_stack {
	struct cowtrace_header header;
	__u64 hash;
	__u32 space;
	__u16 depth;
	__u8 truncated;
	__u8 python_truncated;
	__u16 python_depth;
	__u8 reserved[6];
	__u64 ip[COWTRACE_MAX_FRAMES];
	struct cowtrace_python_frame python[COWTRACE_MAX_FRAMES];
};
#define COWTRACE_STACK_BYTES(python_depth)                                                         \
	(__builtin_offsetof(struct cowtrace_stack, python) +                                       \
	 (python_depth) * sizeof(struct cowtrace_python_frame))
COWTRACE_ASSERT(COWTRACE_STACK_BYTES(0) == 48 + 8 * COWTRACE_MAX_FRAMES);
COWTRACE_ASSERT(COWTRACE_STACK_BYTES(COWTRACE_MAX_FRAMES) == sizeof(struct cowtrace_stack));
#endif
