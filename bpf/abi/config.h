/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * What user space tells the BPF programs before they are loaded (`options`, read-only for them),
 * and the counters, tasks and counted pages that they tell user space through maps.
 */
#ifndef COWTRACE_ABI_CONFIG_H
#define COWTRACE_ABI_CONFIG_H

#include "abi/events.h"

struct cowtrace_config {
	__u64 zero_frame; /* frame of the zero page, 0: none */
	__u32 frames;	  /* user stack frames kept, 0: no stacks */
	__u8 counts_only;
	__u8 audit;	    /* report populates */
	__u8 find_mapping;  /* bpf_find_vma works */
	__u32 wakeup_bytes; /* wake user space when so much of the data ring is filled */
	__u8 direct_loads;  /* bpf_rdonly_cast works */
	__u8 wake_control; /* wake user space for each new mapping: it has to look while the process
			      lives */
	__u8 lanes;	   /* breaks go to the lane of their CPU first */
	__u8 task_regs;	   /* bpf_task_pt_regs works (5.15) */
	__u8 python_frames; /* Python stack frames kept, 0: none */
	__u8 unwind;	    /* native stacks by rules (abi/unwind.h), not by frame pointer */
	__u8 first_writes;  /* report the first write to each page of anonymous memory */
	__u32 cpus;
};
COWTRACE_ASSERT(sizeof(struct cowtrace_config) == 32);

/* What user space has found out with the peek program (bpf/calibrate.bpf.c), after load and before
 * anything is attached. */
struct cowtrace_layout {
	__u64 direct_map; /* virtual address of physical address 0; 0: page tables are not read */
	__u64 vmemmap; /* of struct page 0; 0: page-cache and anonymous pages are not told apart */
	__u64 frame_mask;    /* physical address bits of a PTE (without SEV's C-bit) */
	__u32 levels;	     /* of page tables: 4 or 5 */
	__u32 pairing;	     /* no page tables: pair with kmem:mm_page_alloc */
	__u64 pid_namespace; /* of user space; its address */
	__u32 pid_level;     /* of that namespace; 0: the initial one, nothing to look up */
	__u32 reserved;
};
COWTRACE_ASSERT(sizeof(struct cowtrace_layout) == 48);

struct cowtrace_shared {
	__s32 wanted_pid;  /* of the command, in our pid namespace; user space */
	__u32 found_tasks; /* by the iterator that looks for wanted_pid, or for those that run; BPF,
			      as all below */
	__u32 forked;	   /* some address space was forked: populates matter from now on */
	__u32 stored;	   /* tasks whose state is not in the table */
	__u32 visits;	   /* faults under way in another process's memory */
	__u32 pinning_forks; /* forks under way whose parent has pinned pages */
	__u32 want_all;	     /* user space: all running tasks belong to the family */
	__u32 any_order;     /* user space: running tasks are added even before their parents */
	__u32 pythons;	   /* user space: there is, or was, something in the map of the same name */
	__u32 trace_found; /* user space: wanted_pid is traced at once, not from its exec on */
};

#define COWTRACE_PEEK_WORDS 8
#define COWTRACE_ALLOCATIONS 64

/* Start-up only (bpf/calibrate.bpf.c): what user space asks for and what it gets. */
struct cowtrace_peek {
	__u64 address;
	__u64 pgd; /* of the caller */
	__u64 words[COWTRACE_PEEK_WORDS];
	__u64 allocations[COWTRACE_ALLOCATIONS]; /* struct page addresses */
	__u64 task;				 /* the caller */
	__u64 watched_task;			 /* its allocations are shown; 0: none are */
	__u64 pid_namespace;			 /* of the caller; its address */
	__u32 pid_level;
	__u32 failed;
	__u32 allocation_count;
	__u32 page_struct; /* sizeof(struct page) */
};

struct cowtrace_counters {
	struct cowtrace_counts resolutions;
	__u64 lost;	    /* resolutions without an event: no room */
	__u64 lost_control; /* fork, exec, exit, mapping and stack events that did not fit */
	__u64 lost_populate;
	__u64 unfinished; /* write faults without a completion */
	__u64 untracked;  /* tasks that were not traced for lack of room */
	__u64 duplicates; /* completions of threads that lost a race for a page */
	__u64 walk_failed;
	__u64 mapping_busy; /* mmap_lock was taken: no mapping in the event */
	__u64 late;
	__u64 copies;	   /* of stacks, that were sent */
	__u64 lost_copies; /* for which there was no room */
};
COWTRACE_ASSERT(sizeof(struct cowtrace_counters) == sizeof(struct cowtrace_counts) + 11 * 8);

/*
 * One a CPU, shared with user space: its counters, and a short queue of breaks that stays in the
 * cache. What does not fit goes to the data ring. A slot is taken by raising `head` and is whole
 * when its `turn` is the number of the slot, counted from 1.
 */
#define COWTRACE_LANE_SLOTS 1024 /* a power of two */

struct cowtrace_slot {
	__u64 turn;
	__u8 event[sizeof(struct cowtrace_resolution)];
};
COWTRACE_ASSERT(sizeof(struct cowtrace_slot) == 160);

struct cowtrace_lane {
	struct cowtrace_counters counters;
	__u64 head;   /* slots taken so far; BPF */
	__u64 woken;  /* head when user space was woken last; BPF */
	__u32 spaces; /* numbers given out; BPF */
	__u8 pad[512 - sizeof(struct cowtrace_counts) - 13 * 8 - 4];
	__u64 tail; /* slots read so far; user space */
	__u8 pad2[4096 - 520];
	struct cowtrace_slot slots[COWTRACE_LANE_SLOTS];
};
COWTRACE_ASSERT(sizeof(struct cowtrace_lane) == 4096 * 41);
COWTRACE_ASSERT(__builtin_offsetof(struct cowtrace_lane, tail) == 512);

/*
 * --detail counts: key and value of the map of pages. Neighbours share one, for they are often
 * written after each other, and a new one costs ten times what finding it costs. So many that with
 * what the kernel adds (64 bytes) it fills one of its allocations, of 1 KiB.
 */
#define COWTRACE_NEIGHBOURS 16
struct cowtrace_pages_key {
	__u64 first; /* address of the first of COWTRACE_NEIGHBOURS pages, aligned to them all */
	__u32 space;
	__u32 mechanism;
};
struct cowtrace_page_row {
	__u64 count; /* 0: none */
	__u64 first_ns;
	__u64 last_ns;
	__u64 old_frame;
	__u64 new_frame;
	__u64 mapping;
	__u32 last_offset; /* of the last address in the page */
	__u32 size;
};
struct cowtrace_pages {
	struct cowtrace_page_row rows[COWTRACE_NEIGHBOURS];
};
COWTRACE_ASSERT(sizeof(struct cowtrace_pages) + sizeof(struct cowtrace_pages_key) + 48 == 960);
#endif
