// SPDX-License-Identifier: Apache-2.0
// Text and code objects, built in a buffer with a layout that is the test's own.
#include "python/code_object.h"

#include <gtest/gtest.h>

#include <random>
#include <string>
#include <string_view>

#include "python/text.h"
#include "support/buffer_memory.h"

namespace cowtrace::python {
namespace {

constexpr std::uint64_t kCode = 0x10000, kCodeType = 0x900, kStrings = 0x20000, kBytes = 0x400000;

Layout make_layout(Version version) {
  Layout layout;
  layout.version = version;
  layout.object.refcnt = 0;
  layout.object.type = 8;
  layout.object.var_size = 16;
  layout.bytes.data = 32;
  layout.unicode.length = 16;
  layout.unicode.state = 32;
  layout.unicode.ascii_size = 40;
  layout.unicode.compact_size = 56;
  layout.unicode.data = 56;
  layout.unicode.kind_shift = 2;
  layout.unicode.compact_shift = 5;
  layout.unicode.ascii_shift = 6;
  layout.code.firstlineno = 40;
  layout.code.flags = 48;
  layout.code.filename = 104;
  layout.code.name = 112;
  if (version < Version{3, 11}) {
    (version < Version{3, 10} ? layout.code.lnotab : layout.code.linetable) = 120;
  } else {
    layout.code.qualname = 128;
    layout.code.linetable = 136;
    layout.code.code_adaptive = 192;
  }
  return layout;
}

template <typename Character>
std::span<const std::byte> bytes_of(std::basic_string_view<Character> text) {
  return std::as_bytes(std::span(text.data(), text.size()));
}

// A process with one code object, whose function is `hello` of /srv/app.py from line 20 on.
class Process {
 public:
  explicit Process(Version version) : layout(make_layout(version)) {
    memory.place_value(kCode + 8, kCodeType);
    memory.place_value(kCode + layout.code.firstlineno, std::int32_t{20});
    point(layout.code.filename, place_ascii("/srv/app.py"));
    point(layout.code.name, place_ascii("hello"));
    if (layout.code.qualname != kAbsent) point(layout.code.qualname, place_ascii("App.hello"));
  }

  template <typename Character>
  std::uint64_t place_text(std::basic_string_view<Character> text, bool ascii, bool compact) {
    const std::uint64_t at = next_;
    next_ += 0x10000;
    place_header(at, static_cast<std::int64_t>(text.size()), sizeof(Character), ascii, compact);
    if (compact) {
      memory.place(at + (ascii ? 40 : 56), bytes_of(text));
    } else {
      memory.place_value(at + 56, at + 0x100);
      memory.place(at + 0x100, bytes_of(text));
    }
    return at;
  }

  std::uint64_t place_ascii(std::string_view text) { return place_text(text, true, true); }

  void place_header(std::uint64_t at, std::int64_t length, unsigned kind, bool ascii,
                    bool compact) {
    memory.place_value(at + 16, length);
    // The bits below kind say how it is interned, those above are others' too.
    memory.place_value(at + 32,
                       0xFFFFFF83u | kind << 2 | unsigned{compact} << 5 | unsigned{ascii} << 6);
  }

  void point(Offset field, std::uint64_t to) { memory.place_value(kCode + field, to); }

  void place_table(std::int64_t size, std::span<const std::byte> bytes) {
    const Offset field =
        layout.code.linetable != kAbsent ? layout.code.linetable : layout.code.lnotab;
    point(field, kBytes);
    memory.place_value(kBytes + 16, size);
    memory.place(kBytes + 32, bytes);
  }

  std::optional<Text> text(std::uint64_t address, std::size_t limit = 100) {
    return read_text(memory, layout, address, limit);
  }

  std::optional<CodeInfo> code(std::uint64_t type = kCodeType) {
    return read_code(memory, layout, kCode, type);
  }

  test::BufferMemory memory;
  Layout layout;

