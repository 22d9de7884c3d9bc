// SPDX-License-Identifier: Apache-2.0
#include "pipeline/output_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <utility>

#include "base/units.h"
#include "pipeline/privileges.h"

namespace cowtrace::pipeline {
namespace {

constexpr const char* kRemedy = "choose another -o";

// What is there already must be a file that nobody else has put there for us to overwrite.
Status check_old(const Fd& fd, const std::string& what) {
  struct stat about {};
  if (fstat(fd.get(), &about) != 0) return fail_errno(what, errno, kRemedy);
  if (!S_ISREG(about.st_mode)) return fail(what, "it is not a regular file", kRemedy);
  if (about.st_nlink > 1)
    return fail(what, "it is a hard link: the file has another name", kRemedy);
  const auto who = caller();
  if (who && about.st_uid != 0 && about.st_uid != who->uid)
    return fail(what, "it belongs to somebody else", kRemedy);
  return {};
}

}  // namespace

Result<Fd> open_output(const std::string& path) {
  const std::string what = "cannot write " + printable(path);
  // Not for the command to inherit.
  constexpr int kFlags = O_WRONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY;
  // It quotes what was in the memory of processes: their users decide who else may read it.
  constexpr mode_t kOwnerOnly = 0600;
  Fd fd(::open(path.c_str(), kFlags | O_CREAT | O_EXCL, kOwnerOnly));
  if (fd) {
    const auto who = caller();
    if (who && fchown(fd.get(), who->uid, who->gid) != 0) return fail_errno(what, errno, kRemedy);
    return fd;
  }
  if (errno == EEXIST) fd = Fd(::open(path.c_str(), kFlags));
  if (!fd)
    return errno == ELOOP ? fail(what, "it is a symbolic link", "name the file itself")
                          : fail_errno(what, errno, kRemedy);
  if (auto ours = check_old(fd, what); !ours) return tl::unexpected(ours.error());
  if (ftruncate(fd.get(), 0) != 0) return fail_errno(what, errno, kRemedy);
  return fd;
}

}  // namespace cowtrace::pipeline
