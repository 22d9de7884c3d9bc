// SPDX-License-Identifier: Apache-2.0
// The command line: parsing yields plain options, one file a subcommand does the work, the exit
// code is decided here.
#pragma once

namespace cowtrace::cli {

// 0 done, 1 failed, 2 used wrongly; run: the command's own, or 125, 126, 127.
int run_cli(int argc, char** argv);

}  // namespace cowtrace::cli
