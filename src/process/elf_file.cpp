// SPDX-License-Identifier: Apache-2.0
#include "process/elf_file.h"

#include <unistd.h>

#include <algorithm>
#include <cstring>

#include "base/units.h"

namespace cowtrace::process {
namespace {

constexpr std::size_t kMaxHeaders = 65'536;
constexpr std::uint64_t kMaxNote = 65'536;
constexpr std::uint64_t kMaxSectionNames = 16 * 1024 * 1024;
constexpr std::uint64_t kMemoryOfSection = 512;  // bytes: libelf's and ours
constexpr std::uint64_t kMemoryOfSymbols =
    4;  // times what the file has: as symbols are kept, and indexed

tl::unexpected<Error> elf_failure(const std::string& path) {
  const char* why = elf_errmsg(-1);
  return fail("cannot read symbols of " + printable(path),
              why != nullptr ? why : "not an ELF file");
}

// The first bytes at `offset` as they are on disk; this machine's byte order is that of what it
// runs.
template <typename Header>
bool read_header(int file, std::uint64_t offset, Header& header) {
  return offset <= INT64_MAX &&
         ::pread(file, &header, sizeof(header), static_cast<off_t>(offset)) ==
             static_cast<ssize_t>(sizeof(header));
}

}  // namespace

// libelf makes room for as many headers as a file says that it has, and a sparse file can say that
// it has billions.
Status ElfFile::check_header() {
  Elf64_Ehdr header = {};
  if (!read_header(file_.get(), 0, header) || std::memcmp(header.e_ident, ELFMAG, SELFMAG) != 0 ||
      header.e_ident[EI_CLASS] != ELFCLASS64) {
    return fail("cannot read symbols of " + printable(path_), "it is not a 64-bit ELF file");
  }
  // Where a count does not fit, the first section header has it.
  std::uint64_t sections = header.e_shnum;
  std::uint64_t segments = header.e_phnum;
  Elf64_Shdr first = {};
  if (header.e_shoff != 0 && read_header(file_.get(), header.e_shoff, first)) {
    if (sections == 0) sections = first.sh_size;
    if (segments == PN_XNUM) segments = first.sh_info;
  }
  if (sections > kMaxHeaders || segments > kMaxHeaders) {
    return fail("cannot read symbols of " + printable(path_), "it has too many headers");
  }
  if (!budget_->take_memory(sections * kMemoryOfSection + segments * sizeof(Elf64_Phdr), path_)) {
    return fail("cannot read symbols of " + printable(path_),
                "it is beyond the memory for all files");
  }
  return {};
}

Result<std::unique_ptr<ElfFile>> ElfFile::open(Fd file, std::string path,
                                               std::shared_ptr<DebugBudget> budget) {
  if (elf_version(EV_CURRENT) == EV_NONE) return elf_failure(path);
  if (budget == nullptr) budget = std::make_shared<DebugBudget>();
  std::unique_ptr<ElfFile> elf(new ElfFile(std::move(file), std::move(path), std::move(budget)));
  if (auto sound = elf->check_header(); !sound) return tl::unexpected<Error>(sound.error());
  elf->elf_.reset(elf_begin(elf->file_.get(), ELF_C_READ, nullptr));
  if (elf->elf_ == nullptr) return elf_failure(elf->path_);
  GElf_Ehdr header;
  if (elf_kind(elf->elf_.get()) != ELF_K_ELF || gelf_getehdr(elf->elf_.get(), &header) == nullptr ||
      gelf_getclass(elf->elf_.get()) != ELFCLASS64) {
    return fail("cannot read symbols of " + printable(elf->path_), "it is not a 64-bit ELF file");
  }
  if (auto status = elf->load_segments(); !status) return tl::unexpected<Error>(status.error());
  if (auto status = elf->load_sections(); !status) return tl::unexpected<Error>(status.error());
  elf->load_build_id();
  return elf;
}

Status ElfFile::load_segments() {
  std::size_t count = 0;
  if (elf_getphdrnum(elf_.get(), &count) != 0) return elf_failure(path_);
  for (std::size_t i = 0; i < std::min(count, kMaxHeaders); ++i) {
    GElf_Phdr header;
    if (gelf_getphdr(elf_.get(), static_cast<int>(i), &header) == nullptr) break;
    if (header.p_type != PT_LOAD || header.p_memsz == 0) continue;
    if (header.p_vaddr + header.p_memsz < header.p_vaddr ||
        header.p_offset + header.p_filesz < header.p_offset) {
      continue;
    }
    segments_.push_back({header.p_offset, header.p_vaddr, header.p_filesz, header.p_memsz,
                         (header.p_flags & PF_X) != 0, (header.p_flags & PF_W) != 0});
  }
  return {};
}

Status ElfFile::load_sections() {
  std::size_t count = 0;
  std::size_t names = 0;
  if (elf_getshdrnum(elf_.get(), &count) != 0) return elf_failure(path_);
  if (count == 0) return {};
  if (elf_getshdrstrndx(elf_.get(), &names) != 0) return elf_failure(path_);
  GElf_Shdr strings;
  const bool has_names = gelf_getshdr(elf_getscn(elf_.get(), names), &strings) != nullptr &&
                         strings.sh_size <= kMaxSectionNames &&
                         (strings.sh_flags & SHF_COMPRESSED) == 0 &&
                         budget_->take_memory(strings.sh_size, path_);
  for (std::size_t i = 0; i < std::min(count, kMaxHeaders); ++i) {
    GElf_Shdr header;
    Elf_Scn* section = elf_getscn(elf_.get(), i);
    if (section == nullptr || gelf_getshdr(section, &header) == nullptr) break;
    const char* name = has_names ? elf_strptr(elf_.get(), names, header.sh_name) : nullptr;
    sections_.push_back({name != nullptr ? name : "", i, header.sh_addr, header.sh_offset,
                         header.sh_size, header.sh_entsize, header.sh_type, header.sh_link,
                         header.sh_flags});
  }
  return {};
}

void ElfFile::load_build_id() {
  for (const ElfSection& section : sections_) {
    if (section.type != SHT_NOTE || !content(section, kMaxNote)) continue;
    Elf_Data* data = elf_getdata(elf_getscn(elf_.get(), section.index), nullptr);
    if (data == nullptr) continue;
    const auto bytes = static_cast<const char*>(data->d_buf);
    GElf_Nhdr note;
    std::size_t name = 0;
    std::size_t descriptor = 0;
    for (std::size_t at = 0, next = 0;
         (next = gelf_getnote(data, at, &note, &name, &descriptor)) > 0; at = next) {
      if (note.n_type == NT_GNU_BUILD_ID && note.n_namesz == sizeof("GNU") &&
          std::memcmp(bytes + name, "GNU", sizeof("GNU")) == 0) {
        build_id_.assign(bytes + descriptor, note.n_descsz);
        return;
      }
    }
  }
}

const ElfSection* ElfFile::section(std::string_view name) const {
  const auto found = std::find_if(sections_.begin(), sections_.end(),
                                  [&](const ElfSection& one) { return one.name == name; });
  return found != sections_.end() ? &*found : nullptr;
}

std::optional<std::string_view> ElfFile::content(const ElfSection& section,
                                                 std::uint64_t limit) const {
  if (section.type == SHT_NOBITS || section.size > limit || (section.flags & SHF_COMPRESSED) != 0) {
    return std::nullopt;
  }
  if (loaded_.size() <= section.index) loaded_.resize(section.index + 1);
  if (!loaded_[section.index]) {
    const bool symbols = section.type == SHT_SYMTAB || section.type == SHT_DYNSYM;
    if (!budget_->take_memory(section.size * (symbols ? kMemoryOfSymbols : 1), path_)) {
      return std::nullopt;
    }
    loaded_[section.index] = true;
  }
  Elf_Data* data = elf_getdata(elf_getscn(elf_.get(), section.index), nullptr);
  if (data == nullptr || data->d_buf == nullptr) return std::nullopt;
  return std::string_view(static_cast<const char*>(data->d_buf), data->d_size);
}

std::optional<DebugLink> ElfFile::debug_link() const {
  const ElfSection* found = section(".gnu_debuglink");
  if (found == nullptr) return std::nullopt;
  const auto bytes = content(*found, kMaxNote);
  if (!bytes) return std::nullopt;
  // The name, its NUL, padding to four bytes, the CRC in the file's byte order (here: little-endian
  // like everything we trace).
  const std::size_t length = bytes->find('\0');
  if (length == std::string_view::npos || length == 0) return std::nullopt;
  const std::size_t crc_at = (length + 1 + 3) & ~std::size_t{3};
  if (crc_at > bytes->size() || bytes->size() - crc_at < sizeof(std::uint32_t)) return std::nullopt;
  DebugLink link;
  link.file_name = bytes->substr(0, length);
  if (link.file_name.find('/') != std::string::npos) return std::nullopt;
  std::memcpy(&link.crc, bytes->data() + crc_at, sizeof(link.crc));
  return link;
}

std::optional<std::uint64_t> ElfFile::address_at(std::uint64_t offset, bool executable) const {
  std::optional<std::uint64_t> best;
  int best_rank = -1;
  for (const ElfSegment& segment : segments_) {
    // The kernel maps whole pages, so bytes around the segment are there too.
    const std::uint64_t start = page_of(segment.offset);
    const std::uint64_t end = page_of(segment.offset + segment.file_size + kPageSize - 1);
    if (offset < start || offset >= end) continue;
    const bool holds = offset >= segment.offset && offset - segment.offset < segment.file_size;
    const int rank = (segment.executable == executable ? 2 : 0) + (holds ? 1 : 0);
    if (rank <= best_rank) continue;
    best = offset - segment.offset + segment.address;
    best_rank = rank;
  }
  return best;
}

std::optional<std::uint64_t> ElfFile::find_symbol(std::string_view name) const {
  std::optional<std::uint64_t> address;
  for (const ElfSection& section : sections_) {
    if (section.type != SHT_DYNSYM && section.type != SHT_SYMTAB) continue;
    const auto visit = [&](const RawSymbol& raw) {
      if (raw.name == name) address = raw.symbol.st_value;
      return !address;
    };
    for_each_symbol(*this, section, visit);
    if (address) break;
  }
  return address;
}

}  // namespace cowtrace::process
