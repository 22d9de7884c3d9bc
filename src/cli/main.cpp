// SPDX-License-Identifier: Apache-2.0
#include <malloc.h>

#include "cli/cli.h"

int main(int argc, char** argv) {
  // Keep what is freed, for memory that is fetched again faults again; but not large pieces: what
  // comes after them would keep them for ever.
  mallopt(M_MMAP_THRESHOLD, 1 << 20);
  mallopt(M_TRIM_THRESHOLD, 64 << 20);
  return cowtrace::cli::run_cli(argc, argv);
}
