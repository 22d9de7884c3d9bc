// SPDX-License-Identifier: Apache-2.0
#include "process/unwind_table.h"

#include <dwarf.h>

#include <array>
#include <cstdlib>
#include <limits>
#include <span>
#include <utility>

#include "process/cfi_check.h"

namespace cowtrace::process {
namespace {

using Rule = UnwindRule;

constexpr std::size_t kMostOperations = 64;

// DWARF's numbers of x86-64's registers (System V ABI, figure 3.36).
constexpr unsigned kBx = 3, kBp = 6, kSp = 7, kIp = 16;

struct FreeFrame {
  void operator()(Dwarf_Frame* frame) const { std::free(frame); }
};

enum class Base : std::uint8_t { None, Sp, Bp, Bx, Cfa };

// What an expression comes to, without the registers' values: a register and an offset, or what is
// kept there.
struct Value {
  Base base = Base::None;
  std::int64_t offset = 0;
  bool loaded = false;
  [[nodiscard]] bool is_number() const { return base == Base::None && !loaded; }
};

std::int64_t sum(std::int64_t a, std::uint64_t b) {
  return static_cast<std::int64_t>(static_cast<std::uint64_t>(a) + b);
}

// As far as it is needed: registers with offsets, what compilers write for realigned stacks and
// signal frames, and what linkers write for the PLT, where the address of the instruction decides.
class Evaluation {
 public:
  explicit Evaluation(std::uint64_t address) : address_(address) {}

  std::optional<Value> of(std::span<const Dwarf_Op> operations) {
    if (operations.size() > kMostOperations) return std::nullopt;
    for (const Dwarf_Op& operation : operations)
      if (!take(operation)) return std::nullopt;
    if (depth_ == 0) return std::nullopt;
    return stack_[depth_ - 1];
  }

 private:
  bool take(const Dwarf_Op& operation) {
    const unsigned atom = operation.atom;
    if (atom >= DW_OP_lit0 && atom <= DW_OP_lit31)
      return push({Base::None, atom - DW_OP_lit0, false});
    if (atom >= DW_OP_breg0 && atom <= DW_OP_breg31)
      return push_register(atom - DW_OP_breg0, operation.number);
    switch (atom) {
      case DW_OP_bregx:
        return push_register(operation.number, operation.number2);
      case DW_OP_call_frame_cfa:
        return push({Base::Cfa, 0, false});
      case DW_OP_const1u:
      case DW_OP_const1s:
      case DW_OP_const2u:
      case DW_OP_const2s:
      case DW_OP_const4u:
      case DW_OP_const4s:
        return push({Base::None, static_cast<std::int64_t>(operation.number), false});
      case DW_OP_plus_uconst:
        return add(operation.number);
      case DW_OP_deref:
        return load();
      case DW_OP_plus:
      case DW_OP_and:
      case DW_OP_ge:
      case DW_OP_shl:
        return combine(atom);
      default:
        return false;
    }
  }

  bool push(Value value) {
    if (depth_ == stack_.size()) return false;
    stack_[depth_++] = value;
    return true;
  }

  bool push_register(std::uint64_t number, std::uint64_t offset) {
    switch (number) {
      case kSp:
        return push({Base::Sp, sum(0, offset), false});
      case kBp:
        return push({Base::Bp, sum(0, offset), false});
      case kBx:
        return push({Base::Bx, sum(0, offset), false});
      case kIp:
        return push({Base::None, sum(static_cast<std::int64_t>(address_), offset), false});
      default:
        return false;
    }
  }

  bool add(std::uint64_t number) {
    if (depth_ == 0 || stack_[depth_ - 1].loaded) return false;
    Value& top = stack_[depth_ - 1];
    top.offset = sum(top.offset, number);
    return true;
  }

  bool load() {
    if (depth_ == 0 || stack_[depth_ - 1].loaded || stack_[depth_ - 1].base == Base::None)
      return false;
    stack_[depth_ - 1].loaded = true;
    return true;
  }

  // The two topmost, of which the upper one is a number.
  bool combine(unsigned atom) {
    if (depth_ < 2 || !stack_[depth_ - 1].is_number()) return false;
    const std::int64_t right = stack_[--depth_].offset;
    if (atom == DW_OP_plus) return add(static_cast<std::uint64_t>(right));
    Value& left = stack_[depth_ - 1];
    if (!left.is_number()) return false;
    if (atom == DW_OP_and) left.offset &= right;
    if (atom == DW_OP_ge) left.offset = left.offset >= right ? 1 : 0;
    if (atom == DW_OP_shl) {
      if (right < 0 || right > 63) return false;
      left.offset = static_cast<std::int64_t>(static_cast<std::uint64_t>(left.offset) << right);
    }
    return true;
  }

