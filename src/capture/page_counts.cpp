// SPDX-License-Identifier: Apache-2.0
#include "capture/page_counts.h"

#include <bpf/bpf.h>

#include <cerrno>

#include "abi/config.h"

namespace cowtrace::capture {
namespace {

constexpr std::uint64_t kPageBytes = 4096;
constexpr std::uint32_t kBatch =
    1024;  // groups a system call; a bucket of the kernel's table holds far fewer

void add(const cowtrace_pages_key& key, const cowtrace_pages& pages,
         std::vector<PageCountRow>& rows) {
  if (key.mechanism >= model::kMechanisms) return;
  for (std::uint64_t i = 0; i < COWTRACE_NEIGHBOURS; ++i) {
    const cowtrace_page_row& from = pages.rows[i];
    if (from.count == 0) continue;
    PageCountRow row;
    row.space = model::SpaceId(key.space);
    row.row = {.page = key.first + i * kPageBytes,
               .count = from.count,
               .first_ns = from.first_ns,
               .last_ns = from.last_ns,
               .last_address = key.first + i * kPageBytes + from.last_offset,
               .old_frame = from.old_frame,
               .new_frame = from.new_frame,
               .mapping = model::MappingHash(from.mapping),
               .size = from.size,
               .mechanism = static_cast<model::Mechanism>(key.mechanism)};
    rows.push_back(row);
  }
}

}  // namespace

Result<std::vector<PageCountRow>> read_page_counts(int fd) {
  std::vector<PageCountRow> rows;
  std::vector<cowtrace_pages_key> keys(kBatch);
  std::vector<cowtrace_pages> pages(kBatch);
  std::uint32_t place = 0;  // the kernel's own, in the table
  for (bool first = true, last = false; !last; first = false) {
    std::uint32_t count = kBatch;
    const int status = bpf_map_lookup_batch(fd, first ? nullptr : &place, &place, keys.data(),
                                            pages.data(), &count, nullptr);
    // The end is told as if something had not been found.
    last = status != 0;
    if (last && errno != ENOENT)
      return fail_errno("cannot read what the kernel counted", errno,
                        "run without --detail counts");
    for (std::uint32_t i = 0; i < count; ++i) add(keys[i], pages[i], rows);
  }
  return rows;
}

}  // namespace cowtrace::capture
