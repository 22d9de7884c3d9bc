// SPDX-License-Identifier: Apache-2.0
#include "capture/load_error.h"

#include <unistd.h>

#include <fstream>

#include "base/privilege.h"

namespace cowtrace::capture {

bool locked_down() {
  std::ifstream file("/sys/kernel/security/lockdown");
  std::string modes;
  std::getline(file, modes);
  return modes.find("[confidentiality]") != std::string::npos;
}

bool kernel_has_types() {
  return access("/sys/kernel/btf/vmlinux", R_OK) == 0;
}

Error load_error(const std::string& what, const BpfLog& log, int number) {
  if (const auto lack = powerless()) return {what, lack->why, lack->remedy};
  if (!kernel_has_types())
    return {what, "the kernel describes no types (/sys/kernel/btf/vmlinux)",
            "use a kernel built with CONFIG_DEBUG_INFO_BTF"};
  if (locked_down())
    return {what, "kernel lockdown is in confidentiality mode",
            "boot with lockdown=integrity or none"};
  return {what, log.reason(number), "'cowtrace doctor' says what is missing"};
}

}  // namespace cowtrace::capture
