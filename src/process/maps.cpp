// SPDX-License-Identifier: Apache-2.0
#include "process/maps.h"

#include <sys/sysmacros.h>

#include <algorithm>
#include <charconv>

#include "base/units.h"
#include "process/file_read.h"

namespace cowtrace::process {
namespace {

constexpr std::size_t kMaxBytes = std::size_t{256} * 1024 * 1024;
constexpr std::size_t kMaxEntries = 1'000'000;  // vm.max_map_count is 65,530 unless raised

// Reads one line from left to right; after a mismatch every further step fails too.
class LineScanner {
 public:
  explicit LineScanner(std::string_view line) : rest_(line) {}

  std::uint64_t number(int base) {
    std::uint64_t value = 0;
    const auto [end, error] =
        std::from_chars(rest_.data(), rest_.data() + rest_.size(), value, base);
    if (error != std::errc()) ok_ = false;
    if (ok_) rest_.remove_prefix(static_cast<std::size_t>(end - rest_.data()));
    return value;
  }
  void expect(char wanted) { ok_ = take() == wanted && ok_; }
  char one_of(std::string_view allowed) {
    const char found = take();
    ok_ = ok_ && allowed.find(found) != std::string_view::npos;
    return found;
  }
  [[nodiscard]] std::string_view rest() const { return rest_; }
  [[nodiscard]] bool ok() const { return ok_; }

 private:
  char take() {
    if (rest_.empty()) {
      ok_ = false;
      return '\0';
    }
    const char first = rest_.front();
    rest_.remove_prefix(1);
    return first;
  }

  std::string_view rest_;
  bool ok_ = true;
};

// The kernel escapes nothing but the newline here (mangle_path with "\n"), not even the backslash.
std::string decode_path(std::string_view text) {
  constexpr std::string_view kNewline = "\\012";
  std::string path;
  path.reserve(text.size());
  while (!text.empty()) {
    const std::size_t escape = text.find(kNewline);
    path += text.substr(0, escape);
    if (escape == std::string_view::npos) break;
    path += '\n';
    text.remove_prefix(escape + kNewline.size());
  }
  return path;
}

bool parse_line(std::string_view line, MapsEntry& entry) {
  LineScanner scan(line);
  entry.start = scan.number(16);
  scan.expect('-');
  entry.end = scan.number(16);
  scan.expect(' ');
  entry.perms = {scan.one_of("r-"), scan.one_of("w-"), scan.one_of("x-"), scan.one_of("ps")};
  scan.expect(' ');
  entry.offset = scan.number(16);
  scan.expect(' ');
  const std::uint64_t device_major = scan.number(16);
  scan.expect(':');
  const std::uint64_t device_minor = scan.number(16);
  scan.expect(' ');
  entry.inode = scan.number(10);
  if (!scan.ok() || device_major > UINT32_MAX || device_minor > UINT32_MAX) return false;
  if (entry.start >= entry.end || entry.start % kPageSize != 0 || entry.end % kPageSize != 0) {
    return false;
  }
  entry.device = makedev(static_cast<unsigned>(device_major), static_cast<unsigned>(device_minor));

  std::string_view path = scan.rest();
  if (!path.empty() && path.front() != ' ') return false;
  path.remove_prefix(std::min(path.find_first_not_of(' '), path.size()));
  constexpr std::string_view kDeleted = " (deleted)";
  if (entry.inode != 0 && path.ends_with(kDeleted)) {
    entry.deleted = true;
    path.remove_suffix(kDeleted.size());
  }
  entry.path = decode_path(path);
  return true;
}

}  // namespace

Result<std::vector<MapsEntry>> parse_maps(std::string_view text) {
  std::vector<MapsEntry> maps;
  std::size_t line_number = 0;
  while (!text.empty()) {
    ++line_number;
    const std::size_t length = std::min(text.find('\n'), text.size());
    MapsEntry entry;
    const auto where = [&] { return "line " + std::to_string(line_number); };
    if (!parse_line(text.substr(0, length), entry)) {
      return fail("cannot parse /proc/PID/maps", where() + " is not a mapping");
    }
    if (!maps.empty() && entry.start < maps.back().end) {
      return fail("cannot parse /proc/PID/maps", where() + " goes backwards");
    }
    if (maps.size() == kMaxEntries) {
      return fail("cannot parse /proc/PID/maps",
                  "more than " + human_count(kMaxEntries) + " mappings");
    }
    maps.push_back(std::move(entry));
    text.remove_prefix(std::min(length + 1, text.size()));
  }
  return maps;
}

Result<std::vector<MapsEntry>> read_maps(pid_t pid) {
  const auto text = read_whole_file("/proc/" + std::to_string(pid) + "/maps", kMaxBytes);
  if (!text) return tl::unexpected<Error>(text.error());
  return parse_maps(*text);
}

const MapsEntry* find_mapping(std::span<const MapsEntry> maps, std::uint64_t address) {
  const auto after =
      std::upper_bound(maps.begin(), maps.end(), address,
                       [](std::uint64_t at, const MapsEntry& entry) { return at < entry.start; });
  if (after == maps.begin()) return nullptr;
  const MapsEntry& candidate = *std::prev(after);
  return address < candidate.end ? &candidate : nullptr;
}

}  // namespace cowtrace::process
