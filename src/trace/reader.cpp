// SPDX-License-Identifier: Apache-2.0
#include "trace/reader.h"

#include <fcntl.h>
#include <google/protobuf/io/coded_stream.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <limits>
#include <optional>
#include <unordered_map>
#include <utility>
#include <vector>

#include "analysis/resolve.h"
#include "base/fd.h"
#include "base/units.h"
#include "trace/allowance.h"
#include "trace/facts_codec.h"
#include "trace/format1/answers_decoder.h"
#include "trace/format1/recorded_resolver.h"
#include "trace/model_codec.h"
#include "trace/resolution_columns.h"
#include "trace/strings.h"
#include "trace/writer.h"
#include "trace/zstd_frames.h"

namespace cowtrace::trace {
namespace {

// Bytes of memory that a row of the session takes until it is reported, about: what a file has of
// it may be two bytes.
constexpr std::uint64_t kResolutionBytes = 300, kRowBytes = 2500;

// What the last blocks tell of the whole.
struct Conclusion {
  std::optional<model::CaptureInfo> capture;
  std::vector<model::Process> processes;
  std::vector<model::AddressSpace> spaces;
  std::unordered_map<std::uint32_t, std::size_t> space_of;  // by id
  std::vector<model::Mapping> mappings;
  std::vector<model::Watch> watches;
  std::vector<model::Ending> endings;
  bool complete = false;
};

class Decoder {
 public:
  explicit Decoder(std::string path) : path_(std::move(path)) {}

  // False: the messages are damaged from here on. An error: this cannot be read at all.
  // `size`: what they are in the file.
  [[nodiscard]] Result<bool> take_messages(std::string_view bytes, std::size_t size);
  [[nodiscard]] bool complete() const { return conclusion_.complete; }
  [[nodiscard]] Result<Trace> finish();

 private:
  [[nodiscard]] std::optional<model::Facts> facts_of_session();
  [[nodiscard]] Result<bool> take(const Block& block);
  [[nodiscard]] Status take_header(const Header& header);
  [[nodiscard]] bool take_events(const Block& block);
  [[nodiscard]] bool take_facts(const Block& block);
  [[nodiscard]] bool take_conclusion(const Block& block);
  [[nodiscard]] tl::unexpected<Error> damaged() const {
    return fail("cannot read " + printable(path_),
                "it contradicts itself: it is damaged, or no trace of cowtrace");
  }

