// SPDX-License-Identifier: Apache-2.0
// A private mapping of a file: a page written first copies the file's page without ever mapping it;
// one that was read first is mapped and then copied. Either way the process gets its own.
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "scenario/trial.h"
#include "scenario/writes.h"

namespace scenario {
namespace {

// A file without a name, in memory, `bytes` long and not all zeros.
Result<int> make_file(std::uint64_t bytes) {
  const int file = ::memfd_create("scenario", MFD_CLOEXEC);
  if (file < 0) return unavailable("cannot make a file in memory", std::strerror(errno));
  const std::string page(kPageSize, 'f');
  for (std::uint64_t offset = 0; offset < bytes; offset += kPageSize) {
    if (::pwrite(file, page.data(), kPageSize, static_cast<off_t>(offset)) != kPageSize) {
      ::close(file);
      return unavailable(fmt::format("cannot fill a file of {} bytes", bytes), std::strerror(errno),
                         "use fewer --pages");
    }
  }
  return file;
}

}  // namespace

Result<Truth> file_private(const Options& options) {
  const std::uint64_t bytes = options.pages * kPageSize;
  const auto file = make_file(bytes);
  if (!file) return tl::unexpected<Failure>(file.error());
  void* memory = ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE, *file, 0);
  ::close(*file);
  if (memory == MAP_FAILED)
    return unavailable(fmt::format("cannot map {} bytes", bytes), std::strerror(errno),
                       "use fewer --pages");
  const Region region{reinterpret_cast<std::uint64_t>(memory), bytes};
  Trial trial{options.measure, {region}, true};
  // The first child only writes; the second reads every page before.
  auto written_first = watch_child(trial, write_each_page(region));
  if (!written_first) return tl::unexpected<Failure>(written_first.error());
  auto read_first = in_child([&]() -> Result<ProcessTruth> {
    for (std::uint64_t page = 0; page < options.pages; ++page)
      static_cast<void>(
          load<std::uint64_t>(reinterpret_cast<std::byte*>(region.start + page * kPageSize)));
    return watch(trial, Role::Child, write_each_page(region));
  });
  if (!read_first) return tl::unexpected<Failure>(read_first.error());
  for (const ProcessTruth* process : {&*written_first, &*read_first}) {
    if (auto all = expect(*process, Mechanism::FileCopy, options.pages); !all)
      return tl::unexpected<Failure>(all.error());
  }
  return truth_of(options, trial, {*written_first, *read_first});
}

}  // namespace scenario
