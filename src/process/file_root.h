// SPDX-License-Identifier: Apache-2.0
// The root directory that a process sees, and the files that it has mapped. Kept open: it outlives
// the process.
#pragma once

#include <sys/types.h>

#include <memory>
#include <optional>
#include <string>

#include "base/fd.h"
#include "base/result.h"
#include "process/maps.h"

namespace cowtrace::process {

class FileRoot {
 public:
  // Our own root.
  FileRoot() = default;
  // The root of `pid`, which may be a container's.
  [[nodiscard]] static Result<FileRoot> of_process(pid_t pid);

  // The root of a process that has ended. Files are looked for in our own root: that is good enough
  // for one whose identity is known.
  [[nodiscard]] static FileRoot unknown();

  // A regular file by its absolute path; symbolic links cannot lead out of the root. Nothing else
  // is opened, not even to look.
  [[nodiscard]] Result<Fd> open_regular_file(const std::string& path) const;

  // The same for a path that the content of the file `namer` gives, which may name anything: only
  // what everybody may read, or what belongs to the owner of `namer`; no symbolic link; and nothing
  // where the root is unknown.
  [[nodiscard]] Result<Fd> open_named_file(const std::string& path, int namer) const;

 private:
  [[nodiscard]] int find(const std::string& path, int flags) const;

  explicit FileRoot(Fd directory) : directory_(std::move(directory)) {}

  Fd directory_;  // none: our own
  bool known_ = true;
};

// Opens the very file that `entry` maps: a file that replaced it under the same name is refused.
// With `pid` (while that process lives) files that were deleted or are mounted elsewhere are found
// too.
[[nodiscard]] Result<Fd> open_mapped_file(const MapsEntry& entry, const FileRoot& root,
                                          std::optional<pid_t> pid);

}  // namespace cowtrace::process
