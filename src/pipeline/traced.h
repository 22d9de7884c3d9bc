// SPDX-License-Identifier: Apache-2.0
// What a capture leaves to report from.
#pragma once

#include <memory>

#include "model/objects.h"
#include "model/session.h"
#include "pipeline/debuginfod.h"
#include "process/debug_budget.h"

namespace cowtrace::pipeline {

struct Traced {
  std::unique_ptr<model::Session> session;
  std::unique_ptr<model::Resolver> resolver;
  std::shared_ptr<Debuginfod> debuginfod;  // that the resolver asks; nullptr: no server is asked
  std::shared_ptr<process::DebugBudget> debug_budget;  // that the resolver takes from
};

}  // namespace cowtrace::pipeline
