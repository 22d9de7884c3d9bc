// SPDX-License-Identifier: Apache-2.0
// ptrace_child: a debugger in its smallest form. It forks a child that asks to be traced, and steps
// it from its stop to its end. Exit 0 when that worked, 3 when tracing was refused.
#include "family.h"

#include <signal.h>
#include <sys/ptrace.h>

int main(void) {
  pid_t child = fork();
  check(child >= 0, "fork");
  if (child == 0) {
    if (ptrace(PTRACE_TRACEME, 0, NULL, NULL) != 0) _exit(3);
    raise(SIGSTOP);
    _exit(0);
  }
  int status = 0;
  check(waitpid(child, &status, 0) == child, "waitpid");
  if (WIFEXITED(status)) return WEXITSTATUS(status);
  check(WIFSTOPPED(status) && ptrace(PTRACE_CONT, child, NULL, NULL) == 0, "PTRACE_CONT");
  wait_for(child);
  say("traced\n");
  return 0;
}
