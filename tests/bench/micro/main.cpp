// SPDX-License-Identifier: Apache-2.0
// cowtrace_micro [GOOGLE-BENCHMARK-OPTIONS]   how fast single parts are
// cowtrace_micro --guard NAME SIZE            one of them once, for guard.py: Callgrind counts the
//                                             run alone; its items as one line of JSON
#include <benchmark/benchmark.h>
#include <fmt/format.h>
#include <valgrind/callgrind.h>

#include <cstdlib>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "path.h"

namespace cowtrace::bench {
namespace {

std::vector<Path> all_paths() {
  std::vector<Path> all = {decode(),      session_apply(), join(),
                           python_walk(), trace_write(),   trace_read()};
  for (auto some : {symbols(), reports()}) all.insert(all.end(), some.begin(), some.end());
  return all;
}

// Google Benchmark calls anew for each number of iterations that it tries. Only the last one is
// kept: some are large.
Work& made(const Path& path, std::uint64_t size) {
  static std::pair<std::string, std::uint64_t> last;
  static std::unique_ptr<Work> work;
  if (const std::pair wanted(path.name, size); work == nullptr || last != wanted) {
    work.reset();
    work = path.make(size);
    last = wanted;
  }
  return *work;
}

void measure(benchmark::State& state, const Path& path) {
  try {
    Work& work = made(path, static_cast<std::uint64_t>(state.range(0)));
    Done done;
    for ([[maybe_unused]] auto turn : state) {
      state.PauseTiming();
      work.prepare();
      state.ResumeTiming();
      done = work.run();
    }
    state.SetItemsProcessed(state.iterations() * static_cast<std::int64_t>(done.items));
    if (done.bytes != 0)
      state.SetBytesProcessed(state.iterations() * static_cast<std::int64_t>(done.bytes));
  } catch (const std::runtime_error& error) {
    state.SkipWithError(error.what());
  }
}

int run_benchmarks(int argc, char** argv) {
  for (const Path& path : all_paths())
    for (const std::int64_t size : path.sizes)
      benchmark::RegisterBenchmark(path.name.c_str(),
                                   [path](benchmark::State& state) { measure(state, path); })
          ->Arg(size)
          ->Unit(benchmark::kMillisecond);
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 2;
  benchmark::RunSpecifiedBenchmarks();
  benchmark::Shutdown();
  return 0;
}

int run_once(std::string_view name, std::uint64_t size) {
  for (const Path& path : all_paths()) {
    if (path.name != name) continue;
    const std::unique_ptr<Work> work = path.make(size);
    work->prepare();
    CALLGRIND_START_INSTRUMENTATION;
    const Done done = work->run();
    CALLGRIND_STOP_INSTRUMENTATION;
    fmt::print("{{\"items\": {}}}\n", done.items);
    return 0;
  }
  fmt::print(stderr, "cowtrace_micro: there is no path '{}'\n", name);
  return 2;
}

}  // namespace
}  // namespace cowtrace::bench

int main(int argc, char** argv) {
  try {
    if (argc == 4 && std::string_view(argv[1]) == "--guard")
      return cowtrace::bench::run_once(argv[2], std::strtoull(argv[3], nullptr, 10));
    return cowtrace::bench::run_benchmarks(argc, argv);
  } catch (const std::exception& error) {
    fmt::print(stderr, "cowtrace_micro: {}\n", error.what());
    return 1;
  }
}
