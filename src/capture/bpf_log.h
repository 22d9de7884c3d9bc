// SPDX-License-Identifier: Apache-2.0
// Keeps what libbpf says while it lives, off the terminal, so that one line of it can become the
// reason of an error.
#pragma once

#include <string>

namespace cowtrace::capture {

class BpfLog {
 public:
  BpfLog();
  BpfLog(const BpfLog&) = delete;
  BpfLog& operator=(const BpfLog&) = delete;
  ~BpfLog();

  // The most telling line, or errno's text. `number` is an errno value (libbpf's are negated by
  // some calls).
  [[nodiscard]] std::string reason(int number) const;
  [[nodiscard]] const std::string& text() const { return text_; }
  void append(const std::string& text) { text_ += text; }

 private:
  std::string text_;
};

}  // namespace cowtrace::capture
