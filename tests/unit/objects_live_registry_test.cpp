// SPDX-License-Identifier: Apache-2.0
// The reader against the real header, in a child that inherited and extended its parent's registry.
#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <vector>

#include "objects/captured_resolver.h"
#include "objects/registry_reader.h"
#include "support/forked_child.h"

#include <cowtrace/objects.h>

namespace cowtrace::objects {
namespace {

const model::Object* find_at(const RegistryContents& contents, const void* address) {
  const auto found =
      std::find_if(contents.objects.begin(), contents.objects.end(), [&](const model::Object& one) {
        return one.address == reinterpret_cast<std::uint64_t>(address);
      });
  return found != contents.objects.end() ? &*found : nullptr;
}

TEST(LiveRegistry, IsFoundInAForkedChild) {
  if (::geteuid() != 0) GTEST_SKIP() << "reading another process needs privileges";
  static long counters[100];
  std::vector<int> gone(10);
  COWTRACE_OBJECT(counters);
  const auto handle = cowtrace_register(gone.data(), 40, "gone", "int[]");
  ASSERT_EQ(cowtrace_unregister_handle(handle), 1);
  const test::ForkedChild child;
  process::ModuleCache modules;
  const auto contents = read_registries(child.pid(), modules);
  ASSERT_TRUE(contents) << contents.error().message();
  const auto* object = find_at(*contents, counters);
  ASSERT_NE(object, nullptr);
  EXPECT_EQ(object->name, "counters");
  EXPECT_NE(object->type.find("long"), std::string::npos);
  EXPECT_EQ(object->size, sizeof(counters));
  EXPECT_EQ(object->died_ns, UINT64_MAX);
  const auto* retired = find_at(*contents, gone.data());
  ASSERT_NE(retired, nullptr);
  EXPECT_GE(retired->died_ns, retired->born_ns);
  EXPECT_NE(retired->died_ns, UINT64_MAX);
  EXPECT_TRUE(contents->notes.empty());

  // The same through the resolver: registered before symbol.
  CapturedResolver resolver;
  const model::SpaceId space(1);
  resolver.add_space(space, child.pid(), *process::read_maps(child.pid()));
  const auto address = reinterpret_cast<std::uint64_t>(&counters[50]);
  ASSERT_NE(resolver.object_at(space, address, UINT64_MAX), nullptr);
  EXPECT_EQ(resolver.object_at(space, address, UINT64_MAX)->kind, model::ObjectKind::Symbol);
  resolver.add_registered(space, contents->objects);
  EXPECT_EQ(resolver.object_at(space, address, UINT64_MAX)->kind, model::ObjectKind::Registered);
  cowtrace_unregister(counters);
}

TEST(LiveRegistry, HoldsManyChunks) {
  if (::geteuid() != 0) GTEST_SKIP() << "reading another process needs privileges";
  std::vector<char> memory(5000);
  std::vector<cowtrace_handle> handles;
  for (char& byte : memory) handles.push_back(cowtrace_register(&byte, 1, "byte", "char"));
  const test::ForkedChild child;
  process::ModuleCache modules;
  const auto contents = read_registries(child.pid(), modules);
  ASSERT_TRUE(contents);
  const auto begin = reinterpret_cast<std::uint64_t>(memory.data());
  const auto count = std::count_if(
      contents->objects.begin(), contents->objects.end(), [&](const model::Object& one) {
        return one.name == "byte" && one.address - begin < memory.size();
      });
  EXPECT_EQ(static_cast<std::size_t>(count), memory.size());
  for (const auto handle : handles) EXPECT_EQ(cowtrace_unregister_handle(handle), 1);
  EXPECT_FALSE(read_registries(0x7ffffff0, modules));
}

}  // namespace
}  // namespace cowtrace::objects
