// SPDX-License-Identifier: Apache-2.0
// The comparison for people. The first line says what the change saved or cost; what makes the
// sides hard to compare comes right after it.
#include <fmt/format.h>

#include <algorithm>
#include <cstdint>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "base/units.h"
#include "report/diff.h"
#include "report/diff_words.h"
#include "report/stack_lines.h"
#include "report/text_layout.h"

namespace cowtrace::report {

namespace {

using analysis::Change;
using analysis::ChangedRow;
using analysis::Comparison;
using analysis::Section;

constexpr std::size_t kSiteNumbers = 48;  // columns before the stack of a site

// Sites whose shown stack frames are the same.
struct SiteRow {
  std::vector<std::string> lines;
  std::size_t least_left_out = SIZE_MAX, most_left_out = 0;  // callers
  ChangedRow sum;
};

void add(analysis::Spread& to, const analysis::Spread& more) {
  to.median += more.median;
  to.least += more.least;
  to.most += more.most;
}

// Of several runs a side the sums of medians and of ranges stand for those of the sums.
void add(Change& to, const Change& more) {
  add(to.before, more.before);
  add(to.after, more.after);
  to.difference = static_cast<std::int64_t>(static_cast<std::uint64_t>(to.difference) +
                                            static_cast<std::uint64_t>(more.difference));
  if (to.noise) to.noise = analysis::is_noise(to.before, to.after);
}

std::vector<SiteRow> together(const std::vector<ChangedRow>& rows, std::size_t room) {
  std::vector<SiteRow> sites;
  std::map<std::vector<std::string>, std::size_t> place;
  for (const ChangedRow& row : rows) {
    analysis::NamedStack stack;
    for (const model::StackFrame& frame : row.name.stack) stack.push_back(&frame);
    std::vector<std::string> lines = stack_lines(stack, room);
    const auto [at, is_new] = place.try_emplace(lines, sites.size());
    if (is_new) {
      sites.push_back({std::move(lines), SIZE_MAX, 0, row});
    } else {
      add(sites[at->second].sum.breaks, row.breaks);
      add(sites[at->second].sum.bytes, row.bytes);
    }
    SiteRow& site = sites[at->second];
    site.least_left_out = std::min(site.least_left_out, callers_left_out(row.name.stack.size()));
    site.most_left_out = std::max(site.most_left_out, callers_left_out(row.name.stack.size()));
  }
  std::stable_sort(sites.begin(), sites.end(), [](const SiteRow& a, const SiteRow& b) {
    const auto rank = [](const SiteRow& site) {
      const auto difference = static_cast<std::uint64_t>(site.sum.bytes.difference);
      return std::pair(!site.sum.bytes.noise.value_or(false),
                       site.sum.bytes.difference < 0 ? 0 - difference : difference);
    };
    return rank(a) > rank(b);
  });
  return sites;
}

class DiffText {
 public:
  DiffText(const Comparison& comparison, const ReportOptions& options, std::ostream& out)
      : comparison_(comparison),
        options_(options),
        width_(std::max<std::size_t>(options.width, 80)),
        out_(out) {}

  void write() {
    head();
    totals();
    for (const Section section :
         {Section::Causes, Section::Phases, Section::Objects, Section::Types, Section::Sites,
          Section::Mappings, Section::Roles, Section::Mechanisms})
      rows(section);
    advice();
    last_warning();
    out_ << std::flush;
  }

 private:
  using Cells = std::vector<std::string>;

  void head();
  void runs(std::string_view side, const std::vector<analysis::RunFigures>& runs);
  void field(std::string_view name, std::string_view text);
  void totals();
  void rows(Section section);
  void sites(const std::vector<SiteRow>& rows, std::size_t shown);
  void table(Section section, const std::vector<ChangedRow>& rows, std::size_t shown);
  void and_more(const std::vector<ChangedRow>& rows, std::size_t shown);
  void advice();
  void last_warning();
  void paragraph(const std::string& text, Paint paint, std::size_t hanging);
  void title(std::string_view text) {
    out_ << '\n' << painted(text, Paint::Bold, options_.color) << '\n';
  }

  [[nodiscard]] bool several() const {
    return comparison_.before.size() > 1 || comparison_.after.size() > 1;
  }
  // "~ -8.0 KiB": noise is marked.
  [[nodiscard]] static std::string marked(const Change& change, std::string text) {
    return change.noise.value_or(false) && change.difference != 0 ? "~ " + std::move(text) : text;
  }
  // " x4", " x4 -> 8"; nothing for one.
  [[nodiscard]] static std::string how_many(const Change& items) {
    if (items.difference != 0)
      return fmt::format(" x{} -> {}", items.before.median, items.after.median);
    return items.before.median == 1 ? std::string() : fmt::format(" x{}", items.before.median);
  }
  [[nodiscard]] std::vector<TextTable::Column> number_columns(std::string_view breaks) const;
  [[nodiscard]] Cells numbers(const ChangedRow& row) const;

