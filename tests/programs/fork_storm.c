// SPDX-License-Identifier: Apache-2.0
/*
 * fork_storm NAME COUNT PAGES: forks COUNT children, some at a time. Each writes to PAGES pages
 * that it has inherited. Of eight children one is stopped and continued, one is killed while it
 * stands still, and one runs another program. COUNT 0: until it is killed. Prints a line `wrote PID
 * ADDRESS PAGES` for each child.
 */
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#define PAGE 4096
#define AT_A_TIME 8

static char* memory;
static size_t pages;

static void write_pages(void) {
  for (size_t page = 0; page < pages; page++) ((volatile char*)memory)[page * PAGE] = 2;
}

static _Noreturn void child(int turn) {
  write_pages();
  if (turn == 1 || turn == 2) raise(SIGSTOP);
  if (turn == 3) {
    char* const arguments[] = {"true", NULL};

    execv("/bin/true", arguments);
    _exit(127);
  }
  _exit(0);
}

/* Waits for one child, and lets it go on where it stands still. */
static void wait_for_one(pid_t killed) {
  int status;
  pid_t pid;

  for (;;) {
    pid = waitpid(-1, &status, WUNTRACED);
    if (pid < 0) exit(3);
    if (!WIFSTOPPED(status)) return;
    kill(pid, pid == killed ? SIGKILL : SIGCONT);
  }
}

int main(int argc, char** argv) {
  pid_t killed = 0;
  long count, alive = 0;

  if (argc != 4) return 2;
  prctl(PR_SET_NAME, argv[1]);
  count = atol(argv[2]);
  pages = strtoul(argv[3], NULL, 10);
  memory = mmap(NULL, pages * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) return 3;
  memset(memory, 1, pages * PAGE);
  setvbuf(stdout, NULL, _IOFBF, 1 << 20);
  for (long made = 0; !count || made < count; made++) {
    int turn = made % AT_A_TIME;
    pid_t pid = fork();

    if (pid < 0) return 3;
    if (!pid) child(turn);
    if (turn == 1) killed = pid;
    if (count) printf("wrote %d %lx %zu\n", pid, (unsigned long)memory, pages);
    if (++alive == AT_A_TIME) {
      wait_for_one(killed);
      alive--;
    }
  }
  for (; alive > 0; alive--) wait_for_one(killed);
  return 0;
}
