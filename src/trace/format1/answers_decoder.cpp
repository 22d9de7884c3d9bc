// SPDX-License-Identifier: Apache-2.0
#include "trace/format1/answers_decoder.h"

#include <utility>

#include "trace/deltas.h"

namespace cowtrace::trace::format1 {
namespace {

struct QuestionDeltas {
  Delta space, address, second, until_ns;
};

}  // namespace

// Also takes from `allowance` what the answer is when it is given out.
bool AnswersDecoder::take_answer(Kind kind, std::uint32_t& number, Tables& tables,
                                 Allowance& allowance) {
  if (number == 0 || kind == Kind::Sizes) return true;
  if (kind == Kind::Writes) return tables.has_object(number);
  if (kind == Kind::FrameLists) return tables.take_functions(number, allowance);
  return tables.is_object_list(number) &&
         allowance.take(tables.lists[number - 1].size() * sizeof(void*));
}

bool AnswersDecoder::take_table(const AnswerRows& from, Kind kind, const StringTable& strings,
                                Tables& tables, Allowance& allowance, AnswerTable& to) {
  const int rows = from.space_size();
  for (const int size :
       {from.address_size(), from.second_size(), from.until_ns_size(), from.answer_size(),
        from.cause_size(), from.field_size(), from.owner_size()})
    if (size != rows) return false;
  if (from.held_ns_size() != from.held_row_size()) return false;
  says_since_when_ = says_since_when_ && (from.says_since_when() || rows == 0);
  int held = 0;
  QuestionDeltas deltas;
  for (int i = 0; i < rows; ++i) {
    const Question question = {
        model::SpaceId(static_cast<std::uint32_t>(deltas.space.get(from.space(i)))),
        deltas.address.get(from.address(i)), deltas.second.get(from.second(i)), from.owner(i)};
    Answer answer;
    answer.number = from.answer(i);
    if (!allowance.take(sizeof(AnswerTable::Row)) ||
        !take_answer(kind, answer.number, tables, allowance))
      return false;
    if (from.cause(i) >= model::kCauseNames.size()) return false;
    answer.cause = static_cast<model::Cause>(from.cause(i));
    if (from.field(i) != 0) {
      const auto [entry, is_new] = fields_.try_emplace(
          from.field(i), static_cast<std::uint32_t>(answers_.fields.size() + 1));
      if (is_new) answers_.fields.push_back(strings.at(from.field(i)));
      answer.field = entry->second;
      if (!allowance.take(answers_.fields[answer.field - 1].size())) return false;
    }
    const std::uint64_t until_ns = deltas.until_ns.get(from.until_ns(i));
    const bool is_held =
        held != from.held_row_size() && from.held_row(held) == static_cast<std::uint32_t>(i);
    const std::uint64_t held_ns = is_held ? from.held_ns(held++) : 0;
    if (held_ns > until_ns) return false;
    to.note({question, until_ns, until_ns - held_ns, answer});
  }
  return held == from.held_row_size();
}

bool AnswersDecoder::take(const Block& block, const StringTable& strings, Tables& tables,
                          Allowance& allowance) {
  return take_table(block.writes(), Kind::Writes, strings, tables, allowance, answers_.writes) &&
         take_table(block.ranges(), Kind::ObjectLists, strings, tables, allowance,
                    answers_.ranges) &&
         take_table(block.native(), Kind::FrameLists, strings, tables, allowance,
                    answers_.native) &&
         take_table(block.python(), Kind::FrameLists, strings, tables, allowance,
                    answers_.python) &&
         take_table(block.store_sizes(), Kind::Sizes, strings, tables, allowance,
                    answers_.store_sizes);
}

Answers AnswersDecoder::take() {
  for (AnswerTable* table : {&answers_.writes, &answers_.ranges, &answers_.native, &answers_.python,
                             &answers_.store_sizes}) {
    table->settle();
    if (!says_since_when_) table->hold_always();
  }
  return std::move(answers_);
}

}  // namespace cowtrace::trace::format1
