// SPDX-License-Identifier: Apache-2.0
// A child that only owns what it inherited and touches none of it, until it is let go.
#pragma once

#include <sys/types.h>

#include "scenario/failure.h"

namespace scenario {

class Bystander {
 public:
  static Result<Bystander> fork();
  Bystander(Bystander&& other) noexcept;
  Bystander& operator=(Bystander&&) = delete;
  Bystander(const Bystander&) = delete;
  Bystander& operator=(const Bystander&) = delete;
  ~Bystander();  // lets it end, and waits for that

 private:
  Bystander(pid_t pid, int leash) : pid_(pid), leash_(leash) {}
  pid_t pid_ = 0;
  int leash_ = -1;  // it ends when this is closed
};

}  // namespace scenario
