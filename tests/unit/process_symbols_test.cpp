// SPDX-License-Identifier: Apache-2.0
#include <fcntl.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <random>

#include "base/units.h"
#include "process/debug_file.h"
#include "process/demangle.h"
#include "process/dwarf_info.h"
#include "process/elf_module.h"
#include "process/file_read.h"
#include "process/symbolizer.h"
#include "support/test_program.h"

namespace cowtrace::process {
namespace {

std::unique_ptr<ElfModule> open_module(const std::string& path) {
  auto file = open_regular(path);
  if (!file) return std::make_unique<ElfModule>(path, file.error().why);
  return std::make_unique<ElfModule>(std::move(*file), path, std::make_shared<FileRoot>());
}

const Symbol* find_named(const std::vector<Symbol>& symbols, const std::string& name) {
  const auto found = std::find_if(symbols.begin(), symbols.end(),
                                  [&](const Symbol& one) { return one.name == name; });
  return found != symbols.end() ? &*found : nullptr;
}

// Runs a binutils command; the tests make their stripped and split files with them.
void run(const std::string& command) {
  ASSERT_EQ(std::system((command + " 2>/dev/null").c_str()), 0) << command;
}

class Symbols : public ::testing::Test {
 protected:
  const std::string program = test::program_path("symbols_inlined");
  const test::ScratchDirectory scratch;
};

TEST(Demangle, IsBounded) {
  EXPECT_EQ(demangle("_ZN7symbols5outerEl"), "symbols::outer(long)");
  EXPECT_EQ(demangle("main"), "main");
  EXPECT_EQ(demangle("_Znonsense"), "_Znonsense");
  EXPECT_EQ(demangle(""), "");
  // Each level says the one before twice: 2^60 names if it were written out.
  std::string bomb = "_Z1fSt4pairI";
  std::string arguments = "ii";
  bomb += arguments + "E";
  for (int i = 0; i < 60; ++i) bomb += "S_S_S0_";
  EXPECT_EQ(demangle(bomb), bomb);
  EXPECT_EQ(demangle("_Z" + std::string(100000, 'N')), "_Z" + std::string(100000, 'N'));
}

TEST_F(Symbols, TableHasFunctionsAndObjects) {
  const auto module = open_module(program);
  ASSERT_NE(module->elf(), nullptr) << module->why_unavailable();
  const auto plain = module->find_symbol("symbols_plain");
  ASSERT_TRUE(plain);
  EXPECT_FALSE(module->find_symbol("no such symbol"));
  EXPECT_FALSE(module->find_symbol("printf")) << "only defined symbols count";

  const SymbolTable& table = module->symbols();
  const auto symbol = table.find(SymbolKind::Function, *plain + 1);
  ASSERT_TRUE(symbol);
  EXPECT_EQ(symbol->name, "symbols_plain");
  EXPECT_EQ(symbol->address, *plain);
  EXPECT_GT(symbol->size, 1u);
  EXPECT_FALSE(table.find(SymbolKind::Function, *plain + symbol->size)
                   .value_or(Symbol{})
                   .name.starts_with("symbols_plain"));
  EXPECT_FALSE(table.find(SymbolKind::Object, *plain));
  EXPECT_FALSE(table.find(SymbolKind::Function, UINT64_MAX));

  const auto data = table.objects_in(0, UINT64_MAX, 100000);
  for (const char* name : {"symbols::table", "symbols::empty_table"}) {
    const Symbol* object = find_named(data, name);
    ASSERT_NE(object, nullptr) << name;
    EXPECT_EQ(object->size, 512u);
    EXPECT_EQ(table.find(SymbolKind::Object, object->address + 511)->name, name);
    const auto last_byte = table.objects_in(object->address + 511, object->address + 512, 10);
    ASSERT_EQ(last_byte.size(), 1u);
    EXPECT_EQ(last_byte[0].name, name);
  }
  EXPECT_TRUE(std::is_sorted(data.begin(), data.end(), [](const Symbol& a, const Symbol& b) {
    return a.address < b.address;
  }));
  EXPECT_EQ(table.objects_in(0, UINT64_MAX, 2).size(), 2u);
}

// The deepest stack of functions anywhere in outer().
std::vector<CodeFrame> deepest_frames(ElfModule& module) {
  const auto start = module.find_symbol("_ZN7symbols5outerEl");
  EXPECT_TRUE(start);
  Symbolizer symbolizer;
  std::vector<CodeFrame> deepest;
  for (std::uint64_t at = *start; at < *start + 64; ++at) {
    const auto& frames = symbolizer.frames_at(module, at);
    if (frames.back().function == "symbols::outer(long)" && frames.size() > deepest.size()) {
      deepest = frames;
    }
  }
  return deepest;
}

void expect_inlined_chain(const std::vector<CodeFrame>& frames) {
  ASSERT_EQ(frames.size(), 3u);
  EXPECT_EQ(frames[0].function, "symbols::innermost(long)");
  EXPECT_EQ(frames[0].line, 17u);
  EXPECT_TRUE(frames[0].inlined);
  EXPECT_EQ(frames[1].function, "symbols::middle(long)");
  EXPECT_EQ(frames[1].line, 21u);
  EXPECT_TRUE(frames[1].inlined);
  EXPECT_EQ(frames[2].function, "symbols::outer(long)");
  EXPECT_EQ(frames[2].line, 25u);
  EXPECT_FALSE(frames[2].inlined);
  for (const CodeFrame& frame : frames) {
    EXPECT_TRUE(frame.file.ends_with("symbols_inlined.cpp")) << frame.file;
    EXPECT_EQ(frame.why_unnamed, "");
  }
}

TEST_F(Symbols, InlinedCallsAreFrames) {
  expect_inlined_chain(deepest_frames(*open_module(program)));
}

TEST_F(Symbols, WithoutDwarfTheTableNames) {
  const std::string bare = scratch.file("bare");
  run("strip --strip-debug -o " + bare + " " + program);
  const auto module = open_module(bare);
  const auto frames = deepest_frames(*module);
  ASSERT_EQ(frames.size(), 1u);
  EXPECT_EQ(frames[0].function, "symbols::outer(long)");
  EXPECT_EQ(frames[0].file, "");
  EXPECT_EQ(module->dwarf(), nullptr);
}

TEST_F(Symbols, WithoutSymbolsTheReasonIsGiven) {
  const auto address = open_module(program)->find_symbol("symbols_plain");
  ASSERT_TRUE(address);
  const std::string stripped = scratch.file("libfoo.so");
  run("strip --strip-all -R .note.gnu.build-id -o " + stripped + " " + program);
  const auto module = open_module(stripped);
  Symbolizer symbolizer;
  const auto& frames = symbolizer.frames_at(*module, *address);
  ASSERT_EQ(frames.size(), 1u);
  EXPECT_EQ(frames[0].function, hex(*address));
  EXPECT_EQ(frames[0].why_unnamed, "no symbol covers it in libfoo.so (stripped)");

  const auto gone = open_module(scratch.file("gone"));
  EXPECT_EQ(symbolizer.frames_at(*gone, 1).front().why_unnamed, "gone: No such file or directory");
  test::write_file(scratch.file("text"), "no ELF file\n");
  const auto text = open_module(scratch.file("text"));
  EXPECT_EQ(symbolizer.frames_at(*text, 1).front().why_unnamed,
            "text: it is not a 64-bit ELF file");
}

TEST_F(Symbols, DebugLinkIsFollowedAndChecked) {
  const std::string stripped = scratch.file("app");
  const std::string debug = scratch.file("app.debug");
  // Without build ids the CRC alone decides.
  const std::string plain = scratch.file("plain");
  run("objcopy -R .note.gnu.build-id " + program + " " + plain);
  run("objcopy --only-keep-debug " + plain + " " + debug);
  run("strip --strip-all -o " + stripped + " " + plain);
  run("objcopy --add-gnu-debuglink=" + debug + " " + stripped);
  const auto address = open_module(program)->find_symbol("symbols_plain");
  {
    const auto module = open_module(stripped);
    ASSERT_TRUE(module->elf()->debug_link());
    EXPECT_EQ(module->elf()->debug_link()->file_name, "app.debug");
    Symbolizer symbolizer;
    const auto& frames = symbolizer.frames_at(*module, *address);
    EXPECT_EQ(frames.back().function, "symbols_plain");
    EXPECT_GT(frames.back().line, 0u);
    EXPECT_EQ(module->symbols().find(SymbolKind::Function, *address)->name, "symbols_plain");
  }
  std::string content = test::read_file(debug);
  content.back() = static_cast<char>(content.back() ^ 1);
  test::write_file(debug, content);
  const auto module = open_module(stripped);
  Symbolizer symbolizer;
  EXPECT_NE(symbolizer.frames_at(*module, *address).front().why_unnamed, "");
}

TEST_F(Symbols, DebugFilesOfAnotherBuildAreRefused) {
  const auto module = open_module(program);
  ASSERT_NE(module->elf(), nullptr);
  if (module->elf()->build_id().empty()) GTEST_SKIP() << "the linker makes no build ids";
  const std::string stripped = scratch.file("app");
  const std::string debug = scratch.file("app.debug");
  run("objcopy --only-keep-debug " + program + " " + debug);
  run("strip --strip-all -o " + stripped + " " + program);
  run("objcopy --add-gnu-debuglink=" + debug + " " + stripped);
  EXPECT_NE(find_debug_file(*open_module(stripped)->elf(), FileRoot()), nullptr);

  std::string content = test::read_file(debug);
  const std::size_t at = content.find(module->elf()->build_id());
  ASSERT_NE(at, std::string::npos);
  content[at] = static_cast<char>(content[at] ^ 1);
  test::write_file(debug, content);
  EXPECT_EQ(find_debug_file(*open_module(stripped)->elf(), FileRoot()), nullptr);
}

TEST_F(Symbols, AddressesFollowTheSegments) {
  const auto module = open_module(program);
  ASSERT_NE(module->elf(), nullptr);
  for (const ElfSegment& segment : module->elf()->segments()) {
    EXPECT_EQ(module->elf()->address_at(segment.offset, segment.executable), segment.address);
    if (segment.executable) {
      EXPECT_EQ(module->elf()->address_at(page_of(segment.offset), true),
                segment.address - (segment.offset - page_of(segment.offset)));
    }
  }
  EXPECT_FALSE(module->elf()->address_at(std::uint64_t{1} << 40, true));
}

// Asks everything there is to ask about a file; the point is that it returns.
void interrogate(const std::string& path) {
  auto file = open_regular(path);
  ASSERT_TRUE(file);
  ElfModule module(std::move(*file), path, std::make_shared<FileRoot>());
  if (module.elf() == nullptr) {
    EXPECT_NE(module.why_unavailable(), "");
    return;
  }
  static_cast<void>(module.find_symbol("main"));
  static_cast<void>(module.symbols().objects_in(0, UINT64_MAX, 1000));
  Symbolizer symbolizer;
  for (const ElfSegment& segment : module.elf()->segments()) {
    for (std::uint64_t i = 0; i < 512; i += 37) {
      EXPECT_FALSE(symbolizer.frames_at(module, segment.address + i).empty());
    }
  }
}

TEST_F(Symbols, HostileFilesAreSurvived) {
  const std::string good = test::read_file(program);
  ASSERT_GT(good.size(), 4096u);
  const std::string path = scratch.file("hostile");
  std::mt19937 random(99);
  for (int round = 0; round < 40; ++round) {  // truncated
    test::write_file(path, good.substr(0, random() % good.size()));
    interrogate(path);
  }
  for (int round = 0; round < 150;
       ++round) {  // damaged: headers half of the time, anything otherwise
    std::string bad = good;
    const std::size_t range = round % 2 == 0 ? 1024 : bad.size();
    for (int i = 0; i < 40; ++i) bad[16 + random() % (range - 16)] = static_cast<char>(random());
    test::write_file(path, bad);
    interrogate(path);
  }
  for (int round = 0; round < 100; ++round) {  // damaged section headers
    std::string bad = good;
    for (int i = 0; i < 8; ++i) bad[bad.size() - 1 - random() % 2048] = static_cast<char>(random());
    test::write_file(path, bad);
    interrogate(path);
  }
  for (int round = 0; round < 20; ++round) {  // noise behind a good identification
    std::string bad = good.substr(0, 16);
    while (bad.size() < 8192) bad += static_cast<char>(random());
    test::write_file(path, bad);
    interrogate(path);
  }
}

}  // namespace
}  // namespace cowtrace::process
