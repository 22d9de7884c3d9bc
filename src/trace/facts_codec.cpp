// SPDX-License-Identifier: Apache-2.0
#include "trace/facts_codec.h"

#include <algorithm>
#include <map>
#include <utility>

#include "trace/deltas.h"

namespace cowtrace::trace {
namespace {

constexpr std::size_t kRowsOfABlock = 1 << 16;
// What a name takes in memory beside its functions, about.
constexpr std::uint64_t kNameBytes = 200;

// Hands a block on whenever enough is in it.
class Filler {
 public:
  explicit Filler(const std::function<void(Block&)>& full) : full_(full) {}

  Block& next(std::size_t rows = 1) {
    if (rows_ >= kRowsOfABlock) flush();
    rows_ += rows;
    return block_;
  }
  void flush() {
    if (rows_ != 0) full_(block_);
    block_.Clear();
    rows_ = 0;
    ++blocks_;
  }
  // Differs from one block to the next.
  [[nodiscard]] std::size_t blocks() const { return blocks_; }

 private:
  const std::function<void(Block&)>& full_;
  Block block_;
  std::size_t rows_ = 0, blocks_ = 0;
};

// Deltas, which begin anew in each block.
template <typename Columns>
class BlockDeltas {
 public:
  Columns& in(const Filler& filler) {
    if (std::exchange(block_, filler.blocks()) != filler.blocks()) columns_ = {};
    return columns_;
  }

 private:
  Columns columns_;
  std::size_t block_ = SIZE_MAX;
};

class FactsEncoder {
 public:
  FactsEncoder(const model::Facts& facts, const model::Session& session, StringTable& strings,
               const std::function<void(Block&)>& full)
      : facts_(facts), session_(session), strings_(strings), filler_(full) {}

  void put_all() {
    for (const model::Object* object : facts_.objects) put(*object, strings_, filler_.next());
    put_effects();
    put_targets();
    put_neighbours();
    put_names();
    filler_.flush();
  }

 private:
  void put_effects();
  void put_targets();
  void put_neighbours();
  void put_names();
  [[nodiscard]] std::uint32_t number_of(const model::StackFrame* frame);
  [[nodiscard]] std::uint32_t list_of(const model::NamedStack& functions);

