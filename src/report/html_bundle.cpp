// SPDX-License-Identifier: Apache-2.0
// COWTRACE_WEB_DIR is where the build leaves the two halves of the page.
#include "report/html_bundle.h"

#include <cstddef>

// A compiler takes minutes over an array of this size; the assembler copies the file.
#define COWTRACE_EMBED(symbol, file)        \
  __asm__(                                  \
      ".section .rodata\n"                  \
      ".global " #symbol "_begin\n" #symbol \
      "_begin:\n"                           \
      ".incbin \"" file                     \
      "\"\n"                                \
      ".global " #symbol "_end\n" #symbol   \
      "_end:\n"                             \
      ".byte 0\n"                           \
      ".previous\n")

COWTRACE_EMBED(cowtrace_html_head, COWTRACE_WEB_DIR "/report.head.html");
COWTRACE_EMBED(cowtrace_html_tail, COWTRACE_WEB_DIR "/report.tail.html");

extern "C" {
extern const char cowtrace_html_head_begin[], cowtrace_html_head_end[];
extern const char cowtrace_html_tail_begin[], cowtrace_html_tail_end[];
}

namespace cowtrace::report {

std::string_view html_head() {
  return {cowtrace_html_head_begin,
          static_cast<std::size_t>(cowtrace_html_head_end - cowtrace_html_head_begin)};
}

std::string_view html_tail() {
  return {cowtrace_html_tail_begin,
          static_cast<std::size_t>(cowtrace_html_tail_end - cowtrace_html_tail_begin)};
}

}  // namespace cowtrace::report
