// SPDX-License-Identifier: Apache-2.0
// A RemoteMemory made of bytes in the test: pages that were not placed are absent.
#pragma once

#include <algorithm>
#include <cstring>
#include <map>
#include <vector>

#include "base/units.h"
#include "process/remote_memory.h"

namespace cowtrace::test {

class BufferMemory final : public process::RemoteMemory {
 public:
  void place(std::uint64_t address, std::span<const std::byte> bytes) {
    for (std::size_t done = 0; done < bytes.size();) {
      const std::uint64_t at = address + done;
      auto& page = pages_[page_of(at)];
      page.resize(kPageSize);
      const std::size_t in_page = at - page_of(at);
      const std::size_t count = std::min(bytes.size() - done, kPageSize - in_page);
      std::memcpy(page.data() + in_page, bytes.data() + done, count);
      done += count;
    }
  }

  template <typename T>
  void place_value(std::uint64_t address, const T& value) {
    place(address, std::as_bytes(std::span(&value, 1)));
  }

  void remove_page(std::uint64_t address) { pages_.erase(page_of(address)); }

  Result<std::size_t> read(std::uint64_t address, std::span<std::byte> out) override {
    ++reads;
    std::size_t done = 0;
    while (done < out.size()) {
      const std::uint64_t at = address + done;
      const auto page = pages_.find(page_of(at));
      if (page == pages_.end()) break;
      const std::size_t in_page = at - page_of(at);
      const std::size_t count = std::min(out.size() - done, kPageSize - in_page);
      std::memcpy(out.data() + done, page->second.data() + in_page, count);
      done += count;
    }
    if (done == 0 && !out.empty()) return fail("cannot read memory", "absent");
    return done;
  }

  std::size_t reads = 0;

 private:
  std::map<std::uint64_t, std::vector<std::byte>> pages_;
};

}  // namespace cowtrace::test
