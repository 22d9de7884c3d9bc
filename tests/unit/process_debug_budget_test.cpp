// SPDX-License-Identifier: Apache-2.0
// What files of traced processes may cost, with files that are made to cost much.
#include "process/debug_budget.h"

#include <elf.h>
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>
#include <zlib.h>

#include <algorithm>
#include <array>
#include <cstring>

#include "process/debug_file.h"
#include "process/dwarf_info.h"
#include "process/elf_imports.h"
#include "process/elf_module.h"
#include "process/file_read.h"
#include "process/symbolizer.h"
#include "support/test_program.h"

namespace cowtrace::process {
namespace {

using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

constexpr std::uint64_t kMiB = 1 << 20;
constexpr uid_t kSomebody = 12345;

DebugBudget::Limits limits(std::uint64_t memory, std::uint64_t checked = 512 * kMiB,
                           std::uint64_t cpu_ns = 60'000'000'000) {
  return {memory, checked, cpu_ns};
}

void run_shell(const std::string& command) {
  ASSERT_EQ(std::system((command + " 2>/dev/null").c_str()), 0) << command;
}

// Zeros, deflated, as a section of ELF has them.
std::string bomb(std::uint64_t size) {
  Elf64_Chdr header = {};
  header.ch_type = ELFCOMPRESS_ZLIB;
  header.ch_size = size;
  header.ch_addralign = 1;
  std::string bytes(reinterpret_cast<const char*>(&header), sizeof(header));
  std::string packed(compressBound(size), '\0');
  uLongf length = packed.size();
  const std::string zeros(size, '\0');
  compress2(reinterpret_cast<Bytef*>(packed.data()), &length,
            reinterpret_cast<const Bytef*>(zeros.data()), size, 9);
  return bytes + packed.substr(0, length);
}

class DebugFiles : public ::testing::Test {
 protected:
  std::unique_ptr<ElfModule> open(const std::string& path,
                                  std::shared_ptr<DebugBudget> budget) const {
    auto file = open_regular(path);
    EXPECT_TRUE(file);
    return std::make_unique<ElfModule>(std::move(*file), path, std::make_shared<FileRoot>(),
                                       nullptr, std::move(budget));
  }

  // The program with a section that inflates to `size` bytes in the place of one that libdw loads.
  std::string with_bomb(std::uint64_t size) const {
    test::write_file(scratch.file("section"), bomb(size));
    const std::string path = scratch.file("bomb");
    run_shell("objcopy --add-section .debug_zbomb=" + scratch.file("section") + " " + program +
              " " + path);
    std::string content = test::read_file(path);
    Elf64_Ehdr header;
    std::memcpy(&header, content.data(), sizeof(header));
    std::vector<Elf64_Shdr> sections(header.e_shnum);
    std::memcpy(sections.data(), content.data() + header.e_shoff,
                sections.size() * sizeof(Elf64_Shdr));
    for (Elf64_Shdr& section : sections) {
      char* const name = content.data() + sections[header.e_shstrndx].sh_offset + section.sh_name;
      if (std::strcmp(name, ".debug_zbomb") != 0) continue;
      std::memcpy(name, ".debug_types", 13);
      section.sh_flags |= SHF_COMPRESSED;
      section.sh_addralign = 1;
    }
    std::memcpy(content.data() + header.e_shoff, sections.data(),
                sections.size() * sizeof(Elf64_Shdr));
    test::write_file(path, content);
    return path;
  }

