// SPDX-License-Identifier: Apache-2.0
// Asks a Resolver all that any report shows of a session, once. Nothing asks it afterwards.
#pragma once

#include <cstdint>

#include "analysis/site_keys.h"
#include "model/facts.h"
#include "model/objects.h"
#include "model/session.h"

namespace cowtrace::analysis {

struct ResolveOptions {
  bool name_stacks = true;  // false: only totals are wanted, and no stack frame gets a name
};

// `session` is finished. The facts refer to objects that the resolver gave out:
// Facts::objects_owner keeps them alive if the resolver has an owner for them (Resolver::finish()),
// and then it must not be asked any more. Throws Interrupted where the resolver does; it may be
// asked again then.
[[nodiscard]] model::Facts resolve(const model::Session& session, model::Resolver& resolver,
                                   const ResolveOptions& options = {});

// Asks for the names of one stack of `session`, as resolve() does; without a stack, for that of the
// function at `ip`.
void name_stack(const model::Session& session, model::Resolver& resolver, const StackPlace& place,
                model::StackNames& names);

}  // namespace cowtrace::analysis
