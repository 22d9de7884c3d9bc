// SPDX-License-Identifier: Apache-2.0
// Runs while cowtrace is built: cowtrace_completions DIRECTORY writes what the shells complete into
// bash, zsh and fish there.
#include <cstdio>
#include <exception>
#include <filesystem>
#include <fstream>

#include "cli/commands.h"
#include "cli/completions/words.h"

int main(int argc, char** argv) try {
  using namespace cowtrace::cli;
  if (argc != 2) return kUsedWrongly;
  CLI::App app;
  configure_all(app);
  const AllWords all = words_of(app);
  const std::filesystem::path folder = argv[1];
  std::filesystem::create_directories(folder);
  for (const auto& [name, text] :
       {std::pair("bash", bash_completion(all)), std::pair("zsh", zsh_completion(all)),
        std::pair("fish", fish_completion(all))}) {
    std::ofstream file(folder / name);
    file << text;
    if (!file.flush()) throw std::runtime_error("cannot write " + (folder / name).string());
  }
  return kDone;
} catch (const std::exception& error) {
  std::fprintf(stderr, "cowtrace_completions: %s\n", error.what());
  return 1;
}
