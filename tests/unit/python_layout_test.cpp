// SPDX-License-Identifier: Apache-2.0
#include "python/layout.h"

#include <gtest/gtest.h>

#include <initializer_list>
#include <string>
#include <vector>

namespace cowtrace::python {
namespace {

constexpr int kOldest = 8, kNewest = 15;

class PythonLayout : public testing::TestWithParam<int> {
 protected:
  void SetUp() override {
    layout = find_layout({3, GetParam()});
    ASSERT_NE(layout, nullptr);
  }

  [[nodiscard]] bool since(int minor) const { return GetParam() >= minor; }

  const Layout* layout = nullptr;
};

// Every offset is known and inside a struct of that size.
void expect_inside(const char* name, Offset size, std::initializer_list<Offset> offsets) {
  EXPECT_GT(size, 0) << name;
  for (const Offset offset : offsets) {
    EXPECT_GE(offset, 0) << name;
    EXPECT_LT(offset, size) << name;
  }
}

TEST_P(PythonLayout, IsOfTheVersionThatWasAskedFor) {
  EXPECT_EQ(layout->version, (Version{3, GetParam()}));
}

TEST_P(PythonLayout, ObjectsBeginAlikeInEveryVersion) {
  const auto& [refcnt, type, size, var_size] = layout->object;
  EXPECT_EQ(std::vector({refcnt, type, size, var_size}), std::vector({0, 8, 16, 16}));
  EXPECT_EQ(layout->gc_head.size, 16);
  EXPECT_EQ(layout->member.object, 6);
  EXPECT_EQ(layout->member.object_ex, 16);
}

TEST_P(PythonLayout, FieldsLieInsideTheirStructs) {
  const Layout& l = *layout;
  expect_inside("runtime", l.runtime.size,
                {l.runtime.interpreters_head, l.runtime.interpreters_main});
  expect_inside(
      "interpreter", l.interpreter.size,
      {l.interpreter.next, l.interpreter.id, l.interpreter.threads_head, l.interpreter.modules,
       l.interpreter.sysdict, l.interpreter.builtins, l.interpreter.modules_by_index});
  expect_inside("thread", l.thread.size,
                {l.thread.next, l.thread.prev, l.thread.interp, l.thread.thread_id});
  expect_inside("type", l.type.size,
                {l.type.name, l.type.basicsize, l.type.itemsize, l.type.flags, l.type.members,
                 l.type.base, l.type.bases, l.type.mro, l.type.dict, l.type.subclasses,
                 l.type.weaklist, l.type.dictoffset, l.type.weaklistoffset});
  expect_inside("heap type", l.heap_type.size,
                {l.type.size, l.heap_type.name, l.heap_type.qualname, l.heap_type.cached_keys});
  expect_inside("code", l.code.size,
                {l.code.flags, l.code.firstlineno, l.code.consts, l.code.names, l.code.filename,
                 l.code.name});
  expect_inside("dict", l.dict.size, {l.dict.used, l.dict.keys, l.dict.values});
  expect_inside("list", l.list.size, {l.list.items, l.list.allocated});
  expect_inside("tuple", l.tuple.size, {l.tuple.items});
  expect_inside(
      "set", l.set.size,
      {l.set.fill, l.set.used, l.set.mask, l.set.table, l.set.smalltable, l.set.weakreflist});
  expect_inside("function", l.function.size,
                {l.function.globals, l.function.name, l.function.qualname, l.function.code,
                 l.function.dict, l.function.module});
  expect_inside("module", l.module.size, {l.module.dict, l.module.state, l.module.name});
  expect_inside("generator", l.generator.size,
                {l.generator.name, l.generator.qualname, l.generator.weakreflist});
  expect_inside(
      "unicode", l.unicode.size,
      {l.unicode.length, l.unicode.state, l.unicode.utf8, l.unicode.data, l.unicode.ascii_size});
  EXPECT_LE(l.unicode.compact_size, l.unicode.data);
  EXPECT_EQ(l.unicode.compact_shift, l.unicode.kind_shift + 3);
  EXPECT_EQ(l.unicode.ascii_shift, l.unicode.compact_shift + 1);
}

TEST_P(PythonLayout, PoolsHaveAHeaderOf48BytesAndFillArenas) {
  const auto& pool = layout->pool;
  const auto& arena = layout->arena;
  EXPECT_EQ(pool.header_size, 48);
  EXPECT_EQ(pool.size, since(10) ? 16 << 10 : 4 << 10);
  EXPECT_EQ(arena.arena_size, since(10) ? 1 << 20 : 256 << 10);
  expect_inside("pool", pool.header_size,
                {pool.ref, pool.freeblock, pool.arena_index, pool.size_class, pool.next_offset,
                 pool.max_next_offset});
  expect_inside("arena", arena.size,
                {arena.address, arena.pool_address, arena.nfreepools, arena.ntotalpools});
  EXPECT_EQ(arena.in_obmalloc != kAbsent, since(12));
}

TEST_P(PythonLayout, TheCollectorIsWhereThisVersionHasIt) {
  const Layout& l = *layout;
  EXPECT_EQ(l.runtime.gc != kAbsent, !since(9));
  EXPECT_EQ(l.interpreter.gc != kAbsent, since(9));
  EXPECT_EQ(l.gc.generation_count, l.gc.generations == kAbsent ? 0 : 3);
  EXPECT_EQ(l.gc.young == kAbsent, l.gc.generations != kAbsent);
  EXPECT_GE(l.gc.permanent, l.gc.generations + l.gc.generation_count * l.gc.generation_size);
  EXPECT_GT(l.gc.collecting, l.gc.enabled);
}

TEST_P(PythonLayout, FramesAreObjectsOrPartsOfThem) {
  const Layout& l = *layout;
  EXPECT_EQ(l.thread.frame == kAbsent, since(11) && !since(13));
  EXPECT_EQ(l.thread.cframe != kAbsent, since(11) && !since(13));
  EXPECT_EQ(l.thread.cframe_current_frame != kAbsent, since(11) && !since(13));
  EXPECT_EQ(l.generator.own_frame != kAbsent, since(11));
  if (since(11)) {
    const auto& frame = l.interpreter_frame;
    expect_inside("interpreter frame", frame.size,
                  {frame.executable, frame.previous, frame.instruction, frame.frame_obj,
                   frame.owner, frame.localsplus});
    expect_inside("frame", l.frame.size, {l.frame.frame, l.frame.own_frame});
    expect_inside(
        "code", l.code.size,
        {l.code.code_adaptive, l.code.qualname, l.code.linetable, l.code.localsplusnames});
  } else {
    expect_inside("frame", l.frame.size,
                  {l.frame.back, l.frame.code, l.frame.locals, l.frame.lasti, l.frame.localsplus});
    expect_inside("code", l.code.size,
                  {l.code.code, since(10) ? l.code.linetable : l.code.lnotab, l.code.varnames});
  }
}

TEST_P(PythonLayout, KeysOfDictsKnowTheSizeOfTheirTable) {
  const auto& keys = layout->dict_keys;
  EXPECT_EQ(keys.table_size != kAbsent, !since(11));
  EXPECT_EQ(keys.log2_size != kAbsent, since(11));
  EXPECT_EQ(keys.general_entry_size, 24);
  EXPECT_EQ(keys.unicode_entry_size, since(11) ? 16 : 24);
  expect_inside("keys", keys.indices, {keys.refcnt, keys.usable, keys.nentries});
  EXPECT_EQ(layout->dict_values.valid != kAbsent, since(13));
  EXPECT_EQ(layout->dict_values.values != kAbsent, since(11));
}

TEST_P(PythonLayout, StaticTypesKeepTheirDictsInTheInterpreterFrom312On) {
  const auto& interpreter = layout->interpreter;
  EXPECT_EQ(interpreter.types_builtins != kAbsent, since(12));
  EXPECT_EQ(interpreter.types_extensions != kAbsent, since(13));
  EXPECT_EQ(interpreter.obmalloc != kAbsent, since(12));
  EXPECT_EQ(interpreter.obmalloc_is_pointer, since(13));
  if (!since(12)) return;
  expect_inside("static type", layout->static_type.size,
                {layout->static_type.type, layout->static_type.tp_dict});
  EXPECT_GT(interpreter.types_builtins_count, 100);
  EXPECT_LE(
      interpreter.types_builtins + interpreter.types_builtins_count * layout->static_type.size,
      interpreter.size);
}

// From 3.15 on it is in thread-local variables only.
TEST_P(PythonLayout, TheKeyOfTheThreadStateIsKnownUpTo314) {
  EXPECT_EQ(layout->runtime.auto_tss_key != kAbsent, !since(15));
}

INSTANTIATE_TEST_SUITE_P(Versions, PythonLayout, testing::Range(kOldest, kNewest + 1),
                         [](const auto& tested) {
                           return "Python3_" + std::to_string(tested.param);
                         });

TEST(FindLayout, HasNoTableForOtherVersions) {
  for (const Version version : {Version{2, 7}, {3, kOldest - 1}, {3, kNewest + 1}, {4, 0}})
    EXPECT_EQ(find_layout(version), nullptr);
}

}  // namespace
}  // namespace cowtrace::python