  std::string path_;
  std::uint32_t format_ = 0;  // 0: no header yet
  Allowance allowance_;
  StringTable strings_;
  ResolutionDecoder resolutions_;
  std::shared_ptr<Tables> tables_ = std::make_shared<Tables>();
  FactsDecoder facts_;
  format1::AnswersDecoder answers_;
  Conclusion conclusion_;
  std::unique_ptr<model::Session> session_ = std::make_unique<model::Session>();
};

Status Decoder::take_header(const Header& header) {
  const std::uint32_t needed =
      header.readable_since() != 0 ? header.readable_since() : header.format();
  if (needed > kFormat)
    return fail("cannot read " + printable(path_),
                "it has format " + std::to_string(header.format()) + ", of a newer cowtrace (" +
                    printable(header.writer()) + ")",
                "read it with that one; this one knows formats up to " + std::to_string(kFormat));
  if (header.format() == 0 || !get(header.capture(), session_->capture)) return damaged();
  session_->capture.events = 0;  // they are counted as they come
  format_ = header.format();
  return {};
}

bool Decoder::take_events(const Block& block) {
  if (!allowance_.take(static_cast<std::uint64_t>(block.events_size()) * kRowBytes)) return false;
  for (const Event& from : block.events()) {
    if (from.event_case() == Event::EVENT_NOT_SET) continue;  // of a kind that came later
    model::Event event;
    if (!get(from, event)) return false;
    session_->apply(event);
  }
  if (!allowance_.take(static_cast<std::uint64_t>(block.resolutions().actor_size()) *
                       kResolutionBytes))
    return false;
  std::vector<model::Resolution> resolutions;
  const bool intact = resolutions_.take(block.resolutions(), resolutions);
  for (const model::Resolution& one : resolutions) session_->apply(one);
  return intact;
}

bool Decoder::take_facts(const Block& block) {
  if (format_ == 1) return answers_.take(block, strings_, *tables_, allowance_);
  return facts_.take(block, strings_, *tables_, allowance_);
}

bool Decoder::take_conclusion(const Block& block) {
  const int rows = block.processes_size() + block.spaces_size() + block.mappings_size() +
                   block.watches_size() + block.endings_size();
  if (!allowance_.take(static_cast<std::uint64_t>(rows) * kRowBytes)) return false;
  if (block.has_capture() && !get(block.capture(), conclusion_.capture.emplace())) return false;
  for (const Process& from : block.processes()) {
    model::Process& process = conclusion_.processes.emplace_back();
    process.key = model::ProcessKey(static_cast<std::uint32_t>(conclusion_.processes.size() - 1));
    if (!get(from, process)) return false;
  }
  for (const Space& from : block.spaces()) {
    conclusion_.space_of.try_emplace(from.id(), conclusion_.spaces.size());
    if (!get(from, conclusion_.spaces.emplace_back())) return false;
  }
  for (const PageCounts& from : block.page_counts()) {
    const auto space = conclusion_.space_of.find(from.space());
    if (space == conclusion_.space_of.end() || !get(from, conclusion_.spaces[space->second]))
      return false;
  }
  for (const Mapping& from : block.mappings()) conclusion_.mappings.push_back(mapping_of(from));
  for (const Watch& from : block.watches())
    if (!get(from, conclusion_.watches.emplace_back())) return false;
  for (const Ending& from : block.endings()) conclusion_.endings.push_back(ending_of(from));
  conclusion_.complete = block.complete();
  return true;
}

Result<bool> Decoder::take(const Block& block) {
  if (block.has_header() && format_ == 0) {
    if (auto status = take_header(block.header()); !status) return tl::unexpected(status.error());
  }
  if (format_ == 0)
    return fail("cannot read " + printable(path_), "it is no trace of cowtrace",
                "name a file that -o FILE.cow wrote");
  strings_.take(block);
  return take_events(block) && tables_->take(block, strings_, allowance_) && take_facts(block) &&
         take_conclusion(block);
}

Result<bool> Decoder::take_messages(std::string_view bytes, std::size_t size) {
  allowance_.grant(size);
  google::protobuf::io::CodedInputStream in(reinterpret_cast<const std::uint8_t*>(bytes.data()),
                                            static_cast<int>(bytes.size()));
  in.SetTotalBytesLimit(std::numeric_limits<int>::max());
  while (!complete() && in.CurrentPosition() < static_cast<int>(bytes.size())) {
    std::uint32_t length = 0;
    if (!in.ReadVarint32(&length) ||
        length > static_cast<std::uint32_t>(in.BytesUntilTotalBytesLimit()))
      return false;
    const auto limit = in.PushLimit(static_cast<int>(length));
    Block block;
    const bool whole =
        block.ParseFromCodedStream(&in) && in.ConsumedEntireMessage() && in.BytesUntilLimit() == 0;
    in.PopLimit(limit);
    if (!whole && format_ == 0)
      return fail("cannot read " + printable(path_), "it is no trace of cowtrace",
                  "name a file that -o FILE.cow wrote");
    if (!whole) return false;
    auto taken = take(block);
    if (!taken || !*taken) return taken;
  }
  return true;
}

std::optional<model::Facts> Decoder::facts_of_session() {
  if (format_ != 1) return facts_.finish(*session_, tables_);
  format1::RecordedResolver resolver(answers_.take(), tables_);
  return analysis::resolve(*session_, resolver);
}

Result<Trace> Decoder::finish() {
  Trace trace;
  trace.complete = conclusion_.complete;
  if (trace.complete) {
    if (!conclusion_.capture) return damaged();
    session_->capture = std::move(*conclusion_.capture);
    session_->watches = std::move(conclusion_.watches);
    if (!session_->restore(std::move(conclusion_.processes), std::move(conclusion_.spaces),
                           std::move(conclusion_.mappings)))
      return damaged();
  } else {
    session_->finish();
    auto& capture = session_->capture;
    for (const model::AddressSpace& space : session_->spaces)
      for (const model::Resolution& one : space.resolutions)
        if (one.time_ns > capture.started_ns)
          capture.duration_ns = std::max(capture.duration_ns, one.time_ns - capture.started_ns);
    capture.notes.emplace_back(
        "the trace is incomplete, for its writer did not come to its end or the file was cut off: "
        "what came later is "
        "missing, as are the names of objects and functions, the exact counts and the audit");
  }
  session_->set_phases(std::move(conclusion_.endings));
  if (!session_->is_consistent()) return damaged();
  if (trace.complete) {
    auto facts = facts_of_session();
    if (!facts) return damaged();
    trace.facts = std::move(*facts);
  }
  trace.session = std::move(session_);
  return trace;
}

class FileView {
 public:
  static Result<FileView> open(const std::string& path) {
    FileView view;
    const Fd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
    struct stat about {};
    if (!fd || fstat(fd.get(), &about) != 0)
      return fail_errno("cannot read " + printable(path), errno);
    if (!S_ISREG(about.st_mode)) return fail("cannot read " + printable(path), "it is no file");
    view.size_ = static_cast<std::size_t>(about.st_size);
    if (view.size_ == 0) return view;
    view.bytes_ = mmap(nullptr, view.size_, PROT_READ, MAP_PRIVATE, fd.get(), 0);
    if (view.bytes_ == MAP_FAILED) return fail_errno("cannot read " + printable(path), errno);
    return view;
  }
  FileView(FileView&& other) noexcept
      : bytes_(std::exchange(other.bytes_, MAP_FAILED)), size_(other.size_) {}
  FileView& operator=(FileView&&) = delete;
  ~FileView() {
    if (bytes_ != MAP_FAILED) munmap(bytes_, size_);
  }
  [[nodiscard]] std::string_view bytes() const {
    return bytes_ == MAP_FAILED ? std::string_view()
                                : std::string_view(static_cast<const char*>(bytes_), size_);
  }

