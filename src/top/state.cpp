// SPDX-License-Identifier: Apache-2.0
#include "top/state.h"

#include <algorithm>
#include <utility>

#include "top/rows.h"

namespace cowtrace::top {
namespace {

using analysis::LiveFilter;
using analysis::LiveOrder;
using analysis::LiveSnapshot;

void go_to(State& state, Tab tab) {
  if (state.tab != tab) state.selected = 0;
  state.tab = tab;
}

template <typename Row, typename Label>
void drill(State& state, const std::vector<Row>& rows,
           std::optional<std::uint32_t> LiveFilter::*member, Label&& label) {
  if (state.selected >= rows.size() || state.filter.*member) return;
  const Row& row = rows[state.selected];
  state.steps.push_back({state.filter, state.tab, state.selected, label(row)});
  state.filter.*member = row.id;
  state.selected = 0;
  state.tab = Tab::Overview;
}

void enter(State& state, const LiveSnapshot& snapshot) {
  // The rows on the screen answer another question: a second key in a hurry.
  if (snapshot.request.filter != state.filter || snapshot.request.order != state.order) return;
  const auto label = [](const auto& row) { return label_of(row); };
  switch (state.tab) {
    case Tab::Overview:
      break;
    case Tab::Processes:
      drill(state, snapshot.processes.rows, &LiveFilter::process, label);
      break;
    case Tab::Objects:
      drill(state, snapshot.objects.rows, &LiveFilter::object, label);
      break;
    case Tab::Types:
      drill(state, snapshot.types.rows, &LiveFilter::type, label);
      break;
    case Tab::Sites:
      drill(state, snapshot.sites.rows, &LiveFilter::site, label);
      break;
    case Tab::Causes:
      drill(state, snapshot.causes.rows, &LiveFilter::cause,
            [](const auto& row) { return label_of_cause(row.id); });
      break;
  }
}

void back(State& state) {
  if (state.help) {
    state.help = false;
  } else if (!state.steps.empty()) {
    State::Step step = std::move(state.steps.back());
    state.steps.pop_back();
    state.filter = step.filter;
    state.tab = step.tab;
    state.selected = step.selected;
  }
}

void move(State& state, std::ptrdiff_t by, std::size_t rows) {
  const auto last = static_cast<std::ptrdiff_t>(rows == 0 ? 0 : rows - 1);
  state.selected = static_cast<std::size_t>(
      std::clamp(static_cast<std::ptrdiff_t>(state.selected) + by, std::ptrdiff_t{0}, last));
}

}  // namespace

analysis::LiveRequest State::request(std::size_t rows) const {
  // Some more than can be seen, so that moving down needs no answer; in steps, so that not each
  // move is another question.
  constexpr std::size_t kStep = 50;
  return {filter, order, ((tab == Tab::Overview ? 0 : selected) + rows) / kStep * kStep + kStep};
}

std::size_t rows_of(const LiveSnapshot& snapshot, Tab tab) {
  switch (tab) {
    case Tab::Overview:
      return 0;
    case Tab::Processes:
      return snapshot.processes.rows.size();
    case Tab::Objects:
      return snapshot.objects.rows.size();
    case Tab::Types:
      return snapshot.types.rows.size();
    case Tab::Sites:
      return snapshot.sites.rows.size();
    case Tab::Causes:
      return snapshot.causes.rows.size();
  }
  return 0;
}

void press(State& state, Key key, const LiveSnapshot& snapshot, std::size_t rows) {
  const std::size_t count = rows_of(snapshot, state.tab);
  const auto page = static_cast<std::ptrdiff_t>(std::max<std::size_t>(rows, 1));
  const auto tab = static_cast<std::size_t>(state.tab);
  if (state.help && key != Key::Quit) {
    state.help = false;
    return;
  }
  switch (key) {
    case Key::None:
      break;
    case Key::Up:
      move(state, -1, count);
      break;
    case Key::Down:
      move(state, 1, count);
      break;
    case Key::PageUp:
      move(state, -page, count);
      break;
    case Key::PageDown:
      move(state, page, count);
      break;
    case Key::First:
      state.selected = 0;
      break;
    case Key::Last:
      state.selected = count == 0 ? 0 : count - 1;
      break;
    case Key::NextTab:
      go_to(state, static_cast<Tab>((tab + 1) % kTabs));
      break;
    case Key::PreviousTab:
      go_to(state, static_cast<Tab>((tab + kTabs - 1) % kTabs));
      break;
    case Key::Enter:
      enter(state, snapshot);
      break;
    case Key::Back:
      back(state);
      break;
    case Key::Sort:
      state.order = static_cast<LiveOrder>((static_cast<std::uint8_t>(state.order) + 1) % 4);
      break;
    case Key::Pause:
      state.paused = !state.paused;
      break;
    case Key::Help:
      state.help = true;
      break;
    case Key::Quit:
      state.quit = true;
      break;
    case Key::Tab1:
    case Key::Tab2:
    case Key::Tab3:
    case Key::Tab4:
    case Key::Tab5:
    case Key::Tab6:
      go_to(state, static_cast<Tab>(static_cast<std::uint8_t>(key) -
                                    static_cast<std::uint8_t>(Key::Tab1)));
      break;
  }
}

}  // namespace cowtrace::top
