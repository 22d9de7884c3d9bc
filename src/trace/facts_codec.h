// SPDX-License-Identifier: Apache-2.0
// Facts as messages of a trace file, and back.
#pragma once

#include <trace.pb.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <unordered_map>
#include <vector>

#include "model/facts.h"
#include "model/session.h"
#include "trace/allowance.h"
#include "trace/strings.h"
#include "trace/table_codec.h"

namespace cowtrace::trace {

// Puts all of `facts` into blocks; `full` is called with each, to write and clear it, before it
// becomes too large, and with the last.
void put_facts(const model::Facts& facts, const model::Session& session, StringTable& strings,
               const std::function<void(Block&)>& full);

// Takes facts in, block by block. What is read is untrusted.
class FactsDecoder {
 public:
  // `strings` and `tables` have taken the block in already. False: it contradicts itself, names a
  // number that no block had until then, or would take more memory than `allowance` has left.
  [[nodiscard]] bool take(const Block& block, const StringTable& strings, Tables& tables,
                          Allowance& allowance);
  // Everything, when all blocks were taken, of the session that was read beside it. None: they
  // contradict each other.
  [[nodiscard]] std::optional<model::Facts> finish(const model::Session& session,
                                                   std::shared_ptr<const Tables> tables);

 private:
  [[nodiscard]] bool take_effects(const Block& block, const StringTable& strings,
                                  Allowance& allowance);
  [[nodiscard]] bool take_targets(const Block& block, const Tables& tables, Allowance& allowance);
  [[nodiscard]] bool take_neighbours(const Neighbours& from, const Tables& tables,
                                     Allowance& allowance);
  [[nodiscard]] bool take_native(const NativeNames& from, Tables& tables, Allowance& allowance);
  [[nodiscard]] bool take_managed(const ManagedNames& from, Tables& tables, Allowance& allowance);

  model::Facts facts_;
  std::unordered_map<std::uint32_t, std::uint32_t> fields_;  // number by that of its string
  std::unordered_map<std::uint32_t, std::vector<model::Target>> targets_;  // by id of the space
};

}  // namespace cowtrace::trace