  const std::string program = test::program_path("symbols_inlined");
  const test::ScratchDirectory scratch;
};

TEST_F(DebugFiles, CompressedSectionsAreMeasuredBeforeTheyAreInflated) {
  const std::string path = with_bomb(100 * kMiB);
  const auto small = std::make_shared<DebugBudget>(limits(64 * kMiB));
  EXPECT_EQ(open(path, small)->dwarf(), nullptr);
  ASSERT_THAT(small->notes(), SizeIs(1));
  EXPECT_THAT(small->notes()[0], HasSubstr(path));
  EXPECT_THAT(small->notes()[0], HasSubstr("64.0 MiB"));
  // Its symbols are still there: they are small.
  EXPECT_TRUE(open(path, small)->find_symbol("symbols_plain"));
  // The control: with more room it is read.
  const auto large = std::make_shared<DebugBudget>(limits(256 * kMiB));
  EXPECT_NE(open(path, large)->dwarf(), nullptr);
  EXPECT_THAT(large->notes(), IsEmpty());
}

TEST_F(DebugFiles, OlderCompressionIsMeasuredToo) {
  const std::string path = scratch.file("zdebug");
  if (std::system(
          ("objcopy --compress-debug-sections=zlib-gnu " + program + " " + path + " 2>/dev/null")
              .c_str()) != 0)
    GTEST_SKIP() << "no such objcopy";
  if (test::read_file(path).find(".zdebug_info") == std::string::npos)
    GTEST_SKIP() << "objcopy makes none any more";
  struct stat about = {};
  ASSERT_EQ(::stat(path.c_str(), &about), 0);
  const auto whole = std::make_shared<DebugBudget>(limits(256 * kMiB));
  EXPECT_NE(open(path, whole)->dwarf(), nullptr);
  // Enough for the file as it is, and not for what it becomes.
  const auto tight =
      std::make_shared<DebugBudget>(limits(static_cast<std::uint64_t>(about.st_size)));
  EXPECT_EQ(open(path, tight)->dwarf(), nullptr);
  EXPECT_THAT(tight->notes(), SizeIs(1));
}

TEST_F(DebugFiles, IsOneForAllFiles) {
  const std::string path = with_bomb(100 * kMiB);
  const auto budget = std::make_shared<DebugBudget>(limits(250 * kMiB));
  std::vector<std::unique_ptr<ElfModule>> modules;
  int read = 0;
  for (int i = 0; i < 4; ++i) {
    modules.push_back(open(path, budget));
    read += modules.back()->dwarf() != nullptr ? 1 : 0;
  }
  EXPECT_EQ(read, 2);
  EXPECT_THAT(budget->notes(), SizeIs(1));
}

TEST_F(DebugFiles, SymbolTablesCountToo) {
  // Enough for its headers, and not for all that is in it.
  const auto plenty = open(program, std::make_shared<DebugBudget>(limits(64 * kMiB)));
  ASSERT_NE(plenty->elf(), nullptr);
  const auto budget =
      std::make_shared<DebugBudget>(limits(plenty->elf()->sections().size() * 512 + 4096));
  const auto module = open(program, budget);
  ASSERT_NE(module->elf(), nullptr);
  std::size_t all = 0, loaded = 0;
  for (const ElfSection& section : module->elf()->sections()) {
    if (plenty->elf()->content(section, 512 * kMiB)) ++all;
    if (module->elf()->content(section, 512 * kMiB)) ++loaded;
  }
  EXPECT_GT(loaded, 0U);
  EXPECT_LT(loaded, all);
  EXPECT_THAT(budget->notes(), SizeIs(1));
}

TEST_F(DebugFiles, ChecksumsAreTakenOnce) {
  DebugBudget budget(limits(64 * kMiB, 18));
  const std::string path = scratch.file("checked"), other = scratch.file("other");
  test::write_file(path, "123456789");
  test::write_file(other, "1234567890");
  const Fd file(::open(path.c_str(), O_RDONLY)), large(::open(other.c_str(), O_RDONLY));
  for (int i = 0; i < 5; ++i)
    EXPECT_EQ(budget.checksum(file.get(), path), 0xCBF43926U);  // the check value of CRC-32
  EXPECT_THAT(budget.notes(), IsEmpty());
  EXPECT_EQ(budget.checksum(large.get(), other), std::nullopt) << "10 bytes of 9 that are left";
  ASSERT_THAT(budget.notes(), SizeIs(1));
  EXPECT_THAT(budget.notes()[0], HasSubstr(other));
  // A file that has changed is another file.
  test::write_file(path, "123456780");
  const struct timespec times[2] = {{1, 0}, {1, 0}};
  ASSERT_EQ(::futimens(file.get(), times), 0);
  EXPECT_NE(budget.checksum(file.get(), path), 0xCBF43926U);
}

TEST_F(DebugFiles, SparseFilesAreNotChecked) {
  DebugBudget budget(limits(64 * kMiB, 512 * kMiB));
  const std::string path = scratch.file("sparse");
  const Fd file(::open(path.c_str(), O_RDWR | O_CREAT, 0600));
  ASSERT_EQ(::ftruncate(file.get(), std::int64_t{1} << 40), 0);
  EXPECT_EQ(budget.checksum(file.get(), path), std::nullopt);
  EXPECT_THAT(budget.notes(), SizeIs(1));
}

TEST_F(DebugFiles, TimeEnds) {
  const auto budget = std::make_shared<DebugBudget>(limits(256 * kMiB, 512 * kMiB, 0));
  const auto module = open(program, budget);
  const auto address = module->find_symbol("symbols_plain");
  ASSERT_TRUE(address);
  Symbolizer symbolizer;
  static_cast<void>(symbolizer.frames_at(*module, *address));  // takes some
  const auto& frames = symbolizer.frames_at(*module, *address + 1);
  EXPECT_EQ(frames.back().function, "symbols_plain") << "the symbol table still names it";
  EXPECT_EQ(frames.back().line, 0U);
  ASSERT_THAT(budget->notes(), SizeIs(1));
  EXPECT_THAT(budget->notes()[0], HasSubstr("CPU time"));
}

// A file without end that says it has a billion headers: libelf would make room for each.
TEST_F(DebugFiles, HeadersAreCountedBeforeRoomIsMade) {
  const std::string path = scratch.file("headers");
  for (const bool sections : {true, false}) {
    Elf64_Ehdr header = {};
    std::memcpy(header.e_ident, ELFMAG, SELFMAG);
    header.e_ident[EI_CLASS] = ELFCLASS64;
    header.e_ident[EI_DATA] = ELFDATA2LSB;
    header.e_ident[EI_VERSION] = EV_CURRENT;
    header.e_type = ET_DYN;
    header.e_machine = EM_X86_64;
    header.e_version = EV_CURRENT;
    header.e_ehsize = sizeof(header);
    header.e_shoff = sizeof(header);
    header.e_shentsize = sizeof(Elf64_Shdr);
    header.e_phoff = 4096;
    header.e_phentsize = sizeof(Elf64_Phdr);
    header.e_shnum = sections ? 0 : 1;
    header.e_phnum = sections ? 0 : PN_XNUM;
    Elf64_Shdr first = {};
    first.sh_size = sections ? std::uint64_t{1} << 30 : 0;
    first.sh_info = sections ? 0 : UINT32_MAX;
    test::write_file(path, std::string(reinterpret_cast<const char*>(&header), sizeof(header)) +
                               std::string(reinterpret_cast<const char*>(&first), sizeof(first)));
    ASSERT_EQ(::truncate(path.c_str(), std::int64_t{1} << 39), 0);
    const auto budget = std::make_shared<DebugBudget>(limits(64 * kMiB));
    const auto module = open(path, budget);
    EXPECT_EQ(module->elf(), nullptr);
    EXPECT_THAT(module->why_unavailable(), HasSubstr("too many headers"));
    EXPECT_FALSE(imports_symbol(path, "ptrace"));
  }
}

// What is opened in a directory while this lives; finding a file without opening it (O_PATH) is
// not.
class Opened {
 public:
  explicit Opened(const std::string& directory) : watch_(inotify_init1(IN_CLOEXEC | IN_NONBLOCK)) {
    EXPECT_GE(inotify_add_watch(watch_.get(), directory.c_str(), IN_OPEN), 0);
  }
  [[nodiscard]] std::vector<std::string> names() const {
    std::vector<std::string> names;
    alignas(inotify_event) std::array<char, 65536> buffer{};
    const ssize_t got = ::read(watch_.get(), buffer.data(), buffer.size());
    for (ssize_t at = 0; at < got;) {
      const auto* event = reinterpret_cast<const inotify_event*>(buffer.data() + at);
      if (event->len != 0) names.emplace_back(event->name);
      at += static_cast<ssize_t>(sizeof(inotify_event) + event->len);
    }
    return names;
  }

