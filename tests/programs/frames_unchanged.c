// SPDX-License-Identifier: Apache-2.0
// frames_unchanged: a child that inherits 1000 pages and registered objects, writes none, and
// compares the frames of its own page table from its first look to its last, while it forks, while
// a child of its own execs, and while it waits for what standard input says. Prints "ready PID
// ADDRESS COUNT" before it waits and "changed N" after it.
#include <cowtrace/objects.h>
#include <fcntl.h>

#include "family.h"

enum { kPages = 1000 };

struct node {
  struct node* next;
  char text[4080];
};

static void read_frames(const unsigned char* pages, uint64_t* frames) {
  int pagemap = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);
  ssize_t wanted = kPages * (ssize_t)sizeof(uint64_t);
  check(pagemap >= 0 &&
            pread(pagemap, frames, (size_t)wanted, (off_t)((uintptr_t)pages / kPage * 8)) == wanted,
        "pagemap");
  close(pagemap);
  for (int i = 0; i < kPages; ++i) {
    check((frames[i] >> 63) == 1, "a page is not present");
    frames[i] &= (UINT64_C(1) << 55) - 1;
    check(frames[i] != 0, "frames are hidden");
  }
}

static void run_grandchildren(void) {
  pid_t plain = fork();
  if (plain == 0) _exit(0);
  wait_for(plain);
  char* const next[] = {"true", NULL};
  pid_t other = fork();
  if (other == 0) {
    execvp("true", next);
    _exit(1);
  }
  wait_for(other);
}

int main(void) {
  unsigned char* pages = make_pages(kPages);
  uint64_t* before = (uint64_t*)make_pages(2);
  uint64_t* after = (uint64_t*)make_pages(2);
  check(cowtrace_register(pages, kPages * kPage, "table", "pages") != 0, "cowtrace_register");
  for (int i = 0; i < 500; ++i)
    check(cowtrace_register(pages + i * kPage, sizeof(struct node), "node", "node") != 0,
          "cowtrace_register");
  pid_t child = fork();
  check(child >= 0, "fork");
  if (child != 0) {
    wait_for(child);
    return 0;
  }
  read_frames(pages, before);
  run_grandchildren();
  claim("ready", pages, kPages);
  char byte;
  check(read(STDIN_FILENO, &byte, 1) == 0, "standard input");
  read_frames(pages, after);
  int changed = 0;
  for (int i = 0; i < kPages; ++i) changed += before[i] != after[i];
  char line[40];
  snprintf(line, sizeof(line), "changed %d\n", changed);
  say(line);
  return 0;
}
