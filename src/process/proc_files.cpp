// SPDX-License-Identifier: Apache-2.0
#include "process/proc_files.h"

#include <dirent.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <climits>
#include <memory>

#include "base/units.h"
#include "process/file_read.h"

namespace cowtrace::process {
namespace {

constexpr std::size_t kSmallFile = 65'536;
constexpr std::size_t kCommandLine = 4'194'304;  // ARG_MAX allows 6 MiB with environment

std::string path_of(pid_t pid, std::string_view file) {
  return "/proc/" + std::to_string(pid) + "/" + std::string(file);
}

template <typename Number>
bool parse_number(std::string_view text, Number& number) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  return error == std::errc() && end == text.data() + text.size();
}

Result<std::vector<pid_t>> list_numbers(const std::string& path) {
  const std::unique_ptr<DIR, int (*)(DIR*)> directory(::opendir(path.c_str()), ::closedir);
  if (directory == nullptr) return fail_errno("cannot list " + path, errno);
  std::vector<pid_t> numbers;
  while (const dirent* entry = ::readdir(directory.get())) {
    pid_t number = 0;
    if (parse_number(std::string_view(entry->d_name), number) && number > 0) {
      numbers.push_back(number);
    }
  }
  std::sort(numbers.begin(), numbers.end());
  return numbers;
}

std::string_view next_word(std::string_view& text) {
  text.remove_prefix(std::min(text.find_first_not_of(" \n"), text.size()));
  const std::string_view word = text.substr(0, text.find_first_of(" \n"));
  text.remove_prefix(word.size());
  return word;
}

}  // namespace

Result<std::vector<pid_t>> list_threads(pid_t pid) {
  return list_numbers(path_of(pid, "task"));
}

Result<std::vector<pid_t>> list_processes() {
  return list_numbers("/proc");
}

Result<std::string> read_comm(pid_t pid) {
  auto text = read_whole_file(path_of(pid, "comm"), kSmallFile);
  if (text && text->ends_with('\n')) text->pop_back();
  return text;
}

Result<std::vector<std::string>> read_cmdline(pid_t pid) {
  const auto text = read_whole_file(path_of(pid, "cmdline"), kCommandLine);
  if (!text) return tl::unexpected<Error>(text.error());
  std::vector<std::string> words;
  std::string_view rest = *text;
  while (!rest.empty()) {
    const std::size_t end = std::min(rest.find('\0'), rest.size());
    words.emplace_back(rest.substr(0, end));
    rest.remove_prefix(std::min(end + 1, rest.size()));
  }
  return words;
}

Result<std::string> read_exe(pid_t pid) {
  const std::string path = path_of(pid, "exe");
  std::array<char, PATH_MAX> target = {};
  const ssize_t length = ::readlink(path.c_str(), target.data(), target.size());
  if (length < 0) return fail_errno("cannot read " + path, errno);
  return std::string(target.data(), static_cast<std::size_t>(length));
}

Result<ProcStat> parse_stat(std::string_view text) {
  // The command name may hold spaces and parentheses: the fields start after the last ')'.
  const std::size_t name_end = text.rfind(')');
  if (name_end == std::string_view::npos) return fail("cannot parse /proc/PID/stat", "no ')'");
  std::string_view rest = text.substr(name_end + 1);
  ProcStat stat;
  const std::string_view state = next_word(rest);
  if (state.size() != 1) return fail("cannot parse /proc/PID/stat", "no state");
  stat.state = state[0];
  if (!parse_number(next_word(rest), stat.parent)) {
    return fail("cannot parse /proc/PID/stat", "no parent");
  }
  constexpr int kFieldsBetweenParentAndFlags = 4, kFieldsBetweenFlagsAndStart = 12;
  for (int i = 0; i < kFieldsBetweenParentAndFlags; ++i) next_word(rest);
  if (!parse_number(next_word(rest), stat.flags))
    return fail("cannot parse /proc/PID/stat", "no flags");
  for (int i = 0; i < kFieldsBetweenFlagsAndStart; ++i) next_word(rest);
  if (!parse_number(next_word(rest), stat.start_ticks)) {
    return fail("cannot parse /proc/PID/stat", "no start time");
  }
  return stat;
}

