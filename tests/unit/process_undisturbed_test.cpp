// SPDX-License-Identifier: Apache-2.0
// The promise that everything else rests on: reading a process gives it no frames of its own. A
// child shares 256 pages with the test; each reader reads the child; every frame must be the one it
// was.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <memory>
#include <vector>

#include "base/units.h"
#include "objects/captured_resolver.h"
#include "objects/registry_reader.h"
#include "process/frame_snapshot.h"
#include "process/maps.h"
#include "process/pagemap.h"
#include "process/proc_files.h"
#include "process/remote_memory.h"
#include "support/forked_child.h"

#include <cowtrace/objects.h>

namespace cowtrace::process {
namespace {

constexpr std::size_t kPages = 256;

class Undisturbed : public ::testing::Test {
 protected:
  void SetUp() override {
    if (::geteuid() != 0) GTEST_SKIP() << "frames are hidden without CAP_SYS_ADMIN";
    memory_ = static_cast<char*>(::mmap(nullptr, kPages * kPageSize, PROT_READ | PROT_WRITE,
                                        MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
    ASSERT_NE(memory_, MAP_FAILED);
    ::madvise(memory_, kPages * kPageSize, MADV_NOHUGEPAGE);
    for (std::size_t i = 0; i < kPages; ++i) {
      std::memset(memory_ + i * kPageSize, static_cast<int>(i), kPageSize);
    }
    COWTRACE_OBJECT(*memory_);
    child_ = std::make_unique<test::ForkedChild>();
    before_ = frames();
    for (std::size_t i = 0; i < kPages; ++i) {
      ASSERT_TRUE(before_[i].present() && !before_[i].exclusive()) << i;
    }
  }

  void TearDown() override {
    child_.reset();
    if (memory_ == nullptr) return;
    cowtrace_unregister(memory_);
    ::munmap(memory_, kPages * kPageSize);
  }

  [[nodiscard]] std::uint64_t address() const { return reinterpret_cast<std::uint64_t>(memory_); }

  // The child's shared pages, and the page of the registry.
  [[nodiscard]] std::vector<PageEntry> frames() const {
    std::vector<std::uint64_t> raw(kPages);
    const auto pagemap = Pagemap::open(child_->pid());
    EXPECT_TRUE(pagemap && pagemap->read(address() / kPageSize, raw).value_or(0) == kPages);
    std::vector<PageEntry> entries;
    for (const std::uint64_t one : raw) entries.push_back({one});
    std::uint64_t registry = 0;
    const std::uint64_t page = reinterpret_cast<std::uint64_t>(&cowtrace_first_chunk) / kPageSize;
    EXPECT_EQ(pagemap->read(page, std::span(&registry, 1)).value_or(0), 1u);
    entries.push_back({registry});
    return entries;
  }

  [[nodiscard]] std::size_t changed() const {
    const auto now = frames();
    std::size_t count = 0;
    for (std::size_t i = 0; i < now.size(); ++i)
      count += now[i].frame() == before_[i].frame() ? 0 : 1;
    return count;
  }

  char* memory_ = nullptr;
  std::unique_ptr<test::ForkedChild> child_;
  std::vector<PageEntry> before_;
};

TEST_F(Undisturbed, ByProcMem) {
  auto memory = ProcMem::open(child_->pid());
  ASSERT_TRUE(memory) << memory.error().message();
  std::vector<std::byte> copy(kPages * kPageSize);
  ASSERT_TRUE(memory->read_exact(address(), copy));
  EXPECT_EQ(std::memcmp(copy.data(), memory_, copy.size()), 0);
  EXPECT_EQ(memory->absent_pages(), 0u);
  EXPECT_EQ(changed(), 0u);
}

TEST_F(Undisturbed, ByTheRegistryReader) {
  ModuleCache modules;
  const auto contents = objects::read_registries(child_->pid(), modules);
  ASSERT_TRUE(contents) << contents.error().message();
  EXPECT_TRUE(std::any_of(contents->objects.begin(), contents->objects.end(),
                          [&](const model::Object& one) { return one.address == address(); }));
  EXPECT_EQ(changed(), 0u);
}

TEST_F(Undisturbed, ByMapsAndTheOtherFiles) {
  ASSERT_TRUE(read_maps(child_->pid()));
  ASSERT_TRUE(read_cmdline(child_->pid()));
  ASSERT_TRUE(read_comm(child_->pid()));
  ASSERT_TRUE(read_stat(child_->pid()));
  EXPECT_EQ(changed(), 0u);
}

TEST_F(Undisturbed, BySnapshots) {
  const auto snapshot = FrameSnapshot::take(child_->pid(), {});
  ASSERT_TRUE(snapshot) << snapshot.error().message();
  for (std::size_t i = 0; i < kPages; ++i) {
    ASSERT_EQ(snapshot->frame_at(address() + i * kPageSize), before_[i]) << i;
  }
  EXPECT_EQ(changed(), 0u);
}

TEST_F(Undisturbed, ByScans) {
  const auto pagemap = Pagemap::open(child_->pid());
  ASSERT_TRUE(pagemap);
  std::vector<PageRange> ranges;
  const std::uint64_t first = address() / kPageSize;
  ASSERT_TRUE(pagemap->scan_present({first, first + kPages}, ranges));
  EXPECT_EQ(changed(), 0u);
}

TEST_F(Undisturbed, ByNamingItsCode) {
  objects::CapturedResolver resolver;
  resolver.add_space(model::SpaceId(1), child_->pid(), *read_maps(child_->pid()));
  const auto frames =
      resolver.frames_at(model::SpaceId(1), reinterpret_cast<std::uint64_t>(&read_maps), false, 0);
  ASSERT_FALSE(frames.empty());
  EXPECT_EQ(changed(), 0u);
}

// The tests above would also pass if frames could not be seen to change: this one shows that they
// can.
TEST_F(Undisturbed, ButWritesAreSeen) {
  Fd file(::open(("/proc/" + std::to_string(child_->pid()) + "/mem").c_str(), O_RDWR | O_CLOEXEC));
  ASSERT_TRUE(file);
  const char value = 1;
  ASSERT_EQ(::pwrite(file.get(), &value, 1, static_cast<off_t>(address())), 1);
  EXPECT_EQ(changed(), 1u);
}

TEST(ProcMem, ReadsWhatIsThereOnly) {
  auto memory = ProcMem::open(::getpid());
  ASSERT_TRUE(memory) << memory.error().message();
  auto* pages = static_cast<char*>(
      ::mmap(nullptr, 4 * kPageSize, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
  ASSERT_NE(pages, MAP_FAILED);
  ::madvise(pages, 4 * kPageSize, MADV_NOHUGEPAGE);
  std::memset(pages, 'x', kPageSize);
  std::memset(pages + 2 * kPageSize, 'y', 2 * kPageSize);
  const auto at = reinterpret_cast<std::uint64_t>(pages);

  std::vector<std::byte> copy(4 * kPageSize);
  EXPECT_EQ(*memory->read(at + 100, copy), kPageSize - 100);
  EXPECT_EQ(*memory->read(at + 2 * kPageSize, std::span(copy).first(8192)), 2 * kPageSize);
  EXPECT_EQ(copy[8191], std::byte{'y'});
  EXPECT_FALSE(memory->read(at + kPageSize, copy));
  EXPECT_FALSE(memory->read_exact(at, copy));
  EXPECT_GE(memory->absent_pages(), 3u);
  EXPECT_EQ(memory->read_value<char>(at + 5).value_or('?'), 'x');
  EXPECT_FALSE(memory->read_value<char>(UINT64_MAX));
  EXPECT_FALSE(memory->read(UINT64_MAX - 10, copy));
  EXPECT_EQ(*memory->read(at, {}), 0u);

  std::memcpy(pages + kPageSize - 6, "hello", 6);
  EXPECT_EQ(memory->read_string(at + kPageSize - 6, 100).value_or("?"), "hello");
  EXPECT_EQ(memory->read_string(at + kPageSize - 6, 3).value_or("?"), "hel");
  EXPECT_FALSE(memory->read_string(at + kPageSize, 10));
  ::munmap(pages, 4 * kPageSize);
}

}  // namespace
}  // namespace cowtrace::process
