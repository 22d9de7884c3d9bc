// SPDX-License-Identifier: Apache-2.0
#include "cli/cli.h"

int main(int argc, char** argv) { return cowtrace::cli::run_cli(argc, argv); }
