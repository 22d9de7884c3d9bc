// SPDX-License-Identifier: Apache-2.0
#include "pipeline/command.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <utility>

#include "base/units.h"
#include "pipeline/identity.h"
#include "pipeline/inheritance.h"

namespace cowtrace::pipeline {
namespace {

Result<std::optional<Identity>> look_up(const std::optional<std::string>& user) {
  if (!user) return std::nullopt;
  return find_user(*user).map([](Identity&& found) { return std::optional(std::move(found)); });
}

// What went wrong in the child, sent over the report pipe.
enum class Step : int { Exec, Identity };
struct Trouble {
  Step step;
  int error;
};

[[noreturn]] void give_up(int report, Step step, int error) {
  const Trouble trouble{step, error};
  [[maybe_unused]] const ssize_t sent = write(report, &trouble, sizeof(trouble));
  _exit(error == ENOENT ? kExitNotFound : kExitCannotExecute);
}

[[noreturn]] void run_child(int gate, int report, const std::optional<Identity>& identity,
                            const CommandOptions& options) {
  std::vector<char*> arguments;
  for (const std::string& argument : options.arguments)
    arguments.push_back(const_cast<char*>(argument.c_str()));
  arguments.push_back(nullptr);
  Inheritance::give_back();
  for (std::size_t i = 0; i < options.streams.size(); ++i)
    if (options.streams[i] >= 0) dup2(options.streams[i], static_cast<int>(i));
  char byte;
  // The gate opens by being closed; if the tracer died instead, the command still runs.
  while (read(gate, &byte, 1) < 0 && errno == EINTR) {
  }
  if (identity && !become(*identity)) give_up(report, Step::Identity, errno);
  execvp(arguments[0], arguments.data());
  give_up(report, Step::Exec, errno);
}

}  // namespace

Result<Command> Command::start(const CommandOptions& options) {
  auto identity = look_up(options.user);
  if (!identity) return tl::unexpected(identity.error());
  std::array<int, 2> gate{};
  std::array<int, 2> report{};
  if (pipe2(gate.data(), O_CLOEXEC) != 0 || pipe2(report.data(), O_CLOEXEC) != 0)
    return fail_errno("cannot make a pipe", errno);
  Fd gate_read(gate[0]);
  Fd report_write(report[1]);
  Command command;
  command.gate_ = Fd(gate[1]);
  command.report_ = Fd(report[0]);
  command.name_ = options.arguments[0];
  command.pid_ = fork();
  if (command.pid_ < 0) return fail_errno("cannot fork", errno);
  if (command.pid_ == 0) {
    // Our copy of the gate's other end would keep it shut.
    close(gate[1]);
    run_child(gate[0], report[1], *identity, options);
  }
  return command;
}

void Command::abandon() {
  kill(pid_, SIGKILL);
  waitpid(pid_, nullptr, __WALL);
}

std::optional<Command::Failure> Command::failure() const {
  Trouble trouble{};
  if (read(report_.get(), &trouble, sizeof(trouble)) != sizeof(trouble)) return std::nullopt;
  const std::string name = printable(name_);
  if (trouble.step == Step::Identity)
    return Failure{
        fail_errno("cannot become the user of --user", trouble.error, "run as root").value(),
        kExitOurFailure};
  if (trouble.error == ENOENT)
    return Failure{fail(name, "not found", "check the name and PATH").value(), kExitNotFound};
  return Failure{fail_errno(name, trouble.error, "check that it is an executable file").value(),
                 kExitCannotExecute};
}

}  // namespace cowtrace::pipeline