  const model::Facts& facts_;
  const model::Session& session_;
  StringTable& strings_;
  Filler filler_;
  std::unordered_map<const model::StackFrame*, std::uint32_t> frames_;
  std::map<std::vector<std::uint32_t>, std::uint32_t> lists_;
};

void FactsEncoder::put_effects() {
  for (std::size_t i = 1; i < facts_.effects.size(); ++i) {
    const model::Effect& effect = facts_.effects[i];
    Block& block = filler_.next();
    Effect& to = *block.add_effects();
    to.set_cause(static_cast<std::uint32_t>(effect.cause));
    if (effect.stored) to.set_stored(*effect.stored);
    to.set_field(strings_.number_of(facts_.field(effect), block));
  }
}

void FactsEncoder::put_targets() {
  BlockDeltas<ShortDelta> objects;
  for (std::size_t space = 0; space < facts_.targets.size(); ++space) {
    Targets* to = nullptr;
    std::size_t block_of_to = 0;
    for (const model::Target target : facts_.targets[space]) {
      Block& block = filler_.next();
      if (to == nullptr || block_of_to != filler_.blocks()) {
        to = block.add_targets();
        to->set_space(session_.spaces[space].id.value);
        block_of_to = filler_.blocks();
      }
      // Target::kNone becomes 0.
      to->add_object(objects.in(filler_).put(target.object + 1));
      to->add_effect(target.effect);
    }
  }
}

void FactsEncoder::put_neighbours() {
  BlockDeltas<ShortDelta> ends;
  for (std::size_t page = 0; page < facts_.neighbours.size(); ++page) {
    const auto runs = facts_.neighbours.at(page);
    Neighbours& to = *filler_.next(1 + runs.size()).mutable_neighbours();
    ShortDelta& end = ends.in(filler_);
    to.add_runs(static_cast<std::uint32_t>(runs.size()));
    for (const model::NumberLists::Run& run : runs) {
      to.add_first(end.put(run.first));
      static_cast<void>(end.put(run.first + run.count));
      to.add_count(run.count);
    }
  }
}

std::uint32_t FactsEncoder::number_of(const model::StackFrame* frame) {
  const auto [known, is_new] =
      frames_.try_emplace(frame, static_cast<std::uint32_t>(frames_.size() + 1));
  if (is_new) put(*frame, strings_, filler_.next());
  return known->second;
}

std::uint32_t FactsEncoder::list_of(const model::NamedStack& functions) {
  if (functions.empty()) return 0;
  std::vector<std::uint32_t> numbers;
  for (const model::StackFrame* frame : functions) numbers.push_back(number_of(frame));
  const auto [known, is_new] =
      lists_.try_emplace(std::move(numbers), static_cast<std::uint32_t>(lists_.size() + 1));
  if (is_new) put(known->first, *filler_.next(known->first.size()).mutable_lists());
  return known->second;
}

struct NameDeltas {
  Delta space, address, instruction;
};

void FactsEncoder::put_names() {
  // In order, so that equal facts are equal files.
  std::vector<std::pair<model::StackNames::Instruction, const model::NamedStack*>> native;
  for (const auto& [where, functions] : facts_.stack_names.native())
    native.emplace_back(where, &functions);
  std::sort(native.begin(), native.end(),
            [](const auto& a, const auto& b) { return a.first < b.first; });
  BlockDeltas<NameDeltas> native_deltas, managed_deltas;
  for (const auto& [where, functions] : native) {
    const std::uint32_t list = list_of(*functions);
    NativeNames& to = *filler_.next().mutable_native_names();
    NameDeltas& delta = native_deltas.in(filler_);
    to.add_space(delta.space.put(where.space.value));
    to.add_ip(delta.address.put(where.ip));
    to.add_is_return_address(where.is_return_address);
    to.add_functions(list);
  }
  for (const auto& [where, functions] : facts_.stack_names.managed()) {
    const std::uint32_t list = list_of(functions);
    ManagedNames& to = *filler_.next().mutable_managed_names();
    NameDeltas& delta = managed_deltas.in(filler_);
    to.add_space(delta.space.put(where.first.value));
    to.add_code(delta.address.put(where.second.code));
    to.add_instruction(delta.instruction.put(where.second.instruction));
    to.add_owner(where.second.owner);
    to.add_functions(list);
  }
}

std::vector<model::StackFrame> functions_of(const Tables& tables, std::uint32_t list) {
  std::vector<model::StackFrame> functions;
  if (list == 0) return functions;
  for (const std::uint32_t frame : tables.lists[list - 1])
    functions.push_back(tables.frames[frame - 1]);
  return functions;
}

}  // namespace

void put_facts(const model::Facts& facts, const model::Session& session, StringTable& strings,
               const std::function<void(Block&)>& full) {
  FactsEncoder(facts, session, strings, full).put_all();
}

bool FactsDecoder::take_effects(const Block& block, const StringTable& strings,
                                Allowance& allowance) {
  for (const Effect& from : block.effects()) {
    if (!allowance.take(sizeof(model::Effect)) || from.cause() >= model::kCauseNames.size())
      return false;
    model::Effect& effect = facts_.effects.emplace_back();
    effect.cause = static_cast<model::Cause>(from.cause());
    if (from.has_stored()) effect.stored = from.stored();
    if (from.field() == 0) continue;
    const auto [known, is_new] =
        fields_.try_emplace(from.field(), static_cast<std::uint32_t>(facts_.fields.size()));
    if (is_new) facts_.fields.push_back(strings.at(from.field()));
    effect.field = known->second;
    if (!allowance.take(facts_.fields[effect.field].size())) return false;
  }
  return true;
}

bool FactsDecoder::take_targets(const Block& block, const Tables& tables, Allowance& allowance) {
  ShortDelta objects;
  for (const Targets& from : block.targets()) {
    if (from.object_size() != from.effect_size()) return false;
    if (!allowance.take(static_cast<std::uint64_t>(from.object_size()) * sizeof(model::Target)))
      return false;
    std::vector<model::Target>& targets = targets_[from.space()];
    for (int i = 0; i < from.object_size(); ++i) {
      const std::uint32_t object = objects.get(from.object(i));
      if (!tables.has_object(object) || from.effect(i) >= facts_.effects.size()) return false;
      targets.push_back({object - 1, from.effect(i)});
    }
  }
  return true;
}

bool FactsDecoder::take_neighbours(const Neighbours& from, const Tables& tables,
                                   Allowance& allowance) {
  if (from.first_size() != from.count_size()) return false;
  ShortDelta end;
  int at = 0;
  std::vector<std::uint32_t> numbers;
  for (const std::uint32_t runs : from.runs()) {
    if (runs > static_cast<std::uint32_t>(from.first_size() - at)) return false;
    numbers.clear();
    for (std::uint32_t i = 0; i < runs; ++i, ++at) {
      const std::uint32_t first = end.get(from.first(at)), count = from.count(at);
      if (first > tables.objects.size() || count > tables.objects.size() - first) return false;
      // What is given out is a number for each.
      if (!allowance.take(count * sizeof(std::uint32_t))) return false;
      if (!numbers.empty() && first <= numbers.back()) return false;
      for (std::uint32_t number = first; number < first + count; ++number)
        numbers.push_back(number);
      static_cast<void>(end.put(first + count));
    }
    if (!allowance.take(sizeof(std::size_t))) return false;
    facts_.neighbours.add(numbers);
  }
  return at == from.first_size();
}

bool FactsDecoder::take_native(const NativeNames& from, Tables& tables, Allowance& allowance) {
  const int rows = from.space_size();
  if (from.ip_size() != rows || from.is_return_address_size() != rows ||
      from.functions_size() != rows)
    return false;
  NameDeltas delta;
  for (int i = 0; i < rows; ++i) {
    std::uint32_t list = from.functions(i);
    if (!allowance.take(kNameBytes) || !tables.take_functions(list, allowance)) return false;
    const model::SpaceId space(static_cast<std::uint32_t>(delta.space.get(from.space(i))));
    const model::StackNames::Instruction where{space, delta.address.get(from.ip(i)),
                                               from.is_return_address(i)};
    // Without functions it stays what the trace does not have.
    if (list != 0) facts_.stack_names.add(where, functions_of(tables, list));
  }
  return true;
}

bool FactsDecoder::take_managed(const ManagedNames& from, Tables& tables, Allowance& allowance) {
  const int rows = from.space_size();
  if (from.code_size() != rows || from.instruction_size() != rows || from.owner_size() != rows ||
      from.functions_size() != rows)
    return false;
  NameDeltas delta;
  for (int i = 0; i < rows; ++i) {
    std::uint32_t list = from.functions(i);
    if (!allowance.take(kNameBytes) || !tables.take_functions(list, allowance) ||
        from.owner(i) > UINT8_MAX)
      return false;
    const model::SpaceId space(static_cast<std::uint32_t>(delta.space.get(from.space(i))));
    model::PythonFrame frame;
    frame.code = delta.address.get(from.code(i));
    frame.instruction = delta.instruction.get(from.instruction(i));
    frame.owner = static_cast<std::uint8_t>(from.owner(i));
    facts_.stack_names.add(model::StackNames::Managed{space, frame}, functions_of(tables, list));
  }
  return true;
}

bool FactsDecoder::take(const Block& block, const StringTable& strings, Tables& tables,
                        Allowance& allowance) {
  return take_effects(block, strings, allowance) && take_targets(block, tables, allowance) &&
         take_neighbours(block.neighbours(), tables, allowance) &&
         take_native(block.native_names(), tables, allowance) &&
         take_managed(block.managed_names(), tables, allowance);
}

std::optional<model::Facts> FactsDecoder::finish(const model::Session& session,
                                                 std::shared_ptr<const Tables> tables) {
  facts_.targets.resize(session.spaces.size());
  std::size_t known = 0;
  for (std::size_t i = 0; i < session.spaces.size(); ++i) {
    const model::AddressSpace& space = session.spaces[i];
    const auto targets = targets_.find(space.id.value);
    if (targets == targets_.end()) continue;
    if (targets->second.size() > space.resolutions.size() + space.page_counts.size())
      return std::nullopt;
    facts_.targets[i] = std::move(targets->second);
    ++known;
  }
  if (known != targets_.size()) return std::nullopt;
  for (const model::Object& object : tables->objects) facts_.objects.push_back(&object);
  facts_.objects_owner = std::move(tables);
  return std::move(facts_);
}

}  // namespace cowtrace::trace
