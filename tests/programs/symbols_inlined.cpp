// SPDX-License-Identifier: Apache-2.0
// Functions and data for the symbolizer's tests: an inlined chain, a static, a nested namespace,
// zero-initialised data. Build with -g.
#include <cstdio>

namespace symbols {

struct Table {
  long rows[64];
};

Table table = {{1, 2, 3}};  // .data
Table empty_table;          // .bss
volatile long sink;

__attribute__((always_inline)) inline void innermost(long value) {
  sink = sink + value;  // line 17
}

__attribute__((always_inline)) inline void middle(long value) {
  innermost(value + 1);  // line 21
}

__attribute__((noinline)) void outer(long value) {
  middle(value * 3);  // line 25
}

static __attribute__((noinline, used)) long hidden(long value) {
  return value + sink;
}

}  // namespace symbols

extern "C" __attribute__((noinline)) long symbols_plain(long value) {
  symbols::outer(value);
  return symbols::hidden(value) + symbols::table.rows[0] + symbols::empty_table.rows[0];
}

int main(int count, char**) {
  std::printf("%ld\n", symbols_plain(count));
  return 0;
}
