// SPDX-License-Identifier: Apache-2.0
// What is read from the memory of a traced process outside of Python heaps: the registry of
// objects.h and code objects of each version. (Hostile heaps are
// tests/integration/test_python_hostile.py: an image is of a process.)
#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

#include "base/units.h"
#include "cpu_limit.h"
#include "objects/registry_reader.h"
#include "python/code_object.h"
#include "python/layout.h"
#include "support/buffer_memory.h"

namespace {

constexpr std::uint64_t kBase = 0x10000;  // where the input is: what it holds may point there
constexpr std::array<cowtrace::python::Version, 8> kVersions = {
    {{3, 8}, {3, 9}, {3, 10}, {3, 11}, {3, 12}, {3, 13}, {3, 14}, {3, 15}}};

void read_code(cowtrace::process::RemoteMemory& memory, cowtrace::python::Version version) {
  const cowtrace::python::Layout* layout = cowtrace::python::find_layout(version);
  if (layout == nullptr) return;
  const auto code = cowtrace::python::read_code(memory, *layout, kBase, 0);
  if (!code) return;
  for (std::uint32_t offset = 0; offset < 64; offset += 2)
    static_cast<void>(code->line(version, offset));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const cowtrace::fuzz::CpuLimit limit;
  cowtrace::test::BufferMemory memory;
  memory.place(kBase, std::as_bytes(std::span(data, size)));
  cowtrace::objects::RegistryContents contents;
  cowtrace::objects::read_registry(memory, kBase, {.max_objects = 10'000, .max_chunks = 64},
                                   contents);
  for (const cowtrace::python::Version version : kVersions) read_code(memory, version);
  return 0;
}
