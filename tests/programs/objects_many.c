// SPDX-License-Identifier: Apache-2.0
// objects_many OBJECTS PAGES: registers that many objects, spread evenly over a memory of PAGES
// pages, then forks a child that writes each page once.
#include <cowtrace/objects.h>

#include "family.h"

int main(int argc, char** argv) {
  const size_t objects = argc == 3 ? strtoul(argv[1], NULL, 10) : 0,
               pages = argc == 3 ? strtoul(argv[2], NULL, 10) : 0;
  const size_t bytes = pages * kPage;
  if (objects == 0 || pages == 0 || objects > bytes) {
    fprintf(stderr, "usage: objects_many OBJECTS PAGES, of no more objects than bytes\n");
    return 2;
  }
  unsigned char* memory = make_pages(pages);
  const size_t size = bytes / objects;
  for (size_t i = 0; i < objects; ++i) {
    char name[32];
    snprintf(name, sizeof(name), "entry %zu", i);
    check(cowtrace_register(memory + i * size, size, name, "entry") != 0, "cowtrace_register");
  }
  const pid_t child = fork();
  check(child >= 0, "fork");
  if (child == 0) {
    write_and_claim(memory, pages);
    _exit(0);
  }
  wait_for(child);
  return 0;
}
