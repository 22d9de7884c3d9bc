// SPDX-License-Identifier: Apache-2.0
// Reads fresh anonymous pages, then writes them: every write replaces the zero page, and no sharing is broken.
// Usage: zero_page PAGES TRUTH-FILE. Exit 77 where the kernel maps no zero page: then the read is what allocates.
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

enum { kPageSize = 4096 };

// The frame that is mapped at an address, 0 when there is none or it may not be known.
static uint64_t frame_at(const volatile char* address) {
  uint64_t entry = 0;
  const int fd = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);
  const off_t offset = (off_t)((uintptr_t)address / kPageSize * sizeof(entry));
  const ssize_t got = fd < 0 ? -1 : pread(fd, &entry, sizeof(entry), offset);
  if (fd >= 0) close(fd);
  return got == sizeof(entry) && (entry >> 63) ? entry & ((UINT64_C(1) << 55) - 1) : 0;
}

int main(int argc, char** argv) {
  const long pages = argc == 3 ? strtol(argv[1], NULL, 10) : 0;
  if (pages < 2) {
    fputs("usage: zero_page PAGES(2 or more) TRUTH-FILE\n", stderr);
    return 1;
  }
  const size_t size = (size_t)pages * kPageSize;
  volatile char* memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED || madvise((void*)memory, size, MADV_NOHUGEPAGE) != 0) {
    perror("zero_page: memory");
    return 1;
  }
  char sum = 0;
  for (size_t at = 0; at < size; at += kPageSize) sum = (char)(sum + memory[at]);
  const uint64_t first = frame_at(memory), second = frame_at(memory + kPageSize);
  if (first == 0 || first != second) {
    puts("zero_page: two pages that were only read have different frames: no zero page here");
    return 77;
  }
  for (size_t at = 0; at < size; at += kPageSize) memory[at] = (char)(sum + 1);

  FILE* truth = fopen(argv[2], "w");
  if (truth == NULL) {
    perror(argv[2]);
    return 1;
  }
  fprintf(truth, "{\"scenario\": \"zero-page\", \"page_size\": %d, \"regions\": [{\"start\": \"0x%" PRIxPTR "\", \"size\": %zu}],\n",
          kPageSize, (uintptr_t)memory, size);
  fprintf(truth, " \"by_mechanism\": {\"zero-fill\": %ld}, \"processes\": [{\"pid\": %d, \"role\": \"parent\", \"copied\": []}]}\n",
          pages, (int)getpid());
  return fclose(truth) == 0 ? 0 : 1;
}
