// SPDX-License-Identifier: Apache-2.0
#include "scenario/arena.h"

#include <fmt/format.h>
#include <linux/futex.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <climits>
#include <cstring>
#include <ctime>
#include <utility>

namespace scenario {

struct Arena::Header {
  std::atomic<std::uint32_t> generation;  // of the barrier; the futex
  std::atomic<std::uint32_t> arrived;
  std::atomic<std::uint32_t> failing;  // somebody took the right to describe the failure
  std::atomic<std::uint32_t> aborted;
  ExitStatus status;
  char what[128];
  char why[128];
  char remedy[128];
};

namespace {

static_assert(std::atomic<std::uint32_t>::is_always_lock_free);

long futex(std::atomic<std::uint32_t>& word, int operation, std::uint32_t value,
           const timespec* timeout) {
  return ::syscall(SYS_futex, reinterpret_cast<std::uint32_t*>(&word), operation, value, timeout,
                   nullptr, 0);
}

template <std::size_t Size>
void copy_text(char (&to)[Size], const std::string& from) {
  to[from.copy(to, Size - 1)] = '\0';
}

std::uint64_t round_up(std::uint64_t bytes) {
  return (bytes + kPageSize - 1) / kPageSize * kPageSize;
}

}  // namespace

Result<Arena> Arena::map(std::uint64_t members, std::uint64_t pages, bool measure) {
  Arena arena;
  arena.members_ = members;
  arena.pages_ = pages;
  arena.measure_ = measure;
  arena.bit_words_ = measure ? round_up(pages / 8 + 1) / sizeof(std::uint64_t) : 0;
  const std::uint64_t head = round_up(sizeof(Header));
  const std::uint64_t records = round_up(members * sizeof(Record));
  const std::uint64_t before = measure ? round_up(pages * sizeof(std::uint64_t)) : 0;
  const std::uint64_t bits = members * arena.bit_words_ * sizeof(std::uint64_t);
  const std::uint64_t scratch = measure ? members * kScratchWords * sizeof(std::uint64_t) : 0;
  arena.bytes_ = head + records + before + bits + scratch;
  void* memory = ::mmap(nullptr, arena.bytes_, PROT_READ | PROT_WRITE,
                        MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (memory == MAP_FAILED) {
    return unavailable(fmt::format("cannot map {} shared bytes", arena.bytes_),
                       std::strerror(errno), "use fewer --pages or --children");
  }
  auto* bytes = static_cast<std::byte*>(memory);
  std::memset(bytes, 0, head + records + before);
  arena.header_ = new (bytes) Header{};
  arena.records_ = reinterpret_cast<Record*>(bytes + head);
  arena.before_ = reinterpret_cast<std::uint64_t*>(bytes + head + records);
  arena.bits_ = reinterpret_cast<std::uint64_t*>(bytes + head + records + before);
  arena.scratch_ = reinterpret_cast<std::uint64_t*>(bytes + head + records + before + bits);
  return arena;
}

Arena::Arena(Arena&& other) noexcept
    : header_(std::exchange(other.header_, nullptr)),
      bytes_(other.bytes_),
      members_(other.members_),
      pages_(other.pages_),
      bit_words_(other.bit_words_),
      measure_(other.measure_),
      records_(other.records_),
      before_(other.before_),
      bits_(other.bits_),
      scratch_(other.scratch_) {}

Arena::~Arena() {
  if (header_ != nullptr) ::munmap(header_, bytes_);
}

bool Arena::arrive(std::uint32_t& generation) const {
  generation = header_->generation.load();
  if (header_->arrived.fetch_add(1) + 1 < members_) return false;
  header_->arrived.store(0);
  header_->generation.fetch_add(1);
  futex(header_->generation, FUTEX_WAKE, INT_MAX, nullptr);
  return true;
}

bool Arena::sleep_unless_changed(std::uint32_t generation) const {
  if (header_->generation.load() != generation || is_aborted()) return false;
  const timespec while_all_is_well = {0, 200'000'000};
  futex(header_->generation, FUTEX_WAIT, generation, &while_all_is_well);
  return header_->generation.load() == generation && !is_aborted();
}

void Arena::abort(const Failure& failure) const {
  if (header_->failing.exchange(1) != 0) return;
  header_->status = failure.status;
  copy_text(header_->what, failure.what);
  copy_text(header_->why, failure.why);
  copy_text(header_->remedy, failure.remedy);
  header_->aborted.store(1);
  header_->generation.fetch_add(1);
  futex(header_->generation, FUTEX_WAKE, INT_MAX, nullptr);
}

bool Arena::is_aborted() const {
  return header_->aborted.load() != 0;
}

Failure Arena::failure() const {
  return {header_->status, header_->what, header_->why, header_->remedy};
}

}  // namespace scenario
