// SPDX-License-Identifier: Apache-2.0
// Real processes under the follower: what stops, what passes through, what is let go.
#include "pipeline/follower.h"

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <fstream>
#include <string>
#include <vector>

#include "pipeline/command.h"

namespace cowtrace::pipeline {
namespace {

// The state of a process, 't' while its tracer has it stopped; 0: there is none.
char state_of(pid_t pid) {
  std::ifstream stat("/proc/" + std::to_string(pid) + "/stat");
  std::string line;
  std::getline(stat, line);
  const std::size_t name_end = line.rfind(") ");
  return name_end == std::string::npos ? '\0' : line.at(name_end + 2);
}

struct Recorder final : StopHandler {
  std::optional<std::uint64_t> on_start(pid_t tid) override {
    started.push_back(tid);
    if (!holds) return {};
    // It need not have come to its stop yet.
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(10);
    while (state_of(command) != 't' && std::chrono::steady_clock::now() < deadline) usleep(100);
    if (state_of(command) == 't') ++parent_stood;
    return {};
  }
  bool waits_for_child(pid_t) override { return holds; }
  void on_exec(pid_t pid) override { execs.push_back(pid); }
  void on_last_exit(pid_t, pid_t pid) override { exits.push_back(pid); }
  std::vector<pid_t> started, execs, exits;
  bool holds = false;  // parents wait for their children
  pid_t command = 0;
  int parent_stood = 0;
};

struct Followed {
  Recorder recorder;
  int status = -1;
  std::optional<Command::Failure> failure;
  pid_t pid = 0;
  std::uint64_t replaced = 0, stopped_ns = 0;
};

Followed follow(const std::vector<std::string>& arguments, bool holds = false) {
  Followed result;
  result.recorder.holds = holds;
  CommandOptions options;
  options.arguments = arguments;
  auto command = Command::start(options);
  EXPECT_TRUE(command);
  result.pid = result.recorder.command = command->pid();
  Follower follower(result.recorder);
  EXPECT_TRUE(follower.seize(command->pid()));
  command->release();
  int status = 0;
  pid_t tid = 0;
  while ((tid = waitpid(-1, &status, __WALL)) > 0)
    if (!follower.handle(tid, status) && tid == command->pid()) result.status = status;
  EXPECT_FALSE(follower.following());
  result.failure = command->failure();
  result.replaced = follower.replaced();
  result.stopped_ns = follower.stopped_ns();
  return result;
}

TEST(Follower, SeesTheExecAndTheExitOfTheCommand) {
  const Followed run = follow({"true"});
  EXPECT_EQ(WEXITSTATUS(run.status), 0);
  EXPECT_EQ(run.recorder.execs, std::vector<pid_t>{run.pid});
  EXPECT_EQ(run.recorder.exits, std::vector<pid_t>{run.pid});
  EXPECT_TRUE(run.recorder.started.empty());
}

TEST(Follower, SeesEachForkedChildBeforeItRuns) {
  const Followed run = follow({"sh", "-c", "(exit 1); (exit 2); exit 3"});
  EXPECT_EQ(WEXITSTATUS(run.status), 3);
  EXPECT_EQ(run.recorder.started.size(), 2u);
  EXPECT_EQ(run.recorder.exits.size(), 3u);
  EXPECT_EQ(run.recorder.exits.back(), run.pid);
  EXPECT_GT(run.stopped_ns, 0u);
}

TEST(Follower, ChildrenThatComeOneAfterTheOtherReplaceOneAnother) {
  EXPECT_EQ(follow({"sh", "-c", "(exit 1); (exit 2); (exit 3); exit 4"}).replaced, 2u);
}

TEST(Follower, ChildrenThatLiveAtOneTimeReplaceNone) {
  // A child is counted when it starts, and a signal could end another before that.
  const Followed run = follow({"sh", "-c",
                               "runs() { read -r name </proc/$1/comm && [ \"$name\" = sleep ]; }; "
                               "sleep 1000 & a=$!; sleep 1000 & b=$!; sleep 1000 & c=$!; "
                               "until runs $a && runs $b && runs $c; do :; done; "
                               "kill $a $b $c; wait"});
  EXPECT_EQ(run.recorder.exits.size(), 4u);
  EXPECT_EQ(run.replaced, 0u);
}

TEST(Follower, AParentThatIsToWaitStandsStillUntilItsChildHasStarted) {
  const Followed run = follow({"sh", "-c", "(exit 1); (exit 2); exit 3"}, true);
  EXPECT_EQ(WEXITSTATUS(run.status), 3);
  EXPECT_EQ(run.recorder.started.size(), 2u);
  EXPECT_EQ(run.recorder.parent_stood, 2);
  EXPECT_EQ(run.recorder.exits.size(), 3u);
}

TEST(Follower, SignalsReachTheCommand) {
  const Followed run = follow({"sh", "-c", "trap 'exit 42' USR1; kill -USR1 $$; exit 1"});
  EXPECT_EQ(WEXITSTATUS(run.status), 42);
  const Followed killed = follow({"sh", "-c", "kill -TERM $$"});
  ASSERT_TRUE(WIFSIGNALED(killed.status));
  EXPECT_EQ(WTERMSIG(killed.status), SIGTERM);
  EXPECT_EQ(killed.recorder.exits, std::vector<pid_t>{killed.pid});
}

TEST(Follower, AStoppedCommandStaysStoppedUntilItIsContinued) {
  // The inner shell stops its parent, sees it stopped ("T"), and continues it.
  const Followed run = follow({"sh", "-c",
                               "me=$$; (kill -STOP $me; until grep -q '^State:.[Tt]' "
                               "/proc/$me/status; do :; done; kill -CONT $me) & "
                               "wait; exit 7"});
  EXPECT_EQ(WEXITSTATUS(run.status), 7);
}

TEST(Follower, LetsTheFamilyGoOn) {
  CommandOptions options;
  options.arguments = {"sh", "-c", "read line; exit 9"};
  int pipes[2];
  ASSERT_EQ(pipe(pipes), 0);
  const int saved = dup(STDIN_FILENO);
  dup2(pipes[0], STDIN_FILENO);
  auto command = Command::start(options);
  dup2(saved, STDIN_FILENO);
  ASSERT_TRUE(command);
  Recorder recorder;
  Follower follower(recorder);
  ASSERT_TRUE(follower.seize(command->pid()));
  command->release();
  int status = 0;
  // Up to the exec, so that it is running the command when it is let go.
  const auto handle_next = [&] {
    const pid_t tid = waitpid(-1, &status, __WALL);
    follower.handle(tid, status);
  };
  while (recorder.execs.empty()) handle_next();
  follower.release_all();
  while (follower.following()) handle_next();
  ASSERT_EQ(write(pipes[1], "\n", 1), 1);
  ASSERT_EQ(waitpid(command->pid(), &status, 0), command->pid());
  EXPECT_EQ(WEXITSTATUS(status), 9);
  for (const int fd : {pipes[0], pipes[1], saved}) close(fd);
}

TEST(Command, SaysWhyItCouldNotRun) {
  const Followed missing = follow({"/no/such/program"});
  ASSERT_TRUE(missing.failure);
  EXPECT_EQ(missing.failure->exit_code, kExitNotFound);
  EXPECT_NE(missing.failure->error.message().find("not found"), std::string::npos);
  const Followed refused = follow({"/etc/passwd"});
  ASSERT_TRUE(refused.failure);
  EXPECT_EQ(refused.failure->exit_code, kExitCannotExecute);
}

TEST(Command, AnUnknownUserIsAnErrorBeforeAnythingStarts) {
  CommandOptions options;
  options.arguments = {"true"};
  options.user = "no-such-user-here";
  const auto command = Command::start(options);
  ASSERT_FALSE(command);
  EXPECT_NE(command.error().message().find("no such user"), std::string::npos);
}

TEST(Command, AnAbandonedCommandNeverRuns) {
  CommandOptions options;
  options.arguments = {"sh", "-c", "kill -USR1 $PPID"};
  sigset_t usr1;
  sigemptyset(&usr1);
  sigaddset(&usr1, SIGUSR1);
  sigprocmask(SIG_BLOCK, &usr1, nullptr);
  auto command = Command::start(options);
  ASSERT_TRUE(command);
  command->abandon();
  timespec now{};
  EXPECT_EQ(sigtimedwait(&usr1, nullptr, &now), -1);
  sigprocmask(SIG_UNBLOCK, &usr1, nullptr);
}

}  // namespace
}  // namespace cowtrace::pipeline
