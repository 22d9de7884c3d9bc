// SPDX-License-Identifier: Apache-2.0
#include "pipeline/privileges.h"

#include <grp.h>
#include <sys/capability.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <charconv>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <vector>

#include "pipeline/unused_user.h"

namespace cowtrace::pipeline {
namespace {

// What has nothing to guard becomes this user. The tracer itself does not: a traced program may be
// nobody's, too.
constexpr uid_t kNobody = 65534;

constexpr std::array<cap_value_t, 6> kNeeded = {
    CAP_SYS_ADMIN,        // frames in /proc/PID/pagemap (fs/proc/task_mmu.c); BPF before 5.8
    CAP_SYS_PTRACE,       // /proc/PID/mem, maps and root of others; threads that are made later
    CAP_BPF,              // maps, and iterators over tasks, while unprivileged BPF is off
    CAP_PERFMON,          // the same, for programs that trace
    CAP_DAC_READ_SEARCH,  // files that traced processes have mapped, kprobe_profile
    CAP_KILL,             // signals that are passed on to the command
};

struct FreeCaps {
  void operator()(cap_t caps) const { cap_free(caps); }
};
using Caps = std::unique_ptr<std::remove_pointer_t<cap_t>, FreeCaps>;

// Those of `kNeeded` that we have.
Caps needed_caps() {
  const Caps now(cap_get_proc());
  Caps kept(cap_init());
  if (!now || !kept) return nullptr;
  for (const cap_value_t cap : kNeeded) {
    cap_flag_value_t has = CAP_CLEAR;
    // An older kernel does not know the newest.
    if (cap_get_flag(now.get(), cap, CAP_PERMITTED, &has) != 0 || has != CAP_SET) continue;
    for (const cap_flag_t flag : {CAP_PERMITTED, CAP_EFFECTIVE})
      cap_set_flag(kept.get(), flag, 1, &cap, CAP_SET);
  }
  return kept;
}

std::optional<unsigned> number_in(const char* variable) {
  const char* text = std::getenv(variable);
  unsigned number = 0;
  if (text == nullptr) return std::nullopt;
  const char* end = text + std::strlen(text);
  const auto [stop, error] = std::from_chars(text, end, number);
  return error == std::errc() && stop == end ? std::optional(number) : std::nullopt;
}

bool become(uid_t uid, gid_t gid) {
  return setgroups(0, nullptr) == 0 && setresgid(gid, gid, gid) == 0 &&
         setresuid(uid, uid, uid) == 0;
}

bool become_nobody() {
  return become(kNobody, kNobody);
}

}  // namespace

std::optional<Caller> caller() {
  const auto uid = number_in("SUDO_UID"), gid = number_in("SUDO_GID");
  if (geteuid() != 0 || !uid || !gid) return std::nullopt;
  return Caller{*uid, *gid};
}

Status keep_what_tracing_needs() {
  const Caps kept = needed_caps();
  if (!kept) return fail_errno("cannot give up privileges", errno, "");
  const bool root = geteuid() == 0;
  if (root) {
    prctl(PR_SET_KEEPCAPS, 1);
    // Not the caller, not nobody: with the same user id a traced program could stop, kill and limit
    // us.
    const auto unused = find_unused_user();
    if (!unused || !become(*unused, *unused)) {
      const int error = unused ? errno : EAGAIN;
      prctl(PR_SET_KEEPCAPS, 0);
      return fail_errno("cannot become a user of its own", error, "");
    }
  }
  if (cap_set_proc(kept.get()) != 0) return fail_errno("cannot give up capabilities", errno, "");
  prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
#ifdef __SANITIZE_ADDRESS__
  prctl(PR_SET_DUMPABLE, 1);  // for the leak sanitizer, which looks at its own threads with ptrace
#endif
  return {};
}

Status become_powerless(const std::optional<Caller>& who) {
  if (geteuid() == 0) {
    const bool somebody = who && who->uid != 0;
    if (!become(somebody ? who->uid : kNobody, somebody ? who->gid : kNobody))
      return fail_errno("cannot become another user", errno);
  }
  const Caps none(cap_init());
  if (!none || cap_set_proc(none.get()) != 0)
    return fail_errno("cannot give up capabilities", errno);
  if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0)
    return fail_errno("cannot do without new privileges", errno);
  return {};
}

void give_up_privileges() {
  if (geteuid() == 0) static_cast<void>(become_nobody());
  if (const Caps none{cap_init()}) cap_set_proc(none.get());
  prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
}

}  // namespace cowtrace::pipeline
