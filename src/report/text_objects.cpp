// SPDX-License-Identifier: Apache-2.0
// Where: mappings, objects that were written, and their innocent neighbours.
#include <fmt/format.h>

#include <algorithm>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <tuple>
#include <unordered_map>
#include <utility>
#include <vector>

#include "base/units.h"
#include "report/text_sections.h"

namespace cowtrace::report {

namespace {

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
            TextTable({{"MAPPING", Align::Left, 1, Cut::Start}, {"BREAKS"}, {"COPIED"}}), list,
            [](const analysis::MappingSummary& mapping) {
              return std::vector<std::string>{
                  mapping.label.empty() ? "(not known)" : printable(mapping.label),
                  human_count(mapping.breaks), human_bytes(mapping.copied_bytes)};
            });
}

namespace {

// Objects that a reader does not tell apart: the items of a large container, and what has no name
// but its type.
struct ObjectRow {
  std::string_view name, type;  // of the summary
  model::ObjectKind kind = model::ObjectKind::Mapping;
  std::uint64_t objects = 0, size = 0, breaks = 0, copied_bytes = 0;
  std::uint64_t items = 0;  // of the container that [...] stands for; 0: none
  std::optional<std::uint64_t> written_bytes;
  analysis::ByCause by_cause{};
};

using RowKey = std::tuple<std::string_view, std::string_view, model::ObjectKind>;  // name, type
struct RowKeyHash {
  std::size_t operator()(const RowKey& key) const {
    const std::hash<std::string_view> hash;
    return (hash(std::get<0>(key)) * 31 + hash(std::get<1>(key))) * 31 +
           static_cast<std::size_t>(std::get<2>(key));
  }
};

std::vector<ObjectRow> together(const std::vector<const ObjectSummary*>& objects) {
  std::vector<ObjectRow> rows;
  std::unordered_map<RowKey, std::size_t, RowKeyHash> row_of;
  for (const ObjectSummary* object : objects) {
    const std::string_view name = object->group.empty() ? object->name : object->group;
    const std::size_t at =
        row_of.try_emplace({name, object->type, object->kind}, rows.size()).first->second;
    if (at == rows.size())
      rows.push_back({name, object->type, object->kind, 0, 0, 0, 0, 0, {}, {}});
    ObjectRow& row = rows[at];
    ++row.objects;
    row.items = std::max(row.items, object->group_items);
    row.size += object->size;
    row.breaks += object->breaks;
    row.copied_bytes += object->copied_bytes;
    if (object->written_bytes)
      row.written_bytes = row.written_bytes.value_or(0) + *object->written_bytes;
    for (std::size_t cause = 0; cause < row.by_cause.size(); ++cause)
      row.by_cause[cause].add(object->by_cause[cause].breaks, object->by_cause[cause].bytes);
  }
  return rows;
}

// By copied bytes, most first.
std::vector<const ObjectRow*> sorted(const std::vector<ObjectRow>& rows) {
  std::vector<const ObjectRow*> order;
  order.reserve(rows.size());
  for (const ObjectRow& row : rows) order.push_back(&row);
  std::stable_sort(order.begin(), order.end(), [](const ObjectRow* a, const ObjectRow* b) {
    return a->copied_bytes > b->copied_bytes;
  });
  return order;
}

// "3,141 of 50,000": objects that were written, of all items of their container.
std::string items_of(const ObjectRow& row) {
  if (row.items != 0)
    return fmt::format("{} of {}", human_count(row.objects),
                       human_count(std::max(row.items, row.objects)));
  return row.objects == 1 ? std::string() : human_count(row.objects);
}

// The main one, for room is scarce; the JSON report has all.
std::string main_cause(const analysis::ByCause& by_cause) {
  const std::string causes = main_causes(by_cause);
  return causes.substr(0, causes.find(' '));
}

// Where no name leads to an object, its name tells the type: "<dict>", "<pool of 64-byte blocks>".
std::string type_of(const ObjectRow& row) {
  if (row.name.starts_with('<')) return {};
  return row.type.empty() ? fmt::format("({})", model::name(row.kind)) : printable(row.type);
}

// Several libraries may have a symbol of this name.
std::string name_of(const ObjectRow& row) {
  return row.objects == 1
             ? printable(row.name)
             : fmt::format("{} ({} objects)", printable(row.name), human_count(row.objects));
}

std::string written(const ObjectRow& row) {
  return row.written_bytes ? human_bytes(*row.written_bytes) : std::string("-");
}

}  // namespace

