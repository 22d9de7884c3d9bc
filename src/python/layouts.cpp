// SPDX-License-Identifier: Apache-2.0
// The tables of all versions, one file each, as scripts/python-layouts.py makes them.
#include <algorithm>
#include <array>

#include "python/layout.h"

namespace cowtrace::python {
namespace {

constexpr std::array kLayouts = {
    Layout{
#include "python/layouts/cpython_3_8.inc"
    },
    Layout{
#include "python/layouts/cpython_3_9.inc"
    },
    Layout{
#include "python/layouts/cpython_3_10.inc"
    },
    Layout{
#include "python/layouts/cpython_3_11.inc"
    },
    Layout{
#include "python/layouts/cpython_3_12.inc"
    },
    Layout{
#include "python/layouts/cpython_3_13.inc"
    },
    Layout{
#include "python/layouts/cpython_3_14.inc"
    },
    Layout{
#include "python/layouts/cpython_3_15.inc"
    },
};

}  // namespace

const Layout* find_layout(Version version) {
  const auto found = std::ranges::find(kLayouts, version, &Layout::version);
  return found == kLayouts.end() ? nullptr : &*found;
}

}  // namespace cowtrace::python
