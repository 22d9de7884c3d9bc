// SPDX-License-Identifier: Apache-2.0
// heap_cost PID [ROUNDS]: what it costs to know the objects of a Python process, as one line of
// JSON; python_bench.py makes a table of it. The process must stand still. Times are the best of
// ROUNDS (3), in seconds of processor time; sizes are bytes. Resident memory is what the kernel
// says, of the first round, less what this program had before it began.
#include <fmt/format.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <fstream>
#include <string>
#include <utility>

#include "python/heap.h"

namespace python = cowtrace::python;

namespace {

// Of processor time: one thread does it all, and a machine is seldom quiet.
class Watch {
 public:
  double lap() {
    const double now = seconds();
    return now - std::exchange(last_, now);
  }

 private:
  static double seconds() {
    timespec time{};
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
    return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_nsec) * 1e-9;
  }
  double last_ = seconds();
};

// "VmRSS" and "VmHWM" of this process.
std::int64_t status_bytes(const std::string& field) {
  std::ifstream file("/proc/self/status");
  for (std::string line; std::getline(file, line);)
    if (line.starts_with(field + ":"))
      return std::strtoll(line.c_str() + field.size() + 1, nullptr, 10) * 1024;
  return 0;
}

struct Times {
  double image = 1e9, runtime = 1e9, walk = 1e9, groups = 1e9, names = 1e9, places = 1e9;
};

struct Sizes {
  std::uint64_t objects = 0, read = 0, image = 0, index = 0;
  std::int64_t rss_image = 0, rss_walked = 0, rss_named = 0, rss_peak = 0;
};

bool measure(pid_t pid, Times& best, Sizes& sizes, bool first) {
  const auto keep = [](double& least, double now) { least = std::min(least, now); };
  const std::int64_t rss = status_bytes("VmRSS");
  Watch watch;
  cowtrace::process::ModuleCache modules;
  auto image = cowtrace::image::MemoryImage::take(pid, modules, {});
  if (!image) {
    fmt::print(stderr, "heap_cost: {}\n", image.error().message());
    return false;
  }
  keep(best.image, watch.lap());
  if (first) sizes.rss_image = status_bytes("VmRSS") - rss;
  watch.lap();
  python::Found found = python::find_runtime(**image);
  if (!found.runtime) {
    fmt::print(stderr, "heap_cost: {}\n", found.unknown.empty() ? "no CPython" : found.unknown);
    return false;
  }
  keep(best.runtime, watch.lap());
  python::Heap heap(*image, std::move(*found.runtime));
  const auto objects = static_cast<std::uint32_t>(heap.index().nodes().size());
  keep(best.walk, watch.lap());
  if (first) {
    sizes.rss_walked = status_bytes("VmRSS") - rss;
    sizes.rss_peak = status_bytes("VmHWM") - rss;
    sizes.objects = objects;
    sizes.read = (*image)->bytes_read();
    sizes.image = (*image)->bytes_kept();
    sizes.index = heap.index().bytes_used();
  }
  std::size_t letters = 0;
  watch.lap();
  for (std::uint32_t node = 0; node < objects; ++node)
    letters += heap.names().group_of(node).text.size();
  keep(best.groups, watch.lap());
  for (std::uint32_t node = 0; node < objects; ++node) letters += heap.names().of(node).text.size();
  keep(best.names, watch.lap());
  for (const auto& node : heap.index().nodes())
    if (const auto place = heap.at(node.address)) letters += place->name.size();
  keep(best.places, watch.lap());
  if (first) sizes.rss_named = status_bytes("VmRSS") - rss;
  return letters != 0;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 2) {
    fmt::print(stderr, "usage: heap_cost PID [ROUNDS]\n");
    return 2;
  }
  const int rounds = argc > 2 ? std::atoi(argv[2]) : 3;
  Times times;
  Sizes sizes;
  for (int round = 0; round < rounds; ++round)
    if (!measure(static_cast<pid_t>(std::atoi(argv[1])), times, sizes, round == 0)) return 1;
  fmt::print(
      "{{\"objects\": {}, \"read\": {}, \"image_s\": {:.4f}, \"runtime_s\": {:.4f}, \"walk_s\": "
      "{:.4f}, \"groups_s\": {:.4f}, "
      "\"names_s\": {:.4f}, \"places_s\": {:.4f}, \"image_bytes\": {}, \"index_bytes\": {}, "
      "\"rss_image\": {}, \"rss_walked\": {}, "
      "\"rss_named\": {}, \"rss_peak\": {}}}\n",
      sizes.objects, sizes.read, times.image, times.runtime, times.walk, times.groups, times.names,
      times.places, sizes.image, sizes.index, sizes.rss_image, sizes.rss_walked, sizes.rss_named,
      sizes.rss_peak);
  return 0;
}