 private:
  std::uint64_t next_ = kStrings;
};

constexpr Version kOld{3, 9}, kNew{3, 12};

template <typename Character>
std::string read_back(std::basic_string_view<Character> text, bool ascii, bool compact) {
  Process process(kNew);
  const auto read = process.text(process.place_text(text, ascii, compact));
  if (!read) return "(none)";
  EXPECT_FALSE(read->cut);
  return read->utf8;
}

TEST(PythonText, EveryKind) {
  using namespace std::literals;
  EXPECT_EQ(read_back("n"sv, true, true), "n");
  EXPECT_EQ(read_back(""sv, true, true), "");
  EXPECT_EQ(read_back("a\0b"sv, true, true), "a\0b"s);
  EXPECT_EQ(read_back("caf\xe9"sv, false, true), "café");
  EXPECT_EQ(read_back(u"zażółć"sv, false, true), "zażółć");
  EXPECT_EQ(read_back(U"cow 🐄"sv, false, true), "cow 🐄");
  EXPECT_EQ(read_back("legacy"sv, true, false), "legacy");
  EXPECT_EQ(read_back(u"żółw"sv, false, false), "żółw");
}

TEST(PythonText, WhatUtf8CannotSayIsReplaced) {
  EXPECT_EQ(read_back(std::u16string_view(u"a\xDC80z", 3), false, true), "a\uFFFDz");
  EXPECT_EQ(read_back(std::u32string_view(U"\x110000\xFFFFFFFF", 2), false, true), "\uFFFD\uFFFD");
}

TEST(PythonText, TheLimitCutsBetweenCharacters) {
  Process process(kNew);
  const auto ascii = process.place_ascii("abcdef");
  const auto wide = process.place_text(std::u16string_view(u"żółw"), false, true);
  EXPECT_EQ(process.text(ascii, 3)->utf8, "abc");
  EXPECT_TRUE(process.text(ascii, 3)->cut);
  EXPECT_FALSE(process.text(ascii, 6)->cut);
  EXPECT_EQ(process.text(wide, 3)->utf8, "ż");
  EXPECT_TRUE(process.text(wide, 3)->cut);
  EXPECT_EQ(process.text(wide, 6)->utf8, "żół");
  EXPECT_FALSE(process.text(wide, 7)->cut);
  EXPECT_EQ(process.text(wide, 0)->utf8, "");
}

TEST(PythonText, ALongStringIsReadAsFarAsItIsWanted) {
  Process process(kNew);
  const auto at = process.place_ascii("abcdef");
  process.memory.place_value(at + 16, std::int64_t{1} << 60);
  const auto read = process.text(at, 6);
  ASSERT_TRUE(read);
  EXPECT_EQ(read->utf8, "abcdef");
  EXPECT_TRUE(read->cut);
}

TEST(PythonText, WhatIsNoStr) {
  Process process(kNew);
  const std::uint64_t at = 0x7000000;
  EXPECT_FALSE(process.text(at));  // absent
  EXPECT_FALSE(process.text(UINT64_MAX - 8));
  process.place_header(at, 3, 1, true, true);
  EXPECT_TRUE(process.text(at));
  process.place_header(at, -1, 1, true, true);
  EXPECT_FALSE(process.text(at));
  process.place_header(at, INT64_MAX, 4, false, true);
  EXPECT_FALSE(process.text(at));
  for (const unsigned kind : {0u, 3u, 5u, 6u, 7u}) {
    process.place_header(at, 3, kind, false, true);
    EXPECT_FALSE(process.text(at)) << kind;
  }
  process.place_header(at, 3, 2, true, true);  // ASCII in two bytes
  EXPECT_FALSE(process.text(at));
  process.place_header(at, 3, 1, false, false);  // its data pointer is null
  EXPECT_FALSE(process.text(at));
  Layout unknown;
  EXPECT_FALSE(read_text(process.memory, unknown, at, 10));
}

TEST(PythonText, ItsCharactersAreNotInMemory) {
  Process process(kNew);
  const std::uint64_t at = 0x7000000 + 4096 - 40;
  process.place_header(at, 3, 1, true, true);
  EXPECT_FALSE(process.text(at));
  process.place_header(at, 0, 1, true, true);
  EXPECT_TRUE(process.text(at));
}

TEST(PythonCode, OfAnOldVersion) {
  Process process(kOld);
  process.place_table(2, std::as_bytes(std::span("\x00\x01", 2)));
  const auto code = process.code();
  ASSERT_TRUE(code);
  EXPECT_EQ(code->file, "/srv/app.py");
  EXPECT_EQ(code->name, "hello");
  EXPECT_EQ(code->qualname, "hello");
  EXPECT_EQ(code->first_line, 20);
  EXPECT_EQ(code->code_start, 0u);
  EXPECT_FALSE(code->cut);
  EXPECT_EQ(code->line(kOld, 0), 21u);
}

TEST(PythonCode, OfANewVersion) {
  Process process(kNew);
  process.place_table(2, std::as_bytes(std::span("\xd8\x00", 2)));  // a line on, one instruction
  const auto code = process.code();
  ASSERT_TRUE(code);
  EXPECT_EQ(code->qualname, "App.hello");
  EXPECT_EQ(code->code_start, kCode + 192);
  EXPECT_EQ(code->line(kNew, 0), 21u);
  EXPECT_EQ(code->line(kNew, 2), std::nullopt);
}

TEST(PythonCode, TheTypeDecides) {
  Process process(kNew);
  EXPECT_FALSE(process.code(kCodeType + 8));
  EXPECT_TRUE(process.code(0));
  process.memory.place_value(kCode + 8, std::uint64_t{0});
  EXPECT_FALSE(process.code(0));
}

TEST(PythonCode, WithoutATableThereAreNamesAndNoLines) {
  for (const std::int64_t size : {std::int64_t{-1}, std::int64_t{kMaxLineTable} + 1, INT64_MAX}) {
    Process process(kOld);
    process.place_table(size, {});
    const auto code = process.code();
    ASSERT_TRUE(code);
    EXPECT_EQ(code->name, "hello");
    EXPECT_FALSE(code->has_line_table);
    EXPECT_EQ(code->line(kOld, 0), std::nullopt);
  }
  Process process(kOld);
  EXPECT_FALSE(process.code()->has_line_table);  // null
  process.place_table(5000, {});                 // not all of it is in memory
  EXPECT_FALSE(process.code()->has_line_table);
}

// Its code is freed as soon as it has run, and its name may be another string by then.
TEST(PythonCode, WhatAModuleRanIsAModuleAlsoWhenItsCodeIsFreed) {
  Process process(kNew);
  process.memory.place_value(kCode + process.layout.code.firstlineno, std::int32_t{1});
  process.memory.place_value(kCode, std::uint64_t{2});
  EXPECT_EQ(process.code()->name, "hello");
  process.memory.place_value(kCode, std::uint64_t{0x7f12'3456'7890});
  EXPECT_EQ(process.code()->name, "<module>");
  EXPECT_EQ(process.code()->qualname, "<module>");
  EXPECT_EQ(process.code()->file, "/srv/app.py");
  process.point(process.layout.code.name, 1);
  EXPECT_EQ(process.code()->name, "<module>");
  // A function has locals of its own.
  process.point(process.layout.code.name, process.place_ascii("hello"));
  process.memory.place_value(kCode + process.layout.code.flags, std::int32_t{3});
  EXPECT_EQ(process.code()->name, "hello");
}

TEST(PythonCode, NoNameIsNoCode) {
  Process process(kNew);
  process.point(process.layout.code.filename, 0x7000000);
  EXPECT_EQ(process.code()->file, "");
  process.point(process.layout.code.qualname, 0);
  EXPECT_EQ(process.code()->qualname, "hello");
  process.point(process.layout.code.name, 0x7000000);
  EXPECT_FALSE(process.code());
}

TEST(PythonCode, ALineBelowNoneIsNoCode) {
  Process process(kNew);
  process.memory.place_value(kCode + process.layout.code.firstlineno, std::int32_t{-5});
  EXPECT_FALSE(process.code());
}

TEST(PythonCode, ALongNameIsCut) {
  Process process(kNew);
  process.point(process.layout.code.name, process.place_ascii(std::string(kMaxName + 1, 'x')));
  EXPECT_EQ(process.code()->name, std::string(kMaxName, 'x'));
  EXPECT_TRUE(process.code()->cut);
}

// A process may end between two reads of one code object: a line table that is missing then is in
// its image.
TEST(PythonCode, TheMoreCompleteOfTwoReadings) {
  Process process(kNew);
  process.place_table(2, std::as_bytes(std::span("\xd8\x00", 2)));
  const auto whole = process.code();
  ASSERT_TRUE(whole && whole->is_complete());
  auto cut = whole;
  cut->line_table.clear();
  cut->has_line_table = false;
  EXPECT_TRUE(more_complete(cut, whole)->is_complete());
  EXPECT_TRUE(more_complete(std::nullopt, whole)->is_complete());
  EXPECT_FALSE(more_complete(cut, std::nullopt)->is_complete());
  EXPECT_FALSE(more_complete(std::nullopt, std::nullopt));
  // Another function was there.
  cut->first_line = whole->first_line + 1;
  EXPECT_EQ(more_complete(cut, whole)->first_line, cut->first_line);
  // What was read from the process itself is newer.
  auto newer = whole;
  newer->qualname = "newer";
  EXPECT_EQ(more_complete(newer, whole)->qualname, "newer");
}

TEST(PythonCode, AnyMemoryIsRead) {
  std::mt19937_64 random(20261125);
  Process process(kNew);
  for (int round = 0; round < 2000; ++round) {
    // Words that are small, or that point into what is there.
    for (std::uint64_t at = kCode; at < kCode + 0x200; at += 8) {
      const std::uint64_t word = random();
      process.memory.place_value(at, word % 3 == 0   ? word
                                     : word % 3 == 1 ? word >> 56
                                                     : kCode + (word & 0x1ff));
    }
    (void)process.code(0);
    (void)process.text(kCode + 8 * (random() % 64));
  }
}

}  // namespace
}  // namespace cowtrace::python
