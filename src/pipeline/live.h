// SPDX-License-Identifier: Apache-2.0
// Keeps a live view up to date: counts each break as it arrives, has it named in the background,
// and shows a snapshot once a second or when the view asks for another one.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "analysis/live_counts.h"
#include "capture/capture.h"
#include "model/session.h"
#include "pipeline/namer.h"
#include "top/view.h"

namespace cowtrace::pipeline {

class Live {
 public:
  Live(top::View& view, const capture::Capture& capture, const model::Session& session)
      : view_(view), capture_(capture), session_(session) {}

  [[nodiscard]] CaptureListener& listener() { return namer_; }
  void set_inherited(analysis::LiveCounts::InheritedBytes inherited) {
    inherited_ = std::move(inherited);
  }
  // `event` has been applied to the session.
  void take(const model::Event& event);
  // All events that are there have been taken.
  void update(std::uint64_t now_ns);
  // The last snapshot: what has no name by now has none.
  void finish(const std::string& why);

 private:
  void take_break(const model::Resolution& event);
  void take_answers();
  std::uint32_t mapping_number(model::MappingHash mapping);
  void show(std::uint64_t now_ns, const analysis::LiveRequest& request,
            const std::string& why = {});
  void name_sites(analysis::LiveSnapshot& snapshot);
  // Asks for the names of a site, unless its stack is still to come.
  bool ask_for_site(std::uint32_t number, const analysis::LiveCounts::SitePlace& site);
  void name_more_sites();
  void take_site(std::uint32_t number, std::vector<model::StackFrame> frames);

  top::View& view_;
  const capture::Capture& capture_;
  const model::Session& session_;
  analysis::LiveCounts::InheritedBytes inherited_;
  analysis::LiveCounts counts_;
  std::vector<Namer::Break> unasked_;
  std::uint64_t pending_ = 0, unnamed_ = 0;
  std::unordered_map<model::MappingHash, std::uint32_t> mappings_;
  std::unordered_map<const analysis::LiveCounts::Name*, std::uint32_t> objects_;
  struct SiteName {
    bool pending = true;
    std::vector<model::StackFrame> frames;
  };
  std::unordered_map<std::uint32_t, SiteName> sites_;
  std::unordered_map<std::string, std::uint32_t>
      site_of_names_;                           // the first site that was called so
  std::uint64_t window_ns_ = 0, asked_ns_ = 0;  // when the last ones began
  std::optional<analysis::LiveRequest> shown_;
  bool answered_ = false;  // the last snapshot had sites without names, which have some now
  Namer namer_;            // ends before what its answers refer to
};

}  // namespace cowtrace::pipeline
