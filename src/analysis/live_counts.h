// SPDX-License-Identifier: Apache-2.0
// Counts of a running capture that are always up to date: each break is taken once, when it
// arrives, and once more when somebody has found out what it wrote to. A snapshot costs as much as
// there are different things, never as much as there were breaks.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <tuple>
#include <unordered_map>
#include <vector>

#include "analysis/counts.h"
#include "analysis/live_snapshot.h"
#include "model/session.h"

namespace cowtrace::analysis {

// A sum, and the same of the last two windows of time.
class LiveTally {
 public:
  void add(std::uint32_t window, std::uint64_t bytes) {
    turn_to(window);
    total_.add(1, bytes);
    current_.add(1, bytes);
  }
  void add(std::uint32_t window, const LiveTally& more);
  [[nodiscard]] const BreakCount& total() const { return total_; }
  // Of the window before `window`.
  [[nodiscard]] BreakCount before(std::uint32_t window) const;

 private:
  void turn_to(std::uint32_t window);

  BreakCount total_, current_, last_;
  std::uint32_t window_ = 0;  // of current_
};

class LiveCounts {
 public:
  struct Limits {
    std::size_t objects = 100'000;  // different ones; breaks of others are put together
    std::size_t cells = 50'000;     // combinations of space, site, object and cause
  };
  // Which object a break wrote to, as rows are told apart.
  struct Name {
    model::ObjectKind kind = model::ObjectKind::Mapping;
    std::string name, type;     // untrusted
    std::uint64_t address = 0;  // 0 where the name alone says which it is
    auto operator<=>(const Name&) const = default;
  };

  LiveCounts() : LiveCounts(Limits()) {}
  explicit LiveCounts(const Limits& limits);

  void add(const model::Fork& fork);
  void add(const model::Attach& attach);
  void add(const model::Stack& stack);
  // A break. Returns the number of its site, for add_named().
  std::uint32_t add(const model::Resolution& event);
  // What that break wrote to is known now. `object` is a number of object_number().
  void add_named(model::SpaceId space, std::uint32_t site, std::uint32_t object, model::Cause cause,
                 std::uint64_t bytes);
  [[nodiscard]] std::uint32_t object_number(const Name& name);

  // A site as its stack frames are to be named.
  struct SitePlace {
    model::StackHash stack;
    model::SpaceId space;
    std::uint64_t ip = 0, time_ns = 0;
  };
  // Numbers of sites are below this.
  [[nodiscard]] std::uint32_t sites() const { return static_cast<std::uint32_t>(sites_.size()); }
  // None if it had no break yet, or is another one's by now.
  [[nodiscard]] std::optional<SitePlace> site_to_name(std::uint32_t number) const;
  // A reader cannot tell these two apart: they are one from now on.
  void merge_sites(std::uint32_t first, std::uint32_t second);

  // A new window of time begins at `now_ns`: rates are those of the one that ends.
  void next_window(std::uint64_t now_ns);

  [[nodiscard]] const LiveTally& total() const { return total_; }
  // What a process inherited; none if nobody looked.
  using InheritedBytes = std::function<std::optional<std::uint64_t>(model::ProcessKey)>;
  // Without names of stack frames, and without what only the capture knows.
  [[nodiscard]] LiveSnapshot snapshot(const model::Session& session, const LiveRequest& request,
                                      const InheritedBytes& inherited) const;

 private:
  friend class LiveQuery;
  struct Site {
    LiveTally tally;
    model::StackHash stack;
    model::SpaceId space;
    std::uint64_t ip = 0, time_ns = 0;
    std::uint32_t merged_into = 0;  // itself, unless it turned out to be another one's stack
  };
  struct Object {
    Name name;
    std::uint32_t type = 0;
  };
  struct Cell {
    model::SpaceId space;
    std::uint32_t site = 0, object = 0;
    model::Cause cause = model::Cause::Unknown;
    LiveTally tally;
  };
  using CellKey = std::tuple<std::uint32_t, std::uint32_t, std::uint32_t, std::uint8_t>;
  struct CellHash {
    std::size_t operator()(const CellKey& key) const;
  };
  using Frames =
      std::tuple<model::SpaceId, std::vector<std::uint64_t>, std::vector<model::PythonFrame>>;

  static constexpr std::uint32_t kOthers = 0;  // object: all that found no room

  [[nodiscard]] model::SpaceId image(model::SpaceId space) const;
  [[nodiscard]] std::uint32_t site_of(std::uint32_t number) const;
  std::uint32_t new_site(const model::Resolution& event);

  Limits limits_;
  std::uint32_t window_ = 0;
  std::uint64_t window_began_ns_ = 0, window_ns_ = 0;
  LiveTally total_;
  std::uint64_t named_ = 0;
  std::unordered_map<model::SpaceId, model::SpaceId>
      image_of_;  // the first space that ran the same program image
  std::unordered_map<model::SpaceId, LiveTally> spaces_;
  std::vector<Site> sites_;
  std::unordered_map<model::StackHash, std::uint32_t> site_of_stack_;
  std::map<std::pair<model::SpaceId, std::uint64_t>, std::uint32_t> site_of_ip_;
  std::map<Frames, std::uint32_t> site_of_frames_;
  std::vector<Object> objects_;
  std::map<Name, std::uint32_t> object_of_name_;
  std::vector<std::string> types_;
  std::map<std::string, std::uint32_t> type_of_name_;
  std::vector<Cell> cells_;
  std::unordered_map<CellKey, std::uint32_t, CellHash> cell_of_;
};

}  // namespace cowtrace::analysis