 private:
  Fd watch_;
};

class NamedFiles : public DebugFiles {
 protected:
  void SetUp() override {
    if (::geteuid() != 0) GTEST_SKIP() << "files of several users";
    run_shell("objcopy -R .note.gnu.build-id " + program + " " + scratch.file("plain"));
    run_shell("objcopy --only-keep-debug " + scratch.file("plain") + " " + debug);
    run_shell("strip --strip-all -o " + app + " " + scratch.file("plain"));
    run_shell("objcopy --add-gnu-debuglink=" + debug + " " + app);
    own(app, kSomebody);
  }
  static void own(const std::string& path, uid_t user) {
    ASSERT_EQ(::chown(path.c_str(), user, user), 0);
  }
  // Is the debug file that the program names used, and was anything of its name opened?
  [[nodiscard]] std::pair<bool, bool> look(const FileRoot& root = {}) const {
    const auto module = open(app, std::make_shared<DebugBudget>());
    EXPECT_NE(module->elf(), nullptr);
    const Opened opened(app.substr(0, app.rfind('/')));
    const bool found = find_debug_file(*module->elf(), root) != nullptr;
    const auto names = opened.names();
    return {found, std::find(names.begin(), names.end(), "app.debug") != names.end()};
  }

  const std::string app = scratch.file("app");
  const std::string debug = scratch.file("app.debug");
  const std::pair<bool, bool> used{true, true}, not_even_opened{false, false};
};

TEST_F(NamedFiles, AreReadIfTheirOwnerOrEverybodyMay) {
  ASSERT_EQ(::chmod(debug.c_str(), 0644), 0);
  EXPECT_EQ(look(), used);
  ASSERT_EQ(::chmod(debug.c_str(), 0600), 0);
  EXPECT_EQ(look(), not_even_opened) << "root's own, named by somebody's program";
  own(debug, kSomebody);
  EXPECT_EQ(look(), used);
}

TEST_F(NamedFiles, AreNoLinksAndNoDevices) {
  ASSERT_EQ(::rename(debug.c_str(), scratch.file("elsewhere").c_str()), 0);
  ASSERT_EQ(::symlink("elsewhere", debug.c_str()), 0);
  EXPECT_EQ(look(), not_even_opened);
  ASSERT_EQ(::unlink(debug.c_str()), 0);
  ASSERT_EQ(::mkfifo(debug.c_str(), 0666), 0);
  EXPECT_EQ(look(), not_even_opened);
  ASSERT_EQ(::unlink(debug.c_str()), 0);
  if (::mknod(debug.c_str(), S_IFCHR | 0666, makedev(1, 5)) != 0) GTEST_SKIP() << "no devices here";
  EXPECT_EQ(look(), not_even_opened);
}

TEST_F(NamedFiles, AreOfTheRootOfTheirProcess) {
  ASSERT_EQ(::chmod(debug.c_str(), 0644), 0);
  EXPECT_EQ(look(FileRoot::unknown()), not_even_opened);
}

TEST_F(NamedFiles, OfDwzAreTheSame) {
  // "NAME\0BUILD ID", as dwz writes it.
  test::write_file(scratch.file("link"), debug + std::string(1, '\0') + std::string(20, '\x11'));
  const std::string path = scratch.file("with-link");
  run_shell("objcopy --add-section .gnu_debugaltlink=" + scratch.file("link") + " " + program +
            " " + path);
  own(path, kSomebody);
  ASSERT_EQ(::chmod(debug.c_str(), 0600), 0);
  const auto module = open(path, std::make_shared<DebugBudget>());
  ASSERT_NE(module->elf(), nullptr);
  const Opened opened(debug.substr(0, debug.rfind('/')));
  EXPECT_EQ(module->dwarf(), nullptr);
  EXPECT_THAT(opened.names(), testing::Not(testing::Contains("app.debug")));
}

}  // namespace
}  // namespace cowtrace::process
