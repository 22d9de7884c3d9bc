// SPDX-License-Identifier: Apache-2.0
/*
 * Chains of functions without frame pointers, at whose ends a forked child writes a known number of
 * pages that it inherited. Says on standard output where its image is, and then, one line a chain:
 * the chain's name, how often it ran, its pages, and the return addresses as the C library's own
 * unwinder sees them.
 *
 *   unwind_shapes [CHILDREN [exec]]: so many children, one after the other; with `exec`, once more
 * in a new program.
 */
#include <alloca.h>
#include <execinfo.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#define PAGE 4096
#define PAGES 4096
#define APART __attribute__((noinline, noclone))

extern char __executable_start[], end[]; /* the linker's */

static char* region;
static size_t next_page;
static int telling;
static volatile int sink;

/* Who called: filled where the chain ends. */
static void* addresses[64];
static int depth;

/* Writes `count` pages of its own; every chain ends here. */
static APART void write_pages(int count) {
  if (telling) {
    depth = backtrace(addresses, 64);
    return;
  }
  for (int i = 0; i < count; i++) region[PAGE * next_page++ + 8] = 1;
  sink++;
}

static APART void plain_inner(int count) {
  volatile char room[200];

  room[count] = 1;
  write_pages(count);
  sink += room[count];
}

static APART void plain_middle(int count) {
  plain_inner(count);
  sink++;
}

static APART void plain(int count) {
  plain_middle(count);
  sink++;
}

/* Two callers at the same depth, which differ only in where they return to. */
static APART void twins(int first, int second) {
  if (first) plain_middle(first);
  sink++;
  if (second) plain_middle(second);
  sink++;
}

/* The stack frame's size is not known when it is compiled: its address is in bp. */
static APART void with_alloca(int count) {
  char* room = alloca((size_t)count * 100 + 16);

  memset(room, count, 16);
  plain_inner(count);
  sink += room[3];
}

/* The stack frame is aligned anew: its caller's is found through what it keeps. */
static APART void realigned(int count) {
  _Alignas(64) volatile char room[128];
  char* more = alloca((size_t)count * 10 + 16);

  more[0] = 1;
  room[count] = more[0];
  plain_inner(count);
  sink += room[count];
}

/* Keeps something in the register that frame pointers would be in. */
static APART int many_registers(int count, int b, int c, int d, int e, int f) {
  int g = b * c, h = c * d, i = d * e, j = e * f, k = f * g, l = g * h;

  plain_inner(count);
  sink++;
  return b + c + d + e + f + g + h + i + j + k + l;
}

static APART void busy(int count) {
  sink += many_registers(count, sink, sink + 1, sink + 2, sink + 3, sink + 4);
}

/* Needs the bp that a stack frame further in keeps, and one between them leaves alone. */
static APART void kept(int count) {
  char* room = alloca((size_t)count * 100 + 16);

  memset(room, count, 16);
  busy(count);
  sink += room[3];
}

static int wanted;

static void on_signal(int number) {
  plain_inner(wanted);
  sink += number;
}

static APART void signalled(int count) {
  wanted = count;
  raise(SIGUSR1);
  sink++;
}

static APART void on_other_stack(int count) {
  wanted = count;
  raise(SIGUSR2);
  sink++;
}

static APART int recurse(int levels, int count) {
  if (levels == 0)
    plain_inner(count);
  else
    sink += recurse(levels - 1, count);
  return sink;
}

static APART void deep(int count) {
  sink += recurse(30, count);
}

static void* thread_main(void* count) {
  plain((int)(intptr_t)count);
  sink++;
  return NULL;
}

static APART void in_thread(int count) {
  pthread_t thread;

  if (pthread_create(&thread, NULL, thread_main, (void*)(intptr_t)count) ||
      pthread_join(thread, NULL))
    abort();
}

static APART void first_twin(int count) {
  twins(count, 0);
  sink++;
}

static APART void second_twin(int count) {
  twins(0, count);
  sink++;
}

static const struct chain {
  const char* name;
  void (*run)(int count);
  int count;
} chains[] = {
    {"plain", plain, 3},          {"twin-one", first_twin, 5},
    {"twin-two", second_twin, 7}, {"alloca", with_alloca, 4},
    {"realigned", realigned, 6},  {"registers", busy, 8},
    {"signal", signalled, 9},     {"other-stack", on_other_stack, 2},
    {"deep", deep, 10},           {"thread", in_thread, 11},
    {"kept", kept, 12},
};

#define CHAINS (sizeof(chains) / sizeof(*chains))

/* Both kinds of children run from here, so that even this return address is the same. */
static APART void run_chains(int children) {
  for (size_t i = 0; i < CHAINS; i++) {
    depth = 0;
    chains[i].run(chains[i].count);
    if (!telling) continue;
    printf("%s %d %d", chains[i].name, children, chains[i].count);
    for (int j = 1; j < depth; j++) printf(" %lx", (unsigned long)addresses[j]);
    printf("\n");
  }
  fflush(stdout);
}

static APART void family(int children) {
  for (int i = -1; i < children; i++) {
    pid_t child = fork();

    if (child < 0) abort();
    /* The first one tells, and writes nothing; the same call for both. */
    telling = i < 0;
    next_page = 0;
    if (child == 0) {
      run_chains(children);
      _exit(0);
    }
    waitpid(child, NULL, 0);
  }
}

int main(int argc, char** argv) {
  int children = argc > 1 ? atoi(argv[1]) : 1;
  struct sigaction action = {.sa_handler = on_signal};
  stack_t other = {.ss_size = 64 * 1024};
  void* unused[1];

  /* Not in the children: the unwinder has a library of its own. */
  backtrace(unused, 1);
  region = mmap(NULL, PAGES * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  other.ss_sp = malloc(other.ss_size);
  if (region == MAP_FAILED || !other.ss_sp) abort();
  memset(region, 1, PAGES * PAGE);
  printf("image %lx %lx\n", (unsigned long)__executable_start, (unsigned long)end);
  fflush(stdout);
  sigaltstack(&other, NULL);
  sigaction(SIGUSR1, &action, NULL);
  action.sa_flags = SA_ONSTACK;
  sigaction(SIGUSR2, &action, NULL);
  family(children);
  if (argc > 2) {
    argv[2] = NULL;
    execv("/proc/self/exe", argv);
    abort();
  }
  return 0;
}
