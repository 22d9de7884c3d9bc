// SPDX-License-Identifier: Apache-2.0
// All experiments. A new one is a file of its own, its name in the declaration, and a row.
#include <array>

#include "scenario/experiment.h"

namespace scenario {

Run read_only, mutate, mutate_parent, mutate_both, grandchild, threads, syscall_write, storm,
    last_owner, zero_page, file_private, file_shared, elf_data, stack, dontfork, wipeonfork,
    vfork_child, clone_vm, exec, protect_memory, uffd_wp, thp, thp_zero, mthp, hugetlb, ksm,
    swapped, gup_write, ptrace_poke, reader_unshares, io_uring;

std::span<const Experiment> experiments() {
  static constexpr auto kTable = std::to_array<Experiment>({
      {"read", "children only read every page", "nothing: reading shares", read_only},
      {"mutate", "children write every page once", "copies each page for each child", mutate},
      {"mutate-parent", "the parent writes every page while its children wait",
       "copies each page for the parent", mutate_parent},
      {"mutate-both", "children write every page, then the parent does",
       "copies for the children; the parent, last owner, reuses", mutate_both},
      {"grandchild", "children fork again; only the grandchildren write",
       "copies each page for each grandchild", grandchild},
      {"threads", "four threads of each child race for the same pages",
       "copies each page once a child, however many threads fault", threads},
      {"syscall-write", "children read(2) from a pipe into every page",
       "copies each page in a fault taken in kernel mode", syscall_write},
      {"storm", "children write one byte a page as fast as they can",
       "copies each page for each child", storm, 20000, 4},
      {"last-owner", "the parent writes when its child has ended",
       "makes them writable again: reuse, no copy", last_owner},
      {"zero-page", "a process reads fresh pages, then writes them",
       "replaces the zero page by a frame for each; nothing was shared", zero_page},
      {"file-private", "children write a private mapping of a file",
       "copies each page of the file for each child", file_private},
      {"file-shared", "children write shared mappings of files", "lets all write the same frames",
       file_shared},
      {"elf-data", "children write initialised variables of the program",
       "copies each page of the program's file for each child", elf_data},
      {"stack", "a child writes deep in the stack that it inherited", "copies each page of it",
       stack},
      {"dontfork", "parent and child write where MADV_DONTFORK was",
       "nothing: the child did not inherit the pages", dontfork},
      {"wipeonfork", "parent and children write where MADV_WIPEONFORK was",
       "allocates for the children; the parent's pages stay its own", wipeonfork},
      {"vfork", "a vfork child writes, then its parent does",
       "nothing: they have one address space", vfork_child},
      {"clone-vm", "two processes of one address space write shared pages",
       "copies each page once, for both", clone_vm},
      {"exec", "a child writes, executes itself anew, and writes",
       "copies in two address spaces, one after the other", exec},
      {"mprotect", "a process revokes and restores access, then writes",
       "faults at most; a child that shares gets its copies", protect_memory},
      {"uffd-wp", "each write waits for userfaultfd's write protection",
       "faults; a child that shares gets its copies", uffd_wp},
      {"thp", "children write every fourth page of huge pages",
       "splits each huge mapping and copies the written 4 KiB pages", thp},
      {"thp-zero", "a process reads fresh huge pages, then writes them",
       "replaces the huge zero page, by 4 KiB or (since 6.13) whole", thp_zero},
      {"mthp", "a child, then the parent write folios of 64 KiB",
       "copies 4 KiB for the child; copies or reuses for the parent", mthp},
      {"hugetlb", "a child, then the parent write reserved huge pages",
       "copies each huge page whole for the child; the parent reuses", hugetlb},
      {"ksm", "a child, then the parent write pages merged by KSM",
       "copies each page for each of them", ksm},
      {"swap", "the parent writes swapped-out pages, shared by a child",
       "copies each page as it comes back from swap", swapped},
      {"gup-write", "another process writes through /proc/PID/mem",
       "copies each page in the writer's context, without an exception", gup_write},
      {"ptrace-poke", "a debugger writes a word on each page of its target",
       "copies each page in the debugger's context, without an exception", ptrace_poke},
      {"reader-unshares", "another process reads with process_vm_readv",
       "copies each page because the reader pins it (since 5.19)", reader_unshares},
      {"io-uring", "half of the pages are pinned by io_uring at a fork",
       "copies the pinned pages for the child inside fork", io_uring},
  });
  return kTable;
}

}  // namespace scenario
