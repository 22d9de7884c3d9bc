// SPDX-License-Identifier: Apache-2.0
// Texts of /proc in which a traced process has its say (names, paths), events as they come out of
// the ring buffers, and line tables of Python code. The first byte chooses.
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "capture/decoder.h"
#include "capture/stack_copy.h"
#include "cpu_limit.h"
#include "process/cgroup_hierarchies.h"
#include "process/cgroup_memory.h"
#include "process/maps.h"
#include "process/proc_files.h"
#include "python/expression.h"
#include "python/line_table.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace cowtrace;
  if (size == 0) return 0;
  const fuzz::CpuLimit limit;
  const std::span<const std::byte> bytes = std::as_bytes(std::span(data + 1, size - 1));
  const std::string_view text(reinterpret_cast<const char*>(data + 1), size - 1);
  switch (data[0] % 6) {
    case 0:
      if (const auto maps = process::parse_maps(text))
        static_cast<void>(process::find_mapping(*maps, 0x1000));
      break;
    case 1:
      static_cast<void>(process::parse_stat(text));
      static_cast<void>(process::parse_program_place(text));
      static_cast<void>(process::parse_executable_pages(text));
      break;
    case 2:
      static_cast<void>(process::memory_limit_files(text.substr(0, text.size() / 2),
                                                    text.substr(text.size() / 2)));
      break;
    case 3:
      static_cast<void>(capture::decode(bytes));
      static_cast<void>(capture::decode_stack_copy(bytes));
      break;
    case 4:
      static_cast<void>(python::parse_expression(std::string(text)));
      break;
    default:
      for (const auto format : {python::LineFormat::kLnotab, python::LineFormat::kLinetable,
                                python::LineFormat::kLocations})
        for (const std::uint32_t offset : {0U, 2U, 100U, UINT32_MAX})
          static_cast<void>(python::line_of(format, bytes, 1, offset));
  }
  return 0;
}
