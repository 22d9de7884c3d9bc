// SPDX-License-Identifier: Apache-2.0
#include "pipeline/recorder.h"

#include "analysis/pages.h"
#include "analysis/sites.h"

namespace cowtrace::pipeline {

Status Recorder::finish(const analysis::Summary& summary, const model::Session& session, trace::RecordingResolver& resolver) {
  if (!active()) return {};
  analysis::for_each_page(summary, session, resolver, [](const analysis::PageRow&) {});
  analysis::SiteFrames frames(session, resolver);
  for (const auto* sites : {&summary.sites, &summary.allocators}) {
    for (const analysis::SiteSummary& site : *sites) {
      static_cast<void>(frames.of(site));
      static_cast<void>(frames.python_of(site));
    }
  }
  const trace::Answers answers = resolver.take();
  Status result;
  for (const auto& writer : writers_)
    if (auto status = writer->finish(session, answers); !status && result) result = std::move(status);
  return result;
}

}  // namespace cowtrace::pipeline
