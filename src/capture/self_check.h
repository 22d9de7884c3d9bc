// SPDX-License-Identifier: Apache-2.0
// Whether the hooks have seen what a TestFamily did. The kernel attaches some hooks that it then
// never calls: kprobes that are switched off, fentry with kernel.ftrace_enabled=0.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <string>

#include "base/result.h"
#include "capture/capture.h"
#include "capture/test_family.h"
#include "model/events.h"

namespace cowtrace::capture {

class SelfCheck {
 public:
  // Does not keep `family`.
  explicit SelfCheck(const TestFamily& family);

  void take(const model::Event& event);
  void take(const PageCountRow& row);

  // Errors: hooks were not called.
  [[nodiscard]] Status result(const std::string& backend) const;
  // The first write to an absent page of a private file mapping was seen, or there was none.
  [[nodiscard]] bool saw_absent_page() const { return absent_page_ == 0 || saw_absent_page_; }

 private:
  void take(std::uint64_t address, model::Mechanism mechanism);

  pid_t first_;
  std::uint64_t page_of_first_, page_of_second_, absent_page_;
  bool saw_fork_ = false;
  int ended_ = 0;  // processes
  bool saw_first_ = false, saw_second_ = false, saw_absent_page_ = false;
};

// Which switch keeps the kernel from calling the hooks of this backend, and how to turn it; empty:
// none is known.
[[nodiscard]] std::string switched_off(const std::string& backend);

}  // namespace cowtrace::capture
