// SPDX-License-Identifier: Apache-2.0
// What reporters are given, made of a session and of what a resolver says of it.
#pragma once

#include <deque>

#include "analysis/join.h"
#include "analysis/resolve.h"

namespace cowtrace::test {

// The report and its facts live as long as the test program; the session need not.
inline const analysis::Report& reported(const model::Session& session, model::Resolver& resolver,
                                        const analysis::JoinOptions& options = {}) {
  static std::deque<model::Facts> facts;
  static std::deque<analysis::Report> reports;
  facts.push_back(analysis::resolve(session, resolver));
  return reports.emplace_back(analysis::join(session, facts.back(), options));
}

}  // namespace cowtrace::test
