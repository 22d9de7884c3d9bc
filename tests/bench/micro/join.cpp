// SPDX-License-Identifier: Apache-2.0
// A session to a report, with a resolver that costs next to nothing. An item is a break.
#include "analysis/join.h"

#include "analysis/resolve.h"
#include "family.h"
#include "path.h"

namespace cowtrace::bench {
namespace {

class Join : public Work {
 public:
  explicit Join(std::uint64_t size) : family_(size) {}

  Done run() override {
    const model::Facts facts = analysis::resolve(family_.session(), family_.names);
    if (analysis::join(family_.session(), facts).summary.objects.empty())
      throw std::runtime_error("the join found no objects");
    return {family_.session().capture.events, 0};
  }

 private:
  Family family_;
};

}  // namespace

Path join() {
  return path<Join>("join");
}

}  // namespace cowtrace::bench
