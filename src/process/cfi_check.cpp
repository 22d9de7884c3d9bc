// SPDX-License-Identifier: Apache-2.0
#include "process/cfi_check.h"

#include <dwarf.h>
#include <elfutils/libdw.h>

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <optional>
#include <string_view>
#include <vector>

namespace cowtrace::process {
namespace {

constexpr std::uint64_t kMostBytes = std::uint64_t{128} << 20;
constexpr std::uint64_t kMostInstructions = 1 << 16;  // bytes of one entry
constexpr std::uint64_t kMostRegister = 255;
constexpr int kMostKept = 64;  // states

// How pointers are encoded everywhere on x86-64: four bytes, relative to themselves or to the
// search table.
constexpr std::uint8_t kRelative = DW_EH_PE_pcrel | DW_EH_PE_sdata4,
                       kInTable = DW_EH_PE_datarel | DW_EH_PE_sdata4;
constexpr std::size_t kEncoded = 4;

// Where entries begin, in a section of 4-byte words: as linkers write it. Large libraries have
// hundreds of thousands.
class Offsets {
 public:
  explicit Offsets(std::size_t section_bytes) : words_(section_bytes / kWord + 1) {}

  bool insert(Dwarf_Off offset) {
    if (offset % kWord != 0 || offset / kWord >= words_.size()) return false;
    words_[offset / kWord] = true;
    return true;
  }
  [[nodiscard]] bool contains(Dwarf_Off offset) const {
    return offset % kWord == 0 && offset / kWord < words_.size() && words_[offset / kWord];
  }

 private:
  static constexpr std::size_t kWord = 4;
  std::vector<bool> words_;
};

class Bytes {
 public:
  Bytes(const std::uint8_t* at, const std::uint8_t* end) : at_(at), end_(end) {}

  [[nodiscard]] std::size_t left() const { return static_cast<std::size_t>(end_ - at_); }
  std::optional<std::uint8_t> byte() {
    if (at_ == end_) return std::nullopt;
    return *at_++;
  }
  bool skip(std::uint64_t count) {
    if (count > left()) return false;
    at_ += count;
    return true;
  }
  // LEB128 of either kind; none if it does not fit.
  std::optional<std::uint64_t> number() {
    std::uint64_t value = 0;
    for (unsigned shift = 0; shift < 63; shift += 7) {
      const auto one = byte();
      if (!one) return std::nullopt;
      value |= std::uint64_t{*one & 0x7FU} << shift;
      if ((*one & 0x80) == 0) return value;
    }
    return std::nullopt;
  }
  bool skip_number() { return number().has_value(); }
  bool small_register() {
    const auto value = number();
    return value && *value <= kMostRegister;
  }
  bool skip_block() {
    const auto size = number();
    return size && skip(*size);
  }

