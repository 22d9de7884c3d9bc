// SPDX-License-Identifier: Apache-2.0
// family_shapes SHAPE [ARG...]: one way that a family of processes can come about. Each writer
// claims what it wrote; whoever shares those pages waits for it, so that each claimed page is a
// copy.
#include "family.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <spawn.h>
#include <sys/syscall.h>

extern char** environ;
enum { kPages = 10, kThreads = 4, kShortChildren = 500 };

static char* self = "/proc/self/exe";

static void fork_writer(unsigned char* pages, size_t count) {
  pid_t child = fork();
  check(child >= 0, "fork");
  if (child == 0) {
    write_and_claim(pages, count);
    _exit(0);
  }
  wait_for(child);
}

// The program without any memory of its own to share: what it writes is shared with nobody.
static int shape_nothing(char** arguments) {
  (void)arguments;
  say("nothing\n");
  return 0;
}

static int shape_fork(char** arguments) {
  (void)arguments;
  fork_writer(make_pages(kPages), kPages);
  return 0;
}

static int shape_vfork(char** arguments) {
  (void)arguments;
  unsigned char* pages = make_pages(kPages);
  char* const next[] = {self, "nothing", NULL};
  pid_t child = vfork();
  if (child == 0) {
    write_pages(pages, kPages);  // into the parent's memory: nothing to copy
    execv(self, next);
    _exit(1);
  }
  wait_for(child);
  claim("shared", pages, kPages);
  fork_writer(pages, kPages);
  return 0;
}

static int shape_spawn(char** arguments) {
  (void)arguments;
  unsigned char* pages = make_pages(kPages);
  char* const next[] = {self, "fork", NULL};
  pid_t child = 0;
  check(posix_spawn(&child, self, NULL, NULL, next, environ) == 0, "posix_spawn");
  wait_for(child);
  fork_writer(pages, kPages);
  return 0;
}

static int write_shared(void* pages) {
  write_pages(pages, kPages);
  claim("shared", pages, kPages);
  _exit(0);
}

// A process of its own that is no thread and yet shares all memory.
static int shape_clone_vm(char** arguments) {
  (void)arguments;
  unsigned char* pages = make_pages(kPages);
  unsigned char* stack = make_pages(16);
  pid_t child = clone(write_shared, stack + 16 * kPage, CLONE_VM | SIGCHLD, pages);
  check(child > 0, "clone");
  wait_for(child);
  fork_writer(pages, kPages);
  return 0;
}

// A child that no tracer is given, by the will of its parent.
static int shape_untraced(char** arguments) {
  (void)arguments;
  unsigned char* pages = make_pages(kPages);
  pid_t child = (pid_t)syscall(SYS_clone, CLONE_UNTRACED | SIGCHLD, 0, 0, 0, 0);
  check(child >= 0, "clone");
  if (child == 0) {
    write_and_claim(pages, kPages);
    _exit(0);
  }
  wait_for(child);
  return 0;
}

static void* fork_from_thread(void* pages) {
  fork_writer(pages, kPages);
  return NULL;
}

static int shape_thread_forks(char** arguments) {
  (void)arguments;
  unsigned char* pages = make_pages(kThreads * kPages);
  pthread_t threads[kThreads];
  for (int i = 0; i < kThreads; ++i)
    check(pthread_create(&threads[i], NULL, fork_from_thread, pages + i * kPages * kPage) == 0,
          "pthread_create");
  for (int i = 0; i < kThreads; ++i) pthread_join(threads[i], NULL);
  return 0;
}

// Each generation writes its own part, which all its ancestors hold too.
static int shape_grandchildren(char** arguments) {
  (void)arguments;
  unsigned char* pages = make_pages(4 * kPages);
  for (int depth = 0; depth < 4; ++depth) {
    pid_t child = fork();
    check(child >= 0, "fork");
    if (child != 0) {
      wait_for(child);
      return 0;
    }
    write_and_claim(pages + depth * kPages * kPage, kPages);
  }
  return 0;
}

