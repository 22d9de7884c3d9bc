// SPDX-License-Identifier: Apache-2.0
// cowtrace doctor
#include <fmt/format.h>

#include <cstdio>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

#include "capture/probe.h"
#include "cli/commands.h"

namespace cowtrace::cli {
namespace {

using capture::Check;

std::string_view word(Check::State state) {
  switch (state) {
    case Check::State::Good:
      return "ok";
    case Check::State::Limited:
      return "limited";
    case Check::State::Bad:
      return "missing";
  }
  return "";
}

void print_text(const capture::Probe& probe) {
  for (const Check& check : probe.checks) {
    fmt::print("{:<8} {:<20} {}\n", word(check.state), check.name, check.found);
    if (!check.remedy.empty()) fmt::print("{:<8} {:<20} -> {}\n", "", "", check.remedy);
  }
  fmt::print("\nBackends\n");
  for (const auto& backend : probe.backends) {
    fmt::print("{:<8} {:<20} {}\n", backend.usable ? "ok" : "no", backend.name,
               backend.usable ? "works" : backend.why_not);
    for (const auto& spot : backend.blind_spots)
      fmt::print("{:<8} {:<20} blind to {}\n", "", "", spot);
  }
  if (!probe.any_backend()) fmt::print("\nNo backend works: cowtrace cannot trace here.\n");
}

void print_json(const capture::Probe& probe) {
  nlohmann::ordered_json json = {{"schema", "cowtrace.doctor/1"},
                                 {"usable", probe.any_backend()},
                                 {"checks", nlohmann::ordered_json::array()},
                                 {"backends", nlohmann::ordered_json::array()}};
  for (const Check& check : probe.checks)
    json["checks"].push_back({{"name", check.name},
                              {"state", word(check.state)},
                              {"found", check.found},
                              {"remedy", check.remedy}});
  for (const auto& backend : probe.backends)
    json["backends"].push_back({{"name", backend.name},
                                {"usable", backend.usable},
                                {"why_not", backend.why_not},
                                {"blind_spots", backend.blind_spots}});
  fmt::print("{}\n", json.dump(2, ' ', false, nlohmann::ordered_json::error_handler_t::replace));
}

}  // namespace

Action configure_doctor(CLI::App& app) {
  const auto as_json = std::make_shared<bool>(false);
  app.add_flag("--json", *as_json, "print JSON, schema cowtrace.doctor/1");
  return [as_json](const auto&) {
    const capture::Probe probe = capture::probe();
    *as_json ? print_json(probe) : print_text(probe);
    return probe.any_backend() ? kDone : kFailed;
  };
}

}  // namespace cowtrace::cli
