// SPDX-License-Identifier: Apache-2.0
// The fentry and kprobe backends: the beginning and the end of handle_mm_fault(), and two functions
// inside it (bpf/fault_path.bpf.c).
#include <bpf/libbpf.h>
#include <fmt/format.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <fstream>
#include <utility>
#include <vector>

#include "capture/bpf_capture.h"
#include "capture/kernel_symbols.h"
#include "capture/kernel_version.h"
#include "capture/return_probe.h"
#include "capture/self_check.h"
#include "capture/trampolines.h"
#include "cowtrace.skel.h"

namespace cowtrace::capture {
namespace {

// What the kernel calls the reverse mapping of a new anonymous page, the likelier first: the name
// changed in 6.8.
std::array<const char*, 2> names_of_new_page() {
  constexpr const char *kFolio = "folio_add_new_anon_rmap", *kPage = "page_add_new_anon_rmap";
  if (kernel_version() >= std::pair(6, 8)) return {kFolio, kPage};
  return {kPage, kFolio};
}

class PathCapture : public BpfCapture {
 public:
  using BpfCapture::BpfCapture;

 protected:
  Status check(const Calibration& calibration) const override {
    if (calibration.direct_map != 0 && options_.page_tables) return {};
    return fail(fmt::format("cannot use the {} backend", backend()),
                "it needs page tables that can be read", "use --backend static");
  }
  Need need(const Coverage& row) const override { return row.by_path; }
  bool reads_mappings() const override { return true; }
  bool has(Need need) const override {
    if (need == Need::WriteHook) return sees_swap_;
    if (need == Need::ForkHooks) return sees_fork_copies_;
    return BpfCapture::has(need);
  }

  bool sees_fork_copies_ = true;
  bool sees_swap_ = true;
};

class FentryCapture final : public PathCapture {
 public:
  using PathCapture::PathCapture;
  std::string backend() const override { return "fentry"; }

 private:
  Status possible() const override { return trampolines_work(); }
  bool wants(std::string_view program) const override {
    return program.starts_with("fentry_") || program.starts_with("fexit_");
  }
  bool choose(cowtrace_bpf& skeleton, int attempt) override;
  Status attach_faults(cowtrace_bpf& skeleton) override;
};

// Both names of the reverse mapping, then without what is not about every fault.
bool FentryCapture::choose(cowtrace_bpf& skeleton, int attempt) {
  auto& progs = skeleton.progs;
  const auto new_page = names_of_new_page();
  const auto names = static_cast<int>(new_page.size());
  sees_fork_copies_ = attempt < names;
  sees_swap_ = attempt <= names;
  if (sees_fork_copies_) {
    for (bpf_program* program : {progs.fentry_new_page, progs.fentry_new_page_again1,
                                 progs.fentry_new_page_again2, progs.fentry_new_page_again3})
      bpf_program__set_attach_target(program, 0, new_page[static_cast<std::size_t>(attempt)]);
  } else {
    for (bpf_program* program :
         {progs.fentry_new_page, progs.fentry_copy_range, progs.fexit_copy_range})
      bpf_program__set_autoload(program, false);
  }
  if (!sees_swap_) bpf_program__set_autoload(progs.fentry_write_protected, false);
  return attempt <= names + 1;
}

Status FentryCapture::attach_faults(cowtrace_bpf& skeleton) {
  auto& progs = skeleton.progs;
  const auto attach = [&](bpf_program* program) { return attach_hook(program).has_value(); };
  if (sees_swap_) sees_swap_ = attach(progs.fentry_write_protected);
  // The new page last: it does nothing outside the other two.
  if (sees_fork_copies_)
    sees_fork_copies_ = attach(progs.fexit_copy_range) && attach(progs.fentry_copy_range) &&
                        attach(progs.fentry_new_page);
  if (auto attached = attach_hook(progs.fexit_fault); !attached) return attached;
  return attach_hook(progs.fentry_fault);
}

class KprobeCapture final : public PathCapture {
 public:
  using PathCapture::PathCapture;
  KprobeCapture(const KprobeCapture&) = delete;
  KprobeCapture& operator=(const KprobeCapture&) = delete;
  ~KprobeCapture() override { KprobeCapture::stop(); }
  std::string backend() const override { return "kprobe"; }
  void stop() override;
  Counters counters() const override;
  std::vector<std::string> notes() const override;

