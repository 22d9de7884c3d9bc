// SPDX-License-Identifier: Apache-2.0
// fill_inherited mlock|populate|collapse: a child that asks the kernel to fill pages which it has
// inherited and does not write. Prints "filled PID ADDRESS PAGES CHANGED", CHANGED being how many
// of them have another frame than before, or "cannot" in place of "filled" where the kernel does
// not know how.
#include "family.h"

#include <errno.h>
#include <fcntl.h>

#define kHuge ((size_t)2 << 20)
enum { kPages = 512, kPopulateWrite = 23, kCollapse = 25 };

static unsigned char* make_huge(void) {
  unsigned char* at =
      mmap(NULL, 2 * kHuge, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  check(at != MAP_FAILED, "mmap");
  at = (unsigned char*)(((uintptr_t)at + kHuge - 1) & ~(kHuge - 1));
  check(madvise(at, kHuge, MADV_NOHUGEPAGE) == 0, "madvise");
  write_pages(at, kPages);
  return at;
}

static void read_frames(const unsigned char* pages, uint64_t* frames) {
  int pagemap = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);
  size_t size = kPages * sizeof(*frames);
  check(pagemap >= 0, "pagemap");
  check(pread(pagemap, frames, size, (off_t)((uintptr_t)pages / kPage * sizeof(*frames))) ==
            (ssize_t)size,
        "pagemap");
  close(pagemap);
  for (int i = 0; i < kPages; ++i) frames[i] &= ((uint64_t)1 << 55) - 1;
}

static int fill(const char* how, unsigned char* pages) {
  if (strcmp(how, "mlock") == 0) return mlock(pages, kHuge);
  if (strcmp(how, "populate") == 0) return madvise(pages, kHuge, kPopulateWrite);
  check(madvise(pages, kHuge, MADV_HUGEPAGE) == 0, "madvise");
  return madvise(pages, kHuge, kCollapse);
}

int main(int argc, char** argv) {
  static uint64_t before[kPages], after[kPages];
  check(argc == 2, "usage: fill_inherited mlock|populate|collapse");
  unsigned char* pages = make_huge();
  read_frames(pages, before);
  pid_t child = fork();
  check(child >= 0, "fork");
  if (child == 0) {
    int changed = 0;
    char line[100];
    const char* word = fill(argv[1], pages) == 0 ? "filled" : "cannot";
    read_frames(pages, after);
    for (int i = 0; i < kPages; ++i) changed += after[i] != before[i];
    snprintf(line, sizeof(line), "%s %d 0x%lx %d %d\n", word, getpid(),
             (unsigned long)(uintptr_t)pages, kPages, changed);
    say(line);
    _exit(0);
  }
  wait_for(child);
  return 0;
}
