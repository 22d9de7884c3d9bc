/* SPDX-License-Identifier: Apache-2.0 */
/*
 * As the fork server of a fuzzer: forks COUNT children one after the other, each of which writes a
 * few pages of MIB of memory in small pages and ends. Prints the time of each fork since the first,
 * in ns.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define WRITTEN 10 /* pages, by each child */

static long long now(void) {
  struct timespec time;

  clock_gettime(CLOCK_MONOTONIC, &time);
  return time.tv_sec * 1000000000LL + time.tv_nsec;
}

int main(int argc, char** argv) {
  int count = argc > 2 ? atoi(argv[2]) : 0;
  size_t size = argc > 2 ? (size_t)atoi(argv[1]) << 20 : 0;
  char* memory =
      size ? mmap(0, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) : MAP_FAILED;
  long long* at = calloc((size_t)count + 1, sizeof(*at));

  if (memory == MAP_FAILED || !at) {
    fprintf(stderr, "usage: fork_server MIB COUNT\n");
    return 2;
  }
  madvise(memory, size, MADV_NOHUGEPAGE);
  memset(memory, 1, size);
  for (int i = 0; i < count; i++) {
    pid_t child;

    at[i] = now();
    child = fork();
    if (child < 0) return 1;
    if (!child) {
      for (int page = 0; page < WRITTEN; page++) memory[page * 4096L] = 2;
      _exit(0);
    }
    waitpid(child, 0, 0);
  }
  for (int i = 0; i < count; i++) printf("%lld\n", at[i] - at[0]);
  return 0;
}
