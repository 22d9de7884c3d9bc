// SPDX-License-Identifier: Apache-2.0
// python_names PID: everything that the object graph of a Python process has, one object a line, for a test that compares it with what the
// process itself says. The process must stand still. Tab-separated: address, type, evaluable (0 or 1), name. First line: version, seconds
// for the image and for the walk, bytes read, nodes, arenas.
#include <fmt/format.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>

#include "base/units.h"
#include "python/heap.h"

namespace python = cowtrace::python;

namespace {

double seconds_since(std::chrono::steady_clock::time_point start) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 2) {
    fmt::print(stderr, "usage: python_names PID [--no-names]\n");
    return 2;
  }
  const auto pid = static_cast<pid_t>(std::atoi(argv[1]));
  cowtrace::process::ModuleCache modules;
  const auto start = std::chrono::steady_clock::now();
  auto image = python::MemoryImage::take(pid, modules, {});
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
  fmt::print("{}\t{:.3f}\t{:.3f}\t{:.3f}\t{}\t{}\t{}\t{}\n", heap.runtime().version, image_seconds, find_seconds, walk_seconds, bytes,
             index.nodes().size(), heap.pools().arenas(), index.bytes_used());
  if (argc > 2) return 0;
  for (std::uint32_t node = 0; node < index.nodes().size(); ++node) {
    const python::Name name = heap.names().of(node);
    fmt::print("{:x}\t{}\t{}\t{}\n", index.nodes()[node].address, cowtrace::printable(index.type(index.nodes()[node]).name),
               name.known && name.evaluable ? 1 : 0, name.known ? cowtrace::printable(name.text) : "");
  }
  return 0;
}