  std::uint64_t address_;
  std::array<Value, 8> stack_{};
  std::size_t depth_ = 0;
};

bool set_cfa(Dwarf_Frame* frame, std::uint64_t address, Rule& rule) {
  Dwarf_Op* operations = nullptr;
  std::size_t count = 0;
  if (dwarf_frame_cfa(frame, &operations, &count) != 0 || count == 0) return false;
  const auto value = Evaluation(address).of({operations, count});
  if (!value || value->offset > Rule::kMostOffset || value->offset < -Rule::kMostOffset)
    return false;
  switch (value->base) {
    case Base::Sp:
      rule.base = Rule::Register::Sp;
      break;
    case Base::Bp:
      rule.base = Rule::Register::Bp;
      break;
    case Base::Bx:
      rule.base = Rule::Register::Bx;
      break;
    default:
      return false;
  }
  rule.offset = static_cast<std::int32_t>(value->offset);
  rule.loaded = value->loaded;
  return true;
}

enum class Found : std::uint8_t { Kept, Undefined, Inexpressible };

Found find_kept(Dwarf_Frame* frame, unsigned number, std::uint64_t address, Rule::Kept& kept) {
  std::array<Dwarf_Op, 3> memory{};
  Dwarf_Op* operations = nullptr;
  std::size_t count = 0;
  if (dwarf_frame_register(frame, static_cast<int>(number), memory.data(), &operations, &count) !=
      0)
    return Found::Inexpressible;
  if (count == 0) {
    kept = {};
    return operations == nullptr ? Found::Kept : Found::Undefined;
  }
  const auto value = Evaluation(address).of({operations, count});
  if (!value || value->loaded || value->offset % 8 != 0) return Found::Inexpressible;
  const std::int64_t words = value->offset / 8;
  if (words < std::numeric_limits<std::int8_t>::min() ||
      words > std::numeric_limits<std::int8_t>::max())
    return Found::Inexpressible;
  switch (value->base) {
    case Base::Cfa:
      kept.from = Rule::From::Cfa;
      break;
    case Base::Bp:
      kept.from = Rule::From::Bp;
      break;
    case Base::Sp:
      kept.from = Rule::From::Sp;
      break;
    default:
      return Found::Inexpressible;
  }
  kept.words = static_cast<std::int8_t>(words);
  return Found::Kept;
}

}  // namespace

std::unique_ptr<UnwindTable> UnwindTable::open(std::shared_ptr<const ElfFile> elf) {
  GElf_Ehdr header;
  if (gelf_getehdr(elf->handle(), &header) == nullptr || header.e_machine != EM_X86_64)
    return nullptr;
  if (!is_harmless_cfi(*elf)) return nullptr;
  CfiHandle cfi(dwarf_getcfi_elf(elf->handle()));
  if (cfi == nullptr) return nullptr;
  return std::unique_ptr<UnwindTable>(new UnwindTable(std::move(elf), std::move(cfi)));
}

std::optional<UnwindRule> UnwindTable::rule_at(std::uint64_t address) {
  Dwarf_Frame* raw = nullptr;
  if (dwarf_cfi_addrframe(cfi_.get(), address, &raw) != 0) return std::nullopt;
  const std::unique_ptr<Dwarf_Frame, FreeFrame> frame(raw);
  Rule rule;
  rule.kind = Rule::Kind::Unknown;
  if (dwarf_frame_info(raw, nullptr, nullptr, &rule.signal) != static_cast<int>(kIp)) return rule;
  const Found ip = find_kept(raw, kIp, address, rule.ip);
  if (ip == Found::Undefined) {
    rule.kind = Rule::Kind::Outermost;
    return rule;
  }
  // That functions leave bx as it was, libdw does not know (0.188 has another register in its
  // place), and calls it undefined.
  if (ip == Found::Kept && rule.ip.from != Rule::From::Same &&
      find_kept(raw, kBp, address, rule.bp) == Found::Kept &&
      find_kept(raw, kBx, address, rule.bx) != Found::Inexpressible && set_cfa(raw, address, rule))
    rule.kind = Rule::Kind::Caller;
  return rule;
}

}  // namespace cowtrace::process
