// SPDX-License-Identifier: Apache-2.0
#include "process/dwarf_info.h"

#include <dwarf.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <initializer_list>
#include <optional>

#include "process/debug_file.h"
#include "process/demangle.h"

namespace cowtrace::process {
namespace {

constexpr std::uint64_t kMaxDebugBytes = std::uint64_t{2} * 1024 * 1024 * 1024;
constexpr std::size_t kMaxRanges = 4'000'000;
constexpr std::size_t kMaxDepth = 256;
constexpr std::size_t kMaxVisited = 2'000'000;  // DIEs looked at for one address

// What one section takes once libdw has loaded it: its own bytes, and those that they inflate to.
// None if that cannot be told.
std::optional<std::uint64_t> loaded_bytes(const ElfFile& elf, const ElfSection& section) {
  if (section.type == SHT_NOBITS) return 0;
  std::uint64_t inflated = 0;
  if ((section.flags & SHF_COMPRESSED) != 0) {
    GElf_Chdr header;
    if (gelf_getchdr(elf_getscn(elf.handle(), section.index), &header) == nullptr) {
      return std::nullopt;
    }
    inflated = header.ch_size;
  } else if (section.name.find("zdebug") != std::string_view::npos) {
    // The older kind, which objcopy still makes: "ZLIB", then the size in big-endian order.
    std::array<unsigned char, 12> head{};
    if (::pread(elf.file(), head.data(), head.size(), static_cast<off_t>(section.offset)) !=
        static_cast<ssize_t>(head.size())) {
      return std::nullopt;
    }
    for (std::size_t i = 4; i < head.size(); ++i) inflated = inflated << 8 | head[i];
  }
  if (section.size > kMaxDebugBytes || inflated > kMaxDebugBytes) return std::nullopt;
  return section.size + inflated;
}

// libdw loads (and decompresses) every section of a name that it knows, all at once. Those that
// only look like it are counted, too.
bool fits_budget(const ElfFile& elf) {
  std::uint64_t total = 0;
  for (const ElfSection& section : elf.sections()) {
    if (section.name.find("debug") == std::string_view::npos &&
        (section.flags & SHF_COMPRESSED) == 0) {
      continue;
    }
    const auto bytes = loaded_bytes(elf, section);
    // Counts the file among those that are left out.
    if (!bytes || total + *bytes > kMaxDebugBytes)
      return elf.budget()->could_take(UINT64_MAX, elf.path());
    total += *bytes;
  }
  return total != 0 && elf.budget()->take_memory(total, elf.path());
}

// Without these libdw takes the sections of other names, of .dwo files and of LTO, which nothing
// here looks at.
bool has_plain_dwarf(const ElfFile& elf) {
  return elf.section(".debug_info") != nullptr || elf.section(".zdebug_info") != nullptr;
}

// libdw 0.188 takes for granted that strings of these sections end. To be asked once libdw has
// decompressed them.
bool strings_end(const ElfFile& elf) {
  for (const ElfSection& section : elf.sections()) {
    const bool is_strings = section.name == ".debug_str" || section.name == ".debug_line_str" ||
                            section.name == ".zdebug_str" || section.name == ".zdebug_line_str";
    if (!is_strings || section.type == SHT_NOBITS) continue;
    const Elf_Data* data = elf_getdata(elf_getscn(elf.handle(), section.index), nullptr);
    if (data == nullptr) return false;
    if (data->d_size == 0) continue;
    if (data->d_buf == nullptr) return false;
    if (static_cast<const char*>(data->d_buf)[data->d_size - 1] != '\0') return false;
  }
  return true;
}

// The content of the first of these sections that the file has. To be asked once libdw has
// decompressed them.
std::string_view loaded_section(const ElfFile& elf, std::initializer_list<std::string_view> names) {
  for (const ElfSection& section : elf.sections()) {
    if (std::find(names.begin(), names.end(), section.name) == names.end() ||
        section.type == SHT_NOBITS)
      continue;
    const Elf_Data* data = elf_getdata(elf_getscn(elf.handle(), section.index), nullptr);
    if (data == nullptr || data->d_buf == nullptr) return {};
    return {static_cast<const char*>(data->d_buf), data->d_size};
  }
  return {};
}

bool is_function(int tag) {
  return tag == DW_TAG_subprogram || tag == DW_TAG_inlined_subroutine || tag == DW_TAG_entry_point;
}

// What may enclose a function without having addresses itself.
bool is_scope_without_code(int tag) {
  switch (tag) {
    case DW_TAG_namespace:
    case DW_TAG_module:
    case DW_TAG_class_type:
    case DW_TAG_structure_type:
    case DW_TAG_union_type:
      return true;
    default:
      return false;
  }
}

// The chain of functions around one address, outermost first: our own walk instead of
// dwarf_getscopes, because that recurses as deeply as the file says.
class ScopeWalk {
 public:
  ScopeWalk(Dwarf_Addr address, const ElfFile& elf) : address_(address), elf_(elf) {}

