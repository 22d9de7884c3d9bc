// SPDX-License-Identifier: Apache-2.0
#include "process/debug_file.h"

#include <unistd.h>

#include <array>
#include <cerrno>
#include <vector>

namespace cowtrace::process {
namespace {

constexpr std::uint64_t kMaxChecked = std::uint64_t{4} * 1024 * 1024 * 1024;
constexpr std::uint64_t kMaxAltLink = 65'536;

constexpr std::array<std::uint32_t, 256> crc_table() {
  std::array<std::uint32_t, 256> table = {};
  for (std::uint32_t i = 0; i < table.size(); ++i) {
    std::uint32_t value = i;
    for (int bit = 0; bit < 8; ++bit) value = (value >> 1) ^ ((value & 1) != 0 ? 0xEDB88320 : 0);
    table[i] = value;
  }
  return table;
}

std::string build_id_path(std::string_view build_id) {
  if (build_id.size() < 2) return {};
  constexpr std::string_view kDigits = "0123456789abcdef";
  std::string path = "/usr/lib/debug/.build-id/";
  for (std::size_t i = 0; i < build_id.size(); ++i) {
    const auto byte = static_cast<unsigned char>(build_id[i]);
    path += kDigits[byte >> 4];
    path += kDigits[byte & 15];
    if (i == 0) path += '/';
  }
  return path + ".debug";
}

std::string directory_of(const std::string& path) {
  return path.substr(0, path.rfind('/') + 1);
}

std::unique_ptr<ElfFile> try_open(const FileRoot& root, const std::string& path) {
  auto file = root.open_regular_file(path);
  if (!file) return nullptr;
  auto elf = ElfFile::open(std::move(*file), path);
  return elf ? std::move(*elf) : nullptr;
}

template <typename Matches>
std::unique_ptr<ElfFile> first_match(const std::vector<std::string>& paths, const FileRoot& root,
                                     Matches&& matches) {
  const FileRoot our_root;
  for (const FileRoot* place : {&root, &our_root}) {
    for (const std::string& path : paths) {
      auto candidate = try_open(*place, path);
      if (candidate != nullptr && matches(*candidate)) return candidate;
    }
  }
  return nullptr;
}

}  // namespace

Result<std::uint32_t> debug_link_crc(int file) {
  static constexpr auto kTable = crc_table();
  std::vector<unsigned char> block(262'144);
  std::uint32_t crc = 0xFFFFFFFF;
  for (std::uint64_t offset = 0;;) {
    const ssize_t got = ::pread(file, block.data(), block.size(), static_cast<off_t>(offset));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return fail_errno("cannot check a debug file", errno);
    if (got == 0) return ~crc;
    for (ssize_t i = 0; i < got; ++i) {
      crc = (crc >> 8) ^ kTable[(crc ^ block[static_cast<std::size_t>(i)]) & 0xFF];
    }
    offset += static_cast<std::uint64_t>(got);
    if (offset > kMaxChecked) return fail("cannot check a debug file", "it is too large");
  }
}

std::unique_ptr<ElfFile> find_debug_file(const ElfFile& elf, const FileRoot& root,
                                         DebugSource* source) {
  std::vector<std::string> paths;
  const auto link = elf.debug_link();
  if (!elf.build_id().empty()) paths.push_back(build_id_path(elf.build_id()));
  if (link) {
    const std::string directory = directory_of(elf.path());
    paths.push_back(directory + link->file_name);
    paths.push_back(directory + ".debug/" + link->file_name);
    paths.push_back("/usr/lib/debug" + directory + link->file_name);
  }
  auto found = first_match(paths, root, [&](const ElfFile& candidate) {
    if (!elf.build_id().empty() && !candidate.build_id().empty()) {
      return elf.build_id() == candidate.build_id();
    }
    if (!link) return false;
    const auto crc = debug_link_crc(candidate.file());
    return crc && *crc == link->crc;
  });
  if (found != nullptr || source == nullptr || elf.build_id().empty()) return found;
  return source->find(elf.build_id());
}

std::unique_ptr<ElfFile> find_alternate_debug_file(const ElfFile& elf, const FileRoot& root,
                                                   DebugSource* source) {
  const ElfSection* section = elf.section(".gnu_debugaltlink");
  if (section == nullptr) return nullptr;
  const auto bytes = elf.content(*section, kMaxAltLink);
  if (!bytes) return nullptr;
  const std::size_t length = bytes->find('\0');
  if (length == std::string_view::npos) return nullptr;
  const std::string name(bytes->substr(0, length));
  const std::string build_id(bytes->substr(length + 1));
  if (build_id.empty()) return nullptr;
  const std::vector<std::string> paths = {
      build_id_path(build_id), name.starts_with('/') ? name : directory_of(elf.path()) + name};
  auto found = first_match(
      paths, root, [&](const ElfFile& candidate) { return candidate.build_id() == build_id; });
  if (found != nullptr || source == nullptr) return found;
  return source->find(build_id);
}

}  // namespace cowtrace::process
