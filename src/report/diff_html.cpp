// SPDX-License-Identifier: Apache-2.0
// The comparison as a page that opens anywhere: numbers, bars that need no colour, tables that
// sort.
#include <fmt/format.h>

#include <algorithm>
#include <string>
#include <string_view>
#include <vector>

#include "base/units.h"
#include "report/diff.h"
#include "report/diff_page.h"
#include "report/diff_words.h"
#include "report/frame_text.h"
#include "report/text_layout.h"

namespace cowtrace::report {

namespace {

using analysis::Change;
using analysis::ChangedRow;
using analysis::Comparison;
using analysis::Section;

constexpr std::size_t kMostRows = 500;  // of a table; the JSON has all
constexpr std::size_t kLongestFrame = 200;

// Text of anybody as content of an element or of a quoted attribute.
std::string escaped(std::string_view text) {
  std::string result;
  for (const char c : text) {
    switch (c) {
      case '&':
        result += "&amp;";
        break;
      case '<':
        result += "&lt;";
        break;
      case '>':
        result += "&gt;";
        break;
      case '"':
        result += "&quot;";
        break;
      case '\'':
        result += "&#39;";
        break;
      default:
        result += c;
    }
  }
  return result;
}

// A hash as a Content-Security-Policy has it: base64 of its 32 bytes.
std::string base64_of_hex(std::string_view hex_digits) {
  static constexpr std::string_view kAlphabet =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string text;
  unsigned bits = 0;
  int have = 0;
  for (const char digit : hex_digits) {
    bits = bits << 4 | static_cast<unsigned>(digit <= '9' ? digit - '0' : digit - 'a' + 10);
    for (have += 4; have >= 6; have -= 6) text += kAlphabet[bits >> (have - 6) & 63];
  }
  if (have != 0) text += kAlphabet[bits << (6 - have) & 63];
  while (text.size() % 4 != 0) text += '=';
  return text;
}

class DiffHtml {
 public:
  DiffHtml(const Comparison& comparison, const ReportOptions& options, std::ostream& out)
      : comparison_(comparison), options_(options), out_(out) {}

  void write() {
    begin();
    summary();
    totals();
    for (const Section section :
         {Section::Causes, Section::Phases, Section::Objects, Section::Types, Section::Sites,
          Section::Mappings, Section::Roles, Section::Mechanisms})
      table(section);
    advice();
    out_ << "<footer>cowtrace " << escaped(options_.version) << "</footer>\n<script>" << kDiffScript
         << "</script>\n</body>\n</html>\n"
         << std::flush;
  }

 private:
  void begin();
  void summary();
  void runs(std::string_view side, const std::vector<analysis::RunFigures>& runs);
  void totals();
  void table(Section section);
  void titles(const std::vector<std::string_view>& titles);
  void row(Section section, const ChangedRow& row, std::uint64_t largest);
  void name(Section section, const analysis::RowName& name);
  void bytes(const Change& change);
  void counts(const Change& change);
  void noise(const Change& change);
  void bars(const Change& change, std::uint64_t largest);
  void advice();
  void number(const std::string& text, double value) {
    out_ << fmt::format("<td data-value=\"{:.0f}\">{}</td>", value, escaped(text));
  }

  [[nodiscard]] bool several() const {
    return comparison_.before.size() > 1 || comparison_.after.size() > 1;
  }

