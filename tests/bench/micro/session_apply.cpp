// SPDX-License-Identifier: Apache-2.0
// Events to a session. An item is an event.
#include <memory>
#include <vector>

#include "events.h"
#include "family.h"
#include "path.h"

namespace cowtrace::bench {
namespace {

class SessionApply : public Work {
 public:
  explicit SessionApply(std::uint64_t size) : events_(events_of(Family(size).session())) {}

  void prepare() override { session_ = std::make_unique<model::Session>(); }

  Done run() override {
    for (const model::Event& event : events_) session_->apply(event);
    return {events_.size(), events_.size() * sizeof(model::Event)};
  }

 private:
  std::vector<model::Event> events_;
  std::unique_ptr<model::Session> session_;
};

}  // namespace

Path session_apply() {
  return path<SessionApply>("apply");
}

}  // namespace cowtrace::bench
