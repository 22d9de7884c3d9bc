// SPDX-License-Identifier: Apache-2.0
#include "python/expression.h"

#include <gtest/gtest.h>

#include <random>
#include <string>
#include <string_view>
#include <vector>

namespace cowtrace::python {
namespace {

Expression parsed(std::string_view text) {
  const auto expression = parse_expression(text);
  EXPECT_TRUE(expression.has_value())
      << text << ": " << (expression ? "" : expression.error().message());
  return expression.value_or(Expression{});
}

std::string why_not(std::string_view text) {
  const auto expression = parse_expression(text);
  EXPECT_FALSE(expression.has_value()) << text;
  return expression ? "" : expression.error().what;
}

TEST(PythonExpression, NamesAttributesAndSubscripts) {
  const Expression expression = parsed(" sys . modules [ 'a.b' ].X[-3] ");
  EXPECT_EQ(expression.root, "sys");
  ASSERT_EQ(expression.steps.size(), 4U);
  EXPECT_EQ(expression.steps[0].key, "modules");
  EXPECT_FALSE(expression.steps[0].subscript);
  EXPECT_TRUE(expression.steps[1].subscript);
  EXPECT_EQ(expression.steps[1].text, "a.b");
  EXPECT_EQ(expression.steps[3].index, -3);
  EXPECT_EQ(expression.steps[3].key, "-3");
}

// As Python 3.11 writes them with repr().
TEST(PythonExpression, ConstantsAreWrittenAsReprDoes) {
  const struct {
    const char* text;
    const char* repr;
  } cases[] = {{R"(a["x"])", "'x'"},
               {R"(a["it's"])", R"("it's")"},
               {R"(a['\x41\u00e9\U0001f600\n'])", R"('Aé😀\n')"},
               {R"(a[b'\xff\x00a'])", R"(b'\xff\x00a')"},
               {"a[(1,)]", "(1,)"},
               {"a[ ( 'x' , 2 , (None,True) ) ]", "('x', 2, (None, True))"},
               {"a[()]", "()"},
               {"a[None]", "None"},
               {"a[False]", "False"},
               {"a[9223372036854775807]", "9223372036854775807"},
               {"a[-0]", "0"}};
  for (const auto& one : cases) {
    const Expression expression = parsed(one.text);
    ASSERT_EQ(expression.steps.size(), 1U) << one.text;
    EXPECT_EQ(expression.steps[0].key, one.repr) << one.text;
  }
}

TEST(PythonExpression, SaysWhatIsWrong) {
  EXPECT_NE(why_not("f(x)").find("only names, attributes and constant subscripts"),
            std::string::npos);
  EXPECT_NE(why_not("a[b]").find("a constant is expected"), std::string::npos);
  EXPECT_NE(why_not("a[1:2]").find("']' is missing, at character 4"), std::string::npos);
  EXPECT_NE(why_not("a['x]").find("a quote is missing"), std::string::npos);
  EXPECT_NE(why_not("").find("a name is expected"), std::string::npos);
  EXPECT_NE(why_not("a.").find("a name is expected"), std::string::npos);
  EXPECT_NE(why_not("a['\\ud800']").find("no such character"), std::string::npos);
  EXPECT_NE(why_not("a['\\xg0']").find("2 hexadecimal digits"), std::string::npos);
  EXPECT_NE(why_not("a[(1)]").find("a comma"), std::string::npos);
  EXPECT_NE(why_not("a[9223372036854775808]").find("64 bits"), std::string::npos);
  EXPECT_NE(why_not("a[007]").find("leading zeros"), std::string::npos);
  EXPECT_NE(why_not(std::string(5000, 'a')).find("too long"), std::string::npos);
  std::string steps = "a";
  for (int i = 0; i < 65; ++i) steps += ".b";
  EXPECT_NE(why_not(steps).find("too many steps"), std::string::npos);
}

// It comes from the command line of a program that runs as root.
TEST(PythonExpression, AnyTextIsTakenOrRefused) {
  std::mt19937 random(4);
  constexpr std::string_view kParts[] = {"a",  ".",   "[",           "]",  "'",    "\"",
                                         "\\", "\\x", "\\U0010ffff", "b'", "(",    ")",
                                         ",",  "-",   "1",           " ",  "\xff", "None"};
  std::size_t taken = 0;
  for (int i = 0; i < 20'000; ++i) {
    std::string text = i % 2 == 0 ? "a" : "";
    for (auto parts = random() % 8; parts > 0; --parts)
      text += kParts[random() % std::size(kParts)];
    const auto expression = parse_expression(text);
    if (expression)
      ++taken;
    else
      EXPECT_FALSE(expression.error().what.empty()) << text;
  }
  EXPECT_GT(taken, 100U);
}

}  // namespace
}  // namespace cowtrace::python
