// SPDX-License-Identifier: Apache-2.0
// For fish 3.
#include <fmt/format.h>

#include "cli/completions/words.h"

namespace cowtrace::cli {
namespace {

// What fish escapes within single quotes.
std::string fish_quoted(const std::string& text) {
  std::string out = "'";
  for (const char one : text) {
    if (one == '\'' || one == '\\') out += '\\';
    out += one;
  }
  return out + "'";
}

std::string value_of(const Word& word) {
  switch (word.kind) {
    case Kind::Free:
      return " -x";
    case Kind::Choices:
      return fmt::format(" -x -a {}", fish_quoted(joined(word.choices)));
    case Kind::File:
      return " -r -F";
    case Kind::Directory:
      return " -x -a '(__fish_complete_directories (commandline -ct))'";
    case Kind::User:
      return " -x -a '(__fish_complete_users)'";
    case Kind::Pid:
      return " -x -a '(__fish_complete_pids)'";
    case Kind::Command:
      return " -x -a '(__fish_complete_command)'";
  }
  return "";
}

std::string option_line(const std::string& condition, const Word& option) {
  std::string line = fmt::format("complete -c cowtrace -n '{}'", condition);
  for (const std::string& name : option.names)
    line += name.starts_with("--") ? fmt::format(" -l {}", name.substr(2))
                                   : fmt::format(" -s {}", name.substr(1));
  if (option.takes_value) line += value_of(option);
  return line + fmt::format(" -d {}\n", fish_quoted(option.about));
}

constexpr const char* kFishHead = R"(# SPDX-License-Identifier: Apache-2.0
# fish completion of cowtrace, made from the definitions of its options.

# Whether nothing but cowtrace has been typed.
function __cowtrace_alone
    test (count (commandline -opc)) -eq 1
end

# Whether the words before "--" are those of this command of ours. run may be left out.
function __cowtrace_uses
    set -l words (commandline -opc)
    contains -- -- $words[2..-1]; and return 1
    if contains -- "$words[2]" $__cowtrace_commands
        test $words[2] = $argv[1]
    else
        test run = $argv[1]
    end
end

function __cowtrace_behind_dashes
    set -l words (commandline -opc)
    contains -- -- $words[2..-1]
end

# What fish knows of the traced command.
function __cowtrace_traced
    set -l words (commandline -opc)
    set -l at (contains -i -- -- $words)
    set -l own $words[(math $at + 1)..-1]
    complete -C (string join ' ' -- (string escape -- $own) (commandline -ct))
end

complete -c cowtrace -f
complete -c cowtrace -n __cowtrace_behind_dashes -a '(__cowtrace_traced)'
)";

}  // namespace

std::string fish_completion(const AllWords& all) {
  std::string text = kFishHead;
  std::string commands, lines;
  for (const CommandWords& command : all.commands) {
    commands += " " + command.name;
    lines += fmt::format("complete -c cowtrace -n __cowtrace_alone -a {} -d {}\n", command.name,
                         fish_quoted(command.about));
    const std::string uses = "__cowtrace_uses " + command.name;
    for (const Word& option : command.options) lines += option_line(uses, option);
    // Only one kind: where the words differ, they differ in what they mean, not in what they are.
    if (command.positionals.empty()) continue;
    const Word& first = command.positionals.front();
    const std::string condition =
        first.kind == Kind::Command ? uses + "; and not __cowtrace_alone" : uses;
    lines += fmt::format("complete -c cowtrace -n '{}'{}\n", condition,
                         first.kind == Kind::File ? " -F" : value_of(first).substr(3));
  }
  text += fmt::format("set -g __cowtrace_commands{}\n", commands);
  for (const Word& option : all.options) text += option_line("__cowtrace_alone", option);
  return text + lines;
}

}  // namespace cowtrace::cli
