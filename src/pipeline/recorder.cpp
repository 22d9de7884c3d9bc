// SPDX-License-Identifier: Apache-2.0
#include "pipeline/recorder.h"

namespace cowtrace::pipeline {

Status Recorder::finish(const model::Session& session, const model::Facts& facts) {
  Status result;
  for (const auto& writer : writers_)
    if (auto status = writer->finish(session, facts); !status && result) result = std::move(status);
  return result;
}

}  // namespace cowtrace::pipeline
