// SPDX-License-Identifier: Apache-2.0
// What the test programs share: buffers whose pages are there, and claims: lines on standard output
// that say which pages a process wrote, for the test to compare with the report. A claim is made by
// the writer itself, with one write(2).
#pragma once
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

enum { kPage = 4096 };

static inline void check(int good, const char* what) {
  if (good) return;
  perror(what);
  _exit(99);
}

// Anonymous pages that are present and have ordinary frames of their own.
static inline unsigned char* make_pages(size_t count) {
  unsigned char* pages =
      mmap(NULL, count * kPage, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  check(pages != MAP_FAILED, "mmap");
  check(madvise(pages, count * kPage, MADV_NOHUGEPAGE) == 0, "madvise");
  memset(pages, 1, count * kPage);
  return pages;
}

static inline void write_pages(unsigned char* pages, size_t count) {
  for (size_t i = 0; i < count; ++i)
    ((volatile unsigned char*)pages)[i * kPage] = (unsigned char)(i + 2);
}

static inline void say(const char* text) {
  check(write(STDOUT_FILENO, text, strlen(text)) == (ssize_t)strlen(text), "write");
}

// "WHAT PID ADDRESS COUNT": this process says this of these pages.
static inline void claim(const char* what, const unsigned char* pages, size_t count) {
  char line[160];
  snprintf(line, sizeof(line), "%s %d 0x%lx %zu\n", what, getpid(), (unsigned long)(uintptr_t)pages,
           count);
  say(line);
}

static inline void write_and_claim(unsigned char* pages, size_t count) {
  write_pages(pages, count);
  claim("wrote", pages, count);
}

static inline void wait_for(pid_t child) {
  int status = 0;
  check(waitpid(child, &status, 0) == child && status == 0, "a child");
}