 private:
  FileView() = default;
  void* bytes_ = MAP_FAILED;
  std::size_t size_ = 0;
};

}  // namespace

Result<Trace> read_messages(std::string_view messages, const std::string& path) {
  Decoder decoder(path);
  if (auto taken = decoder.take_messages(messages, messages.size()); !taken)
    return tl::unexpected(taken.error());
  return decoder.finish();
}

Result<Trace> read_bytes(std::string_view file, const std::string& path) {
  FrameReader frames(file);
  Decoder decoder(path);
  bool any = false;
  std::size_t left = frames.left();
  for (std::string_view frame = frames.next(); !frame.empty() && !decoder.complete();
       frame = frames.next()) {
    any = true;
    auto taken = decoder.take_messages(frame, left - frames.left());
    left = frames.left();
    if (!taken) return tl::unexpected(taken.error());
    if (!*taken) break;
  }
  if (!any)
    return fail("cannot read " + printable(path),
                file.empty() ? "it is empty"
                             : "it is no trace of cowtrace, or was cut off at its beginning",
                "name a file that -o FILE.cow wrote");
  return decoder.finish();
}

Result<Trace> read_file(const std::string& path) {
  auto file = FileView::open(path);
  if (!file) return tl::unexpected(file.error());
  return read_bytes(file->bytes(), path);
}

}  // namespace cowtrace::trace
