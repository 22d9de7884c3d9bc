// SPDX-License-Identifier: Apache-2.0
// /proc/PID/maps: the mappings of an address space.
#pragma once

#include <sys/types.h>

#include <array>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace cowtrace::process {

// 55d0c0a00000-55d0c0a22000 r-xp 00002000 fe:00 1311 /usr/bin/cat
struct MapsEntry {
  std::uint64_t start = 0;
  std::uint64_t end = 0;
  std::array<char, 4> perms = {'-', '-', '-', 'p'};
  std::uint64_t offset = 0;  // bytes into the file
  std::uint64_t device = 0;  // as stat(2) gives it: makedev(major, minor)
  std::uint64_t inode = 0;   // 0: no file
  std::string path;          // untrusted; "[heap]", "[stack]", "[anon:NAME]" and the like, or empty
  bool deleted = false;      // the file has no name any more

  [[nodiscard]] bool readable() const { return perms[0] == 'r'; }
  [[nodiscard]] bool writable() const { return perms[1] == 'w'; }
  [[nodiscard]] bool executable() const { return perms[2] == 'x'; }
  [[nodiscard]] bool shared() const { return perms[3] == 's'; }
  [[nodiscard]] bool is_file() const { return inode != 0; }
  friend bool operator==(const MapsEntry&, const MapsEntry&) = default;
};

// Ascending and without overlap, as the kernel promises; anything else is an error.
[[nodiscard]] Result<std::vector<MapsEntry>> parse_maps(std::string_view text);

// `pid` may be a thread id. Empty when the address space is gone (a zombie).
[[nodiscard]] Result<std::vector<MapsEntry>> read_maps(pid_t pid);

// The entry that holds `address`; nullptr if none. `maps` ascending.
[[nodiscard]] const MapsEntry* find_mapping(std::span<const MapsEntry> maps, std::uint64_t address);

}  // namespace cowtrace::process
