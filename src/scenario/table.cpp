// SPDX-License-Identifier: Apache-2.0
// All experiments. A new one is a file of its own, its name in the declaration, and a row.
#include <array>

#include "scenario/experiment.h"

namespace scenario {

Run read_only, mutate, mutate_parent, mutate_both, grandchild, threads, syscall_write, storm,
    file_private, last_owner, gup_write;

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
      {"last-owner", "the parent writes every page when its child has ended",
       "makes them writable again: reuse, no copy", last_owner},
      {"file-private", "children write a private file mapping; one reads it before",
       "copies each page of the file for each child", file_private},
      {"gup-write", "another process writes through /proc/PID/mem",
       "copies each page in the writer's context, without an exception", gup_write},
  });
  return kTable;
}

}  // namespace scenario