// A child writes, becomes another program, and that program's child writes.
static int shape_fork_exec_fork(char** arguments) {
  (void)arguments;
  unsigned char* pages = make_pages(kPages);
  char* const next[] = {self, "fork", NULL};
  pid_t child = fork();
  check(child >= 0, "fork");
  if (child == 0) {
    write_and_claim(pages, kPages);
    execv(self, next);
    _exit(1);
  }
  wait_for(child);
  return 0;
}

static void* exec_from_thread(void* unused) {
  (void)unused;
  char* const next[] = {self, "fork", NULL};
  execv(self, next);
  return NULL;
}

// A thread that is not the leader execs, while the leader and a third one sleep: it takes over the
// leader's id.
static void* sleep_for_ever(void* unused) {
  for (;;) pause();
  return unused;
}

static int shape_thread_exec(char** arguments) {
  (void)arguments;
  pthread_t threads[2];
  check(pthread_create(&threads[0], NULL, sleep_for_ever, NULL) == 0, "pthread_create");
  check(pthread_create(&threads[1], NULL, exec_from_thread, NULL) == 0, "pthread_create");
  sleep_for_ever(NULL);
  return 1;
}

static int shape_short_children(char** arguments) {
  (void)arguments;
  unsigned char* pages = make_pages(1);
  for (int i = 0; i < kShortChildren; ++i) fork_writer(pages, 1);
  return 0;
}

// exec FILE SHAPE: becomes another program, for one a setuid copy of this one.
static int shape_exec(char** arguments) {
  execv(arguments[0], arguments);
  return 1;
}

static int shape_who(char** arguments) {
  char line[80];
  snprintf(line, sizeof(line), "uid %d %d\n", getuid(), geteuid());
  say(line);
  return shape_fork(arguments);
}

// Two children that get the same pid one after the other, by telling the kernel the last one it
// gave.
static int shape_pid_reuse(char** arguments) {
  (void)arguments;
  unsigned char* pages = make_pages(2 * kPages);
  pid_t first = fork();
  if (first == 0) {
    write_and_claim(pages, kPages);
    _exit(0);
  }
  wait_for(first);
  for (int attempt = 0; attempt < 1000; ++attempt) {
    char text[16];
    int length = snprintf(text, sizeof(text), "%d", first - 1);
    int file = open("/proc/sys/kernel/ns_last_pid", O_WRONLY);
    check(file >= 0 && write(file, text, (size_t)length) == length, "ns_last_pid");
    close(file);
    pid_t child = fork();
    check(child >= 0, "fork");
    if (child == 0) {
      if (getpid() == first) write_and_claim(pages + kPages * kPage, kPages);
      _exit(0);
    }
    wait_for(child);
    if (child == first) return 0;
  }
  errno = EBUSY;
  check(0, "the pid is never given again");
  return 1;
}

static const struct {
  const char* name;
  int (*run)(char** arguments);
} kShapes[] = {
    {"nothing", shape_nothing},
    {"fork", shape_fork},
    {"vfork", shape_vfork},
    {"spawn", shape_spawn},
    {"clone-vm", shape_clone_vm},
    {"untraced", shape_untraced},
    {"thread-forks", shape_thread_forks},
    {"grandchildren", shape_grandchildren},
    {"fork-exec-fork", shape_fork_exec_fork},
    {"thread-exec", shape_thread_exec},
    {"short-children", shape_short_children},
    {"exec", shape_exec},
    {"who", shape_who},
    {"pid-reuse", shape_pid_reuse},
};

int main(int argc, char** argv) {
  for (size_t i = 0; argc > 1 && i < sizeof(kShapes) / sizeof(kShapes[0]); ++i)
    if (strcmp(argv[1], kShapes[i].name) == 0) return kShapes[i].run(argv + 2);
  fprintf(stderr, "family_shapes: no such shape\n");
  return 98;
}
