// SPDX-License-Identifier: Apache-2.0
#include "scenario/message.h"

#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <string>
#include <utility>

namespace scenario {
namespace {

class Writer {
 public:
  void number(std::uint64_t value) {
    bytes_.append(reinterpret_cast<const char*>(&value), sizeof(value));
  }
  void text(const std::string& value) {
    number(value.size());
    bytes_ += value;
  }
  void pages(const std::vector<std::uint64_t>& values) {
    number(values.size());
    bytes_.append(reinterpret_cast<const char*>(values.data()), values.size() * sizeof(values[0]));
  }
  [[nodiscard]] const std::string& bytes() const { return bytes_; }

 private:
  std::string bytes_;
};

// A message that ends early reads as zeros and empties; whole() tells.
class Reader {
 public:
  explicit Reader(const std::string& bytes) : bytes_(bytes) {}
  std::uint64_t number() {
    std::uint64_t value = 0;
    if (take(sizeof(value)))
      std::memcpy(&value, bytes_.data() + at_ - sizeof(value), sizeof(value));
    return value;
  }
  std::string text() {
    const std::uint64_t size = number();
    return take(size) ? bytes_.substr(at_ - size, size) : "";
  }
  std::vector<std::uint64_t> pages() {
    const std::uint64_t count = number();
    if (count > bytes_.size() || !take(count * sizeof(count))) return {};
    std::vector<std::uint64_t> values(count);
    std::memcpy(values.data(), bytes_.data() + at_ - count * sizeof(count), count * sizeof(count));
    return values;
  }
  [[nodiscard]] bool failed() const { return broken_; }
  [[nodiscard]] bool whole() const { return !broken_ && at_ == bytes_.size(); }

 private:
  bool take(std::uint64_t size) {
    if (broken_ || size > bytes_.size() - at_) {
      broken_ = true;
      return false;
    }
    at_ += size;
    return true;
  }
  const std::string& bytes_;
  std::uint64_t at_ = 0;
  bool broken_ = false;
};

void put(Writer& to, const ProcessTruth& truth) {
  to.number(static_cast<std::uint64_t>(truth.pid));
  to.number(static_cast<std::uint64_t>(truth.role));
  to.number(truth.wrote);
  to.number(truth.expected_copies);
  to.number(truth.cost.elapsed_ns);
  to.number(truth.cost.faults);
  to.pages(truth.copied);
  to.number(truth.breaks ? truth.breaks->size() + 1 : 0);
  if (truth.breaks) {
    for (const auto& [mechanism, pages] : *truth.breaks) {
      to.number(static_cast<std::uint64_t>(mechanism));
      to.pages(pages);
    }
  }
  to.pages(truth.first_writes);
  to.number(truth.actor ? static_cast<std::uint64_t>(truth.actor->pid) : 0);
  if (truth.actor) to.text(truth.actor->command);
}

ProcessTruth get(Reader& from) {
  ProcessTruth truth;
  truth.pid = static_cast<pid_t>(from.number());
  truth.role = static_cast<Role>(from.number());
  truth.wrote = from.number();
  truth.expected_copies = from.number();
  truth.cost.elapsed_ns = from.number();
  truth.cost.faults = from.number();
  truth.copied = from.pages();
  if (std::uint64_t left = from.number(); left > 0) {
    truth.breaks.emplace();
    while (--left > 0 && !from.failed()) {
      const auto mechanism = static_cast<Mechanism>(from.number());
      (*truth.breaks)[mechanism] = from.pages();
    }
  }
  truth.first_writes = from.pages();
  if (const std::uint64_t pid = from.number(); pid != 0)
    truth.actor = Actor{static_cast<pid_t>(pid), from.text()};
  return truth;
}

}  // namespace

Result<Channel> Channel::open() {
  std::array<int, 2> ends{};
  if (::pipe2(ends.data(), O_CLOEXEC) != 0)
    return unavailable("cannot make a pipe", std::strerror(errno), "raise the limit of open files");
  return Channel(ends[0], ends[1]);
}

Channel::Channel(Channel&& other) noexcept
    : reader_(std::exchange(other.reader_, -1)), writer_(std::exchange(other.writer_, -1)) {}

Channel::~Channel() {
  for (const int end : {reader_, writer_}) {
    if (end >= 0) ::close(end);
  }
}

bool Channel::send(const Result<ProcessTruth>& found) {
  Writer writer;
  writer.number(found ? 1 : 0);
  if (found) {
    put(writer, *found);
  } else {
    const Failure& failure = found.error();
    writer.number(static_cast<std::uint64_t>(failure.status));
    for (const std::string* part : {&failure.what, &failure.why, &failure.remedy})
      writer.text(*part);
  }
  const char* from = writer.bytes().data();
  for (std::size_t left = writer.bytes().size(); left > 0;) {
    const ssize_t sent = ::write(writer_, from, left);
    if (sent < 0 && errno == EINTR) continue;
    if (sent <= 0) return false;
    from += sent;
    left -= static_cast<std::size_t>(sent);
  }
  return true;
}

Result<int> Channel::keep_across_exec() const {
  if (::fcntl(writer_, F_SETFD, 0) != 0)
    return failed("cannot keep a pipe across exec", std::strerror(errno));
  return writer_;
}

Result<ProcessTruth> Channel::receive() {
  ::close(std::exchange(writer_, -1));  // so that the child's end ends the message
  std::string bytes;
  std::array<char, 4096> block;
  for (;;) {
    const ssize_t got = ::read(reader_, block.data(), block.size());
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) break;
    bytes.append(block.data(), static_cast<std::size_t>(got));
  }
  Reader reader(bytes);
  if (reader.number() == 1) {
    ProcessTruth truth = get(reader);
    if (reader.whole()) return truth;
  } else {
    Failure failure;
    failure.status = static_cast<ExitStatus>(reader.number());
    for (std::string* part : {&failure.what, &failure.why, &failure.remedy}) *part = reader.text();
    if (reader.whole()) return tl::unexpected<Failure>(failure);
  }
  return failed("a process of the experiment ended early", "it did not tell what it found");
}

}  // namespace scenario
