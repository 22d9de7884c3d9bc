// SPDX-License-Identifier: Apache-2.0
#include "process/unwind_table.h"

#include <gtest/gtest.h>

#include <cstdio>
#include <cstring>
#include <map>
#include <memory>
#include <optional>
#include <sstream>
#include <string>
#include <vector>

#include "process/elf_module.h"
#include "process/file_read.h"
#include "process/maps.h"
#include "support/test_program.h"

#if defined(__x86_64__)

namespace cowtrace::process {
namespace {

using Rule = UnwindRule;

// One row of `readelf --debug-dump=frames-interp`: what binutils reads there. "exp": an expression,
// which it does not show here.
struct Row {
  std::uint64_t address = 0;
  std::string cfa;
  std::map<std::string, std::string> registers;
};

std::vector<std::string> words_of(const std::string& line) {
  std::istringstream in(line);
  std::vector<std::string> words;
  for (std::string word; in >> word;) words.push_back(word);
  return words;
}

// 000000a0 000000000000001c 00000074 FDE cie=00000030 pc=0000000000001460..000000000000148f
//    LOC           CFA      rbx   ra
// 0000000000001461 rsp+16   c-16  c-8
// An FDE without rows has the one of its CIE.
class Listing {
 public:
  void take(const std::vector<std::string>& words) {
    if (words.size() > 3 && (words[3] == "FDE" || words[3] == "CIE")) {
      end_fde();
      in_fde_ = words[3] == "FDE";
      id_ = in_fde_ ? words.at(4).substr(4) : words[0];
      if (in_fde_) start_ = std::stoull(words.at(5).substr(3), nullptr, 16);
      empty_ = true;
    } else if (words[0] == "LOC") {
      columns_.assign(words.begin() + 2, words.end());
    } else if (words.size() == columns_.size() + 2 && words[0].size() == 16) {
      Row row{std::stoull(words[0], nullptr, 16), words[1], {}};
      for (std::size_t i = 0; i < columns_.size(); ++i) row.registers[columns_[i]] = words[i + 2];
      if (in_fde_)
        rows_.push_back(row);
      else
        of_cie_[id_] = row;
      empty_ = false;
    }
  }
  std::vector<Row> rows() {
    end_fde();
    return rows_;
  }

 private:
  void end_fde() {
    if (in_fde_ && empty_ && of_cie_.contains(id_)) {
      rows_.push_back(of_cie_[id_]);
      rows_.back().address = start_;
    }
    in_fde_ = false;
  }

  std::vector<Row> rows_;
  std::map<std::string, Row> of_cie_;
  std::vector<std::string> columns_;
  std::string id_;
  std::uint64_t start_ = 0;
  bool in_fde_ = false, empty_ = true;
};

std::vector<Row> readelf_rows(const std::string& path) {
  const std::string command = "readelf --debug-dump=frames-interp '" + path + "' 2>/dev/null";
  const std::unique_ptr<FILE, int (*)(FILE*)> pipe(popen(command.c_str(), "r"), pclose);
  Listing listing;
  char line[4096];
  while (pipe != nullptr && std::fgets(line, sizeof(line), pipe.get()) != nullptr)
    if (const auto words = words_of(line); !words.empty()) listing.take(words);
  return listing.rows();
}

std::string text(Rule::Kept kept) {
  switch (kept.from) {
    case Rule::From::Same:
      return "same";
    case Rule::From::Cfa:
      return "c" + std::string(kept.words < 0 ? "" : "+") + std::to_string(kept.words * 8);
    default:
      return "exp";
  }
}

std::string cfa_text(const Rule& rule) {
  if (rule.loaded) return "exp";
  const char* base = rule.base == Rule::Register::Sp   ? "rsp"
                     : rule.base == Rule::Register::Bp ? "rbp"
                                                       : "rbx";
  return base + std::string(rule.offset < 0 ? "" : "+") + std::to_string(rule.offset);
}

std::string wanted(const Row& row, const std::string& name) {
  const auto found = row.registers.find(name);
  if (found == row.registers.end() || found->second == "u" || found->second == "s") return "same";
  return found->second;
}

struct Tally {
  int rows = 0, expressions = 0, outermost = 0, unknown = 0;
};

// Every row of a file, against binutils'.
Tally compare(const std::string& path) {
  Tally tally;
  auto file = open_regular(path);
  if (!file) return tally;
  ElfModule module(std::move(*file), path, std::make_shared<FileRoot>());
  UnwindTable* table = module.unwind_table();
  EXPECT_NE(table, nullptr) << path;
  if (table == nullptr) return tally;
  for (const Row& row : readelf_rows(path)) {
    const auto rule = table->rule_at(row.address);
    EXPECT_TRUE(rule) << path << " " << std::hex << row.address;
    if (!rule) continue;
    const std::string where = path + " " + std::to_string(row.address) + " " + row.cfa;
    ++tally.rows;
    if (row.registers.contains("ra") && row.registers.at("ra") == "u") {
      EXPECT_EQ(rule->kind, Rule::Kind::Outermost) << where;
      ++tally.outermost;
      continue;
    }
    const bool plain_cfa =
        row.cfa.starts_with("rsp") || row.cfa.starts_with("rbp") || row.cfa.starts_with("rbx");
    if (rule->kind == Rule::Kind::Unknown) {
      EXPECT_FALSE(plain_cfa && !wanted(row, "rbp").ends_with("exp") &&
                   !wanted(row, "rbx").ends_with("exp"))
          << where;
      ++tally.unknown;
      continue;
    }
    EXPECT_EQ(rule->kind, Rule::Kind::Caller) << where;
    if (row.cfa == "exp") {
      ++tally.expressions;
    } else {
      EXPECT_EQ(cfa_text(*rule), row.cfa) << where;
      EXPECT_EQ(text(rule->ip), "c-8") << where;
    }
    EXPECT_EQ(text(rule->bp), wanted(row, "rbp")) << where;
    EXPECT_EQ(text(rule->bx), wanted(row, "rbx")) << where;
  }
  return tally;
}

// The file that is mapped into this process under a name that begins so.
std::string library(const std::string& name) {
  const auto maps = read_maps(getpid());
  if (maps)
    for (const MapsEntry& entry : *maps)
      if (entry.path.substr(entry.path.rfind('/') + 1).starts_with(name)) return entry.path;
  return {};
}

TEST(UnwindTable, SaysWhatBinutilsSaysOfAProgram) {
  const Tally tally = compare(test::program_path("unwind_rules"));
  EXPECT_GT(tally.rows, 30);
  EXPECT_GT(tally.expressions, 0);  // the PLT, and a realigned stack
  EXPECT_EQ(tally.outermost, 1);    // _start
  EXPECT_LT(tally.unknown, 4);      // before a realigned stack is
}

TEST(UnwindTable, SaysWhatBinutilsSaysOfTheLibraries) {
  for (const char* name : {"libc.so", "libstdc++.so", "ld-linux"}) {
    const Tally tally = compare(library(name));
    EXPECT_GT(tally.rows, 500) << name;
    EXPECT_LT(tally.unknown, tally.rows / 20) << name;
  }
}

// The program with other bytes in it: the instructions of the FDE of `function`, which is large
// enough, are `instructions` and then nothing.
class Forged : public ::testing::Test {
 protected:
  void SetUp() override {
    bytes_ = test::read_file(test::program_path("unwind_rules"));
    auto module = open(bytes_);
    ASSERT_NE(module->unwind_table(), nullptr);
    const ElfSection* section = module->elf()->section(".eh_frame");
    ASSERT_NE(section, nullptr);
    frames_ =
        module->elf()->segments().empty() ? 0 : section->address;  // here the same as in the file
    hdr_ = module->elf()->section(".eh_frame_hdr")->address;
    // The longest FDE. An entry: its size, 4 bytes; the distance to its CIE, 0 in a CIE; address,
    // 4, and size, 4; 0 augmentation.
    for (std::size_t at = frames_; at + 8 < frames_ + section->size && word(at) != 0;
         at += 4 + word(at))
      if (word(at + 4) != 0 && (fde_ == 0 || word(at) > word(fde_))) fde_ = at;
    ASSERT_GT(word(fde_), 40U);
  }

