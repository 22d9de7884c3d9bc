// SPDX-License-Identifier: Apache-2.0
#include "analysis/event_filter.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <optional>

#include "base/units.h"

namespace cowtrace::analysis {

namespace {

template <typename Number>
std::optional<Number> number(std::string_view text, int base) {
  Number value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value, base);
  if (text.empty() || error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

// "0x7f00", or decimal.
std::optional<std::uint64_t> address(std::string_view text) {
  const bool hexadecimal = text.starts_with("0x") || text.starts_with("0X");
  return number<std::uint64_t>(hexadecimal ? text.substr(2) : text, hexadecimal ? 16 : 10);
}

tl::unexpected<Error> refused(std::string_view condition, std::string why, std::string what_to_do) {
  return fail(fmt::format("cannot filter by '{}'", printable(condition)), std::move(why),
              std::move(what_to_do));
}

template <typename Value>
bool allows(const std::vector<Value>& wanted, Value value) {
  return wanted.empty() || std::find(wanted.begin(), wanted.end(), value) != wanted.end();
}

}  // namespace

Status EventFilter::add(std::string_view condition) {
  const std::size_t equals = condition.find('=');
  const std::string_view key = condition.substr(0, equals);
  const std::string_view value =
      equals == std::string_view::npos ? std::string_view() : condition.substr(equals + 1);
  Status added;
  if (key == "process") {
    added = add_number(processes_, condition, value);
  } else if (key == "pid") {
    added = add_number(pids_, condition, value);
  } else if (key == "address") {
    added = add_address(condition, value);
  } else if (key == "mechanism") {
    const auto found = std::find_if(
        model::kMechanismTable.begin(), model::kMechanismTable.end(),
        [&](const model::MechanismInfo& mechanism) { return mechanism.name == value; });
    std::string names;
    for (const auto& mechanism : model::kKnownMechanisms)
      names += (names.empty() ? "" : ", ") + std::string(mechanism.name);
    if (found == model::kMechanismTable.end())
      return refused(condition, "there is no such mechanism", "use one of " + names);
    mechanisms_.push_back(found->mechanism);
  } else if (key == "cause") {
    const auto found = std::find(model::kCauseNames.begin(), model::kCauseNames.end(), value);
    if (found == model::kCauseNames.end())
      return refused(condition, "there is no such cause",
                     fmt::format("use one of {}", fmt::join(model::kKnownCauses, ", ")));
    causes_.push_back(static_cast<model::Cause>(found - model::kCauseNames.begin()));
  } else if (key == "phase") {
    const auto found = std::find(model::kPhaseNames.begin(), model::kPhaseNames.end(), value);
    if (found == model::kPhaseNames.end())
      return refused(condition, "there is no such phase",
                     fmt::format("use one of {}", fmt::join(model::kPhaseNames, ", ")));
    phases_.push_back(static_cast<model::Phase>(found - model::kPhaseNames.begin()));
  } else {
    return refused(condition, "it is no condition",
                   "use process=KEY, pid=PID, mechanism=NAME, cause=NAME, phase=NAME, address=PAGE "
                   "or address=START-END");
  }
  if (added) conditions_.emplace_back(condition);
  return added;
}

Status EventFilter::add_number(std::vector<std::uint32_t>& to, std::string_view condition,
                               std::string_view value) {
  const auto read = number<std::uint32_t>(value, 10);
  if (!read) return refused(condition, "its value is no number", "as in pid=4711");
  to.push_back(*read);
  return {};
}

Status EventFilter::add_address(std::string_view condition, std::string_view value) {
  const std::size_t dash = value.find('-');
  const auto start = address(value.substr(0, dash));
  const auto end = dash == std::string_view::npos ? std::nullopt : address(value.substr(dash + 1));
  if (!start || (dash != std::string_view::npos && !end))
    return refused(condition, "its value is no address", "as in address=0x7f00-0x8000");
  if (end && *end <= *start)
    return refused(condition, "its range is empty", "END is the first address after it");
  if (end)
    addresses_.emplace_back(*start, *end - 1);
  else
    addresses_.emplace_back(page_of(*start), page_of(*start) + (kPageSize - 1));
  return {};
}

bool EventFilter::matches(const model::Process& process, const Touch& touch,
                          model::Cause cause) const {
  if (everything()) return true;
  const bool at_address =
      addresses_.empty() || std::any_of(addresses_.begin(), addresses_.end(), [&](const auto& r) {
        return r.first <= touch.address && touch.address <= r.second;
      });
  return at_address && allows(processes_, process.key.value) &&
         allows(pids_, static_cast<std::uint32_t>(process.pid)) &&
         allows(mechanisms_, touch.mechanism) && allows(causes_, cause) &&
         (phases_.empty() || (!touch.aggregated && allows(phases_, touch.phase)));
}

}  // namespace cowtrace::analysis