Result<ProcStat> read_stat(pid_t pid) {
  const auto text = read_whole_file(path_of(pid, "stat"), kSmallFile);
  if (!text) return tl::unexpected<Error>(text.error());
  return parse_stat(*text);
}

Result<ProgramPlace> parse_program_place(std::string_view text) {
  const std::size_t name_end = text.rfind(')');
  if (name_end == std::string_view::npos) return fail("cannot parse /proc/PID/stat", "no ')'");
  std::string_view rest = text.substr(name_end + 1);
  ProgramPlace place;
  // The first word behind the name is field 3 (man 5 proc).
  constexpr int kStartCode = 26;
  for (int field = 3; field < kStartCode; ++field) next_word(rest);
  const bool has_code = parse_number(next_word(rest), place.start_code);
  next_word(rest);
  if (!has_code || !parse_number(next_word(rest), place.start_stack)) {
    return fail("cannot parse /proc/PID/stat", "no addresses");
  }
  return place;
}

Result<ProgramPlace> read_program_place(pid_t pid) {
  const auto text = read_whole_file(path_of(pid, "stat"), kSmallFile);
  if (!text) return tl::unexpected<Error>(text.error());
  return parse_program_place(*text);
}

Result<std::uint64_t> parse_run_delay(std::string_view schedstat) {
  std::uint64_t ran = 0, waited = 0;
  if (!parse_number(next_word(schedstat), ran) || !parse_number(next_word(schedstat), waited))
    return fail("cannot parse /proc/PID/schedstat", "no two numbers");
  return waited;
}

Result<std::uint64_t> read_run_delay(pid_t tid) {
  const auto text = read_whole_file(path_of(tid, "schedstat"), kSmallFile);
  if (!text) return tl::unexpected<Error>(text.error());
  return parse_run_delay(*text);
}

Result<std::uint64_t> parse_executable_pages(std::string_view status) {
  std::uint64_t sum = 0;
  for (const std::string_view field :
       {std::string_view("\nVmExe:"), std::string_view("\nVmLib:")}) {
    const std::size_t at = status.find(field);
    if (at == std::string_view::npos)
      return fail("cannot parse /proc/PID/status", "a field is missing");
    std::string_view rest = status.substr(at + field.size());
    rest.remove_prefix(std::min(rest.find_first_not_of(" \t"), rest.size()));
    std::uint64_t kibibytes = 0;
    if (!parse_number(rest.substr(0, rest.find(' ')), kibibytes) || kibibytes > UINT64_MAX / 4)
      return fail("cannot parse /proc/PID/status", "no number");
    sum += kibibytes;
  }
  return sum / (kPageSize / 1024);
}

Result<std::uint64_t> read_executable_pages(pid_t pid) {
  const auto text = read_whole_file(path_of(pid, "status"), kSmallFile);
  if (!text) return tl::unexpected<Error>(text.error());
  return parse_executable_pages(*text);
}

Result<std::uint64_t> read_anonymous_pages(pid_t pid) {
  const auto text = read_whole_file(path_of(pid, "statm"), kSmallFile);
  if (!text) return tl::unexpected<Error>(text.error());
  std::string_view rest = *text;
  std::uint64_t resident = 0;
  std::uint64_t shared = 0;  // with files and with shared memory
  next_word(rest);
  if (!parse_number(next_word(rest), resident) || !parse_number(next_word(rest), shared)) {
    return fail("cannot parse /proc/PID/statm", "no numbers");
  }
  return resident > shared ? resident - shared : 0;
}

std::uint64_t boot_ticks(std::uint64_t boot_ns) {
  const long per_second = ::sysconf(_SC_CLK_TCK);
  return boot_ns / (1'000'000'000 / static_cast<std::uint64_t>(per_second > 0 ? per_second : 100));
}

}  // namespace cowtrace::process