  const Comparison& comparison_;
  const ReportOptions& options_;
  std::size_t width_;
  std::ostream& out_;
};

void DiffText::paragraph(const std::string& text, Paint paint, std::size_t hanging) {
  bool first = true;
  for (const std::string& line : wrapped(text, width_ - hanging)) {
    out_ << std::string(first ? 0 : hanging, ' ') << painted(line, paint, options_.color) << '\n';
    first = false;
  }
}

void DiffText::field(std::string_view name, std::string_view text) {
  constexpr std::size_t kNameWidth = 10;
  bool first = true;
  for (const std::string& line : wrapped(text, width_ - kNameWidth)) {
    out_ << fmt::format("  {:<{}}{}\n", first ? name : "", kNameWidth - 2, line);
    first = false;
  }
}

void DiffText::runs(std::string_view side, const std::vector<analysis::RunFigures>& runs) {
  constexpr std::size_t kMostNamed = 10;
  std::string text;
  for (std::size_t i = 0; i < std::min(runs.size(), kMostNamed); ++i)
    text += (text.empty() ? "" : ", ") + printable(runs[i].trace);
  if (runs.size() > kMostNamed) text += fmt::format(" and {} more", runs.size() - kMostNamed);
  field(side, text);
}

void DiffText::head() {
  paragraph(diff_headline(comparison_), Paint::Bold, 0);
  if (const std::string reason = diff_reason(comparison_); !reason.empty())
    paragraph(reason, Paint::Plain, 2);
  for (const std::string& warning : comparison_.warnings)
    paragraph("! " + warning, Paint::Warning, 2);
  runs("before", comparison_.before);
  runs("after", comparison_.after);
  field("noise", noise_words(comparison_));
}

void DiffText::totals() {
  std::vector<TextTable::Column> columns = {
      {"", Align::Left}, {"BEFORE"}, {"AFTER"}, {"DIFFERENCE"}};
  if (several())
    columns.insert(columns.end(),
                   {{"RUNS BEFORE", Align::Right, true}, {"RUNS AFTER", Align::Right, true}});
  TextTable table(columns);
  const auto add = [&](std::string name, const Change& change, auto&& human, auto&& difference,
                       auto&& range) {
    Cells cells = {std::move(name), human(change.before.median), human(change.after.median),
                   marked(change, difference(change.difference))};
    if (several()) cells.insert(cells.end(), {range(change.before), range(change.after)});
    table.add(std::move(cells));
  };
  add("breaks", comparison_.breaks, human_count, signed_count, count_range);
  add("copied", comparison_.copied_bytes, human_bytes, signed_bytes, bytes_range);
  if (comparison_.inherited_bytes)
    add("inherited", *comparison_.inherited_bytes, human_bytes, signed_bytes, bytes_range);
  if (comparison_.still_shared_bytes)
    add("shared", *comparison_.still_shared_bytes, human_bytes, signed_bytes, bytes_range);
  add("processes", comparison_.processes, human_count, signed_count, count_range);
  title("Totals");
  table.print(out_, width_, options_.color);
}

std::vector<TextTable::Column> DiffText::number_columns(std::string_view breaks) const {
  std::vector<TextTable::Column> columns = {{breaks}, {"BEFORE"}, {"AFTER"}, {"DIFFERENCE"}};
  if (several()) columns.push_back({"SPREAD"});
  return columns;
}

DiffText::Cells DiffText::numbers(const ChangedRow& row) const {
  Cells cells = {signed_count(row.breaks.difference), human_bytes(row.bytes.before.median),
                 human_bytes(row.bytes.after.median),
                 marked(row.bytes, signed_bytes(row.bytes.difference))};
  if (several()) cells.push_back(human_bytes(width_of(row.bytes)));
  return cells;
}

void DiffText::rows(Section section) {
  const std::vector<ChangedRow>& rows = comparison_.of(section);
  const bool only_unknown =
      section == Section::Causes && rows.size() == 1 && rows.front().name.name == "unknown";
  // Nothing about phases where no program copied while it ended.
  const bool only_work =
      section == Section::Phases && std::none_of(rows.begin(), rows.end(), [](const auto& row) {
        return row.name.name == model::name(model::Phase::Ending);
      });
  if (rows.empty() || only_unknown || only_work) return;
  const bool all =
      section == Section::Causes || section == Section::Phases || section == Section::Mechanisms;
  const std::size_t shown = all ? rows.size() : std::min(rows.size(), options_.rows);
  title(section_words(section).title);
  if (section != Section::Sites) {
    table(section, rows, shown);
    and_more(rows, shown);
    return;
  }
  const std::vector<SiteRow> site_rows = together(rows, width_ - kSiteNumbers);
  sites(site_rows, std::min(site_rows.size(), options_.rows));
  std::vector<ChangedRow> sums;
  for (const SiteRow& site : site_rows) sums.push_back(site.sum);
  and_more(sums, std::min(sums.size(), options_.rows));
}

void DiffText::table(Section section, const std::vector<ChangedRow>& rows, std::size_t shown) {
  const SectionWords words = section_words(section);
  const bool with_type = section == Section::Objects && (!several() || width_ >= 100);
  std::vector<TextTable::Column> columns = {
      {words.column, Align::Left, 1, section == Section::Mappings ? Cut::Start : Cut::Middle}};
  if (with_type) columns.push_back({"TYPE", Align::Left, 2});
  const auto numeric = number_columns(section == Section::Mechanisms ? "COUNT" : "BREAKS");
  columns.insert(columns.end(), numeric.begin(), numeric.end());
  TextTable table(columns);
  for (std::size_t i = 0; i < shown; ++i) {
    const ChangedRow& row = rows[i];
    Cells cells = {row_words(section, row.name)};
    if (with_type) cells.push_back(type_words(row.name.type, row.name.kind));
    if (section == Section::Roles) cells[0] += how_many(row.items);
    const Cells numeric_cells = numbers(row);
    cells.insert(cells.end(), numeric_cells.begin(), numeric_cells.end());
    table.add(std::move(cells));
  }
  table.print(out_, width_, options_.color);
}

void DiffText::sites(const std::vector<SiteRow>& rows, std::size_t shown) {
  const std::string titles =
      fmt::format("  {:>8}  {:>9}  {:>9}  {:>12}", "BREAKS", "BEFORE", "AFTER", "DIFFERENCE");
  out_ << painted(fmt::format("{}  {}", titles, "WRITTEN BY"), Paint::Faint, options_.color)
       << '\n';
  const auto put = [&](std::string_view before, std::string_view text) {
    out_ << fmt::format("{:{}}{}\n", before, kSiteNumbers, text);
  };
  for (std::size_t i = 0; i < shown; ++i) {
    const Cells cells = numbers(rows[i].sum);
    put(fmt::format("  {:>8}  {:>9}  {:>9}  {:>12}  ", cells[0], cells[1], cells[2], cells[3]),
        rows[i].lines[0]);
    for (std::size_t line = 1; line < rows[i].lines.size(); ++line) put("", rows[i].lines[line]);
    if (rows[i].most_left_out != 0)
      put("", callers_left_out_words(rows[i].least_left_out, rows[i].most_left_out));
  }
}

void DiffText::and_more(const std::vector<ChangedRow>& rows, std::size_t shown) {
  if (shown == rows.size()) return;
  std::uint64_t before = 0;
  std::uint64_t after = 0;
  std::size_t noise = 0;
  for (std::size_t i = shown; i < rows.size(); ++i) {
    before += rows[i].bytes.before.median;
    after += rows[i].bytes.after.median;
    noise += rows[i].bytes.noise.value_or(false) ? 1 : 0;
  }
  const std::string of_noise = comparison_.noise_known
                                   ? fmt::format(" ({} unchanged or noise)", human_count(noise))
                                   : std::string();
  out_ << fmt::format("  and {} more{}: {} before, {} after\n", human_count(rows.size() - shown),
                      of_noise, human_bytes(before), human_bytes(after));
}

void DiffText::advice() {
  if (comparison_.advice.empty()) return;
  title("Advice");
  for (const analysis::AdviceChange& change : comparison_.advice)
    paragraph(fmt::format("{}: {}", change.id, advice_words(comparison_, change)), Paint::Plain, 2);
}

void DiffText::last_warning() {
  const std::size_t count = comparison_.warnings.size();
  if (count == 0) return;
  out_ << '\n';
  paragraph(fmt::format("! these sides are hard to compare: see the {} at the top",
                        counted(count, "warning", "warnings")),
            Paint::Warning, 2);
}

}  // namespace

Status write_diff_text(const Comparison& comparison, const ReportOptions& options,
                       std::ostream& out) {
  DiffText(comparison, options, out).write();
  if (!out) return fail("the text of the diff is incomplete", "its file did not take all of it");
  return {};
}

}  // namespace cowtrace::report
