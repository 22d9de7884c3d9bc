// SPDX-License-Identifier: Apache-2.0
#include "top/screen.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <clocale>
#include <utility>
#include <vector>

#include "base/clock.h"

// Last, for it defines macros with everyday names.
#define NCURSES_NOMACROS 1
#include <curses.h>
// Of <term.h>, which defines macros with even more such names.
extern "C" int setupterm(const char* terminal, int fd, int* error);

namespace cowtrace::top {
namespace {

constexpr std::uint64_t kSaidNs = 10'000'000'000;
constexpr std::chrono::seconds kLongestWait{1};  // for a terminal that takes nothing
constexpr int kEscapeMs = 25;                    // what follows Escape sooner is part of a key

// ncurses handles signals in its own way, which ends the program. Here they are somebody else's.
class KeptSignals {
 public:
  KeptSignals() {
    for (std::size_t i = 0; i < kSignals.size(); ++i) sigaction(kSignals[i], nullptr, &before_[i]);
  }
  KeptSignals(const KeptSignals&) = delete;
  KeptSignals& operator=(const KeptSignals&) = delete;
  ~KeptSignals() {
    for (std::size_t i = 0; i < kSignals.size(); ++i) sigaction(kSignals[i], &before_[i], nullptr);
  }

 private:
  static constexpr std::array<int, 4> kSignals = {SIGINT, SIGTERM, SIGTSTP, SIGWINCH};
  std::array<struct sigaction, 4> before_{};
};

Key key_of(int code) {
  switch (code) {
    case KEY_UP:
    case 'k':
      return Key::Up;
    case KEY_DOWN:
    case 'j':
      return Key::Down;
    case KEY_PPAGE:
      return Key::PageUp;
    case KEY_NPAGE:
      return Key::PageDown;
    case KEY_HOME:
    case 'g':
      return Key::First;
    case KEY_END:
    case 'G':
      return Key::Last;
    case '\t':
    case KEY_RIGHT:
    case 'l':
      return Key::NextTab;
    case KEY_BTAB:
    case KEY_LEFT:
      return Key::PreviousTab;
    case KEY_ENTER:
    case '\r':
    case '\n':
      return Key::Enter;
    case KEY_BACKSPACE:
    case 127:
    case '\b':
    case 27:
    case 'b':
      return Key::Back;
    case 's':
      return Key::Sort;
    case 'p':
    case ' ':
      return Key::Pause;
    case 'h':
    case '?':
      return Key::Help;
    case 'q':
    case 'Q':
      return Key::Quit;
    default:
      break;
  }
  if (code >= '1' && code < '1' + static_cast<int>(kTabs))
    return static_cast<Key>(static_cast<int>(Key::Tab1) + code - '1');
  return Key::None;
}

void notify(const Fd& event) {
  eventfd_write(event.get(), 1);
}

}  // namespace

// All that ncurses does.
class Screen::Terminal {
 public:
  Terminal(FILE* out, FILE* in, SCREEN* screen, bool color) : out_(out), in_(in), screen_(screen) {
    cbreak();  // Ctrl-C stays a signal
    noecho();
    nonl();
    keypad(stdscr, TRUE);
    nodelay(stdscr, TRUE);
    set_escdelay(kEscapeMs);
    curs_set(0);
    if (color && has_colors()) {
      start_color();
      use_default_colors();
      warning_ = init_pair(1, COLOR_RED, -1) == OK ? COLOR_PAIR(1) : 0;
    }
  }
  Terminal(const Terminal&) = delete;
  Terminal& operator=(const Terminal&) = delete;
  ~Terminal() {
    if (!hidden_) endwin();
    delscreen(screen_);
    fclose(out_);
    if (in_ != nullptr) fclose(in_);
  }

  [[nodiscard]] int keys() const { return in_ != nullptr ? fileno(in_) : -1; }
  // -1 when there is none.
  int next_key() { return getch(); }

  Size fit() {
    winsize size{};
    if (ioctl(fileno(out_), TIOCGWINSZ, &size) == 0 && size.ws_col != 0 && size.ws_row != 0 &&
        (size.ws_row != LINES || size.ws_col != COLS))
      resizeterm(size.ws_row, size.ws_col);
    return {static_cast<std::size_t>(COLS), static_cast<std::size_t>(LINES)};
  }

  void draw(const std::vector<Line>& lines) {
    erase();
    for (std::size_t row = 0; row < lines.size(); ++row) {
      // What a line of wide characters takes too much goes where the next one begins.
      move(static_cast<int>(row), 0);
      clrtoeol();
      attrset(static_cast<int>(attribute(lines[row].style)));
      addstr(lines[row].text.c_str());
      attrset(A_NORMAL);
    }
    refresh();
  }
  void draw_anew() { clearok(stdscr, TRUE); }

  void hide() {
    if (!std::exchange(hidden_, true)) endwin();
  }
  // The next draw() shows it again.
  void unhide() {
    if (std::exchange(hidden_, false)) draw_anew();
  }

 private:
  [[nodiscard]] chtype attribute(Style style) const {
    switch (style) {
      case Style::Plain:
        return A_NORMAL;
      case Style::Bold:
        return A_BOLD;
      case Style::Faint:
        return A_DIM;
      case Style::Warning:
        return A_BOLD | warning_;
      case Style::Selected:
        return A_REVERSE;
    }
    return A_NORMAL;
  }

