// SPDX-License-Identifier: Apache-2.0
// Is there a CPython in a process, which one, and where does it keep things? Everything is checked
// against the process before it is believed: a layout that does not fit is "not known", never a
// guess.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "image/memory_image.h"
#include "python/layout.h"

namespace cowtrace::python {

struct Runtime {
  Layout layout;        // of its version, moved where this build has moved
  std::string version;  // "3.11.2", as sys.hexversion tells
  std::string module;   // the file that holds the interpreter; untrusted
  std::uint64_t module_start = 0, module_end = 0;  // all that is mapped of it
  std::uint64_t address = 0;                       // of _PyRuntime
  std::uint64_t interpreter = 0;                   // the first PyInterpreterState
  std::uint64_t gc = 0;                            // its struct _gc_runtime_state
  std::uint64_t type_type = 0;                     // &PyType_Type
  std::uint64_t code_type = 0;                     // &PyCode_Type, 0: the file does not tell
  std::uint64_t modules = 0;                       // the dict sys.modules
  std::uint64_t sysdict = 0;
  std::uint64_t arenas = 0;  // array of struct arena_object, 0: not found or not pymalloc
  std::uint64_t arena_count = 0;
};

// What find_runtime() found: one of the three.
struct Found {
  std::optional<Runtime> runtime;
  std::string unknown;  // there is a CPython, and this is why it is not understood ("CPython 3.16:
                        // layout not known")
};

[[nodiscard]] Found find_runtime(const image::MemoryImage& image);

// Where an ELF file's symbol or section lies in the process; none if it is not there.
struct InterpreterFile {
  std::shared_ptr<process::ElfModule> module;
  std::uint64_t bias = 0;
  std::uint64_t runtime = 0;  // address of _PyRuntime
};
[[nodiscard]] std::vector<InterpreterFile> find_interpreter_files(const image::MemoryImage& image);

}  // namespace cowtrace::python
