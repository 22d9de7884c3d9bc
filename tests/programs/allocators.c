/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Memory that three functions write first, of which a child writes known parts: prints "NAME PAGES"
 * for each, the pages that the child copies. The grandchild writes what its grandparent has
 * allocated.
 */
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#define PAGE 4096L

static char* map(long pages) {
  char* memory = mmap(0, pages * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

  if (memory == MAP_FAILED) _exit(1);
  madvise(memory, pages * PAGE, MADV_NOHUGEPAGE);
  return memory;
}

/* Inlined, because leaf functions have no frame pointer: where stacks are walked by it (arm64),
 * their callers would be hidden. */
__attribute__((always_inline)) static inline void touch(volatile char* memory, long from, long to) {
  for (long page = from; page < to; page++) memory[page * PAGE] += 1;
}

__attribute__((noinline)) static char* load_table(void) {
  char* memory = map(300);

  for (long page = 0; page < 300; page++) ((volatile char*)memory)[page * PAGE] = 1;
  return memory;
}

__attribute__((noinline)) static char* load_index(void) {
  char* memory = map(200);

  /* Reads before it writes: the pages are the zero page for a moment. */
  touch(memory, 0, 200);
  return memory;
}

__attribute__((noinline)) static char* load_in_child(void) {
  char* memory = map(50);

  touch(memory, 0, 50);
  return memory;
}

static void wait_for(pid_t child) {
  int status;

  if (child < 0 || waitpid(child, &status, 0) != child || status) _exit(1);
}

static int run_child(char* table, char* index) {
  char* own = load_in_child();
  pid_t grandchild = fork();

  if (!grandchild) {
    touch(table, 100, 130);
    touch(own, 0, 40);
    _exit(0);
  }
  wait_for(grandchild);
  touch(table, 0, 100);
  touch(index, 0, 10);
  return 0;
}

int main(void) {
  char *table = load_table(), *index = load_index();
  pid_t child = fork();

  if (!child) _exit(run_child(table, index));
  wait_for(child);
  printf("load_table 130\nload_index 10\nload_in_child 40\n");
  return 0;
}
