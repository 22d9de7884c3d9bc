// SPDX-License-Identifier: Apache-2.0
#include "report/page_text.h"

#include <fmt/compile.h>

#include <cstdint>
#include <iterator>

#include "report/json_rows.h"

namespace cowtrace::report {
namespace {

std::string quoted(std::string_view text) {
  return or_null(text).dump(-1, ' ', false, Json::error_handler_t::replace);
}

void append(fmt::memory_buffer& out, std::string_view text) {
  out.append(text.data(), text.data() + text.size());
}

// Frame 0 is "not known", never a frame.
void append_frame(fmt::memory_buffer& out, std::uint64_t frame) {
  if (frame != 0)
    fmt::format_to(std::back_inserter(out), FMT_COMPILE("\"{:#x}\""), frame);
  else
    append(out, "null");
}

void append_mechanisms(fmt::memory_buffer& out, const analysis::ByMechanism& by_mechanism) {
  std::string_view before = "{";
  for (const model::MechanismInfo& mechanism : model::kMechanismTable) {
    const auto count = by_mechanism[static_cast<std::size_t>(mechanism.mechanism)];
    if (count == 0) continue;
    fmt::format_to(std::back_inserter(out), FMT_COMPILE("{}\"{}\":{}"), before, mechanism.name,
                   count);
    before = ",";
  }
  append(out, before == "{" ? "{}" : "}");
}

}  // namespace

std::string_view PageText::of(const analysis::PageRow& page) {
  if (page.mapping != mapping_) {
    mapping_ = page.mapping;
    mapping_json_ = quoted(page.mapping);
  }
  text_.clear();
  const auto out = std::back_inserter(text_);
  fmt::format_to(
      out,
      FMT_COMPILE(
          R"({{"process":{},"pid":{},"address":"{:#x}","size":{},"breaks":{},"by_mechanism":)"),
      page.process.value, page.pid, page.address, page.size, page.breaks);
  append_mechanisms(text_, page.by_mechanism);
  fmt::format_to(out, FMT_COMPILE(R"(,"cause":"{}","phase":)"), model::name(page.cause));
  if (page.phase)
    fmt::format_to(out, FMT_COMPILE("\"{}\""), model::name(*page.phase));
  else
    append(text_, "null");
  fmt::format_to(out, FMT_COMPILE(R"(,"first_ns":{},"last_ns":{},"written":"{:#x}","old_frame":)"),
                 page.first_ns, page.last_ns, page.written);
  append_frame(text_, page.old_frame);
  append(text_, R"(,"new_frame":)");
  append_frame(text_, page.new_frame);
  fmt::format_to(out, FMT_COMPILE(R"(,"mapping":{},"object":)"), mapping_json_);
  if (page.object)
    fmt::format_to(out, FMT_COMPILE("{}"), page.object->value);
  else
    append(text_, "null");
  append(text_, R"(,"neighbours":[)");
  for (const analysis::ObjectId& id : page.neighbours)
    fmt::format_to(out, FMT_COMPILE("{}{}"), &id == page.neighbours.data() ? "" : ",", id.value);
  if (page.actor)
    fmt::format_to(out, FMT_COMPILE(R"(],"actor":{{"pid":{},"command":{}}}}})"), page.actor->pid,
                   quoted(page.actor->command));
  else
    append(text_, R"(],"actor":null})");
  return {text_.data(), text_.size()};
}

}  // namespace cowtrace::report
