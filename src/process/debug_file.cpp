// SPDX-License-Identifier: Apache-2.0
#include "process/debug_file.h"

#include <vector>

namespace cowtrace::process {
namespace {

constexpr std::uint64_t kMaxAltLink = 65'536;

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

std::unique_ptr<ElfFile> opened(Result<Fd> file, const std::string& path, const ElfFile& of) {
  if (!file) return nullptr;
  auto elf = ElfFile::open(std::move(*file), path, of.budget());
  return elf ? std::move(*elf) : nullptr;
}

// Where the machine keeps debug files by their build ids: in the root of the process, and in our
// own.
std::unique_ptr<ElfFile> find_by_build_id(const std::string& build_id, const ElfFile& of,
                                          const FileRoot& root) {
  const std::string path = build_id_path(build_id);
  const FileRoot our_root;
  for (const FileRoot* place : {&root, &our_root}) {
    auto candidate = opened(place->open_regular_file(path), path, of);
    if (candidate != nullptr && candidate->build_id() == build_id) return candidate;
  }
  return nullptr;
}

// One of `paths`, which the file itself names: in the root of its process alone.
template <typename Matches>
std::unique_ptr<ElfFile> find_named(const std::vector<std::string>& paths, const ElfFile& of,
                                    const FileRoot& root, Matches&& matches) {
  for (const std::string& path : paths) {
    auto candidate = opened(root.open_named_file(path, of.file()), path, of);
    if (candidate != nullptr && matches(*candidate)) return candidate;
  }
  return nullptr;
}

std::unique_ptr<ElfFile> ask(DebugSource* source, const std::string& build_id, const ElfFile& of) {
  auto found = source != nullptr && !build_id.empty() ? source->find(build_id) : nullptr;
  if (found != nullptr) found->share(of.budget());
  return found;
}

}  // namespace

std::unique_ptr<ElfFile> find_debug_file(const ElfFile& elf, const FileRoot& root,
                                         DebugSource* source) {
  const std::string& build_id = elf.build_id();
  if (!build_id.empty()) {
    if (auto found = find_by_build_id(build_id, elf, root)) return found;
  }
  if (const auto link = elf.debug_link()) {
    const std::string directory = directory_of(elf.path());
    const std::vector<std::string> paths = {directory + link->file_name,
                                            directory + ".debug/" + link->file_name,
                                            "/usr/lib/debug" + directory + link->file_name};
    auto found = find_named(paths, elf, root, [&](const ElfFile& candidate) {
      if (!build_id.empty() && !candidate.build_id().empty()) {
        return build_id == candidate.build_id();
      }
      const auto crc = elf.budget()->checksum(candidate.file(), candidate.path());
      return crc && *crc == link->crc;
    });
    if (found != nullptr) return found;
  }
  return ask(source, build_id, elf);
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
  if (auto found = find_by_build_id(build_id, elf, root)) return found;
  const std::string path = name.starts_with('/') ? name : directory_of(elf.path()) + name;
  auto found = find_named({path}, elf, root, [&](const ElfFile& candidate) {
    return candidate.build_id() == build_id;
  });
  return found != nullptr ? std::move(found) : ask(source, build_id, elf);
}

}  // namespace cowtrace::process
