// SPDX-License-Identifier: Apache-2.0
#include "analysis/mapping_ranges.h"

#include <gtest/gtest.h>

#include "support/session_builder.h"

namespace cowtrace {
namespace {

using analysis::mapping_label;

model::Mapping anonymous(std::uint64_t start, std::uint64_t end) {
  model::Mapping mapping;
  mapping.start = start;
  mapping.end = end;
  return mapping;
}

TEST(AnalysisMappingLabel, SaysWhatMapsSays) {
  model::Mapping mapping = anonymous(0x1000, 0x3000);
  EXPECT_EQ(mapping_label(mapping), "[anon]");
  mapping.name = "glibc: malloc";
  EXPECT_EQ(mapping_label(mapping), "[anon:glibc: malloc]");
  mapping.name = "[vdso]";
  EXPECT_EQ(mapping_label(mapping), "[vdso]");
  mapping.name = "x.so";
  mapping.inode = 7;
  EXPECT_EQ(mapping_label(mapping), "x.so");
  mapping.path = "/lib/x.so";
  EXPECT_EQ(mapping_label(mapping), "/lib/x.so");
}

TEST(AnalysisMappingLabel, HeapAndStackByTheirBounds) {
  model::Mapping mapping = anonymous(0x1000, 0x3000);
  mapping.brk_start = 0x1000;
  mapping.brk_end = 0x2800;
  mapping.stack_start = 0x9100;
  EXPECT_EQ(mapping_label(mapping), "[heap]");
  mapping.start = 0x9000;
  mapping.end = 0xa000;
  EXPECT_EQ(mapping_label(mapping), "[stack]");
  mapping.start = 0xb000;
  mapping.end = 0xc000;
  EXPECT_EQ(mapping_label(mapping), "[anon]");
}

TEST(AnalysisMappingRanges, ShapesOfOneMappingAreOneObject) {
  test::SessionBuilder builder;
  const auto process = builder.process(1, "p");
  const auto small = builder.mapping(anonymous(0x5000, 0x6000));
  const auto grown_down = builder.mapping(anonymous(0x3000, 0x6000));
  const auto next_to_it = builder.mapping(anonymous(0x6000, 0x8000));
  const auto apart = builder.mapping(anonymous(0x9000, 0xa000));
  const analysis::MappingRanges ranges(builder.session);
  const auto find = [&](model::MappingHash hash) {
    return ranges.find(builder.session, builder.newest_space(process), hash, 0);
  };
  EXPECT_EQ(find(small), find(grown_down));
  EXPECT_EQ(find(small), find(next_to_it));
  EXPECT_NE(find(small), find(apart));
  EXPECT_EQ(find(small)->address, 0x3000U);
  EXPECT_EQ(find(small)->size, 0x5000U);
  EXPECT_EQ(find(model::MappingHash(99)), nullptr);
}

// Each has its own label, so that it is an object of its own.
model::Mapping named(std::uint64_t start, std::uint64_t end, std::string path) {
  model::Mapping mapping = anonymous(start, end);
  mapping.path = std::move(path);
  return mapping;
}

TEST(AnalysisMappingRanges, WithoutItsMappingAnAddressIsInTheNewestThatWasThere) {
  test::SessionBuilder builder;
  const auto process = builder.process(1, "p");
  builder.mapping(named(0x1000, 0x9000, "oldest"));
  builder.mapping(named(0x3000, 0x3000, "empty"));
  builder.mapping(named(0x2000, 0x5000, "older"));
  builder.mapping(named(0x4000, 0x6000, "newest"));
  const analysis::MappingRanges ranges(builder.session);
  const auto label_at = [&](std::uint64_t address) -> std::string {
    const auto* object = ranges.find(builder.session, builder.newest_space(process),
                                     model::MappingHash(99), address);
    return object != nullptr ? object->name : "-";
  };
  EXPECT_EQ(label_at(0xfff), "-");
  EXPECT_EQ(label_at(0x1000), "oldest");
  EXPECT_EQ(label_at(0x3000), "older");
  EXPECT_EQ(label_at(0x4000), "newest");
  EXPECT_EQ(label_at(0x5fff), "newest");
  EXPECT_EQ(label_at(0x6000), "oldest");
  EXPECT_EQ(label_at(0x9000), "-");
}

TEST(AnalysisMappingRanges, ABackwardMappingIsEmptyNotHuge) {
  test::SessionBuilder builder;
  const auto process = builder.process(1, "p");
  const auto hash = builder.mapping(anonymous(0x6000, 0x5000));
  const analysis::MappingRanges ranges(builder.session);
  const auto* object = ranges.find(builder.session, builder.newest_space(process), hash, 0);
  ASSERT_NE(object, nullptr);
  EXPECT_EQ(object->size, 0U);
}

}  // namespace
}  // namespace cowtrace
