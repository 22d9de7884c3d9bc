// SPDX-License-Identifier: Apache-2.0
#include "report/diff_words.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <string_view>

#include "base/units.h"
#include "model/mechanism.h"
#include "report/text_layout.h"

namespace cowtrace::report {

namespace {

using analysis::Change;
using analysis::ChangedRow;
using analysis::Comparison;
using analysis::Section;

std::uint64_t magnitude(std::int64_t difference) {
  const auto bits = static_cast<std::uint64_t>(difference);
  return difference < 0 ? 0 - bits : bits;
}

std::string signed_text(std::int64_t difference, std::string text) {
  return difference == 0 ? text : (difference < 0 ? "-" : "+") + text;
}

std::string range(const std::string& least, const std::string& most) {
  if (least == most) return least;
  const auto unit = [](const std::string& text) {
    return text.substr(std::min(text.find(' '), text.size()));
  };
  const std::string common = unit(least);
  return common == unit(most) ? least.substr(0, least.size() - common.size()) + ".." + most
                              : least + ".." + most;
}

bool breaks(std::string_view mechanism) {
  return std::any_of(
      model::kMechanismTable.begin(), model::kMechanismTable.end(),
      [&](const model::MechanismInfo& one) { return one.name == mechanism && one.is_break; });
}

std::string medians(const Comparison& comparison) {
  const std::size_t before = comparison.before.size();
  const std::size_t after = comparison.after.size();
  if (before == 1 && after == 1) return {};
  return fmt::format(" (medians of {} before and {} after)", counted(before, "run", "runs"),
                     counted(after, "run", "runs"));
}

// The row that explains most of a difference in this direction; nullptr if none does.
template <typename Counts>
const ChangedRow* main_row(const Comparison& comparison, Section section, Counts&& counts) {
  const std::int64_t whole = comparison.copied_bytes.difference;
  for (const ChangedRow& row : comparison.of(section)) {
    const bool same_way = (row.bytes.difference < 0) == (whole < 0) && row.bytes.difference != 0;
    if (!same_way || row.bytes.noise.value_or(false) || !counts(row.name)) continue;
    return magnitude(row.bytes.difference) >= magnitude(whole) / 4 ? &row : nullptr;
  }
  return nullptr;
}

}  // namespace

std::string signed_bytes(std::int64_t difference) {
  return signed_text(difference, human_bytes(magnitude(difference)));
}

std::string signed_count(std::int64_t difference) {
  return signed_text(difference, human_count(magnitude(difference)));
}

std::string bytes_range(const analysis::Spread& spread) {
  return range(human_bytes(spread.least), human_bytes(spread.most));
}

std::string count_range(const analysis::Spread& spread) {
  return range(human_count(spread.least), human_count(spread.most));
}

std::uint64_t width_of(const Change& change) {
  return std::max(change.before.most - change.before.least, change.after.most - change.after.least);
}

std::string diff_headline(const Comparison& comparison) {
  const Change& copied = comparison.copied_bytes;
  const std::string before = human_bytes(copied.before.median);
  const std::string after = human_bytes(copied.after.median);
  const std::string breaks =
      fmt::format("{} instead of {}", counted(comparison.breaks.after.median, "break", "breaks"),
                  human_count(comparison.breaks.before.median));
  std::string text;
  if (copied.difference == 0)
    text = fmt::format("no difference: {} copied before and after", before);
  else if (copied.noise.value_or(false))
    text = fmt::format("no difference beyond noise: {} copied before, {} after", before, after);
  else if (copied.difference < 0)
    text = fmt::format("saved {} of {} copied ({}): {}", human_bytes(magnitude(copied.difference)),
                       before, percent(magnitude(copied.difference), copied.before.median), breaks);
  else
    text = fmt::format("cost {} more: {} copied instead of {}, {}",
                       human_bytes(magnitude(copied.difference)), after, before, breaks);
  return text + medians(comparison);
}

std::string diff_reason(const Comparison& comparison) {
  if (comparison.copied_bytes.difference == 0 || comparison.copied_bytes.noise.value_or(false))
    return {};
  std::string text;
  const auto add = [&](std::string_view what, Section section, const ChangedRow* row) {
    if (row != nullptr)
      text += fmt::format("{} {} {} {}", text.empty() ? "most of it:" : ",", what,
                          row_words(section, row->name), signed_bytes(row->bytes.difference));
  };
  add("while", Section::Phases, main_row(comparison, Section::Phases, [&](const auto& name) {
        return name.name == "ending";
      }));
  add("cause", Section::Causes, main_row(comparison, Section::Causes, [](const auto& name) {
        return name.name != "unknown";
      }));
  add("object", Section::Objects, main_row(comparison, Section::Objects, [](const auto& name) {
        return name.kind != "mapping";
      }));
  return text;
}

std::string noise_words(const Comparison& comparison) {
  if (comparison.noise_known) return fmt::format("marked ~: {}", analysis::kNoiseRule);
  return "cannot be told from one run a side: name several, BEFORE.cow,MORE.cow AFTER.cow,MORE.cow";
}

std::string type_words(const std::string& type, const std::string& kind) {
  return type.empty() ? fmt::format("({})", kind) : printable(type);
}

std::string role_words(const analysis::RowName& name) {
  static constexpr std::array<std::string_view, 3> kNearest = {"first", "child", "grandchild"};
  const std::string role = name.generation < kNearest.size()
                               ? std::string(kNearest[name.generation])
                               : fmt::format("generation {}", name.generation);
  return fmt::format("{} ({})", name.name.empty() ? "(not known)" : printable(name.name), role);
}

std::string row_words(Section section, const analysis::RowName& name) {
  if (section == Section::Roles) return role_words(name);
  if (section == Section::Mechanisms)
    return (breaks(name.name) ? "* " : "  ") + printable(name.name);
  if (section == Section::Types) return type_words(name.name, name.kind);
  return name.name.empty() ? "(not known)" : printable(name.name);
}

std::string advice_words(const Comparison& comparison, const analysis::AdviceChange& change) {
  const auto given = [](std::uint64_t runs, std::size_t all) {
    if (runs == 0) return std::string("not given");
    return all == 1 ? std::string("given") : fmt::format("given by {} of {} runs", runs, all);
  };
  const auto saves = [](const std::optional<analysis::Spread>& bound) {
    return bound ? fmt::format(" (saves at most {})", human_bytes(bound->median)) : std::string();
  };
  return fmt::format("{}{} before, {}{} after", given(change.runs_before, comparison.before.size()),
                     saves(change.saves_before), given(change.runs_after, comparison.after.size()),
                     saves(change.saves_after));
}

SectionWords section_words(Section section) {
  switch (section) {
    case Section::Mechanisms:
      return {"Mechanisms (* breaks: memory that was shared; only these count as copied)",
              "MECHANISM",
              {}};
    case Section::Causes:
      return {"Causes", "CAUSE", {}};
    case Section::Phases:
      return {"Phases (of a program's life)", "PHASE", {}};
    case Section::Objects:
      return {"Objects that were written", "OBJECT", "OBJECTS"};
    case Section::Types:
      return {"Types of these objects", "TYPE", "OBJECTS"};
    case Section::Sites:
      return {"Sites that broke pages", "WRITTEN BY", {}};
    case Section::Mappings:
      return {"Mappings", "MAPPING", {}};
    case Section::Roles:
      return {"Processes by command and place in the family", "COMMAND", "PROCESSES"};
  }
  return {};
}

}  // namespace cowtrace::report
