// SPDX-License-Identifier: Apache-2.0
// Who copied how much of what it inherited, as a tree; and whether the page tables agree.
#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <map>
#include <numeric>
#include <vector>

#include "base/units.h"
#include "report/end_words.h"
#include "report/text_sections.h"

namespace cowtrace::report {

namespace {

using analysis::ProcessSummary;

constexpr std::size_t kDeepest = 6;  // deeper processes are not indented further

struct TreeEntry {
  std::size_t process;
  std::size_t depth;
};

// Parents before their children, siblings by key.
std::vector<TreeEntry> tree_of(const std::vector<ProcessSummary>& processes) {
  std::vector<std::vector<std::size_t>> children(processes.size());
  std::vector<TreeEntry> pending;
  for (std::size_t i = processes.size(); i-- > 0;) {
    const auto& parent = processes[i].parent;
    if (parent && parent->value < processes.size() && parent->value != i)
      children[parent->value].push_back(i);
    else
      pending.push_back({i, 0});
  }
  std::vector<TreeEntry> order;
  while (!pending.empty()) {
    const TreeEntry entry = pending.back();
    pending.pop_back();
    order.push_back(entry);
    for (const std::size_t child : children[entry.process])
      pending.push_back({child, entry.depth + 1});
  }
  return order;
}

// Marks the processes to show: those that copied the most, and what they descend from.
std::vector<bool> chosen(const std::vector<ProcessSummary>& processes, std::size_t rows) {
  std::vector<std::size_t> order(processes.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::stable_sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) {
    return processes[a].copied_bytes > processes[b].copied_bytes;
  });
  std::vector<bool> show(processes.size());
  for (std::size_t i = 0; i < std::min(rows, order.size()); ++i) show[order[i]] = true;
  std::size_t more = rows;  // of a long line of descent not all have room
  for (std::size_t i = 0; i < std::min(rows, order.size()); ++i)
    for (auto parent = processes[order[i]].parent;
         parent && parent->value < show.size() && !show[parent->value] && more > 0; --more) {
      show[parent->value] = true;
      parent = processes[parent->value].parent;
    }
  return show;
}

// What another program (exec) copied is no part of what was inherited.
std::vector<std::string> cells(const ProcessSummary& process, bool ran_another, std::size_t depth) {
  std::string share;
  if (process.inherited_bytes && !ran_another)
    share = fmt::format("{} {:>4}", bar(process.copied_bytes, *process.inherited_bytes),
                        percent(process.copied_bytes, *process.inherited_bytes));
  return {std::to_string(process.pid),
          std::string(2 * std::min(depth, kDeepest), ' ') + printable(process.command),
          bytes_or_dash(process.inherited_bytes),
          human_bytes(process.copied_bytes),
          bytes_or_dash(process.still_shared_bytes),
          share};
}

// Processes that have something in common: how many, and the first of them.
class Pids {
 public:
  void add(std::int32_t pid) {
    if (count_++ < kNamed) text_ += fmt::format("{}{}", text_.empty() ? "" : ", ", pid);
  }
  [[nodiscard]] std::string words() const {
    return count_ > kNamed ? fmt::format("{}, ... ({} in all)", text_, human_count(count_)) : text_;
  }
  [[nodiscard]] bool none() const { return count_ == 0; }

 private:
  static constexpr std::size_t kNamed = 5;
  std::string text_;
  std::size_t count_ = 0;
};

// How they ended; that all have ended with status 0 is not worth a line.
void print_ends(const TextContext& context) {
  constexpr std::size_t kMostWays = 8;
  std::map<std::string, Pids> by_end;  // signals come before exit statuses
  Pids execs, others;
  for (const ProcessSummary& process : context.summary.processes) {
    if (ran_another_program(process)) execs.add(process.pid);
    if (process.wait_status.value_or(0) == 0) continue;
    by_end[end_words(process)];
  }
  while (by_end.size() > kMostWays) by_end.erase(std::prev(by_end.end()));
  for (const ProcessSummary& process : context.summary.processes) {
    if (process.wait_status.value_or(0) == 0) continue;
    const auto known = by_end.find(end_words(process));
    (known != by_end.end() ? known->second : others).add(process.pid);
  }
  std::string text;
  for (const auto& [words, pids] : by_end)
    text += fmt::format("{}{}: {}", text.empty() ? "ended " : "; ", words, pids.words());
  if (!others.none()) text += "; otherwise: " + others.words();
  if (!execs.none())
    text +=
        fmt::format("{}ran another program (exec): {}", text.empty() ? "" : "; ", execs.words());
  if (!text.empty()) context.paragraph(text, Paint::Plain, 2);
}

}  // namespace

void print_processes(const TextContext& context) {
  const auto& processes = context.summary.processes;
  if (processes.empty()) return;
  TextTable table({{"PID"},
                   {"COMMAND", Align::Left, 1},
                   {"INHERITED"},
                   {"COPIED"},
                   {"STILL SHARED"},
                   {"OF INHERITED", Align::Left}});
  const std::vector<bool> show = chosen(processes, 2 * context.options.rows);
  std::size_t left_out = 0;
  std::uint64_t breaks = 0;
  std::uint64_t bytes = 0;
  for (const TreeEntry& entry : tree_of(processes)) {
    const ProcessSummary& process = processes[entry.process];
    if (show[entry.process]) {
      const bool ran_another = context.session.process(process.process).spaces.size() > 1;
      table.add(cells(process, ran_another, entry.depth));
      continue;
    }
    ++left_out;
    breaks += process.breaks;
    bytes += process.copied_bytes;
  }
  context.title("Processes");
  context.print(table);
  context.and_more(left_out, breaks, bytes);
  print_ends(context);
}

void print_audit(const TextContext& context) {
  model::Audit sum;
  std::size_t audited = 0;
  std::map<std::string, std::size_t> missing;
  for (const ProcessSummary& process : context.summary.processes) {
    if (!process.audit) {
      ++missing[process.audit_missing.empty() ? "no reason given" : process.audit_missing];
      continue;
    }
    ++audited;
    sum.private_pages += process.audit->private_pages;
    sum.explained += process.audit->explained;
    for (const auto& [reason, pages] : process.audit->reasons) sum.reasons[reason] += pages;
  }
  if (audited != 0) {
    std::string text = fmt::format(
        "  audit of {}: {} of {} explained by events", counted(audited, "process", "processes"),
        human_count(sum.explained), counted(sum.private_pages, "private page", "private pages"));
    context.paragraph(text.substr(2), Paint::Plain, 2);
  }
  if (sum.unexplained() != 0) {
    std::string text = fmt::format("! {} UNEXPLAINED:", human_count(sum.unexplained()));
    for (const auto& [reason, pages] : sum.reasons)
      text += fmt::format(" {} {},", printable(reason), human_count(pages));
    text.pop_back();
    context.paragraph(text, Paint::Warning, 2);
  }
  for (const auto& [reason, count] : missing)
    context.paragraph(fmt::format("not audited: {}: {}", counted(count, "process", "processes"),
                                  printable(reason)),
                      Paint::Plain, 2);
}

}  // namespace cowtrace::report
