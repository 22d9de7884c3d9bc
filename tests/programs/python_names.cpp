// SPDX-License-Identifier: Apache-2.0
// What is found in the memory of a Python process, for tests that compare it with what the process
// itself says. The process must stand still. The first line is of all: version, seconds for the
// image, the interpreter and the walk, bytes read, nodes, arenas, bytes used.
//   python_names PID                       then one object a line: address, type, evaluable (0 or
//                                          1), name
//   python_names PID --no-names            nothing more
//   python_names PID --at ADDRESS...       then one address a line: object, type, name, field; "-"
//                                          where there is none
//   python_names PID --all [EXPRESSION...] then how many answers there are to all that can be
//                                          asked: for names, for places and pages all over the
//                                          memory, for lines of code, and for the expressions
#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <span>
#include <string_view>
#include <utility>

#include "base/units.h"
#include "python/code_object.h"
#include "python/evaluate.h"
#include "python/heap.h"

namespace python = cowtrace::python;

namespace {

using Words = std::span<const char* const>;

double seconds_since(std::chrono::steady_clock::time_point start) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

void print_objects(python::Heap& heap) {
  const python::HeapIndex& index = heap.index();
  for (std::uint32_t node = 0; node < index.nodes().size(); ++node) {
    const python::Name name = heap.names().of(node);
    fmt::print("{:x}\t{}\t{}\t{}\n", index.nodes()[node].address,
               cowtrace::printable(index.type(index.nodes()[node]).name),
               name.known && name.evaluable ? 1 : 0,
               name.known ? cowtrace::printable(name.text) : "");
  }
}

void print_places(python::Heap& heap, Words addresses) {
  for (const char* const address : addresses) {
    if (const auto place = heap.at(std::strtoull(address, nullptr, 0)))
      fmt::print("{:#x}\t{}\t{}\t{}\n", place->object, cowtrace::printable(place->type),
                 cowtrace::printable(place->name), cowtrace::printable(place->field));
    else
      fmt::print("-\n");
  }
}

std::size_t ask_for_names(python::Heap& heap) {
  std::size_t answers = 0;
  for (std::uint32_t node = 0; node < heap.index().nodes().size(); ++node)
    answers += heap.names().of(node).known + heap.names().group_of(node).known;
  return answers;
}

// Two places of each page that is there, and all of its objects.
std::size_t ask_for_places(python::Heap& heap) {
  constexpr std::uint64_t kStep = 7 * 8;
  std::size_t answers = 0;
  std::uint64_t pages = 0;
  for (const auto& region : heap.image().regions()) {
    if (!region.writable) continue;
    for (std::uint64_t page = region.start;
         (page = heap.image().skip_holes(page, region.end)) < region.end;
         page += cowtrace::kPageSize) {
      const std::uint64_t place = page + pages++ * kStep % cowtrace::kPageSize;
      answers += heap.at(page).has_value() + heap.at(place).has_value() +
                 heap.in(page, page + cowtrace::kPageSize).size();
    }
  }
  return answers;
}

std::size_t ask_for_lines(python::Heap& heap) {
  std::size_t answers = 0;
  for (const python::HeapIndex::Node& node : heap.index().nodes()) {
    if (heap.index().type(node).kind != python::Kind::Code) continue;
    // Reading an image changes nothing in it.
    const auto code = python::read_code(const_cast<cowtrace::image::MemoryImage&>(heap.image()),
                                        heap.runtime().layout, node.address, 0);
    for (std::uint32_t offset = 0; code && offset < 200; offset += 22)
      answers += code->line(heap.runtime().layout.version, offset).has_value();
  }
  return answers;
}

std::size_t ask_for_expressions(python::Heap& heap, Words expressions) {
  std::size_t answers = python::is_finalizing(heap.types(), heap.runtime());
  for (const char* const text : expressions) {
    const auto expression = python::parse_expression(text);
    if (expression && python::evaluate(heap.types(), heap.runtime(), *expression).outcome ==
                          python::Evaluation::Outcome::Found)
      ++answers;
  }
  return answers;
}

int usage() {
  fmt::print(stderr,
             "usage: python_names PID [--no-names | --at ADDRESS... | --all [EXPRESSION...]]\n");
  return 2;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 2) return usage();
  const std::string_view mode = argc > 2 ? argv[2] : "";
  if (!mode.empty() && mode != "--no-names" && mode != "--at" && mode != "--all") return usage();
  const Words rest(argv + std::min(argc, 3), argv + argc);
  const auto pid = static_cast<pid_t>(std::atoi(argv[1]));
  cowtrace::process::ModuleCache modules;
  const auto start = std::chrono::steady_clock::now();
  auto image = cowtrace::image::MemoryImage::take(pid, modules, {});
  if (!image) {
    fmt::print(stderr, "python_names: {}\n", image.error().message());
    return 1;
  }
  const double image_seconds = seconds_since(start);
  const auto found_start = std::chrono::steady_clock::now();
  python::Found found = python::find_runtime(**image);
  if (!found.runtime) {
    fmt::print(stderr, "python_names: {}\n", found.unknown.empty() ? "no CPython" : found.unknown);
    return 1;
  }
  const double find_seconds = seconds_since(found_start);
  const std::uint64_t bytes = (*image)->bytes_read();
  python::Heap heap(*image, std::move(*found.runtime));
  const auto walk_start = std::chrono::steady_clock::now();
  const python::HeapIndex& index = heap.index();
  const double walk_seconds = seconds_since(walk_start);
  fmt::print("{}\t{:.3f}\t{:.3f}\t{:.3f}\t{}\t{}\t{}\t{}\n", heap.runtime().version, image_seconds,
             find_seconds, walk_seconds, bytes, index.nodes().size(), heap.pools().arenas(),
             index.bytes_used());
  if (mode == "--at")
    print_places(heap, rest);
  else if (mode == "--all")
    fmt::print("{}\t{}\t{}\t{}\n", ask_for_names(heap), ask_for_places(heap), ask_for_lines(heap),
               ask_for_expressions(heap, rest));
  else if (mode.empty())
    print_objects(heap);
  return 0;
}
