// SPDX-License-Identifier: Apache-2.0
// Children that were killed because the kernel had taken a huge page away from them, in favour of
// their parent.
#pragma once

#include <string>
#include <vector>

#include "model/session.h"

namespace cowtrace::analysis {

// One sentence for each process that SIGBUS ended after the process which it was forked from had
// written hugetlb pages that both shared. When no huge page is free for the copy, the kernel unmaps
// the page from the children instead (unmap_ref_private() in mm/hugetlb.c): the child is not told,
// and the next time it uses the page it is killed.
[[nodiscard]] std::vector<std::string> lost_page_notes(const model::Session& session);

}  // namespace cowtrace::analysis
