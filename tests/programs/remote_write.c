// SPDX-License-Identifier: Apache-2.0
// remote_write parent|outside: a child that inherits 16 pages and writes none; the parent writes
// one byte of it through /proc/PID/mem, or prints "ready PID ADDRESS" and lets somebody else do so
// until standard input ends.
#include "family.h"

#include <fcntl.h>

enum { kPages = 16, kWritten = 5 };

static void write_through_proc(pid_t child, const unsigned char* address) {
  char path[64];
  snprintf(path, sizeof(path), "/proc/%d/mem", child);
  int memory = open(path, O_RDWR | O_CLOEXEC);
  check(memory >= 0 && pwrite(memory, "x", 1, (off_t)(uintptr_t)address) == 1, path);
  close(memory);
}

int main(int argc, char** argv) {
  check(argc == 2, "usage: remote_write parent|outside");
  unsigned char* pages = make_pages(kPages);
  unsigned char* target = pages + kWritten * kPage + 100;
  int ready[2], done[2];
  check(pipe(ready) == 0 && pipe(done) == 0, "pipe");
  pid_t child = fork();
  check(child >= 0, "fork");
  if (child == 0) {
    char byte;
    close(done[1]);
    check(write(ready[1], "r", 1) == 1, "write");
    check(read(done[0], &byte, 1) == 0, "read");
    _exit(*(volatile unsigned char*)target == 'x' ? 0 : 1);
  }
  char byte;
  check(read(ready[0], &byte, 1) == 1, "read");
  char line[80];
  snprintf(line, sizeof(line), "ready %d 0x%lx\n", child, (unsigned long)(uintptr_t)target);
  say(line);
  if (strcmp(argv[1], "parent") == 0)
    write_through_proc(child, target);
  else
    check(read(STDIN_FILENO, &byte, 1) == 0, "standard input");
  close(done[1]);
  wait_for(child);
  return 0;
}
