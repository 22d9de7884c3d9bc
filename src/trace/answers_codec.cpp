// SPDX-License-Identifier: Apache-2.0
#include "trace/answers_codec.h"

#include <algorithm>
#include <utility>

#include "trace/deltas.h"

namespace cowtrace::trace {
namespace {

constexpr std::size_t kRowsOfABlock = 1 << 16;
// Of one instruction: calls that were inlined there, and the names of all of them. Each stack has it again.
constexpr std::size_t kMostInlined = 256;
constexpr std::uint64_t kMostFrameBytes = 128 << 10;

void put_object(const model::Object& object, StringTable& strings, Block& block) {
  Object& to = *block.add_objects();
  to.set_kind(static_cast<std::uint32_t>(object.kind));
  to.set_address(object.address);
  to.set_size(object.size);
  to.set_name(strings.number_of(object.name, block));
  to.set_type(strings.number_of(object.type, block));
  to.set_born_ns(object.born_ns);
  if (object.died_ns != UINT64_MAX) to.set_lives_ns(object.died_ns - object.born_ns + 1);
  to.set_group(strings.number_of(object.group, block));
  to.set_kept_by_interpreter(object.kept_by_interpreter);
  to.set_group_items(object.group_items);
}

model::Object object_of(const Object& from, const StringTable& strings) {
  model::Object object;
  object.kind = static_cast<model::ObjectKind>(from.kind());
  object.address = from.address();
  object.size = from.size();
  object.name = strings.at(from.name());
  object.type = strings.at(from.type());
  object.born_ns = from.born_ns();
  if (from.lives_ns() != 0) object.died_ns = from.born_ns() + (from.lives_ns() - 1);
  object.group = strings.at(from.group());
  object.kept_by_interpreter = from.kept_by_interpreter();
  object.group_items = from.group_items();
  return object;
}

void put_frame(const model::StackFrame& frame, StringTable& strings, Block& block) {
  StackFrame& to = *block.add_frames();
  to.set_function(strings.number_of(frame.function, block));
  to.set_file(strings.number_of(frame.file, block));
  to.set_line(frame.line);
  to.set_module(strings.number_of(frame.module, block));
  to.set_why_unnamed(strings.number_of(frame.why_unnamed, block));
  to.set_inlined(frame.inlined);
  to.set_not_code(frame.not_code);
  to.set_python(frame.python);
  to.set_interpreter(frame.interpreter);
}

model::StackFrame frame_of(const StackFrame& from, const StringTable& strings) {
  model::StackFrame frame;
  frame.function = strings.at(from.function());
  frame.file = strings.at(from.file());
  frame.line = from.line();
  frame.module = strings.at(from.module());
  frame.why_unnamed = strings.at(from.why_unnamed());
  frame.inlined = from.inlined();
  frame.not_code = from.not_code();
  frame.python = from.python();
  frame.interpreter = from.interpreter();
  return frame;
}

void put_list(const std::vector<std::uint32_t>& list, Lists& to) {
  to.add_size(static_cast<std::uint32_t>(list.size()));
  std::uint32_t last = 0;
  for (const std::uint32_t number : list) to.add_numbers(static_cast<std::int32_t>(number - std::exchange(last, number)));
}

// In memory, with their texts, which the file has once.
std::uint64_t bytes_of(const model::Object& object) {
  return sizeof(object) + object.name.size() + object.type.size() + object.group.size();
}
std::uint64_t bytes_of(const model::StackFrame& frame) {
  return sizeof(frame) + frame.function.size() + frame.file.size() + frame.module.size() + frame.why_unnamed.size();
}

struct QuestionDeltas {
  Delta space, address, second, until_ns;
};

void put_row(const AnswerTable::Row& row, QuestionDeltas& deltas, std::uint32_t field, AnswerRows& to) {
  to.add_space(deltas.space.put(row.question.space.value));
  to.add_address(deltas.address.put(row.question.address));
  to.add_second(deltas.second.put(row.question.second));
  to.add_until_ns(deltas.until_ns.put(row.until_ns));
  to.add_answer(row.answer.number);
  to.add_cause(static_cast<std::uint32_t>(row.answer.cause));
  to.add_field(field);
  to.add_owner(row.question.owner);
  to.set_says_since_when(true);
  if (row.from_ns == row.until_ns) return;
  to.add_held_row(static_cast<std::uint32_t>(to.until_ns_size() - 1));
  to.add_held_ns(row.until_ns - row.from_ns);
}

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
  [[nodiscard]] std::size_t blocks() const { return blocks_; }

 private:
  const std::function<void(Block&)>& full_;
  Block block_;
  std::size_t rows_ = 0, blocks_ = 0;
};

}  // namespace