  bool descend(Dwarf_Die parent, std::size_t depth = 0) {
    Dwarf_Die child;
    if (depth >= kMaxDepth || dwarf_child(&parent, &child) != 0) return false;
    do {
      if (++visited_ > kMaxVisited || elf_.budget()->out_of_time(elf_.path())) return false;
      const int tag = dwarf_tag(&child);
      if (is_scope_without_code(tag)) {
        if (dwarf_haschildren(&child) == 1 && descend(child, depth + 1)) return true;
        continue;
      }
      if (!is_function(tag) && tag != DW_TAG_lexical_block && tag != DW_TAG_try_block &&
          tag != DW_TAG_catch_block) {
        continue;
      }
      if (dwarf_haspc(&child, address_) != 1) continue;
      if (is_function(tag)) functions_.push_back(child);
      descend(child, depth + 1);
      return true;
    } while (dwarf_siblingof(&child, &child) == 0);
    return false;
  }

  // `scope` holds the address.
  void enter(Dwarf_Die scope) {
    if (is_function(dwarf_tag(&scope))) functions_.push_back(scope);
    descend(scope);
  }

  std::vector<Dwarf_Die>& functions() { return functions_; }

 private:
  Dwarf_Addr address_;
  const ElfFile& elf_;
  std::size_t visited_ = 0;
  std::vector<Dwarf_Die> functions_;
};

using Ranges = std::vector<std::pair<Interval, Dwarf_Die>>;

// Adds what holds code in `parent`, but nothing inside of that.
void collect_scopes(const ElfFile& elf, Dwarf_Die parent, std::size_t depth, std::size_t& visited,
                    std::size_t most, Ranges& found) {
  Dwarf_Die child;
  if (depth >= kMaxDepth || dwarf_child(&parent, &child) != 0) return;
  do {
    if (++visited > kMaxVisited || found.size() >= most || elf.budget()->out_of_time(elf.path()))
      return;
    const int tag = dwarf_tag(&child);
    if (is_scope_without_code(tag)) {
      if (dwarf_haschildren(&child) == 1)
        collect_scopes(elf, child, depth + 1, visited, most, found);
      continue;
    }
    if (!is_function(tag) && tag != DW_TAG_lexical_block && tag != DW_TAG_try_block &&
        tag != DW_TAG_catch_block)
      continue;
    Dwarf_Addr base = 0, start = 0, end = 0;
    for (std::ptrdiff_t at = 0;
         (at = dwarf_ranges(&child, at, &base, &start, &end)) > 0 && found.size() < most;) {
      if (start < end) found.push_back({Interval{start, end}, child});
      if (++visited > kMaxVisited) return;
    }
  } while (dwarf_siblingof(&child, &child) == 0);
}

void set_function_name(Dwarf_Die& die, DwarfFrame& frame) {
  Dwarf_Attribute attribute;
  for (const unsigned name : {DW_AT_linkage_name, DW_AT_MIPS_linkage_name}) {
    if (dwarf_attr_integrate(&die, name, &attribute) == nullptr) continue;
    if (const char* text = dwarf_formstring(&attribute)) {
      frame.function = demangle(text);
      return;
    }
  }
  const char* text = dwarf_formstring(dwarf_attr_integrate(&die, DW_AT_name, &attribute));
  frame.function = text != nullptr ? text : "";
  frame.qualified = false;
}

void set_call_site(Dwarf_Die& unit, Dwarf_Die& inlined, bool has_files, DwarfFrame& caller) {
  Dwarf_Attribute attribute;
  Dwarf_Word number = 0;
  if (dwarf_formudata(dwarf_attr(&inlined, DW_AT_call_line, &attribute), &number) == 0) {
    caller.line = static_cast<std::uint32_t>(number);
  }
  Dwarf_Files* files = nullptr;
  std::size_t count = 0;
  if (has_files &&
      dwarf_formudata(dwarf_attr(&inlined, DW_AT_call_file, &attribute), &number) == 0 &&
      dwarf_getsrcfiles(&unit, &files, &count) == 0 && number < count) {
    const char* name = dwarf_filesrc(files, number, nullptr, nullptr);
    if (name != nullptr) caller.file = name;
  }
}

void set_line(Dwarf_Die& unit, Dwarf_Addr address, DwarfFrame& frame) {
  Dwarf_Line* line = dwarf_getsrc_die(&unit, address);
  if (line == nullptr) return;
  int number = 0;
  if (dwarf_lineno(line, &number) == 0 && number > 0) {
    frame.line = static_cast<std::uint32_t>(number);
  }
  const char* name = dwarf_linesrc(line, nullptr, nullptr);
  if (name != nullptr) frame.file = name;
}

}  // namespace

std::unique_ptr<DwarfInfo> DwarfInfo::open(std::shared_ptr<const ElfFile> elf, const FileRoot& root,
                                           DebugSource* source) {
  if (!has_plain_dwarf(*elf)) return nullptr;
  if (!fits_budget(*elf)) return nullptr;
  std::unique_ptr<ElfFile> alternate_file;
  DwarfHandle alternate;
  if (elf->section(".gnu_debugaltlink") != nullptr) {
    // libdw would open whatever name the file gives, and block on a FIFO: the alternate is found
    // here and handed to it.
    alternate_file = find_alternate_debug_file(*elf, root, source);
    // One that names another in turn, which dwz makes none of, libdw would follow.
    if (alternate_file == nullptr || !has_plain_dwarf(*alternate_file) ||
        alternate_file->section(".gnu_debugaltlink") != nullptr || !fits_budget(*alternate_file)) {
      return nullptr;
    }
    alternate.reset(dwarf_begin_elf(alternate_file->handle(), DWARF_C_READ, nullptr));
    if (alternate == nullptr || !strings_end(*alternate_file)) return nullptr;
  }
  DwarfHandle dwarf(dwarf_begin_elf(elf->handle(), DWARF_C_READ, nullptr));
  if (dwarf == nullptr || !strings_end(*elf)) return nullptr;
  if (alternate != nullptr) dwarf_setalt(dwarf.get(), alternate.get());
  return std::unique_ptr<DwarfInfo>(new DwarfInfo(std::move(elf), std::move(alternate_file),
                                                  std::move(alternate), std::move(dwarf)));
}

DwarfInfo::DwarfInfo(std::shared_ptr<const ElfFile> elf, std::unique_ptr<ElfFile> alternate_file,
                     DwarfHandle alternate, DwarfHandle dwarf)
    : elf_(std::move(elf)),
      alternate_file_(std::move(alternate_file)),
      alternate_(std::move(alternate)),
      dwarf_(std::move(dwarf)),
      line_sections_{loaded_section(*elf_, {".debug_line", ".zdebug_line"}),
                     loaded_section(*elf_, {".debug_line_str", ".zdebug_line_str"}),
                     loaded_section(*elf_, {".debug_str", ".zdebug_str"})} {}

bool DwarfInfo::lines_fit(Dwarf_Off unit_offset, Dwarf_Die& unit) {
  constexpr std::uint64_t kKeptRow = 80;  // bytes
  const auto [entry, is_new] = lines_fit_.try_emplace(unit_offset, false);
  if (!is_new) return entry->second;
  Dwarf_Attribute attribute;
  Dwarf_Word offset = 0;
  if (dwarf_formudata(dwarf_attr(&unit, DW_AT_stmt_list, &attribute), &offset) != 0) return false;
  const char* directory = dwarf_formstring(dwarf_attr(&unit, DW_AT_comp_dir, &attribute));
  const auto size =
      line_table_size(line_sections_, offset, directory != nullptr ? std::strlen(directory) : 0);
  if (!size || !elf_->budget()->could_take(size->bytes, elf_->path())) return false;
  Dwarf_Lines* lines = nullptr;
  std::size_t count = 0;
  // What is kept is less than what reading it takes.
  if (dwarf_getsrclines(&unit, &lines, &count) == 0)
    static_cast<void>(elf_->budget()->take_memory(count * kKeptRow, elf_->path()));
  entry->second = true;
  return true;
}

// Our own index, because .debug_aranges is optional (clang leaves it out).
void DwarfInfo::index_units() {
  indexed_ = true;
  std::vector<std::pair<Interval, Dwarf_Off>> found;
  Dwarf_Off next = 0;
  std::size_t header_size = 0;
  for (Dwarf_Off offset = 0;
       dwarf_nextcu(dwarf_.get(), offset, &next, &header_size, nullptr, nullptr, nullptr) == 0;
       offset = next) {
    if (elf_->budget()->out_of_time(elf_->path())) break;
    Dwarf_Die unit;
    if (dwarf_offdie(dwarf_.get(), offset + header_size, &unit) == nullptr) continue;
    Dwarf_Addr base = 0;
    Dwarf_Addr start = 0;
    Dwarf_Addr end = 0;
    for (std::ptrdiff_t at = 0; (at = dwarf_ranges(&unit, at, &base, &start, &end)) > 0;) {
      if (found.size() == kMaxRanges || elf_->budget()->out_of_time(elf_->path())) break;
      if (start < end) found.push_back({Interval{start, end}, offset + header_size});
    }
  }
  std::sort(found.begin(), found.end(), [](const auto& a, const auto& b) {
    return a.first == b.first ? a.second < b.second : a.first.before(b.first);
  });
  std::vector<Interval> intervals;
  intervals.reserve(found.size());
  unit_of_range_.reserve(found.size());
  for (const auto& [interval, unit] : found) {
    intervals.push_back(interval);
    unit_of_range_.push_back(unit);
  }
  unit_ranges_ = IntervalIndex(intervals);
}

const DwarfInfo::Scopes& DwarfInfo::scopes_of(Dwarf_Off unit_offset, Dwarf_Die unit) {
  const auto [entry, is_new] = scopes_.try_emplace(unit_offset);
  if (!is_new) return entry->second;
  Ranges found;
  std::size_t visited = 0;
  collect_scopes(*elf_, unit, 0, visited, kMaxRanges - scope_ranges_, found);
  scope_ranges_ += found.size();
  // Of several with the same range, as what was assembled has for aliases, the first one answers:
  // last_covering() finds the last.
  std::reverse(found.begin(), found.end());
  std::stable_sort(found.begin(), found.end(),
                   [](const auto& a, const auto& b) { return a.first.before(b.first); });
  std::vector<Interval> intervals;
  for (const auto& [interval, die] : found) {
    intervals.push_back(interval);
    entry->second.of_range.push_back(die);
  }
  entry->second.ranges = IntervalIndex(intervals);
  return entry->second;
}

std::vector<DwarfFrame> DwarfInfo::frames_at(std::uint64_t address) {
  if (elf_->budget()->out_of_time(elf_->path())) return {};
  if (!indexed_) index_units();
  const auto range = unit_ranges_.last_covering(address);
  Dwarf_Die unit;
  if (!range || dwarf_offdie(dwarf_.get(), unit_of_range_[*range], &unit) == nullptr) return {};

  ScopeWalk walk(address, *elf_);
  const Scopes& scopes = scopes_of(unit_of_range_[*range], unit);
  if (const auto scope = scopes.ranges.last_covering(address)) walk.enter(scopes.of_range[*scope]);
  auto& functions = walk.functions();
  // A function inside another one is no call: the frame ends at the innermost that is not inlined.
  const auto physical = std::find_if(functions.rbegin(), functions.rend(), [](Dwarf_Die& die) {
    return dwarf_tag(&die) != DW_TAG_inlined_subroutine;
  });
  if (physical != functions.rend()) functions.erase(functions.begin(), std::prev(physical.base()));

  std::vector<DwarfFrame> frames(1);
  const bool has_lines = lines_fit(unit_of_range_[*range], unit);
  if (has_lines) set_line(unit, address, frames.front());
  for (auto die = functions.rbegin(); die != functions.rend(); ++die) {
    DwarfFrame& frame = frames.back();
    set_function_name(*die, frame);
    frame.inlined = dwarf_tag(&*die) == DW_TAG_inlined_subroutine;
    if (frame.inlined && std::next(die) != functions.rend()) {
      DwarfFrame caller;
      set_call_site(unit, *die, has_lines, caller);
      frames.push_back(std::move(caller));
    }
  }
  return frames;
}

}  // namespace cowtrace::process
