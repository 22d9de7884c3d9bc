// SPDX-License-Identifier: Apache-2.0
#include "pipeline/namer.h"

#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <utility>

#include "analysis/resolve.h"
#include "analysis/sites.h"
#include "base/clock.h"
#include "base/worker_thread.h"

namespace cowtrace::pipeline {
namespace {

constexpr int kNice = 10;                              // the traced program comes first
constexpr std::uint64_t kRestFactor = 9;               // a tenth of a core at most
constexpr std::uint64_t kLongestRestNs = 200'000'000;  // but a walk is not paid back
constexpr std::size_t kLongestName = 1024;             // bytes; there may be very many

}  // namespace

Namer::Namer() {
  auto natives = std::make_unique<objects::CapturedResolver>();
  natives_ = natives.get();
  resolver_ = std::make_unique<python::PythonResolver>(std::move(natives));
  thread_ = start_worker([this] { work(); });
}

Namer::~Namer() {
  stop();
}

void Namer::stop() {
  {
    const std::scoped_lock lock(mutex_);
    stopping_ = true;
  }
  changed_.notify_one();
  if (thread_.joinable()) thread_.join();
}

void Namer::enqueue(Job job) {
  {
    const std::scoped_lock lock(mutex_);
    jobs_.push_back(std::move(job));
  }
  changed_.notify_one();
}

void Namer::work() {
  // Linux keeps this for each thread.
  setpriority(PRIO_PROCESS, static_cast<id_t>(gettid()), kNice);
  std::unique_lock lock(mutex_);
  while (true) {
    changed_.wait(lock, [this] { return stopping_ || !jobs_.empty(); });
    std::vector<Job> jobs = std::exchange(jobs_, {});
    const std::uint64_t began = clock_ns(CLOCK_THREAD_CPUTIME_ID);
    for (Job& job : jobs) {
      if (stopping_) return;
      lock.unlock();
      job();
      lock.lock();
    }
    const std::uint64_t rest_ns =
        std::min(kLongestRestNs, kRestFactor * (clock_ns(CLOCK_THREAD_CPUTIME_ID) - began));
    if (changed_.wait_for(lock, std::chrono::nanoseconds(rest_ns), [this] { return stopping_; }))
      return;
  }
}

void Namer::on_maps(model::SpaceId space, pid_t pid, const std::vector<process::MapsEntry>& maps) {
  enqueue([this, space, pid, maps]() mutable { natives_->add_space(space, pid, std::move(maps)); });
}

void Namer::on_registered(model::SpaceId space, const std::vector<model::Object>& objects) {
  enqueue(
      [this, space, objects]() mutable { natives_->add_registered(space, std::move(objects)); });
}

void Namer::on_inherit(model::SpaceId child, model::SpaceId parent) {
  enqueue([this, child, parent] { natives_->inherit(child, parent); });
}

void Namer::on_heap(model::SpaceId space, std::uint64_t time_ns,
                    const std::shared_ptr<python::Heap>& heap) {
  enqueue([this, space, time_ns, heap] { resolver_->add(space, time_ns, heap); });
}

void Namer::on_code(model::SpaceId space, std::uint64_t code,
                    const std::optional<python::CodeInfo>& info) {
  enqueue([this, space, code, info] { resolver_->add_code(space, code, info); });
}

void Namer::ask(std::vector<Break> breaks) {
  enqueue([this, breaks = std::move(breaks)]() mutable {
    answer(breaks);
    const std::scoped_lock lock(mutex_);
    answers_.breaks.insert(answers_.breaks.end(), breaks.begin(), breaks.end());
  });
}

void Namer::ask(std::uint32_t as, Site site, const model::Stack* stack) {
  enqueue([this, as, site = std::move(site),
           stack = stack != nullptr ? *stack : model::Stack()]() mutable {
    if (stack.hash != model::StackHash()) stacks_.stacks.try_emplace(stack.hash, std::move(stack));
    answer(site);
    const std::scoped_lock lock(mutex_);
    answers_.sites.emplace_back(as, std::move(site));
  });
}

Namer::Answers Namer::take() {
  const std::scoped_lock lock(mutex_);
  return std::exchange(answers_, {});
}

void Namer::answer(std::vector<Break>& breaks) {
  for (Break& one : breaks) {
    const model::Write write = resolver_->write_at(one.space, one.address, one.time_ns);
    // As in cause_of().
    if (one.cause == model::Cause::Unknown) one.cause = write.cause;
    if (write.object == nullptr) continue;
    auto& known = names_[write.object];
    if (known == nullptr) {
      const model::Object& object = *write.object;
      // What a reader of the text report does not tell apart is one row here, too.
      const bool python = object.kind == model::ObjectKind::Python;
      known = std::make_unique<analysis::LiveCounts::Name>(analysis::LiveCounts::Name{
          object.kind, (object.group.empty() ? object.name : object.group).substr(0, kLongestName),
          object.type.substr(0, kLongestName), python ? 0 : object.address});
    }
    one.object = known.get();
  }
}

void Namer::answer(Site& site) {
  analysis::SiteSummary summary;
  summary.stack = site.hash;
  summary.space = site.space;
  summary.ip = site.ip;
  model::StackNames names;
  analysis::name_stack(stacks_, *resolver_, {site.hash, site.space, site.ip, site.time_ns}, names);
  site.frames = analysis::copied(analysis::SiteFrames(stacks_, names).of(summary));
}

}  // namespace cowtrace::pipeline
