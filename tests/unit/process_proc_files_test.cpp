// SPDX-License-Identifier: Apache-2.0
#include "process/maps.h"
#include "process/proc_files.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <thread>

#include "base/units.h"
#include "process/file_read.h"
#include "support/forked_child.h"

namespace cowtrace::process {
namespace {

TEST(ProcFiles, ListsThreads) {
  pid_t other = 0;
  std::thread([&] {
    other = ::gettid();
    const auto threads = list_threads(::getpid());
    ASSERT_TRUE(threads) << threads.error().message();
    EXPECT_TRUE(std::binary_search(threads->begin(), threads->end(), other));
    EXPECT_TRUE(std::binary_search(threads->begin(), threads->end(), ::getpid()));
  }).join();
  EXPECT_FALSE(list_threads(0x7ffffff0));
  const auto processes = list_processes();
  ASSERT_TRUE(processes);
  EXPECT_TRUE(std::binary_search(processes->begin(), processes->end(), ::getpid()));
}

TEST(ProcFiles, TellsWhoAProcessIs) {
  const test::ForkedChild child;
  const auto stat = read_stat(child.pid());
  ASSERT_TRUE(stat) << stat.error().message();
  EXPECT_EQ(stat->parent, ::getpid());
  EXPECT_GE(stat->start_ticks, read_stat(::getpid())->start_ticks);
  EXPECT_EQ(*read_comm(child.pid()), *read_comm(::getpid()));
  EXPECT_EQ(*read_cmdline(child.pid()), *read_cmdline(::getpid()));
  EXPECT_FALSE(read_cmdline(child.pid())->empty());
  EXPECT_EQ(*read_exe(child.pid()), std::filesystem::read_symlink("/proc/self/exe").string());
}

TEST(ProcFiles, CountsAnonymousPages) {
  const auto before = read_anonymous_pages(::getpid());
  ASSERT_TRUE(before);
  const std::vector<char> memory(64 * 1024 * 1024, 1);
  const auto after = read_anonymous_pages(::getpid());
  ASSERT_TRUE(after);
  EXPECT_GE(*after, *before + memory.size() / 4096 / 2) << "the kernel batches its counters";
  EXPECT_FALSE(read_anonymous_pages(0x7ffffff0));
}

TEST(ProcFiles, StatSurvivesHostileNames) {
  const auto stat =
      parse_stat("12 (a) R 9 (b) S 34 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 777 23 24\n");
  ASSERT_TRUE(stat) << stat.error().message();
  EXPECT_EQ(stat->state, 'S');
  EXPECT_EQ(stat->parent, 34);
  EXPECT_EQ(stat->flags, 9u);
  EXPECT_EQ(stat->start_ticks, 777u);
  for (const char* text :
       {"", ")", "1 (x", "1 (x) S", "1 (x) S y", "1 (x) S 1 2 3", "1 (x) SS 1"}) {
    EXPECT_FALSE(parse_stat(text)) << text;
  }
  EXPECT_EQ(boot_ticks(1'000'000'000), static_cast<std::uint64_t>(::sysconf(_SC_CLK_TCK)));
}

TEST(ProcFiles, ProgramsHaveAPlace) {
  // Fields 26 and 28 of man 5 proc.
  const auto place = parse_program_place(
      "12 (a) R 9 (b) S 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22 23 24 25 2600 27 2800 "
      "29\n");
  ASSERT_TRUE(place) << place.error().message();
  EXPECT_EQ(place->start_code, 2600u);
  EXPECT_EQ(place->start_stack, 2800u);
  const auto ours = read_program_place(::getpid());
  ASSERT_TRUE(ours);
  const int local = 0;
  EXPECT_GT(ours->start_stack, reinterpret_cast<std::uint64_t>(&local)) << "stacks grow down";
  const auto maps = read_maps(::getpid());
  ASSERT_TRUE(maps);
  const MapsEntry* code = find_mapping(*maps, ours->start_code);
  ASSERT_NE(code, nullptr);
  EXPECT_EQ(code->path, *read_exe(::getpid()));
  for (const char* text : {"", ")", "1 (x", "1 (x) S 1 2 3"})
    EXPECT_FALSE(parse_program_place(text)) << text;
  EXPECT_FALSE(read_program_place(0x7ffffff0));
}

TEST(ProcFiles, ExecutablePages) {
  const auto pages = parse_executable_pages(
      "Name:\tx\nVmData:\t     100 kB\nVmExe:\t      16 kB\nVmLib:\t    2000 kB\nVmPTE:\t      84 "
      "kB\n");
  ASSERT_TRUE(pages) << pages.error().message();
  EXPECT_EQ(*pages, 504u);
  for (const char* text :
       {"", "\nVmExe:\t16 kB\n", "\nVmExe:\t16 kB\nVmLib:", "\nVmExe: x kB\nVmLib: 8 kB",
        "\nVmExe: 18446744073709551615 kB\nVmLib: 4 kB"})
    EXPECT_FALSE(parse_executable_pages(text)) << text;
  // As the maps have it; and more when there is more.
  const auto of_maps = [] {
    const auto maps = read_maps(::getpid());
    std::uint64_t sum = 0;
    for (const MapsEntry& entry : maps.value())
      if (entry.executable() && !entry.writable() && entry.path != "[vsyscall]")
        sum += (entry.end - entry.start) / kPageSize;
    return sum;
  };
  const auto before = read_executable_pages(::getpid());
  ASSERT_TRUE(before);
  EXPECT_EQ(*before, of_maps());
  void* code =
      ::mmap(nullptr, 7 * kPageSize, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  ASSERT_NE(code, MAP_FAILED);
  EXPECT_EQ(*read_executable_pages(::getpid()), *before + 7);
  ::munmap(code, 7 * kPageSize);
  EXPECT_FALSE(read_executable_pages(0x7ffffff0));
}

TEST(ProcFiles, RunDelayIsTheSecondNumberOfSchedstat) {
  EXPECT_EQ(*parse_run_delay("1234 5678 9\n"), 5678u);
  EXPECT_FALSE(parse_run_delay("1234\n"));
  EXPECT_FALSE(parse_run_delay(""));
  const auto own = read_run_delay(::getpid());
  ASSERT_TRUE(own);
  EXPECT_GE(*read_run_delay(::getpid()), *own);
  EXPECT_FALSE(read_run_delay(0x7ffffff0));
}

TEST(FileRead, IsBounded) {
  EXPECT_FALSE(read_whole_file("/dev/zero", 1024 * 1024));
  EXPECT_FALSE(read_whole_file("/proc/self/no-such-file", 1024));
  const auto maps = read_whole_file("/proc/self/maps", 16 * 1024 * 1024);
  ASSERT_TRUE(maps);
  EXPECT_TRUE(maps->ends_with('\n'));
}

TEST(FileRead, OpensRegularFilesOnly) {
  const std::string fifo = ::testing::TempDir() + "/cowtrace-fifo-" + std::to_string(::getpid());
  ASSERT_EQ(::mkfifo(fifo.c_str(), 0600), 0);
  const auto opened = open_regular(fifo);
  ::unlink(fifo.c_str());
  ASSERT_FALSE(opened);
  EXPECT_EQ(opened.error().why, "it is not a regular file");
  EXPECT_FALSE(open_regular("/dev/zero"));
  EXPECT_FALSE(open_regular("/"));
  EXPECT_TRUE(open_regular("/proc/self/exe"));
}

}  // namespace
}  // namespace cowtrace::process