void put_answers(const Answers& answers, StringTable& strings, const std::function<void(Block&)>& full) {
  Filler filler(full);
  for (const model::Object& object : answers.objects) put_object(object, strings, filler.next());
  for (const model::StackFrame& frame : answers.frames) put_frame(frame, strings, filler.next());
  for (const auto& list : answers.lists) put_list(list, *filler.next(list.size()).mutable_lists());
  const std::pair<const AnswerTable*, AnswerRows* (Block::*)()> tables[] = {{&answers.writes, &Block::mutable_writes},
                                                                            {&answers.ranges, &Block::mutable_ranges},
                                                                            {&answers.native, &Block::mutable_native},
                                                                            {&answers.python, &Block::mutable_python},
                                                                            {&answers.store_sizes, &Block::mutable_store_sizes}};
  for (const auto& [table, rows] : tables) {
    QuestionDeltas deltas;
    std::size_t blocks = filler.blocks();
    for (const AnswerTable::Row& row : table->rows()) {
      Block& block = filler.next();
      // Differences begin anew in each block.
      if (std::exchange(blocks, filler.blocks()) != filler.blocks()) deltas = {};
      const std::uint32_t field = row.answer.field == 0 ? 0 : strings.number_of(answers.fields[row.answer.field - 1], block);
      put_row(row, deltas, field, *(block.*rows)());
    }
  }
  filler.flush();
}

bool AnswersDecoder::take_objects(const Block& block, const StringTable& strings, Allowance& allowance) {
  for (const Object& from : block.objects()) {
    if (from.kind() > static_cast<std::uint32_t>(model::ObjectKind::Mapping)) return false;
    if (!allowance.take(bytes_of(answers_.objects.emplace_back(object_of(from, strings))))) return false;
  }
  for (const StackFrame& from : block.frames())
    if (!allowance.take(bytes_of(answers_.frames.emplace_back(frame_of(from, strings))))) return false;
  return true;
}

bool AnswersDecoder::take_lists(const Lists& lists) {
  int at = 0;
  for (const std::uint32_t size : lists.size()) {
    if (size > static_cast<std::uint32_t>(lists.numbers_size() - at)) return false;
    auto& list = answers_.lists.emplace_back();
    ListFacts& facts = facts_.emplace_back();
    std::uint32_t last = 0;
    for (std::uint32_t i = 0; i < size; ++i) {
      list.push_back(last += static_cast<std::uint32_t>(lists.numbers(at++)));
      facts.smallest = std::min(facts.smallest, last);
      facts.largest = std::max(facts.largest, last);
    }
  }
  return at == lists.numbers_size();
}

// Also takes from `allowance` what the answer is when it is given out. What is too long for a stack frame gives no names.
bool AnswersDecoder::take_answer(Kind kind, std::uint32_t& number, Allowance& allowance) {
  if (number == 0 || kind == Kind::Sizes) return true;
  if (kind == Kind::Writes) return number <= answers_.objects.size();
  if (number > answers_.lists.size()) return false;
  const auto& list = answers_.lists[number - 1];
  const ListFacts& facts = facts_[number - 1];
  if (kind == Kind::ObjectLists) return facts.largest <= answers_.objects.size() && allowance.take(list.size() * sizeof(void*));
  if (facts.smallest == 0 || facts.largest > answers_.frames.size()) return false;
  const auto [size, is_new] = frames_size_.try_emplace(number);
  if (is_new)
    for (const std::uint32_t frame : list) size->second += bytes_of(answers_.frames[frame - 1]);
  if (list.size() > kMostInlined || size->second > kMostFrameBytes) number = 0;
  return number == 0 || allowance.take(size->second);
}

bool AnswersDecoder::take_table(const AnswerRows& from, Kind kind, const StringTable& strings, Allowance& allowance, AnswerTable& to) {
  const int rows = from.space_size();
  for (const int size : {from.address_size(), from.second_size(), from.until_ns_size(), from.answer_size(), from.cause_size(),
                         from.field_size(), from.owner_size()})
    if (size != rows) return false;
  if (from.held_ns_size() != from.held_row_size()) return false;
  says_since_when_ = says_since_when_ && (from.says_since_when() || rows == 0);
  int held = 0;
  QuestionDeltas deltas;
  for (int i = 0; i < rows; ++i) {
    const Question question = {model::SpaceId(static_cast<std::uint32_t>(deltas.space.get(from.space(i)))),
                               deltas.address.get(from.address(i)), deltas.second.get(from.second(i)), from.owner(i)};
    Answer answer;
    answer.number = from.answer(i);
    if (!allowance.take(sizeof(AnswerTable::Row)) || !take_answer(kind, answer.number, allowance)) return false;
    if (from.cause(i) >= model::kCauseNames.size()) return false;
    answer.cause = static_cast<model::Cause>(from.cause(i));
    if (from.field(i) != 0) {
      const auto [entry, is_new] = fields_.try_emplace(from.field(i), static_cast<std::uint32_t>(answers_.fields.size() + 1));
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

bool AnswersDecoder::take(const Block& block, const StringTable& strings, Allowance& allowance) {
  return take_objects(block, strings, allowance) && take_lists(block.lists()) &&
         take_table(block.writes(), Kind::Writes, strings, allowance, answers_.writes) &&
         take_table(block.ranges(), Kind::ObjectLists, strings, allowance, answers_.ranges) &&
         take_table(block.native(), Kind::FrameLists, strings, allowance, answers_.native) &&
         take_table(block.python(), Kind::FrameLists, strings, allowance, answers_.python) &&
         take_table(block.store_sizes(), Kind::Sizes, strings, allowance, answers_.store_sizes);
}

Answers AnswersDecoder::take() {
  for (AnswerTable* table : {&answers_.writes, &answers_.ranges, &answers_.native, &answers_.python,
                             &answers_.store_sizes}) {
    table->settle();
    if (!says_since_when_) table->hold_always();
  }
  return std::move(answers_);
}

}  // namespace cowtrace::trace
