// SPDX-License-Identifier: Apache-2.0
#include "process/file_root.h"

#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <cerrno>

#include "base/units.h"
#include "process/file_read.h"

namespace cowtrace::process {
namespace {

// On these file systems stat(2) and /proc/PID/maps name different devices for one file; the inode
// still agrees.
bool has_two_device_numbers(int file) {
  constexpr long kBtrfs = 0x9123683E;
  constexpr long kOverlay = 0x794C7630;
  struct statfs about = {};
  return ::fstatfs(file, &about) == 0 && (about.f_type == kBtrfs || about.f_type == kOverlay);
}

Result<Fd> check_identity(Fd file, const MapsEntry& entry) {
  struct stat about = {};
  if (::fstat(file.get(), &about) != 0) {
    return fail_errno("cannot open " + printable(entry.path), errno);
  }
  if (!S_ISREG(about.st_mode)) {
    return fail("cannot open " + printable(entry.path), "it is not a regular file");
  }
  if (about.st_ino != entry.inode ||
      (about.st_dev != entry.device && !has_two_device_numbers(file.get()))) {
    return fail("cannot open " + printable(entry.path), "file is gone (another one has its name)");
  }
  return file;
}

Fd open_map_file(const MapsEntry& entry, pid_t pid) {
  const std::string path = "/proc/" + std::to_string(pid) + "/map_files/" +
                           hex(entry.start).substr(2) + "-" + hex(entry.end).substr(2);
  auto file = open_regular(path);
  return file ? std::move(*file) : Fd();
}

}  // namespace

Result<FileRoot> FileRoot::of_process(pid_t pid) {
  const std::string path = "/proc/" + std::to_string(pid) + "/root";
  Fd directory(::open(path.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  if (!directory) return fail_errno("cannot open " + path, errno);
  return FileRoot(std::move(directory));
}

FileRoot FileRoot::unknown() {
  FileRoot root;
  root.known_ = false;
  return root;
}

// Only finds it: nothing is opened. -1 and errno if there is no such file.
int FileRoot::find(const std::string& path, int flags) const {
  if (!directory_) return ::open(path.c_str(), O_PATH | O_CLOEXEC | flags);
  struct open_how how = {};
  how.flags = static_cast<std::uint64_t>(O_PATH | O_CLOEXEC | flags);
  how.resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS;
  return static_cast<int>(
      ::syscall(SYS_openat2, directory_.get(), path.c_str(), &how, sizeof(how)));
}

Result<Fd> FileRoot::open_regular_file(const std::string& path) const {
  if (!path.starts_with('/')) return fail("cannot open " + printable(path), "it is no path");
  return open_place(Fd(find(path, 0)), path);
}

Result<Fd> FileRoot::open_named_file(const std::string& path, int namer) const {
  struct stat about = {};
  if (!path.starts_with('/')) return fail("cannot open " + printable(path), "it is no path");
  if (!known_)
    return fail("cannot open " + printable(path), "the root of its process is not known");
  if (::fstat(namer, &about) != 0) return fail_errno("cannot open " + printable(path), errno);
  return open_place(Fd(find(path, O_NOFOLLOW)), path, [&](const struct stat& named) {
    return (named.st_mode & S_IROTH) != 0 || named.st_uid == about.st_uid;
  });
}

Result<Fd> open_mapped_file(const MapsEntry& entry, const FileRoot& root,
                            std::optional<pid_t> pid) {
  if (!entry.is_file()) return fail("cannot open " + printable(entry.path), "it is no file");
  if (pid) {
    if (Fd file = open_map_file(entry, *pid)) {
      if (auto checked = check_identity(std::move(file), entry)) return checked;
    }
  }
  if (entry.deleted) return fail("cannot open " + printable(entry.path), "file is gone (deleted)");
  auto file = root.open_regular_file(entry.path);
  if (!file) return fail(file.error().what, "file is gone (" + file.error().why + ")");
  return check_identity(std::move(*file), entry);
}

}  // namespace cowtrace::process
