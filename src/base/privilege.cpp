// SPDX-License-Identifier: Apache-2.0
#include "base/privilege.h"

#include <sys/stat.h>
#include <unistd.h>

#include <charconv>
#include <cstdint>
#include <fstream>
#include <string_view>

namespace cowtrace {
namespace {

// PROC_USER_INIT_INO (include/linux/proc_ns.h): the kernel's own user namespace has had this number
// since 3.8.
constexpr ino_t kFirstUserNamespace = 0xEFFFFFFD;

bool in_first_user_namespace() {
  struct stat about {};
  // Without /proc the kernel itself will say what it refuses.
  return stat("/proc/self/ns/user", &about) != 0 || about.st_ino == kFirstUserNamespace;
}

}  // namespace

std::optional<Powerless> powerless() {
  if (geteuid() != 0) return Powerless{"not root", "run it with sudo"};
  if (!in_first_user_namespace())
    return Powerless{"root of a user namespace only, which the kernel allows no tracing",
                     "run it as root of the machine, outside of this container or namespace"};
  return std::nullopt;
}

bool has_capability(int number) {
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);) {
    constexpr std::string_view kName = "CapEff:\t";
    if (!line.starts_with(kName)) continue;
    std::uint64_t effective = 0;
    std::from_chars(line.data() + kName.size(), line.data() + line.size(), effective, 16);
    return (effective >> number & 1) != 0;
  }
  return true;
}

}  // namespace cowtrace
