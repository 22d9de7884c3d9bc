// SPDX-License-Identifier: Apache-2.0
// Where: mappings, objects that were written, and their innocent neighbours.
#include <fmt/format.h>

#include <algorithm>
#include <vector>

#include "base/units.h"
#include "report/text_sections.h"

namespace cowtrace::report {

namespace {

using Align = TextTable::Align;
using analysis::ObjectSummary;

// Prints the first rows of a list that is sorted by copied bytes, and the sum of the others.
template <typename Row, typename Cells>
void print_top(const TextContext& context, std::string_view title, TextTable table,
               const std::vector<const Row*>& list, Cells&& cells) {
  if (list.empty()) return;
  const std::size_t shown = std::min(list.size(), context.options.rows);
  std::uint64_t breaks = 0;
  std::uint64_t bytes = 0;
  for (std::size_t i = 0; i < list.size(); ++i) {
    if (i < shown) {
      table.add(cells(*list[i]));
    } else {
      breaks += list[i]->breaks;
      bytes += list[i]->copied_bytes;
    }
  }
  context.title(title);
  context.print(table);
  context.and_more(list.size() - shown, breaks, bytes);
}

}  // namespace

void print_mappings(const TextContext& context) {
  std::vector<const analysis::MappingSummary*> list;
  for (const auto& mapping : context.summary.mappings) list.push_back(&mapping);
  print_top(context, "Mappings",
            TextTable({{"MAPPING", Align::Left, true, true}, {"BREAKS"}, {"COPIED"}}), list,
            [](const analysis::MappingSummary& mapping) {
              return std::vector<std::string>{
                  mapping.label.empty() ? "(not known)" : printable(mapping.label),
                  human_count(mapping.breaks), human_bytes(mapping.copied_bytes)};
            });
}

void print_objects(const TextContext& context) {
  std::vector<const ObjectSummary*> list;
  std::uint64_t elsewhere = 0;
  for (const ObjectSummary& object : context.summary.objects) {
    if (object.kind == model::ObjectKind::Mapping)
      elsewhere += object.breaks;
    else if (object.breaks != 0)
      list.push_back(&object);
  }
  print_top(context, "Objects that were written",
            TextTable({{"OBJECT", Align::Left, true},
                       {"TYPE", Align::Left, true},
                       {"KIND", Align::Left},
                       {"SIZE"},
                       {"BREAKS"},
                       {"WRITTEN"},
                       {"COPIED"}}),
            list, [](const ObjectSummary& object) {
              return std::vector<std::string>{printable(object.name),
                                              printable(object.type),
                                              std::string(model::name(object.kind)),
                                              human_bytes(object.size),
                                              human_count(object.breaks),
                                              object.written_bytes
                                                  ? human_bytes(*object.written_bytes)
                                                  : std::string("-"),
                                              human_bytes(object.copied_bytes)};
            });
  if (!list.empty() && elsewhere != 0)
    context.out << fmt::format("  and {} where only the mapping is known\n",
                               counted(elsewhere, "break", "breaks"));
}

void print_neighbours(const TextContext& context) {
  std::vector<const ObjectSummary*> list;
  for (const ObjectSummary& object : context.summary.objects)
    if (object.neighbour_breaks != 0) list.push_back(&object);
  if (list.empty()) return;
  // What the program named itself comes before what its libraries happen to define.
  std::stable_sort(list.begin(), list.end(), [](const ObjectSummary* a, const ObjectSummary* b) {
    if (a->kind != b->kind) return a->kind < b->kind;
    return a->neighbour_breaks > b->neighbour_breaks;
  });
  TextTable table({{"OBJECT", Align::Left, true},
                   {"TYPE", Align::Left, true},
                   {"KIND", Align::Left},
                   {"SIZE"},
                   {"BROKEN BY OTHERS"}});
  const std::size_t shown = std::min(list.size(), context.options.rows);
  for (std::size_t i = 0; i < shown; ++i)
    table.add({printable(list[i]->name), printable(list[i]->type),
               std::string(model::name(list[i]->kind)), human_bytes(list[i]->size),
               human_count(list[i]->neighbour_breaks)});
  context.title("Innocent neighbours (on broken pages that nobody wrote them on)");
  context.print(table);
  if (list.size() > shown)
    context.out << fmt::format("  and {} more\n", human_count(list.size() - shown));
}

}  // namespace cowtrace::report
