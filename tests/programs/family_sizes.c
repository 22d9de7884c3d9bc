// SPDX-License-Identifier: Apache-2.0
// family_sizes SHAPE [NUMBER...]: families that are large in one way. What each process wrote it
// claims; lines `figure NAME NUMBER` are its own measurements. A line `ready` waits for a line of
// standard input.
#include "family.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <time.h>

static size_t number(char** arguments, int index) {
  return strtoul(arguments[index], NULL, 10);
}

static uint64_t now_ns(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

static void figure(const char* name, uint64_t value) {
  char line[160];
  snprintf(line, sizeof(line), "figure %s %lu\n", name, (unsigned long)value);
  say(line);
}

static void ready(void) {
  char line[16];
  say("ready\n");
  check(read(STDIN_FILENO, line, sizeof(line)) > 0, "read");
}

static pid_t fork_checked(void) {
  const pid_t child = fork();
  check(child >= 0, "fork");
  return child;
}

// A gate that lets nobody through until it is opened: the end of a pipe.
struct gate {
  int ends[2];
};
static struct gate make_gate(void) {
  struct gate gate;
  check(pipe(gate.ends) == 0, "pipe");
  return gate;
}
static void pass(struct gate* gate) {
  char byte;
  close(gate->ends[1]);
  check(read(gate->ends[0], &byte, 1) == 0, "read");
}

// children COUNT PAGES: all of them live at one time, each has written its pages, and nobody else
// those.
static int shape_children(char** arguments) {
  const size_t count = number(arguments, 0), pages = number(arguments, 1);
  unsigned char* memory = make_pages(pages);
  struct gate written = make_gate(), end = make_gate();
  for (size_t i = 0; i < count; ++i) {
    if (fork_checked() != 0) continue;
    write_and_claim(memory, pages);
    close(written.ends[0]);
    close(written.ends[1]);
    pass(&end);
    _exit(0);
  }
  pass(&written);
  ready();
  close(end.ends[1]);
  for (size_t i = 0; i < count; ++i) check(wait(NULL) > 0, "wait");
  return 0;
}

// forks SECONDS FORKERS: each forker, of the same memory, forks children that write one page and
// exit, as fast as it can.
static int shape_forks(char** arguments) {
  enum { kMostSeconds = 60 };
  const size_t seconds = number(arguments, 0), forkers = number(arguments, 1);
  unsigned char* memory = make_pages(1);
  uint64_t* counts = mmap(NULL, forkers * kMostSeconds * sizeof(*counts), PROT_READ | PROT_WRITE,
                          MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  check(counts != MAP_FAILED && seconds <= kMostSeconds, "mmap");
  claim("region", memory, 1);
  const uint64_t begun = now_ns();
  for (size_t i = 0; i < forkers; ++i) {
    if (fork_checked() != 0) continue;
    for (size_t second; (second = (now_ns() - begun) / 1000000000) < seconds;) {
      const pid_t child = fork_checked();
      if (child == 0) {
        write_pages(memory, 1);
        _exit(0);
      }
      wait_for(child);
      ++counts[i * kMostSeconds + second];
    }
    _exit(0);
  }
  uint64_t sum = 0;
  for (size_t i = 0; i < forkers; ++i) check(wait(NULL) > 0, "wait");
  for (size_t second = 0; second < seconds; ++second) {
    uint64_t of_second = 0;
    for (size_t i = 0; i < forkers; ++i) of_second += counts[i * kMostSeconds + second];
    char name[32];
    snprintf(name, sizeof(name), "second_%zu", second);
    figure(name, of_second);
    sum += of_second;
  }
  figure("forks", sum);
  return 0;
}

// big MEBIBYTES PAGES: the child writes that many, evenly spread over all.
static int shape_big(char** arguments) {
  const size_t all = number(arguments, 0) << 8, pages = number(arguments, 1), step = all / pages;
  unsigned char* memory = make_pages(all);
  claim("region", memory, all);
  const uint64_t before = now_ns();
  const pid_t child = fork_checked();
  if (child == 0) {
    figure("child_ns", now_ns() - before);
    for (size_t i = 0; i < pages; ++i) write_pages(memory + i * step * kPage, 1);
    claim("writer", memory, pages);
    ready();
    _exit(0);
  }
  figure("fork_ns", now_ns() - before);
  wait_for(child);
  return 0;
}

// threads COUNT PAGES: as many in the parent as in its child, each writes pages of its own, in both
// at one time. Neither ends before the other has written: what is left alone is not shared any
// more.
struct writer {
  unsigned char* pages;
  size_t count;
};
static pthread_barrier_t begin;
static void* write_own(void* argument) {
  const struct writer* writer = argument;
  pthread_barrier_wait(&begin);
  write_pages(writer->pages, writer->count);
  return NULL;
}
static void run_threads(unsigned char* memory, size_t count, size_t pages, uint64_t* clock) {
  pthread_t* threads = calloc(count, sizeof(*threads));
  struct writer* writers = calloc(count, sizeof(*writers));
  check(pthread_barrier_init(&begin, NULL, (unsigned)count + 1) == 0, "barrier");
  for (size_t i = 0; i < count; ++i) {
    writers[i] = (struct writer){memory + i * pages * kPage, pages};
    check(pthread_create(&threads[i], NULL, write_own, &writers[i]) == 0, "pthread_create");
  }
  const uint64_t before = now_ns();
  pthread_barrier_wait(&begin);
  for (size_t i = 0; i < count; ++i) check(pthread_join(threads[i], NULL) == 0, "pthread_join");
  *clock = now_ns() - before;
}
static int shape_threads(char** arguments) {
  const size_t count = number(arguments, 0), pages = number(arguments, 1);
  unsigned char* childs = make_pages(count * pages);
  unsigned char* parents = make_pages(count * pages);
  uint64_t clock = 0;
  struct gate written = make_gate();
  const pid_t child = fork_checked();
  run_threads(child == 0 ? childs : parents, count, pages, &clock);
  claim("wrote", child == 0 ? childs : parents, count * pages);
  figure(child == 0 ? "child_ns" : "parent_ns", clock);
  if (child == 0) {
    pass(&written);
    _exit(0);
  }
  close(written.ends[1]);
  wait_for(child);
  return 0;
}

// exits COUNT: children that fork and exit at once, as do their children and in the end the program
// itself, whose last child goes on and says `lived` when it is told to.
static int shape_exits(char** arguments) {
  const size_t count = number(arguments, 0);
  for (size_t i = 0; i < count; ++i) {
    const pid_t child = fork_checked();
    if (child == 0) {
      fork_checked();
      _exit(0);
    }
    wait_for(child);
  }
  if (fork_checked() == 0) {
    ready();
    claim("lived", NULL, 0);
  }
  _exit(7);
}

// orphans COUNT PAGES: of each pair the parent dies as soon as it has forked, and its child writes
// when it is an orphan; what it shared with its parent it still shares with the grandparent. The
// first process waits for the pipe that all of them hold.
static int shape_orphans(char** arguments) {
  const size_t count = number(arguments, 0), pages = number(arguments, 1);
  unsigned char* memory = make_pages(pages);
  struct gate written = make_gate();
  for (size_t i = 0; i < count; ++i) {
    const pid_t parent = fork_checked();
    if (parent == 0) {
      const pid_t self = getpid();
      if (fork_checked() == 0) {
        while (getppid() == self) usleep(1000);
        write_and_claim(memory, pages);
      }
      _exit(0);
    }
    wait_for(parent);
  }
  pass(&written);
  return 0;
}

// zombies COUNT PAGES: nobody ever waits for these children; at `ready` all of them are zombies.
static int shape_zombies(char** arguments) {
  const size_t count = number(arguments, 0), pages = number(arguments, 1);
  unsigned char* memory = make_pages(pages);
  for (size_t i = 0; i < count; ++i) {
    const pid_t child = fork_checked();
    if (child == 0) {
      write_and_claim(memory, pages);
      _exit(0);
    }
    siginfo_t ended;
    check(waitid(P_PID, (id_t)child, &ended, WEXITED | WNOWAIT) == 0, "waitid");
  }
  ready();
  _exit(3);
}

// zombie-parent COUNT PAGES: its leader thread ends first, so that the whole process looks like a
// zombie while another thread forks on.
static size_t zombie_count, zombie_pages;
static void* fork_on(void* leader) {
  unsigned char* memory = make_pages(zombie_pages);
  pthread_join(*(pthread_t*)leader, NULL);
  for (size_t i = 0; i < zombie_count; ++i) {
    const pid_t child = fork_checked();
    if (child == 0) {
      write_and_claim(memory, zombie_pages);
      _exit(0);
    }
    wait_for(child);
  }
  _exit(5);
}
static int shape_zombie_parent(char** arguments) {
  static pthread_t leader;
  zombie_count = number(arguments, 0);
  zombie_pages = number(arguments, 1);
  pthread_t thread;
  leader = pthread_self();
  check(pthread_create(&thread, NULL, fork_on, &leader) == 0, "pthread_create");
  pthread_exit(NULL);
}

// daemon PAGES [STAY]: a child in a session of its own, with no terminal, whose parents are gone;
// it writes half of its pages before and, each time it gets a line, the other half. With STAY its
// grandparent stays, whatever Ctrl-C says.
static int shape_daemon(char** arguments) {
  const size_t pages = number(arguments, 0);
  unsigned char* memory = make_pages(2 * pages);
  pid_t child = fork_checked();
  if (child == 0) {
    check(setsid() > 0, "setsid");
    child = fork_checked();
    if (child != 0) _exit(0);
    write_and_claim(memory, pages);
    ready();
    write_and_claim(memory + pages * kPage, pages);
    ready();
    _exit(0);
  }
  wait_for(child);
  if (arguments[1] != NULL) {
    signal(SIGINT, SIG_IGN);
    say("stays\n");
    pause();
  }
  return 0;
}

static const struct {
  const char* name;
  int (*run)(char** arguments);
  int numbers;  // at least
} kShapes[] = {
    {"children", shape_children, 2}, {"forks", shape_forks, 2},
    {"big", shape_big, 2},           {"threads", shape_threads, 2},
    {"exits", shape_exits, 1},       {"orphans", shape_orphans, 2},
    {"zombies", shape_zombies, 2},   {"zombie-parent", shape_zombie_parent, 2},
    {"daemon", shape_daemon, 1},
};

int main(int argc, char** argv) {
  for (size_t i = 0; i < sizeof(kShapes) / sizeof(kShapes[0]); ++i)
    if (argc > 1 && strcmp(argv[1], kShapes[i].name) == 0 && argc - 2 >= kShapes[i].numbers)
      return kShapes[i].run(argv + 2);
  fprintf(stderr, "usage: family_sizes SHAPE NUMBER...\n");
  return 2;
}
