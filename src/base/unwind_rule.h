// SPDX-License-Identifier: Apache-2.0
// How the registers of a caller follow from those of its callee at one address of x86-64 code: what
// .eh_frame tells of it, in the form that BPF can apply (bpf/abi/unwind.h).
#pragma once

#include <cstdint>

namespace cowtrace {

struct UnwindRule {
  enum class Kind : std::uint8_t {
    Caller = 1,
    Outermost = 2,  // nobody called this
    Unknown = 3,    // there is a caller, but no rule of this form leads to it
    NoCode = 4,     // there is no code at the address: what led here was no call
  };
  enum class Register : std::uint8_t { Sp = 0, Bp = 1, Bx = 2 };
  enum class From : std::uint8_t { Same = 0, Cfa = 1, Bp = 2, Sp = 3 };
  // Where the caller's value of a register is: as it is, or in memory at `words` times 8 bytes from
  // what the callee has.
  struct Kept {
    From from = From::Same;
    std::int8_t words = 0;
    friend bool operator==(const Kept&, const Kept&) = default;
  };
  static constexpr std::int32_t kMostOffset = (1 << 23) - 1;
  static constexpr std::uint64_t kMostInAFrame =
      8 << 20;  // bytes of one stack frame: the usual limit of a whole stack

  Kind kind = Kind::Unknown;
  bool signal = false;  // the caller was interrupted: its address is that of an instruction
  // The canonical frame address (CFA), which is the caller's stack pointer: `base` and `offset`, or
  // what is kept there.
  bool loaded = false;
  Register base = Register::Sp;
  std::int32_t offset = 0;
  Kept ip = {From::Cfa, -1}, bp = {}, bx = {};
  friend bool operator==(const UnwindRule&, const UnwindRule&) = default;
};

// What the compiler leaves out unless it is told not to: each function keeps its caller's bp, and
// points to it with its own.
inline constexpr UnwindRule kByFramePointer{.kind = UnwindRule::Kind::Caller,
                                            .base = UnwindRule::Register::Bp,
                                            .offset = 16,
                                            .bp = {UnwindRule::From::Cfa, -2}};

struct UnwindRegisters {
  std::uint64_t ip = 0, sp = 0, bp = 0, bx = 0;
  bool exact = true;  // ip is the address of an instruction; else where a call returns to
};

enum class Unwound : std::uint8_t { Caller, All, Lost };

// From a stack frame to its caller's, as bpf/lib/unwind.h does it; but that reads bp and bx only
// when they are needed, for it pays for each read. `word(address)`: std::optional of the 8 bytes
// there.
template <typename Word>
Unwound unwind(const UnwindRule& rule, UnwindRegisters& registers, const Word& word) {
  using From = UnwindRule::From;
  if (rule.kind == UnwindRule::Kind::Outermost) return Unwound::All;
  if (rule.kind != UnwindRule::Kind::Caller) return Unwound::Lost;
  // Who calls with frame pointers ends their chain so.
  if (rule.base == UnwindRule::Register::Bp && registers.bp == 0) return Unwound::All;
  std::uint64_t cfa = rule.base == UnwindRule::Register::Sp   ? registers.sp
                      : rule.base == UnwindRule::Register::Bp ? registers.bp
                                                              : registers.bx;
  cfa += static_cast<std::uint64_t>(static_cast<std::int64_t>(rule.offset));
  if (rule.loaded) {
    const auto loaded = word(cfa);
    if (!loaded) return Unwound::Lost;
    cfa = *loaded;
  }
  const auto kept = [&](UnwindRule::Kept place, std::uint64_t same) -> decltype(word(cfa)) {
    if (place.from == From::Same) return same;
    const std::uint64_t base = place.from == From::Cfa  ? cfa
                               : place.from == From::Bp ? registers.bp
                                                        : registers.sp;
    return word(base + static_cast<std::uint64_t>(std::int64_t{place.words} * 8));
  };
  const auto ip = kept(rule.ip, registers.ip);
  if (!ip) return Unwound::Lost;
  if (*ip == 0) return Unwound::All;
  // Stacks grow down, and callers lie above; a signal may be handled on a stack of its own.
  if (!rule.signal && (cfa <= registers.sp || cfa - registers.sp > UnwindRule::kMostInAFrame))
    return Unwound::Lost;
  const auto bp = kept(rule.bp, registers.bp), bx = kept(rule.bx, registers.bx);
  if (!bp || !bx) return Unwound::Lost;
  registers = {*ip, cfa, *bp, *bx, rule.signal};
  return Unwound::Caller;
}

}  // namespace cowtrace
