// SPDX-License-Identifier: Apache-2.0
// What a capture has to know of the CPython in an address space, to find the Python frames of a
// thread at the moment of a break.
#pragma once

#include <cstdint>
#include <optional>

#include "base/result.h"

struct cowtrace_python;

namespace cowtrace::capture {

// Where a thread keeps the pointer to its PyThreadState.
struct ThreadSlot {
  std::int32_t offset = 0;  // bytes, from the thread pointer (FS base, TPIDR_EL0)
  // The place at `offset` has a pointer, and so many bytes behind what that points to is the thread
  // state.
  std::optional<std::int32_t> in_block;
};

// Of a pthread key (_PyRuntime's autoTSSkey._key) with glibc 2.31 to 2.43 (nptl/descr.h: struct
// pthread, specific_1stblock and specific); none where struct pthread lies at no fixed distance
// from the thread pointer (arm64), and for keys that glibc does not have.
[[nodiscard]] std::optional<ThreadSlot> glibc_slot(std::uint32_t key);

// Offsets in bytes, as in the structs that CPython compiles.
struct PythonProbe {
  std::uint64_t interpreter =
      0;  // address of the PyInterpreterState; threads of others are not Python's to us
  std::uint64_t gc_collecting = 0;  // address of the int gc.collecting, 0: not known
  std::uint64_t file_start = 0,
                file_end = 0;  // where the interpreter's file is mapped: native stacks end there
  ThreadSlot slot;
  struct {
    std::int32_t interp = 0;
    std::int32_t frame = 0;  // frame (to 3.10), cframe (3.11, 3.12) or current_frame
    std::optional<std::int32_t> cframe_current_frame;  // `frame` is a _PyCFrame*
  } thread;                                            // PyThreadState
  struct {
    std::int32_t code = 0, previous = 0;
    std::int32_t instruction = 0;  // prev_instr, instr_ptr, or f_lasti
    std::optional<std::int32_t> owner;
    bool has_lasti = false;     // to 3.10: `instruction` is an int
    std::uint8_t code_tag = 0;  // low bits of `code` that are none of the pointer (3.14 and later)
  } frame;                      // PyFrameObject (to 3.10), _PyInterpreterFrame
};

// As BPF wants it. Errors: offsets that no CPython has, or fields that lie too far apart to be read
// at once.
[[nodiscard]] Result<cowtrace_python> encode(const PythonProbe& probe);

}  // namespace cowtrace::capture
