// SPDX-License-Identifier: Apache-2.0
// What a shell can complete on a command line of ours, taken from the parser's own definitions.
#pragma once

#include <CLI/CLI.hpp>
#include <string>
#include <vector>

namespace cowtrace::cli {

// What a word may be, besides words of a list.
enum class Kind { Free, Choices, File, Directory, User, Pid, Command };

struct Word {
  std::vector<std::string> names;  // "-o", "--output"; of a positional: "PID"
  std::string about;
  bool takes_value = false;
  bool repeatable = false;
  Kind kind = Kind::Free;  // of the value
  std::string value;       // as --help has it: "FILE"
  std::vector<std::string> choices;
};

struct CommandWords {
  std::string name, about;
  std::vector<Word> options;
  std::vector<Word> positionals;
};

struct AllWords {
  std::vector<Word> options;  // of cowtrace itself
  std::vector<CommandWords> commands;
};

AllWords words_of(const CLI::App& app);

std::string bash_completion(const AllWords& all);
std::string zsh_completion(const AllWords& all);
std::string fish_completion(const AllWords& all);

// "a b c"
std::string joined(const std::vector<std::string>& words, const char* between = " ");

// A word of a shell script, in single quotes.
std::string single_quoted(const std::string& text);

}  // namespace cowtrace::cli
