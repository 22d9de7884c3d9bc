/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Forks COUNT times with MIB of memory in small pages, and writes to a few pages meanwhile. Prints
 * the start of the memory, and for each fork how long fork() and the writes took, and how long the
 * processor worked for fork(), in nanoseconds.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define WRITTEN 100 /* pages, after each fork */

static long long now(clockid_t clock) {
  struct timespec time;

  clock_gettime(clock, &time);
  return time.tv_sec * 1000000000LL + time.tv_nsec;
}

int main(int argc, char** argv) {
  size_t size = argc > 2 ? (size_t)atoi(argv[1]) << 20 : 0;
  char* memory =
      size ? mmap(0, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) : MAP_FAILED;

  if (memory == MAP_FAILED) {
    fprintf(stderr, "usage: fork_times MIB COUNT\n");
    return 2;
  }
  madvise(memory, size, MADV_NOHUGEPAGE);
  memset(memory, 1, size);
  printf("%p\n", (void*)memory);
  for (int i = 0; i < atoi(argv[2]); i++) {
    int held[2];
    char byte;
    long long began, worked, forked;
    pid_t child;

    if (pipe(held)) return 1;
    began = now(CLOCK_MONOTONIC);
    worked = now(CLOCK_THREAD_CPUTIME_ID);
    child = fork();
    if (child < 0) return 1;
    if (!child) {
      close(held[1]);
      _exit(read(held[0], &byte, 1) < 0);
    }
    worked = now(CLOCK_THREAD_CPUTIME_ID) - worked;
    forked = now(CLOCK_MONOTONIC);
    for (int page = 0; page < WRITTEN; page++) memory[page * 4096L] = (char)i;
    printf("%lld %lld %lld\n", forked - began, now(CLOCK_MONOTONIC) - forked, worked);
    close(held[1]);
    close(held[0]);
    waitpid(child, 0, 0);
  }
  return 0;
}
