// SPDX-License-Identifier: Apache-2.0
// A forked child that writes to some pages at work and to others while it ends.
// Usage: endings orderly|at-once|thread PAGES. Prints two addresses in hexadecimal: of the pages
// that are written at work, and of those that an exit handler writes from deep within calls; a
// destructor writes one page more behind these. at-once: the child ends by _exit(). thread: another
// thread of the child goes on writing to pages at work while the exit handler runs.
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

enum { kPage = 4096, kDeep = 100 };
static char *at_work, *at_end;
static int pages;
static pthread_barrier_t together;

static void touch(char* start, int first, int end) {
  for (int i = first; i < end; ++i) ((volatile char*)start)[i * kPage] = 2;
}

// Deeper than stacks are walked. Not a tail call: something is done afterwards.
__attribute__((noinline)) static int deep(int depth) {
  volatile int one = 1;
  if (depth == 0)
    touch(at_end, 1, pages);
  else
    one += deep(depth - 1);
  return one;
}

static void handler(void) {
  touch(at_end, 0, 1);
  deep(kDeep);
}

static void* work(void* argument) {
  pthread_barrier_wait(&together);
  touch(at_work, pages / 2, pages);
  pthread_barrier_wait(&together);
  return argument;
}

static void let_work(void) {
  pthread_barrier_wait(&together);
  pthread_barrier_wait(&together);
}

__attribute__((destructor)) static void destructor(void) {
  if (at_end != NULL) ((volatile char*)at_end)[pages * kPage] = 3;
}

static char* memory(int count) {
  char* start =
      mmap(NULL, (size_t)count * kPage, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (start == MAP_FAILED) exit(1);
  memset(start, 1, (size_t)count * kPage);
  return start;
}

int main(int argc, char** argv) {
  if (argc != 3) return 2;
  pages = atoi(argv[2]);
  at_work = memory(pages);
  at_end = memory(pages + 1);
  printf("%p %p\n", (void*)at_work, (void*)at_end);
  fflush(stdout);
  const pid_t child = fork();
  if (child == 0) {
    const int threads = strcmp(argv[1], "thread") == 0;
    touch(at_work, 0, threads ? pages / 2 : pages);
    if (strcmp(argv[1], "at-once") == 0) _exit(0);
    atexit(handler);
    if (threads) {
      pthread_t other;
      pthread_barrier_init(&together, NULL, 2);
      if (pthread_create(&other, NULL, work, NULL) != 0) return 1;
      atexit(let_work);  // runs before handler(): the last one that was registered comes first
    }
    exit(0);
  }
  int status = 0;
  waitpid(child, &status, 0);
  _exit(WIFEXITED(status) ? WEXITSTATUS(status) : 1);
}
