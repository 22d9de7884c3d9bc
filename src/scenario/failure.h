// SPDX-License-Identifier: Apache-2.0
// Why an experiment ended without a result. `scenario` shares no code with cowtrace, so that it can
// be its judge; hence a type of its own and not base/result.h.
#pragma once

#include <cstring>
#include <string>
#include <tl/expected.hpp>
#include <utility>

namespace scenario {

enum class ExitStatus : int { Done = 0, Failed = 1, Unavailable = 77 };

// Printed as "scenario: what: why: what to do"; empty parts are left out.
struct Failure {
  ExitStatus status = ExitStatus::Failed;
  std::string what;
  std::string why;
  std::string remedy;

  [[nodiscard]] std::string message() const {
    std::string text = "scenario";
    for (const std::string* part : {&what, &why, &remedy}) {
      if (!part->empty()) text += ": " + *part;
    }
    return text;
  }
};

template <typename T>
using Result = tl::expected<T, Failure>;

[[nodiscard]] inline tl::unexpected<Failure> failed(std::string what, std::string why,
                                                    std::string remedy = {}) {
  return tl::unexpected<Failure>(
      Failure{ExitStatus::Failed, std::move(what), std::move(why), std::move(remedy)});
}

// This kernel, machine or user cannot do it: exit status 77.
[[nodiscard]] inline tl::unexpected<Failure> unavailable(std::string what, std::string why,
                                                         std::string remedy = {}) {
  return tl::unexpected<Failure>(
      Failure{ExitStatus::Unavailable, std::move(what), std::move(why), std::move(remedy)});
}

}  // namespace scenario