  [[nodiscard]] std::uint32_t word(std::size_t at) const {
    std::uint32_t value = 0;
    std::memcpy(&value, bytes_.data() + at, sizeof(value));
    return value;
  }
  std::unique_ptr<ElfModule> open(const std::string& bytes) {
    test::write_file(scratch_.file("forged"), bytes);
    return std::make_unique<ElfModule>(std::move(*open_regular(scratch_.file("forged"))), "forged",
                                       std::make_shared<FileRoot>());
  }
  bool accepted(const std::string& instructions) {
    std::string forged = bytes_;
    std::string filled = instructions;
    filled.resize(word(fde_) - 4 - 8 - 1, '\0');
    forged.replace(fde_ + 4 + 4 + 8 + 1, filled.size(), filled);
    return open(forged)->unwind_table() != nullptr;
  }

  const test::ScratchDirectory scratch_;
  std::string bytes_;
  std::size_t frames_ = 0, hdr_ = 0, fde_ = 0;
};

TEST_F(Forged, ARegisterThatNoMachineHasIsRefused) {
  EXPECT_TRUE(accepted(""));
  EXPECT_TRUE(accepted("\x05\x10\x01"));                   // DW_CFA_offset_extended 16
  EXPECT_FALSE(accepted("\x05\x80\x80\x80\x20\x01"));      // 64 million: libdw takes half a GiB
  EXPECT_FALSE(accepted("\x07\x80\x80\x80\x20"));          // DW_CFA_undefined
  EXPECT_FALSE(accepted("\x09\x01\x80\x80\x80\x20"));      // DW_CFA_register
  EXPECT_FALSE(accepted("\x10\x80\x80\x80\x20\x01\x50"));  // DW_CFA_expression
}

TEST_F(Forged, WhatHasNoEndOrNoMeaningIsRefused) {
  EXPECT_TRUE(accepted("\x0a\x0b\x0a\x0b"));   // remember, restore
  EXPECT_FALSE(accepted("\x0b"));              // nothing to restore
  EXPECT_FALSE(accepted("\x3f"));              // no instruction
  EXPECT_FALSE(accepted("\x0f\xff\xff\x7f"));  // an expression behind the end
  EXPECT_FALSE(accepted(std::string(200, '\x80')));
}

TEST_F(Forged, ATableThatLeadsElsewhereIsRefused) {
  std::string forged = bytes_;
  forged[hdr_ + 12 + 4] = static_cast<char>(forged[hdr_ + 12 + 4] + 4);
  EXPECT_EQ(open(forged)->unwind_table(), nullptr);
  forged = bytes_;
  forged.replace(hdr_ + 8, 4, "\xff\xff\xff\x7f");
  EXPECT_EQ(open(forged)->unwind_table(), nullptr);
  forged = bytes_;
  forged[hdr_ + 3] = '\x0b';
  EXPECT_EQ(open(forged)->unwind_table(), nullptr);
}

}  // namespace
}  // namespace cowtrace::process

#endif
