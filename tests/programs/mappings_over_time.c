// SPDX-License-Identifier: Apache-2.0
// mappings_over_time FILE: one address that is one mapping after the other, and a move. Each time a
// child writes the pages; its claim's first word says what was mapped there.
#include "family.h"

#include <fcntl.h>
#include <sys/prctl.h>

#ifndef PR_SET_VMA
#define PR_SET_VMA 0x53564d41
#define PR_SET_VMA_ANON_NAME 0
#endif

enum { kPages = 4 };

static void name_it(unsigned char* pages, const char* name) {
  // Without CONFIG_ANON_VMA_NAME the mapping stays without a name; the program says so.
  if (prctl(PR_SET_VMA, PR_SET_VMA_ANON_NAME, (unsigned long)pages, (unsigned long)(kPages * kPage),
            (unsigned long)name) != 0)
    say("unnamed 0 0x0 0\n");
}

static void fork_writer(const char* what, unsigned char* pages) {
  pid_t child = fork();
  check(child >= 0, "fork");
  if (child == 0) {
    write_pages(pages, kPages);
    claim(what, pages, kPages);
    _exit(0);
  }
  wait_for(child);
}

static unsigned char* map_at(unsigned char* where, int file) {
  unsigned char* pages = mmap(where, kPages * kPage, PROT_READ | PROT_WRITE,
                              MAP_PRIVATE | MAP_FIXED | (file < 0 ? MAP_ANONYMOUS : 0), file, 0);
  check(pages == where, "mmap");
  write_pages(pages, kPages);  // present, private, and not the page cache's
  return pages;
}

int main(int argc, char** argv) {
  check(argc == 2, "usage: mappings_over_time FILE");
  int file = open(argv[1], O_RDWR | O_CREAT | O_TRUNC, 0600);
  check(file >= 0 && ftruncate(file, kPages * kPage) == 0, argv[1]);

  unsigned char* pages = make_pages(kPages);
  name_it(pages, "first");
  fork_writer("first", pages);
  check(munmap(pages, kPages * kPage) == 0, "munmap");

  map_at(pages, -1);
  name_it(pages, "second");
  fork_writer("second", pages);
  check(munmap(pages, kPages * kPage) == 0, "munmap");

  map_at(pages, file);
  fork_writer("file", pages);
  check(munmap(pages, kPages * kPage) == 0, "munmap");

  map_at(pages, -1);
  name_it(pages, "moved");
  unsigned char* room = make_pages(kPages);
  pages = mremap(pages, kPages * kPage, kPages * kPage, MREMAP_MAYMOVE | MREMAP_FIXED, room);
  check(pages == room, "mremap");
  fork_writer("moved", pages);
  return 0;
}
