// SPDX-License-Identifier: Apache-2.0
// What a signal does to this program while no command runs that it could be passed on to (then
// pipeline/signals.h has it): before, and while reports are made. SIGINT, SIGTERM, SIGHUP and
// SIGQUIT end it at once, but the first one that comes while reports are made only makes them
// short. SIGPIPE and SIGXFSZ are nothing but failed writes.
#pragma once

#include <signal.h>
#include <sys/types.h>

#include <string>

namespace cowtrace::pipeline {

class Ending {
 public:
  // From now on; in the thread that signals go to, after Inheritance::take().
  static void begin();

  // COMMAND has ended, or was let go: the first signal sets interrupted_by(). `says`: it is
  // answered by a line on standard error.
  static void making_reports(bool says);
  // All that was to be written is: signals come too late to mean anything.
  static void all_written();

  // Whether this program does what `signal` asks for. A caller that ignores SIGTERM or SIGHUP is
  // obeyed. SIGINT and SIGQUIT are ignored in the background jobs of every shell without job
  // control, which is meant against those of the terminal: see is_meant().
  [[nodiscard]] static bool obeys(int signal);
  // `code`: si_code. Of the signals that are obeyed, those of the terminal may not be meant.
  [[nodiscard]] static bool is_meant(int signal, int code);

  // A file that is to be cut to its first `size` bytes, which say that it is incomplete, should the
  // program end before it is taken back. The descriptor stays open until then.
  static void add_file(int fd, off_t size);
  static void take_back_file(int fd);
  // A line on the terminal that is to be wiped away should the program end.
  static void set_line_shown(bool shown);

  // Ends as by this signal, whatever has been done about it.
  [[noreturn]] static void die_of(int signal);
};

// "SIGINT"
[[nodiscard]] std::string name_of_signal(int signal);

// Holds the signals up that Ending knows, as long as it lives.
class HoldSignals {
 public:
  HoldSignals();
  HoldSignals(const HoldSignals&) = delete;
  HoldSignals& operator=(const HoldSignals&) = delete;
  ~HoldSignals();

 private:
  sigset_t before_{};
};

}  // namespace cowtrace::pipeline
