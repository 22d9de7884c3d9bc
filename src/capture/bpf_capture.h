// SPDX-License-Identifier: Apache-2.0
// What the backends have in common: one skeleton, calibration, lanes and rings, counters. A backend
// chooses its programs and attaches them.
#pragma once

#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/fd.h"
#include "capture/buffer_sizes.h"
#include "capture/capture.h"
#include "capture/coverage.h"
#include "capture/lanes.h"
#include "capture/load_order.h"
#include "capture/ring.h"
#include "capture/rule_table.h"
#include "capture/self_check.h"
#include "capture/test_family.h"

struct bpf_link;
struct bpf_program;
struct cowtrace_bpf;

namespace cowtrace::capture {

class BpfCapture : public Capture {
 public:
  explicit BpfCapture(const CaptureOptions& options);
  BpfCapture(const BpfCapture&) = delete;
  BpfCapture& operator=(const BpfCapture&) = delete;
  ~BpfCapture() override;

  // Loads, calibrates, attaches.
  Status open();

  Status track_next_exec(pid_t pid) override;
  Result<std::size_t> track_running(const Running& running) override;
  Status set_python(model::SpaceId space, const PythonProbe& probe) override;
  int copies_fd() const override;
  std::uint64_t drain_copies(const CopySink& sink) override;
  std::uint64_t copies_sent() const override;
  void add_rule(std::uint64_t scope, std::uint64_t address, bool exact,
                const UnwindRule& rule) override {
    rules_.add(scope, address, exact, rule);
  }
  std::uint64_t mapped_bytes() const override { return 2 * buffers_.sum(); }
  int poll_fd() const override;
  std::uint64_t drain(const Sink& sink) override;
  void stop() override;
  Counters counters() const override;
  std::uint64_t lost() const override;
  Result<std::vector<PageCountRow>> page_counts() const override;
  std::vector<std::string> blind_spots() const override;
  std::vector<std::string> notes() const override;
  bool reads_mappings() const override { return has(Need::FindVma); }
  const Calibration& calibration() const override { return calibration_; }

 protected:
  // Errors: this kernel or machine cannot do it; asked first, and cheap.
  virtual Status possible() const { return {}; }
  // Whether a program (by its name in bpf/) is one of this backend's hooks on faults.
  virtual bool wants(std::string_view program) const = 0;
  // Hooks that this kernel may lack: called before a load, again with one `attempt` more after each
  // that failed. False: nothing left to leave out.
  virtual bool choose(cowtrace_bpf&, int attempt) { return attempt == 0; }
  virtual Status attach_faults(cowtrace_bpf& skeleton) = 0;
  // This backend's column of the coverage, and whether what it asks for is there.
  [[nodiscard]] virtual Need need(const Coverage& row) const = 0;
  [[nodiscard]] virtual bool has(Need need) const;
  [[nodiscard]] virtual Status check(const Calibration&) const { return {}; }

  // Keeps the link, or says why there is none.
  Status keep(bpf_link* link, const std::string& what);
  // Attaches a hook where its section says, as often as this kernel makes it necessary.
  Status attach_hook(bpf_program* hook);
  [[nodiscard]] bool pairing() const {
    return calibration_.direct_map == 0 || !options_.page_tables;
  }

  CaptureOptions options_;

 private:
  Status load();
  LoadTry load_with(int features, int attempt);
  void configure(int features);
  void choose_programs();
  void tell_layout();
  Status attach();
  Status map_buffers();
  Status check_hooks();
  Result<SelfCheck> run_test_family(TestFamily& family);
  void forget_test_family();
  Result<std::size_t> look_through_tasks(const bpf_program* iterator);
  void take(std::span<const std::byte> bytes);

  struct Destroy {
    void operator()(cowtrace_bpf* skeleton) const;
  };

  Calibration calibration_;
  BufferSizes buffers_;
  bool find_mapping_ = true;
  bool sees_absent_ = true;  // and finds the mapping of an absent page
  std::string unchecked_;    // why nobody knows whether hooks are called; empty: they are
  bool preempted_;           // this kernel preempts itself
  std::unique_ptr<cowtrace_bpf, Destroy> skeleton_;
  Ring control_, breaks_;
  Fd ready_;  // readable when one of these is
  Lanes lanes_;
  RuleTable rules_;
  Ring copies_;
  const CopySink* copy_sink_ = nullptr;
  std::vector<bpf_link*> links_;
  const Sink* sink_ = nullptr;
  std::uint64_t undecodable_ = 0;
};

}  // namespace cowtrace::capture
