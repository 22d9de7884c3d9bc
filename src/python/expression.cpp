// SPDX-License-Identifier: Apache-2.0
#include "python/expression.h"

#include <fmt/format.h>

#include <charconv>
#include <utility>

#include "python/repr.h"

namespace cowtrace::python {
namespace {

constexpr std::size_t kLongest = 4096;
constexpr std::size_t kMostSteps = 64;
constexpr int kDeepestTuple = 3;

struct Constant {
  std::string repr;
  std::optional<std::string> text;
  std::optional<std::int64_t> index;
};

bool is_name_start(char c) {
  return c == '_' || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
         static_cast<unsigned char>(c) >= 0x80;
}
bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

void append_utf8(std::string& out, std::uint32_t point) {
  if (point < 0x80) {
    out.push_back(static_cast<char>(point));
    return;
  }
  const int more = point < 0x800 ? 1 : point < 0x10000 ? 2 : 3;
  constexpr unsigned kFirst[] = {0, 0xc0, 0xe0, 0xf0};
  out.push_back(static_cast<char>(kFirst[more] | point >> 6 * more));
  for (int i = more - 1; i >= 0; --i)
    out.push_back(static_cast<char>(0x80 | (point >> 6 * i & 0x3f)));
}

// Reads from left to right; the first thing that is wrong is kept, and from then on nothing
// matches.
class Parser {
 public:
  explicit Parser(std::string_view text) : text_(text) {}

  Result<Expression> parse() {
    Expression expression;
    expression.text = std::string(text_);
    if (text_.size() > kLongest) error("it is too long");
    skip_blanks();
    expression.root = name();
    skip_blanks();
    while (!failed() && !at_end()) {
      if (expression.steps.size() == kMostSteps) error("it has too many steps");
      if (take('.')) {
        skip_blanks();
        Expression::Step step;
        step.key = name();
        expression.steps.push_back(std::move(step));
      } else if (take('[')) {
        skip_blanks();
        Constant key = constant(0);
        skip_blanks();
        if (!take(']')) error("']' is missing");
        expression.steps.push_back({true, std::move(key.repr), std::move(key.text), key.index});
      } else {
        error("only names, attributes and constant subscripts can be read from outside");
      }
      skip_blanks();
    }
    if (failed()) return fail(fmt::format("{}, at character {}", why_, where_ + 1));
    return expression;
  }

 private:
  [[nodiscard]] bool failed() const { return !why_.empty(); }
  [[nodiscard]] bool at_end() const { return at_ >= text_.size(); }
  [[nodiscard]] char peek() const { return failed() || at_end() ? '\0' : text_[at_]; }
  bool take(char c) {
    if (peek() != c || at_end()) return false;
    ++at_;
    return true;
  }
  bool take(std::string_view word) {
    if (failed() || !text_.substr(at_).starts_with(word)) return false;
    const std::size_t after = at_ + word.size();
    if (after < text_.size() && (is_name_start(text_[after]) || is_digit(text_[after])))
      return false;
    at_ = after;
    return true;
  }
  void skip_blanks() {
    while (peek() == ' ' || peek() == '\t') ++at_;
  }
  void error(std::string why) {
    if (failed()) return;
    why_ = std::move(why);
    where_ = at_;
  }

  std::string name() {
    const std::size_t from = at_;
    if (!is_name_start(peek())) error("a name is expected");
    while (is_name_start(peek()) || is_digit(peek())) ++at_;
    return std::string(text_.substr(from, at_ - from));
  }

  Constant constant(int depth) {
    if (peek() == '\'' || peek() == '"') {
      Constant key;
      key.text = quoted(false);
      key.repr = repr_of(*key.text);
      return key;
    }
    if (peek() == 'b' && at_ + 1 < text_.size() &&
        (text_[at_ + 1] == '\'' || text_[at_ + 1] == '"')) {
      ++at_;
      return {repr_of_bytes(quoted(true)), {}, {}};
    }
    if (peek() == '-' || is_digit(peek())) return integer();
    if (peek() == '(' && depth < kDeepestTuple) return tuple(depth);
    for (const std::string_view word : {"None", "True", "False"})
      if (take(word)) return {std::string(word), {}, {}};
    error("a constant is expected: a str, bytes, int, bool, None or a tuple of them");
    return {};
  }

  Constant integer() {
    const std::size_t from = at_;
    take('-');
    const std::size_t digits = at_;
    while (is_digit(peek())) ++at_;
    const std::string_view number = text_.substr(from, at_ - from);
    std::int64_t value = 0;
    if (std::from_chars(number.data(), number.data() + number.size(), value).ec != std::errc()) {
      at_ = from;
      error("an int of at most 64 bits is expected");
    } else if (at_ - digits > 1 && text_[digits] == '0') {
      at_ = from;
      error("a number has no leading zeros");
    }
    return {std::to_string(value), {}, value};
  }

  Constant tuple(int depth) {
    take('(');
    std::string repr = "(";
    std::size_t count = 0;
    bool comma = false;
    for (skip_blanks(); !failed() && !take(')'); skip_blanks()) {
      if (count != 0 && !comma) error("',' is missing");
      repr += fmt::format("{}{}", count == 0 ? "" : ", ", constant(depth + 1).repr);
      ++count;
      skip_blanks();
      comma = take(',');
    }
    if (count == 1 && !comma) error("a tuple of one has a comma");
    return {repr + (count == 1 ? ",)" : ")"), {}, {}};
  }

  std::string quoted(bool bytes) {
    const char quote = peek();
    ++at_;
    std::string out;
    while (!failed() && !take(quote)) {
      if (at_end()) {
        error("a quote is missing");
      } else if (take('\\')) {
        escape(bytes, out);
      } else {
        out.push_back(text_[at_++]);
      }
    }
    return out;
  }

  void escape(bool bytes, std::string& out) {
    const char c = peek();
    ++at_;
    switch (c) {
      case '\\':
      case '\'':
      case '"':
        out.push_back(c);
        return;
      case 'n':
        out.push_back('\n');
        return;
      case 'r':
        out.push_back('\r');
        return;
      case 't':
        out.push_back('\t');
        return;
      case 'x': {
        const std::uint32_t byte = hex(2);
        if (bytes)
          out.push_back(static_cast<char>(byte));
        else
          append_utf8(out, byte);
        return;
      }
      case 'u':
      case 'U': {
        const std::uint32_t point = hex(c == 'u' ? 4 : 8);
        if (bytes || point > 0x10ffff || (point >= 0xd800 && point < 0xe000))
          error("no such character");
        else
          append_utf8(out, point);
        return;
      }
      default:
        error("an escape that is not known");
    }
  }

  std::uint32_t hex(std::size_t digits) {
    const std::string_view number = text_.substr(std::min(at_, text_.size()), digits);
    std::uint32_t value = 0;
    const auto read = std::from_chars(number.data(), number.data() + number.size(), value, 16);
    if (number.size() != digits || read.ptr != number.data() + digits)
      error(fmt::format("{} hexadecimal digits are expected", digits));
    at_ += number.size();
    return value;
  }

  std::string_view text_;
  std::size_t at_ = 0, where_ = 0;
  std::string why_;
};

}  // namespace

Result<Expression> parse_expression(std::string_view text) {
  return Parser(text).parse();
}

}  // namespace cowtrace::python
