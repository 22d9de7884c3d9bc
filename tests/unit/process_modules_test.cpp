// SPDX-License-Identifier: Apache-2.0
// Finding the files that a process has mapped.
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <unistd.h>

#include <filesystem>

#include "process/elf_module.h"
#include "process/file_read.h"
#include "process/file_root.h"
#include "process/maps.h"
#include "support/test_program.h"

namespace cowtrace::process {
namespace {

// A copy of a program, mapped for execution by this process.
class MappedCopy {
 public:
  explicit MappedCopy(const std::string& path) {
    std::filesystem::copy_file("/proc/self/exe", path);
    const auto file = open_regular(path);
    start_ = ::mmap(nullptr, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE, file->get(), 0);
  }
  MappedCopy(const MappedCopy&) = delete;
  MappedCopy& operator=(const MappedCopy&) = delete;
  ~MappedCopy() { ::munmap(start_, 4096); }
  [[nodiscard]] MapsEntry entry() const {
    const auto maps = read_maps(::getpid());
    return *find_mapping(*maps, reinterpret_cast<std::uint64_t>(start_));
  }

 private:
  void* start_;
};

TEST(MappedFile, ReplacedFilesAreRefused) {
  const test::ScratchDirectory scratch;
  const std::string path = scratch.file("lib.so");
  const MappedCopy copy(path);
  const MapsEntry entry = copy.entry();
  EXPECT_EQ(entry.path, path);
  EXPECT_TRUE(open_mapped_file(entry, FileRoot(), std::nullopt));

  // Another file takes the name; the old one still exists, so its inode is not free.
  std::filesystem::rename(path, scratch.file("old.so"));
  test::write_file(path, "another file");
  const auto replaced = open_mapped_file(entry, FileRoot(), std::nullopt);
  ASSERT_FALSE(replaced);
  EXPECT_EQ(replaced.error().why, "file is gone (another one has its name)");
  if (::geteuid() == 0) {
    EXPECT_TRUE(open_mapped_file(entry, FileRoot(), ::getpid()));
  }
}

TEST(MappedFile, DeletedFilesAreFoundWhileMapped) {
  if (::geteuid() != 0) GTEST_SKIP() << "/proc/PID/map_files needs privileges";
  const test::ScratchDirectory scratch;
  const std::string path = scratch.file("lib.so");
  const MappedCopy copy(path);
  std::filesystem::remove(path);
  const MapsEntry entry = copy.entry();
  EXPECT_TRUE(entry.deleted);
  EXPECT_FALSE(open_mapped_file(entry, FileRoot(), std::nullopt));
  EXPECT_TRUE(open_mapped_file(entry, FileRoot(), ::getpid()));

  ModuleCache cache;
  EXPECT_EQ(cache.open(entry, std::nullopt)->why_unavailable(), "file is gone (deleted)");
  const auto module = cache.open(entry, ::getpid());
  EXPECT_NE(module->elf(), nullptr);
  EXPECT_EQ(cache.open(entry, std::nullopt), module) << "known and open: shared by all processes";
  EXPECT_EQ(cache.size(), 1u);
}

TEST(MappedFile, RootsAreSeenFromInside) {
  const auto root = FileRoot::of_process(::getpid());
  ASSERT_TRUE(root) << root.error().message();
  EXPECT_TRUE(root->open_regular_file("/proc/self/stat") ||
              root->open_regular_file(std::filesystem::read_symlink("/proc/self/exe")));
  EXPECT_FALSE(root->open_regular_file("/dev/zero"));
  EXPECT_FALSE(root->open_regular_file("[heap]"));
  EXPECT_FALSE(root->open_regular_file("relative"));
  EXPECT_FALSE(FileRoot::of_process(0x7ffffff0));
}

}  // namespace
}  // namespace cowtrace::process