  FILE* out_;
  FILE* in_;
  SCREEN* screen_;
  chtype warning_ = 0;
  bool hidden_ = false;
};

void Screen::TerminalDeleter::operator()(Terminal* terminal) const {
  delete terminal;
}

Screen::Screen(std::string command, bool color) : command_(std::move(command)), color_(color) {}

Screen::~Screen() {
  close();
}

bool Screen::possible() {
  int error = 0;
  return isatty(STDOUT_FILENO) == 1 && setupterm(nullptr, STDOUT_FILENO, &error) == OK;
}

Status Screen::open() {
  wake_ = Fd(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  changed_ = Fd(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  // The characters of the terminal, as the environment tells; nothing else of its language.
  setlocale(LC_CTYPE, "");
  const int keys = isatty(STDIN_FILENO) == 1 ? fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 0)
                                             : ::open("/dev/tty", O_RDWR | O_CLOEXEC | O_NOCTTY);
  FILE* const in = keys >= 0 ? fdopen(keys, "r") : nullptr;
  FILE* const out = fdopen(fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 0), "w");
  const KeptSignals kept;
  SCREEN* const screen =
      out != nullptr ? newterm(nullptr, out, in != nullptr ? in : stdin) : nullptr;
  if (screen == nullptr)
    return fail("cannot use this terminal", "ncurses does not know it",
                "set TERM, or pipe the output through cat");
  terminal_.reset(new Terminal(out, in, screen, color_));
  size_ = terminal_->fit();
  thread_ = std::thread([this] { work(); });
  return {};
}

analysis::LiveRequest Screen::request() {
  eventfd_t count = 0;
  eventfd_read(changed_.get(), &count);
  const std::scoped_lock lock(mutex_);
  return state_.request(table_rows(size_));
}

void Screen::show(Snapshot snapshot) {
  {
    const std::scoped_lock lock(mutex_);
    newest_ = std::move(snapshot);
  }
  notify(wake_);
}

void Screen::say(const std::string& text) {
  {
    const std::scoped_lock lock(mutex_);
    said_ = text;
    said_until_ns_ = monotonic_ns() + kSaidNs;
  }
  notify(wake_);
}

void Screen::resized() {
  notify(wake_);
}

void Screen::ask_for(Mode mode) {
  if (!thread_.joinable()) return;
  std::unique_lock lock(mutex_);
  wanted_ = mode;
  notify(wake_);
  reached_.wait_for(lock, kLongestWait, [&] { return mode_ == mode; });
}

void Screen::close() {
  if (!thread_.joinable()) return;
  ask_for(Mode::Closed);
  thread_.join();
  terminal_.reset();
}

// Whether the request may be another one now.
bool Screen::press_keys() {
  bool pressed = false;
  for (int code = terminal_->next_key(); code != ERR; code = terminal_->next_key()) {
    constexpr int kRedraw = 'L' - '@';
    if (code == kRedraw) terminal_->draw_anew();
    const std::scoped_lock lock(mutex_);
    static const analysis::LiveSnapshot nothing;
    press(state_, key_of(code), shown_ != nullptr ? *shown_ : nothing, table_rows(size_));
    left_ = left_ || state_.quit;
    pressed = true;
  }
  return pressed;
}

// A screen that is held still takes an answer to another question, and then stays as it is.
void Screen::pick(std::unique_lock<std::mutex>&) {
  if (newest_ == nullptr) return;
  const analysis::LiveRequest wanted = state_.request(table_rows(size_));
  const bool other = shown_ == nullptr || shown_->request != wanted;
  if (!state_.paused || (other && newest_->request == wanted)) shown_ = newest_;
  const std::size_t count = rows_of(*shown_, state_.tab);
  if (shown_->request == wanted && state_.selected >= count)
    state_.selected = count == 0 ? 0 : count - 1;
}

void Screen::work() {
  int keys = terminal_->keys();
  while (true) {
    std::unique_lock lock(mutex_);
    if (wanted_ == Mode::Shown) {
      terminal_->unhide();
      size_ = terminal_->fit();
      pick(lock);
      const std::string said = monotonic_ns() < said_until_ns_ ? said_ : std::string();
      std::vector<Line> lines;
      if (shown_ != nullptr) lines = layout(*shown_, state_, command_, said, size_);
      mode_ = Mode::Shown;
      lock.unlock();
      if (!lines.empty()) terminal_->draw(lines);
    } else {
      terminal_->hide();
      mode_ = wanted_;
      lock.unlock();
    }
    reached_.notify_all();
    if (mode_ == Mode::Closed) return;
    std::array<pollfd, 2> waiting = {
        {{wake_.get(), POLLIN, 0}, {mode_ == Mode::Shown ? keys : -1, POLLIN, 0}}};
    poll(waiting.data(), waiting.size(), -1);
    eventfd_t count = 0;
    eventfd_read(wake_.get(), &count);
    if ((waiting[1].revents & POLLIN) != 0 && press_keys()) notify(changed_);
    // The terminal is gone.
    if ((waiting[1].revents & (POLLHUP | POLLERR)) != 0) keys = -1;
  }
}

}  // namespace cowtrace::top
