// SPDX-License-Identifier: Apache-2.0
// loads_library FILE: loads a shared library and calls nothing in it. A child writes to pages that
// it has inherited.
#include "family.h"

#include <dlfcn.h>

enum { kPages = 10 };

int main(int argc, char** argv) {
  check(argc == 2, "usage: loads_library FILE");
  if (!dlopen(argv[1], RTLD_NOW)) {
    say(dlerror());
    return 77;
  }
  unsigned char* pages = make_pages(kPages);
  pid_t child = fork();
  check(child >= 0, "fork");
  if (child == 0) {
    write_and_claim(pages, kPages);
    _exit(0);
  }
  wait_for(child);
  return 0;
}
