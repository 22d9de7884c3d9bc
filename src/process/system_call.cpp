// SPDX-License-Identifier: Apache-2.0
#include "process/system_call.h"

#include <elf.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/user.h>

namespace cowtrace::process {
namespace {

#if defined(__x86_64__)

using Registers = user_regs_struct;

bool in_exit_group(const Registers& registers, std::size_t) {
  constexpr unsigned long kExitGroupOf32Bit = 252;
  constexpr unsigned long k32BitCodeSegment = 0x23;
  return registers.orig_rax ==
         (registers.cs == k32BitCodeSegment ? kExitGroupOf32Bit : SYS_exit_group);
}

#elif defined(__aarch64__)

using Registers = user_regs_struct;

// A 32-bit program's registers are 18 words of 4 bytes (arch/arm64/include/asm/elf.h); the number
// is in r7 there.
bool in_exit_group(const Registers& registers, std::size_t size) {
  constexpr unsigned long kExitGroupOf32Bit = 248;
  if (size == sizeof(Registers)) return registers.regs[8] == SYS_exit_group;
  return (registers.regs[3] >> 32) == kExitGroupOf32Bit;
}

#else
#error "no registers of this architecture yet"
#endif

}  // namespace

std::optional<bool> is_in_exit_group(pid_t tid) {
  Registers registers{};
  iovec vector{&registers, sizeof(registers)};
  if (ptrace(PTRACE_GETREGSET, tid, NT_PRSTATUS, &vector) != 0) return std::nullopt;
  return in_exit_group(registers, vector.iov_len);
}

}  // namespace cowtrace::process
