// SPDX-License-Identifier: Apache-2.0
// LiveCounts::snapshot(): one pass over the cells, then the rows that are shown.
#include <algorithm>
#include <array>
#include <numeric>
#include <string_view>
#include <utility>

#include "analysis/live_counts.h"

namespace cowtrace::analysis {

class LiveQuery {
  // What one row adds up to.
  struct Sum {
    BreakCount count, recent;
    ByCause by_cause{};

    void add(const LiveTally& tally, std::uint32_t window) {
      const BreakCount before = tally.before(window);
      count.add(tally.total().breaks, tally.total().bytes);
      recent.add(before.breaks, before.bytes);
    }
    void put_into(LiveRow& row) const {
      row.count = count;
      row.recent = recent;
      const auto most = std::max_element(
          by_cause.begin(), by_cause.end(),
          [](const BreakCount& a, const BreakCount& b) { return a.bytes < b.bytes; });
      if (most->breaks != 0) row.main_cause = static_cast<model::Cause>(most - by_cause.begin());
    }
  };

  using Sums = std::vector<Sum>;

 public:
  LiveQuery(const LiveCounts& counts, const model::Session& session, const LiveRequest& request,
            const LiveCounts::InheritedBytes& inherited)
      : counts_(counts),
        session_(session),
        request_(request),
        inherited_(inherited),
        processes_(session.processes.size()),
        objects_(counts.objects_.size()),
        types_(counts.types_.size()),
        sites_(counts.sites_.size()),
        causes_(model::kCauseNames.size()) {
    if (request.filter.site) wanted_site_ = counts.site_of(*request.filter.site);
  }

  LiveSnapshot run() {
    find_owners();
    for (const LiveCounts::Cell& cell : counts_.cells_) add(cell);
    // What needs no name is exact, and complete.
    if (request_.filter.empty())
      count_all();
    else if (only_process())
      count_process();
    LiveSnapshot snapshot;
    snapshot.request = request_;
    snapshot.window_ns = counts_.window_ns_;
    snapshot.named = counts_.named_;
    Sum total;
    total.add(counts_.total_, counts_.window_);
    total.put_into(snapshot.total);
    shown_.put_into(snapshot.shown);
    fill(snapshot);
    return snapshot;
  }

 private:
  [[nodiscard]] bool only_process() const {
    LiveFilter filter;
    filter.process = request_.filter.process;
    return filter == request_.filter;
  }

  void find_owners() {
    for (const model::AddressSpace& space : session_.spaces)
      if (space.owner.value < session_.processes.size() && owns(space))
        owner_[space.id] = space.owner.value;
  }
  // A space that nobody has announced yet has no owner: its field says 0, which is somebody.
  [[nodiscard]] bool owns(const model::AddressSpace& space) const {
    const auto& spaces = session_.process(space.owner).spaces;
    return std::find(spaces.begin(), spaces.end(), space.id) != spaces.end();
  }
  [[nodiscard]] std::optional<std::uint32_t> owner(model::SpaceId space) const {
    const auto found = owner_.find(space);
    return found != owner_.end() ? std::optional(found->second) : std::nullopt;
  }

  void add(const LiveCounts::Cell& cell) {
    const LiveFilter& filter = request_.filter;
    const auto differs = [](const std::optional<std::uint32_t>& wanted, std::uint32_t is) {
      return wanted && *wanted != is;
    };
    const auto process = owner(cell.space);
    const std::uint32_t site = counts_.site_of(cell.site),
                        type = counts_.objects_[cell.object].type;
    const auto cause = static_cast<std::uint32_t>(cell.cause);
    if (filter.process && process != filter.process) return;
    if (differs(filter.object, cell.object) || differs(filter.type, type) ||
        differs(wanted_site_, site) || differs(filter.cause, cause))
      return;
    const auto add_to = [&](Sum& sum) {
      sum.add(cell.tally, counts_.window_);
      sum.by_cause[cause].add(cell.tally.total().breaks, cell.tally.total().bytes);
    };
    if (process) add_to(processes_[*process]);
    add_to(objects_[cell.object]);
    add_to(types_[type]);
    add_to(sites_[site]);
    add_to(causes_[cause]);
    add_to(shown_);
  }

  void replace(Sum& sum, const LiveTally& tally) const {
    sum.count = sum.recent = {};
    sum.add(tally, counts_.window_);
  }

  void count_all() {
    replace(shown_, counts_.total_);
    for (Sum& sum : processes_) sum.count = sum.recent = {};
    for (const auto& [space, tally] : counts_.spaces_)
      if (const auto process = owner(space)) processes_[*process].add(tally, counts_.window_);
    for (std::size_t i = 0; i < sites_.size(); ++i)
      if (counts_.sites_[i].merged_into == i) replace(sites_[i], counts_.sites_[i].tally);
  }

  void count_process() {
    LiveTally all;
    for (const auto& [space, tally] : counts_.spaces_)
      if (owner(space) == request_.filter.process) all.add(counts_.window_, tally);
    replace(shown_, all);
    if (*request_.filter.process < processes_.size())
      replace(processes_[*request_.filter.process], all);
  }

