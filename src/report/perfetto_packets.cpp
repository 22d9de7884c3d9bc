// SPDX-License-Identifier: Apache-2.0
#include "report/perfetto_packets.h"

namespace cowtrace::report {

namespace {

constexpr int kPending = 512;           // packets in memory
constexpr std::uint32_t kSequence = 1;  // there is one writer
constexpr std::uint64_t kCategory = 1;  // the number of kCategoryName
constexpr const char* kCategoryName = "cow";

}  // namespace

pb::TracePacket& PerfettoPackets::add() {
  if (pending_.packet_size() >= kPending) flush();
  packet_ = pending_.add_packet();
  packet_->set_trusted_packet_sequence_id(kSequence);
  if (started_) {
    packet_->set_sequence_flags(pb::TracePacket::SEQ_NEEDS_INCREMENTAL_STATE);
    return *packet_;
  }
  started_ = true;
  packet_->set_sequence_flags(pb::TracePacket::SEQ_INCREMENTAL_STATE_CLEARED);
  packet_->set_first_packet_on_sequence(true);
  pb::EventCategory& category = *packet_->mutable_interned_data()->add_event_categories();
  category.set_iid(kCategory);
  category.set_name(kCategoryName);
  return *packet_;
}

pb::TrackEvent& PerfettoPackets::add_instant(std::uint64_t t_ns, std::uint64_t track,
                                             std::string_view name) {
  pb::TracePacket& packet = add();
  packet.set_timestamp(t_ns);
  pb::TrackEvent& event = *packet.mutable_track_event();
  event.set_type(pb::TrackEvent::TYPE_INSTANT);
  event.set_track_uuid(track);
  event.add_category_iids(kCategory);
  event.set_name_iid(intern(event_names_, name, [&](std::uint64_t iid) {
    pb::EventName& made = *packet.mutable_interned_data()->add_event_names();
    made.set_iid(iid);
    made.set_name(std::string(name));
  }));
  return event;
}

void PerfettoPackets::annotate(std::string_view key, const std::string& value) {
  if (value.empty()) return;
  annotation(key).set_string_value_iid(intern(strings_, value, [&](std::uint64_t iid) {
    pb::InternedString& made =
        *packet_->mutable_interned_data()->add_debug_annotation_string_values();
    made.set_iid(iid);
    made.set_str(value);
  }));
}

pb::DebugAnnotation& PerfettoPackets::annotation(std::string_view key) {
  pb::DebugAnnotation& made = *packet_->mutable_track_event()->add_debug_annotations();
  made.set_name_iid(intern(annotation_names_, key, [&](std::uint64_t iid) {
    pb::DebugAnnotationName& name = *packet_->mutable_interned_data()->add_debug_annotation_names();
    name.set_iid(iid);
    name.set_name(std::string(key));
  }));
  return made;
}

template <typename Add>
std::uint64_t PerfettoPackets::intern(Table& table, std::string_view text, Add&& add) {
  const auto [at, is_new] = table.emplace(text, table.size() + 1);
  if (is_new) add(at->second);
  return at->second;
}

void PerfettoPackets::send_stack(std::uint32_t number, const std::vector<NamedFrame>& frames) {
  // Outermost first, which the format calls "bottom frame first".
  std::vector<std::uint64_t> ids;
  for (auto at = frames.rbegin(); at != frames.rend(); ++at) ids.push_back(frame(*at));
  pb::Callstack& made = *packet_->mutable_interned_data()->add_callstacks();
  made.set_iid(number + 1);
  for (const std::uint64_t id : ids) made.add_frame_ids(id);
}

std::uint64_t PerfettoPackets::frame(const NamedFrame& named) {
  const auto [at, is_new] = frames_.emplace(named, frames_.size() + 1);
  if (!is_new) return at->second;
  pb::InternedData& interned = *packet_->mutable_interned_data();
  const auto add_to = [](auto* list) {
    return [list](const std::string& text) {
      return [list, text](std::uint64_t iid) {
        pb::InternedString& made = *list->Add();
        made.set_iid(iid);
        made.set_str(text);
      };
    };
  };
  // A mapping would need an address in it. Without a source file its own is shown instead.
  const std::string& source = named.file.empty() ? named.module : named.file;
  pb::Frame& made = *interned.add_frames();
  made.set_iid(at->second);
  made.set_function_name_id(
      intern(functions_, named.name, add_to(interned.mutable_function_names())(named.name)));
  if (!source.empty())
    made.set_source_path_iid(
        intern(sources_, source, add_to(interned.mutable_source_paths())(source)));
  if (named.line != 0) made.set_line_number(named.line);
  made.set_kind(named.python ? pb::Frame::KIND_INTERPRETED : pb::Frame::KIND_NATIVE);
  return at->second;
}

void PerfettoPackets::flush() {
  const std::string bytes = pending_.SerializeAsString();
  out_.write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
  pending_.Clear();
  packet_ = nullptr;
}

}  // namespace cowtrace::report