 private:
  const std::uint8_t* at_;
  const std::uint8_t* end_;
};

// One instruction's operands (DWARF 5, 6.4.2, and GNU's). What compilers do not write is refused.
bool skip_operands(std::uint8_t code, Bytes& bytes, int& kept) {
  switch (code & 0xC0) {
    case DW_CFA_advance_loc:
    case DW_CFA_restore:
      return true;
    case DW_CFA_offset:
      return bytes.skip_number();
    default:
      break;
  }
  switch (code) {
    case DW_CFA_nop:
      return true;
    case DW_CFA_advance_loc1:
      return bytes.skip(1);
    case DW_CFA_advance_loc2:
      return bytes.skip(2);
    case DW_CFA_advance_loc4:
      return bytes.skip(4);
    case DW_CFA_remember_state:
      return ++kept <= kMostKept;
    case DW_CFA_restore_state:
      return --kept >= 0;
    case DW_CFA_restore_extended:
    case DW_CFA_undefined:
    case DW_CFA_same_value:
    case DW_CFA_def_cfa_register:
      return bytes.small_register();
    case DW_CFA_register:
      return bytes.small_register() && bytes.small_register();
    case DW_CFA_offset_extended:
    case DW_CFA_offset_extended_sf:
    case DW_CFA_val_offset:
    case DW_CFA_val_offset_sf:
    case DW_CFA_def_cfa:
    case DW_CFA_def_cfa_sf:
    case DW_CFA_GNU_negative_offset_extended:
      return bytes.small_register() && bytes.skip_number();
    case DW_CFA_def_cfa_offset:
    case DW_CFA_def_cfa_offset_sf:
    case DW_CFA_GNU_args_size:
      return bytes.skip_number();
    case DW_CFA_def_cfa_expression:
      return bytes.skip_block();
    case DW_CFA_expression:
    case DW_CFA_val_expression:
      return bytes.small_register() && bytes.skip_block();
    default:
      return false;
  }
}

bool are_harmless(Bytes bytes) {
  if (bytes.left() > kMostInstructions) return false;
  int kept = 0;
  while (const auto code = bytes.byte())
    if (!skip_operands(*code, bytes, kept)) return false;
  return true;
}

// The encoding of addresses in the FDEs of a CIE has to be the usual one: they tell where
// instructions begin. `zR`, `zPLR`, `zRS`, ...
bool has_usual_encoding(const Dwarf_CIE& cie) {
  if (cie.augmentation == nullptr || cie.augmentation[0] != 'z' || cie.augmentation_data == nullptr)
    return false;
  Bytes data(cie.augmentation_data, cie.augmentation_data + cie.augmentation_data_size);
  bool is_usual = false;
  for (const char letter : std::string_view(cie.augmentation + 1)) {
    std::optional<std::uint8_t> encoding;
    if (letter == 'S' || letter == 'B') continue;
    encoding = data.byte();
    if (!encoding) return false;
    if (letter == 'R')
      is_usual = *encoding == kRelative;
    else if (letter == 'P' && ((*encoding & 0x0F) == DW_EH_PE_absptr
                                   ? !data.skip(8)
                                   : (*encoding & 0x0F) != DW_EH_PE_sdata4 || !data.skip(kEncoded)))
      return false;
    else if (letter != 'P' && letter != 'L')
      return false;
  }
  return is_usual && cie.return_address_register <= kMostRegister;
}

bool is_harmless(const Dwarf_FDE& fde) {
  Bytes bytes(fde.start, fde.end);
  return bytes.skip(2 * kEncoded) && bytes.skip_block() && are_harmless(bytes);
}

std::uint32_t word_at(std::string_view bytes, std::size_t at) {
  std::uint32_t word = 0;
  std::memcpy(&word, bytes.data() + at, sizeof(word));
  return word;
}

// Each entry of the search table (.eh_frame_hdr) leads to an FDE that was looked at.
bool leads_to(const ElfFile& elf, const ElfSection& frames, const Offsets& known) {
  const ElfSection* section = elf.section(".eh_frame_hdr");
  if (section == nullptr) return true;
  const auto bytes = elf.content(*section, kMostBytes);
  constexpr std::size_t kHead = 12;
  constexpr std::size_t kEntry = 2 * kEncoded;
  if (!bytes || bytes->size() < kHead ||
      bytes->substr(0, 4) != std::string_view{"\x01\x1b\x03\x3b", 4})
    return false;
  static_assert(kRelative == 0x1b && kInTable == 0x3b);
  const std::size_t count = word_at(*bytes, 8);
  if (count > (bytes->size() - kHead) / kEntry) return false;
  for (std::size_t i = 0; i < count; ++i) {
    const auto offset = static_cast<std::int32_t>(word_at(*bytes, kHead + i * kEntry + kEncoded));
    if (!known.contains(section->address + static_cast<std::uint64_t>(std::int64_t{offset}) -
                        frames.address))
      return false;
  }
  return true;
}

bool is_alone(const ElfFile& elf, std::string_view name) {
  return std::count_if(elf.sections().begin(), elf.sections().end(),
                       [&](const ElfSection& one) { return one.name == name; }) <= 1;
}

}  // namespace

bool is_harmless_cfi(const ElfFile& elf) {
  const ElfSection* section = elf.section(".eh_frame");
  if (section == nullptr || (section->type != SHT_PROGBITS && section->type != SHT_X86_64_UNWIND) ||
      !is_alone(elf, ".eh_frame") || !is_alone(elf, ".eh_frame_hdr"))
    return false;
  if (!elf.content(*section, kMostBytes)) return false;
  const char* ident = elf_getident(elf.handle(), nullptr);
  Elf_Data* data = elf_rawdata(elf_getscn(elf.handle(), section->index), nullptr);
  if (ident == nullptr || data == nullptr || ident[EI_DATA] != ELFDATA2LSB) return false;
  Offsets cies(data->d_size), fdes(data->d_size);
  Dwarf_CFI_Entry entry;
  for (Dwarf_Off offset = 0, next = 0; offset < data->d_size; offset = next) {
    const int result = dwarf_next_cfi(reinterpret_cast<const unsigned char*>(ident), data, true,
                                      offset, &next, &entry);
    if (result < 0) return false;
    if (result > 0) break;
    if (next <= offset) return false;
    if (dwarf_cfi_cie_p(&entry)) {
      if (!has_usual_encoding(entry.cie) ||
          !are_harmless({entry.cie.initial_instructions, entry.cie.initial_instructions_end}))
        return false;
      if (!cies.insert(offset)) return false;
    } else {
      if (!cies.contains(entry.fde.CIE_pointer) || !is_harmless(entry.fde)) return false;
      if (!fdes.insert(offset)) return false;
    }
  }
  return leads_to(elf, *section, fdes);
}

}  // namespace cowtrace::process
