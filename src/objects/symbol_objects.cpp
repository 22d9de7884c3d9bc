// SPDX-License-Identifier: Apache-2.0
#include "objects/symbol_objects.h"

#include <algorithm>
#include <utility>

namespace cowtrace::objects {
namespace {

model::Object make_object(process::Symbol symbol, std::uint64_t bias) {
  model::Object object;
  object.kind = model::ObjectKind::Symbol;
  object.address = symbol.address + bias;
  object.size = std::max<std::uint64_t>(symbol.size, 1);
  object.name = std::move(symbol.name);
  return object;
}

}  // namespace

std::optional<model::Object> symbol_object_at(ModuleMap& modules, std::uint64_t address) {
  const ModuleInstance* instance = modules.instance_at(address);
  if (instance == nullptr) return std::nullopt;
  auto symbol =
      instance->module->symbols().find(process::SymbolKind::Object, address - instance->bias);
  if (!symbol) return std::nullopt;
  return make_object(std::move(*symbol), instance->bias);
}

std::vector<model::Object> symbol_objects_in(ModuleMap& modules, std::uint64_t start,
                                             std::uint64_t end, std::size_t limit) {
  std::vector<model::Object> found;
  for (const ModuleInstance& instance : modules.instances()) {
    const std::uint64_t from = std::max(start, instance.start);
    const std::uint64_t to = std::min(end, instance.end);
    if (from >= to || modules.instance_at(from) != &instance) continue;
    const auto symbols = instance.module->symbols().objects_in(
        from - instance.bias, to - instance.bias, limit - found.size());
    for (const process::Symbol& symbol : symbols) {
      found.push_back(make_object(symbol, instance.bias));
    }
  }
  std::sort(found.begin(), found.end(),
            [](const model::Object& a, const model::Object& b) { return a.address < b.address; });
  return found;
}

}  // namespace cowtrace::objects
