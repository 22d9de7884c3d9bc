// SPDX-License-Identifier: Apache-2.0
#include "trace/writer.h"

#include <google/protobuf/io/coded_stream.h>
#include <google/protobuf/io/zero_copy_stream_impl_lite.h>

#include <algorithm>
#include <variant>
#include <vector>

#include "trace/facts_codec.h"
#include "trace/model_codec.h"

namespace cowtrace::trace {
namespace {

constexpr std::size_t kEventsOfABlock = 1 << 16;
constexpr std::uint64_t kFlushNs = 1'000'000'000;  // what a crash may take with it

}  // namespace

void Writer::announce() {
  put_header({});
  status_ = {};
}

void Writer::begin(const model::CaptureInfo& info) {
  frames_.restart();
  put_header(info);
}

void Writer::put_header(const model::CaptureInfo& info) {
  Header& header = *block_.mutable_header();
  header.set_format(kFormat);
  header.set_readable_since(kReadableSince);
  header.set_writer(version_);
  put(info, *header.mutable_capture());
  flush();
}

void Writer::add(const model::Event& event) {
  if (const auto* resolution = std::get_if<model::Resolution>(&event)) {
    if (block_.resolutions().actor_size() == 0) resolutions_.begin();
    resolutions_.add(*resolution, *block_.mutable_resolutions());
  } else if (!put(event, *block_.add_events())) {
    block_.mutable_events()->RemoveLast();
    return;
  }
  if (++rows_ >= kEventsOfABlock) flush();
}

void Writer::flush_if_due(std::uint64_t now_ns) {
  if (rows_ == 0) {
    flushed_ns_ = now_ns;
    return;
  }
  if (now_ns - flushed_ns_ < kFlushNs) return;
  flush();
  flushed_ns_ = now_ns;
}

void Writer::flush() {
  write(block_);
  block_.Clear();
  rows_ = 0;
}

void Writer::write(const Block& block) {
  bytes_.clear();
  {
    google::protobuf::io::StringOutputStream stream(&bytes_);
    google::protobuf::io::CodedOutputStream out(&stream);
    out.WriteVarint64(block.ByteSizeLong());
    block.SerializeToCodedStream(&out);
  }
  if (auto written = frames_.write(bytes_); !written && status_) status_ = written;
}

Status Writer::finish(const model::Session& session, const model::Facts& facts) {
  if (rows_ != 0) flush();
  put_facts(facts, session, strings_, [this](Block& block) { write(block); });
  put(session.capture, *block_.mutable_capture());
  for (const model::Process& process : session.processes) put(process, *block_.add_processes());
  for (const model::AddressSpace& space : session.spaces) {
    put(space, *block_.add_spaces());
    if (!space.page_counts.empty()) put(space, *block_.add_page_counts());
  }
  std::vector<const model::Mapping*> mappings;
  for (const auto& [hash, mapping] : session.mappings) mappings.push_back(&mapping);
  std::sort(mappings.begin(), mappings.end(),
            [](const auto* a, const auto* b) { return a->hash < b->hash; });
  for (const model::Mapping* mapping : mappings) put(*mapping, *block_.add_mappings());
  for (const model::Watch& watch : session.watches) put(watch, *block_.add_watches());
  for (const model::Ending& ending : session.endings) put(ending, *block_.add_endings());
  block_.set_complete(true);
  flush();
  return status_;
}

}  // namespace cowtrace::trace