  // Ids of rows that have something, in the order that was asked for, and how many there are of
  // them.
  template <typename NameOf>
  std::pair<std::vector<std::uint32_t>, std::size_t> chosen(const Sums& sums, NameOf&& name_of,
                                                            bool all = false) const {
    std::vector<std::uint32_t> ids;
    for (std::uint32_t i = 0; i < sums.size(); ++i)
      if (sums[i].count.breaks != 0 || all) ids.push_back(i);
    const auto before = [&](std::uint32_t a, std::uint32_t b) {
      const Sum &x = sums[a], &y = sums[b];
      switch (request_.order) {
        case LiveOrder::Rate:
          if (x.recent.breaks != y.recent.breaks) return x.recent.breaks > y.recent.breaks;
          break;
        case LiveOrder::Breaks:
          if (x.count.breaks != y.count.breaks) return x.count.breaks > y.count.breaks;
          break;
        case LiveOrder::Name:
          if (const auto order = name_of(a) <=> name_of(b); order != 0) return order < 0;
          break;
        case LiveOrder::Copied:
          break;
      }
      if (x.count.bytes != y.count.bytes) return x.count.bytes > y.count.bytes;
      return a < b;
    };
    const std::size_t shown = std::min(ids.size(), request_.rows);
    std::partial_sort(ids.begin(), ids.begin() + static_cast<std::ptrdiff_t>(shown), ids.end(),
                      before);
    const std::size_t count = ids.size();
    ids.resize(shown);
    return {std::move(ids), count};
  }

  void fill(LiveSnapshot& snapshot) const {
    fill_processes(snapshot);
    const auto objects = chosen(objects_, [this](std::uint32_t id) {
      return std::string_view(counts_.objects_[id].name.name);
    });
    snapshot.objects.all = objects.second;
    for (const std::uint32_t id : objects.first) {
      LiveObject& row = add_row(snapshot.objects.rows, id, objects_[id]);
      const LiveCounts::Name& name = counts_.objects_[id].name;
      row.name = name.name;
      row.type = name.type;
      row.kind = name.kind;
    }
    fill_types(snapshot);
    const auto sites =
        chosen(sites_, [this](std::uint32_t id) { return counts_.sites_[id].time_ns; });
    snapshot.sites.all = sites.second;
    for (const std::uint32_t id : sites.first) {
      LiveSite& row = add_row(snapshot.sites.rows, id, sites_[id]);
      const LiveCounts::Site& site = counts_.sites_[id];
      row.stack = site.stack;
      row.space = site.space;
      row.ip = site.ip;
      row.time_ns = site.time_ns;
    }
    const auto causes = chosen(causes_, [](std::uint32_t id) { return model::kCauseNames[id]; });
    snapshot.causes.all = causes.second;
    for (const std::uint32_t id : causes.first) add_row(snapshot.causes.rows, id, causes_[id]);
  }

  void fill_processes(LiveSnapshot& snapshot) const {
    const auto& known = session_.processes;
    const auto processes = chosen(
        processes_, [&](std::uint32_t id) { return known[id].pid; }, request_.filter.empty());
    snapshot.processes.all = processes.second;
    for (const std::uint32_t id : processes.first) {
      LiveProcess& row = add_row(snapshot.processes.rows, id, processes_[id]);
      row.pid = known[id].pid;
      row.command = known[id].command;
      row.ended = known[id].exit_ns.has_value();
      row.inherited_bytes = inherited_(known[id].key);
      row.shared_bytes = known[id].still_shared_bytes;
      // An exec leaves nothing of it.
      if (!row.shared_bytes && row.inherited_bytes && !row.ended && known[id].spaces.size() == 1)
        row.shared_bytes = *row.inherited_bytes - std::min(*row.inherited_bytes, copied_by(id));
    }
    snapshot.processes_alive = static_cast<std::size_t>(
        std::count_if(known.begin(), known.end(),
                      [](const model::Process& process) { return !process.exit_ns; }));
  }
  // Whatever the filter is.
  [[nodiscard]] std::uint64_t copied_by(std::uint32_t process) const {
    std::uint64_t sum = 0;
    for (const model::SpaceId space : session_.processes[process].spaces)
      if (const auto found = counts_.spaces_.find(space); found != counts_.spaces_.end())
        sum += found->second.total().bytes;
    return sum;
  }

  void fill_types(LiveSnapshot& snapshot) const {
    const auto types =
        chosen(types_, [this](std::uint32_t id) { return std::string_view(counts_.types_[id]); });
    snapshot.types.all = types.second;
    std::vector<std::uint64_t> objects(types_.size());
    for (std::size_t i = 0; i < objects_.size(); ++i)
      if (objects_[i].count.breaks != 0) ++objects[counts_.objects_[i].type];
    for (const std::uint32_t id : types.first) {
      LiveType& row = add_row(snapshot.types.rows, id, types_[id]);
      row.name = counts_.types_[id];
      row.objects = objects[id];
    }
  }

  template <typename Row>
  static Row& add_row(std::vector<Row>& rows, std::uint32_t id, const Sum& sum) {
    Row& row = rows.emplace_back();
    row.id = id;
    sum.put_into(row);
    return row;
  }

  const LiveCounts& counts_;
  const model::Session& session_;
  const LiveRequest& request_;
  const LiveCounts::InheritedBytes& inherited_;
  std::unordered_map<model::SpaceId, std::uint32_t> owner_;
  Sums processes_, objects_, types_, sites_, causes_;
  Sum shown_;
  std::optional<std::uint32_t> wanted_site_;  // of the filter: it may have become another one's
};

LiveSnapshot LiveCounts::snapshot(const model::Session& session, const LiveRequest& request,
                                  const InheritedBytes& inherited) const {
  return LiveQuery(*this, session, request, inherited).run();
}

}  // namespace cowtrace::analysis
