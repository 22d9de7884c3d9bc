// SPDX-License-Identifier: Apache-2.0
// A summary to each format, written to nowhere. An item is a break, and the bytes are those of the
// report.
#include <memory>
#include <ostream>
#include <streambuf>
#include <string>
#include <vector>

#include "analysis/join.h"
#include "analysis/resolve.h"
#include "family.h"
#include "path.h"
#include "report/formats.h"

namespace cowtrace::bench {
namespace {

class Counter : public std::streambuf {
 public:
  [[nodiscard]] std::uint64_t bytes() const { return bytes_; }

 private:
  int_type overflow(int_type letter) override {
    ++bytes_;
    return traits_type::not_eof(letter);
  }
  std::streamsize xsputn(const char*, std::streamsize count) override {
    bytes_ += static_cast<std::uint64_t>(count);
    return count;
  }

  std::uint64_t bytes_ = 0;
};

class Report : public Work {
 public:
  Report(const report::Format& format, std::uint64_t size)
      : format_(format),
        family_(size),
        facts_(analysis::resolve(family_.session(), family_.names)),
        report_(analysis::join(family_.session(), facts_)) {
    options_.version = "0.0.0-test";
  }

  Done run() override {
    Counter counter;
    std::ostream out(&counter);
    const Status written = format_.write(report_, options_, out);
    if (!written) throw std::runtime_error(written.error().message());
    return {family_.session().capture.events, counter.bytes()};
  }

 private:
  const report::Format& format_;
  Family family_;
  model::Facts facts_;
  analysis::Report report_;
  report::ReportOptions options_;
};

}  // namespace

std::vector<Path> reports() {
  std::vector<Path> paths;
  for (const report::Format& format : report::formats())
    if (format.write != nullptr)
      paths.push_back(
          {.name = "report." + std::string(format.name), .make = [&format](std::uint64_t size) {
             return std::make_unique<Report>(format, size);
           }});
  return paths;
}

}  // namespace cowtrace::bench
