// SPDX-License-Identifier: Apache-2.0
// million_report FILE.html [BREAKS]: an HTML report of a family that never was, of the size that
// the page has to bear: a million breaks in eight workers, 200,000 named objects, 2,000 stacks,
// times and causes in disorder. No tracing, so that every machine can make it.
#include <cstdint>
#include <cstdlib>
#include <fstream>
#include <iostream>

#include "analysis/join.h"
#include "analysis/resolve.h"
#include "family.h"
#include "report/writers.h"

namespace cowtrace {
namespace {

int write_report(const char* path, std::uint64_t breaks) {
  bench::Family family(breaks);
  const model::Facts facts = analysis::resolve(family.session(), family.names);
  const analysis::Report report = analysis::join(family.session(), facts);
  std::ofstream out(path, std::ios::binary);
  report::ReportOptions options;
  options.version = "0.0.0-test";
  const Status written = report::write_html(report, options, out);
  if (!written) std::cerr << "million_report: " << written.error().message() << '\n';
  return written ? 0 : 1;
}

}  // namespace
}  // namespace cowtrace

int main(int argc, char** argv) {
  if (argc < 2 || argc > 3) {
    std::cerr << "usage: million_report FILE.html [BREAKS]\n";
    return 2;
  }
  return cowtrace::write_report(argv[1],
                                argc == 3 ? std::strtoull(argv[2], nullptr, 10) : 1'000'000);
}
