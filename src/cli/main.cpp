// SPDX-License-Identifier: Apache-2.0
#include <malloc.h>

#include "cli/cli.h"

int main(int argc, char** argv) {
  // Keep what is freed: reading the kernel's types takes and frees some 16 MB, and memory that is fetched again faults again.
  mallopt(M_MMAP_THRESHOLD, 64 << 20);
  mallopt(M_TRIM_THRESHOLD, 64 << 20);
  return cowtrace::cli::run_cli(argc, argv);
}