void print_objects(const TextContext& context) {
  std::vector<const ObjectSummary*> list;
  std::uint64_t elsewhere = 0;
  bool python = false;
  for (const ObjectSummary& object : context.summary.objects) {
    if (object.kind == model::ObjectKind::Mapping) {
      elsewhere += object.breaks;
    } else if (object.breaks != 0) {
      list.push_back(&object);
      python = python || object.kind == model::ObjectKind::Python;
    }
  }
  const std::vector<ObjectRow> rows = together(list);
  const std::vector<const ObjectRow*> shown = sorted(rows);
  const std::string_view title = "Objects that were written";
  if (python)
    print_top(context, title,
              TextTable({{"OBJECT", Align::Left, 1},
                         {"TYPE", Align::Left, 2},
                         {"ITEMS"},
                         {"CAUSE", Align::Left, 1},
                         {"BREAKS"},
                         {"COPIED"}}),
              shown, [](const ObjectRow& row) {
                return std::vector<std::string>{
                    printable(row.name),     type_of(row),
                    items_of(row),           main_cause(row.by_cause),
                    human_count(row.breaks), human_bytes(row.copied_bytes)};
              });
  else
    print_top(context, title,
              TextTable({{"OBJECT", Align::Left, 1},
                         {"TYPE", Align::Left, 2},
                         {"KIND", Align::Left},
                         {"SIZE"},
                         {"BREAKS"},
                         {"WRITTEN"},
                         {"COPIED"}}),
              shown, [](const ObjectRow& row) {
                return std::vector<std::string>{name_of(row),
                                                printable(row.type),
                                                std::string(model::name(row.kind)),
                                                human_bytes(row.size),
                                                human_count(row.breaks),
                                                written(row),
                                                human_bytes(row.copied_bytes)};
              });
  if (!list.empty() && elsewhere != 0)
    context.out << fmt::format("  and {} where only the mapping is known\n",
                               counted(elsewhere, "break", "breaks"));
}

void print_neighbours(const TextContext& context) {
  std::vector<const ObjectSummary*> list;
  for (const ObjectSummary& object : context.summary.objects)
    // What nothing names but its type tells nobody anything here.
    if (object.neighbour_breaks != 0 &&
        !(object.kind == model::ObjectKind::Python && object.name.starts_with('<')))
      list.push_back(&object);
  if (list.empty()) return;
  // What the program named itself comes before what its libraries happen to define.
  std::stable_sort(list.begin(), list.end(), [](const ObjectSummary* a, const ObjectSummary* b) {
    if (a->kind != b->kind) return a->kind < b->kind;
    return a->neighbour_breaks > b->neighbour_breaks;
  });
  TextTable table({{"OBJECT", Align::Left, 1},
                   {"TYPE", Align::Left, 2},
                   {"KIND", Align::Left},
                   {"SIZE"},
                   {"BROKEN BY OTHERS"}});
  const std::size_t shown = std::min(list.size(), context.options.rows);
  for (std::size_t i = 0; i < shown; ++i)
    table.add({printable(list[i]->name), printable(list[i]->type),
               std::string(model::name(list[i]->kind)),
               list[i]->size != 0 ? human_bytes(list[i]->size) : std::string("-"),
               human_count(list[i]->neighbour_breaks)});
  context.title("Innocent neighbours (on pages that writes to other objects broke)");
  context.print(table);
  if (list.size() > shown)
    context.out << fmt::format("  and {} more\n", human_count(list.size() - shown));
}

}  // namespace cowtrace::report