  const Comparison& comparison_;
  const ReportOptions& options_;
  std::ostream& out_;
};

void DiffHtml::begin() {
  out_ << "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
          "<meta name=\"viewport\" content=\"width=device-width\">\n"
       << fmt::format(
              "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; "
              "style-src 'sha256-{}'; "
              "script-src 'sha256-{}'; base-uri 'none'; form-action 'none'\">\n",
              base64_of_hex(kDiffStyleHash), base64_of_hex(kDiffScriptHash))
       << "<title>cowtrace diff</title>\n<style>" << kDiffStyle << "</style>\n</head>\n<body>\n";
}

void DiffHtml::summary() {
  out_ << "<h1>" << escaped(diff_headline(comparison_)) << "</h1>\n";
  if (const std::string reason = diff_reason(comparison_); !reason.empty())
    out_ << "<p>" << escaped(reason) << "</p>\n";
  if (!comparison_.warnings.empty()) {
    out_ << "<ul class=\"warnings\">\n";
    for (const std::string& warning : comparison_.warnings)
      out_ << "<li>" << escaped(warning) << "</li>\n";
    out_ << "</ul>\n";
  }
  out_ << "<dl>\n";
  runs("before", comparison_.before);
  runs("after", comparison_.after);
  out_ << "<dt>noise</dt><dd>"
       << escaped(comparison_.noise_known ? std::string(analysis::kNoiseRule)
                                          : noise_words(comparison_))
       << "</dd>\n</dl>\n"
       << "<p class=\"key\">Bars: above, outlined: before; below, filled: after. A click on a "
          "title sorts.</p>\n";
}

void DiffHtml::runs(std::string_view side, const std::vector<analysis::RunFigures>& runs) {
  out_ << "<dt>" << side << "</dt><dd>";
  for (std::size_t i = 0; i < runs.size(); ++i)
    out_ << (i != 0 ? ", " : "")
         << escaped(fmt::format("{} ({} copied)", printable(runs[i].trace),
                                human_bytes(runs[i].copied_bytes)));
  out_ << "</dd>\n";
}

void DiffHtml::titles(const std::vector<std::string_view>& titles) {
  out_ << "<div class=\"scroll\"><table>\n<thead><tr>";
  for (const std::string_view title : titles) {
    const bool of_words = title == "TYPE" || title == "bars" || title == "noise";
    out_ << (of_words ? "<th scope=\"col\" class=\"word\">" : "<th scope=\"col\">")
         << "<button type=\"button\">" << escaped(title) << "</button></th>";
  }
  out_ << "</tr></thead>\n<tbody>\n";
}

void DiffHtml::bytes(const Change& change) {
  number(human_bytes(change.before.median), static_cast<double>(change.before.median));
  number(human_bytes(change.after.median), static_cast<double>(change.after.median));
  number(signed_bytes(change.difference), static_cast<double>(change.difference));
  if (!several()) return;
  number(bytes_range(change.before), static_cast<double>(change.before.most));
  number(bytes_range(change.after), static_cast<double>(change.after.most));
}

void DiffHtml::counts(const Change& change) {
  number(human_count(change.before.median), static_cast<double>(change.before.median));
  number(human_count(change.after.median), static_cast<double>(change.after.median));
  number(signed_count(change.difference), static_cast<double>(change.difference));
}

void DiffHtml::noise(const Change& change) {
  if (comparison_.noise_known)
    out_ << "<td class=\"word\">"
         << (!change.noise.value_or(false) ? ""
             : change.difference == 0      ? "same"
                                           : "noise")
         << "</td>";
}

void DiffHtml::bars(const Change& change, std::uint64_t largest) {
  constexpr double kLongest = 158;
  const auto length = [&](std::uint64_t value) {
    return largest == 0 ? 0 : kLongest * static_cast<double>(value) / static_cast<double>(largest);
  };
  out_ << fmt::format(
      "<td data-value=\"{:.0f}\"><svg width=\"160\" height=\"18\" aria-hidden=\"true\"><rect "
      "class=\"before\" x=\"1\" y=\"2\" "
      "width=\"{:.1f}\" height=\"6\"/><rect class=\"after\" x=\"1\" y=\"10\" width=\"{:.1f}\" "
      "height=\"6\"/></svg></td>",
      static_cast<double>(std::max(change.before.median, change.after.median)),
      length(change.before.median), length(change.after.median));
}

void DiffHtml::totals() {
  out_ << "<h2>Totals</h2>\n";
  std::vector<std::string_view> columns = {"figure", "before", "after", "difference"};
  if (several()) columns.insert(columns.end(), {"runs before", "runs after"});
  if (comparison_.noise_known) columns.emplace_back("noise");
  titles(columns);
  const auto add = [&](std::string_view what, const Change& change, bool of_bytes) {
    out_ << "<tr><td>" << what << "</td>";
    if (of_bytes) {
      bytes(change);
    } else {
      counts(change);
      if (several()) {
        number(count_range(change.before), static_cast<double>(change.before.most));
        number(count_range(change.after), static_cast<double>(change.after.most));
      }
    }
    noise(change);
    out_ << "</tr>\n";
  };
  add("copied", comparison_.copied_bytes, true);
  add("breaks", comparison_.breaks, false);
  if (comparison_.inherited_bytes) add("inherited", *comparison_.inherited_bytes, true);
  if (comparison_.still_shared_bytes) add("still shared", *comparison_.still_shared_bytes, true);
  add("processes", comparison_.processes, false);
  out_ << "</tbody></table></div>\n";
}

void DiffHtml::name(Section section, const analysis::RowName& name) {
  out_ << "<td class=\"name\">";
  if (section != Section::Sites) {
    out_ << escaped(row_words(section, name)) << "</td>";
    if (section == Section::Objects)
      out_ << "<td class=\"word\">" << escaped(type_words(name.type, name.kind)) << "</td>";
    return;
  }
  out_ << (name.stack.empty() ? "(no stack)" : "<ol>");
  for (const model::StackFrame& frame : name.stack)
    out_ << "<li>" << escaped(described(frame, kLongestFrame)) << "</li>";
  out_ << (name.stack.empty() ? "</td>" : "</ol></td>");
}

void DiffHtml::row(Section section, const ChangedRow& row, std::uint64_t largest) {
  const bool faint = row.bytes.noise.value_or(false) && row.bytes.difference != 0;
  out_ << (faint ? "<tr class=\"noise\">" : "<tr>");
  name(section, row.name);
  bars(row.bytes, largest);
  bytes(row.bytes);
  counts(row.breaks);
  if (!section_words(section).items.empty()) counts(row.items);
  noise(row.bytes);
  out_ << "</tr>\n";
}

void DiffHtml::table(Section section) {
  const std::vector<ChangedRow>& rows = comparison_.of(section);
  if (rows.empty()) return;
  const SectionWords words = section_words(section);
  out_ << "<h2>" << escaped(words.title) << "</h2>\n";
  std::vector<std::string_view> columns = {words.column};
  if (section == Section::Objects) columns.emplace_back("TYPE");
  columns.insert(columns.end(),
                 {"bars", section == Section::Mechanisms ? "bytes before" : "copied before",
                  "after", "difference"});
  if (several()) columns.insert(columns.end(), {"runs before", "runs after"});
  columns.insert(columns.end(), {section == Section::Mechanisms ? "count before" : "breaks before",
                                 "after", "difference"});
  const std::string items =
      std::string(section == Section::Roles ? "processes" : "objects") + " before";
  if (!words.items.empty()) columns.insert(columns.end(), {items, "after", "difference"});
  if (comparison_.noise_known) columns.emplace_back("noise");
  titles(columns);
  std::uint64_t largest = 0;
  for (const ChangedRow& one : rows)
    largest = std::max({largest, one.bytes.before.median, one.bytes.after.median});
  const std::size_t shown = std::min(rows.size(), kMostRows);
  for (std::size_t i = 0; i < shown; ++i) row(section, rows[i], largest);
  out_ << "</tbody></table></div>\n";
  if (rows.size() > shown)
    out_ << fmt::format("<p>and {} more: -o FILE.json has all</p>\n",
                        human_count(rows.size() - shown));
}

void DiffHtml::advice() {
  if (comparison_.advice.empty()) return;
  out_ << "<h2>Advice</h2>\n<ul>\n";
  for (const analysis::AdviceChange& change : comparison_.advice)
    out_ << "<li>" << escaped(change.id + ": " + advice_words(comparison_, change)) << "</li>\n";
  out_ << "</ul>\n";
}

}  // namespace

Status write_diff_html(const Comparison& comparison, const ReportOptions& options,
                       std::ostream& out) {
  DiffHtml(comparison, options, out).write();
  if (!out) return fail("the HTML of the diff is incomplete", "its file did not take all of it");
  return {};
}

}  // namespace cowtrace::report