 private:
  Status possible() const override {
    if (access("/sys/bus/event_source/devices/kprobe/type", F_OK) == 0) return {};
    return fail("cannot use kprobes", "this kernel has none (CONFIG_KPROBE_EVENTS)",
                "use --backend static (or auto)");
  }
  bool wants(std::string_view program) const override {
    return program.starts_with("kprobe_") || program.starts_with("kretprobe_");
  }
  Status attach_faults(cowtrace_bpf& skeleton) override;
  bool attach_to(bpf_program* program, bool at_return, const char* function);
  bool attach_to_symbol(bpf_program* program, bool at_return, const std::string& symbol);
  Status attach_return(bpf_program* program, const std::string& symbol);

  std::vector<ReturnProbe> returns_;
  std::string few_returns_;  // why the kernel follows few calls at a time; empty: it follows many
  std::uint64_t missed_returns_ = 0;  // of probes that are gone
};

void KprobeCapture::stop() {
  BpfCapture::stop();
  for (const ReturnProbe& probe : returns_) missed_returns_ += probe.missed();
  returns_.clear();
}

Counters KprobeCapture::counters() const {
  Counters all = PathCapture::counters();
  all.skipped += missed_returns_;
  for (const ReturnProbe& probe : returns_) all.skipped += probe.missed();
  return all;
}

std::vector<std::string> KprobeCapture::notes() const {
  auto all = PathCapture::notes();
  if (!few_returns_.empty())
    all.push_back(fmt::format("more than a few faults at a time may be missed: {}", few_returns_));
  return all;
}

Status KprobeCapture::attach_return(bpf_program* program, const std::string& symbol) {
  auto probe = ReturnProbe::create(symbol);
  if (!probe) return tl::unexpected(probe.error());
  const auto event = probe->open();
  if (!event) return tl::unexpected(event.error());
  bpf_link* link = bpf_program__attach_perf_event(program, *event);
  if (link == nullptr) close(*event);
  if (auto kept = keep(link, symbol); !kept) return kept;
  returns_.push_back(std::move(*probe));
  return {};
}

bool KprobeCapture::attach_to_symbol(bpf_program* program, bool at_return,
                                     const std::string& symbol) {
  const auto attach = [&] {
    return keep(bpf_program__attach_kprobe(program, at_return, symbol.c_str()), symbol).has_value();
  };
  if (!at_return) return attach();
  const auto followed = attach_return(program, symbol);
  if (followed) return true;
  if (!attach()) return false;
  few_returns_ = followed.error().message();
  return true;
}

// The function, or a copy of it that the compiler has named anew.
bool KprobeCapture::attach_to(bpf_program* program, bool at_return, const char* function) {
  if (attach_to_symbol(program, at_return, function)) return true;
  std::ifstream kallsyms("/proc/kallsyms");
  const auto symbol = suffixed_symbol(kallsyms, function);
  return symbol && attach_to_symbol(program, at_return, *symbol);
}

Status KprobeCapture::attach_faults(cowtrace_bpf& skeleton) {
  auto& progs = skeleton.progs;
  const auto new_page = names_of_new_page();
  sees_swap_ = attach_to(progs.kprobe_write_protected, false, "do_wp_page");
  sees_fork_copies_ = attach_to(progs.kretprobe_copy_range, true, "copy_page_range") &&
                      attach_to(progs.kprobe_copy_range, false, "copy_page_range") &&
                      (attach_to(progs.kprobe_new_page, false, new_page[0]) ||
                       attach_to(progs.kprobe_new_page, false, new_page[1]));
  for (const bool at_return : {true, false}) {
    bpf_program* program = at_return ? progs.kretprobe_fault : progs.kprobe_fault;
    if (!attach_to(program, at_return, "handle_mm_fault")) {
      const int error = errno;
      const std::string off = switched_off(backend());
      return fail_errno("cannot attach a kprobe to handle_mm_fault", error,
                        off.empty() ? "use --backend static (or auto)" : off);
    }
  }
  return {};
}

template <typename Backend>
Result<std::unique_ptr<Capture>> open_backend(const CaptureOptions& options) {
  auto capture = std::make_unique<Backend>(options);
  if (auto opened = capture->open(); !opened) return tl::unexpected(opened.error());
  return capture;
}

}  // namespace

Result<std::unique_ptr<Capture>> open_fentry(const CaptureOptions& options) {
  return open_backend<FentryCapture>(options);
}
Result<std::unique_ptr<Capture>> open_kprobe(const CaptureOptions& options) {
  return open_backend<KprobeCapture>(options);
}

}  // namespace cowtrace::capture
