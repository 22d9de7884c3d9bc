// SPDX-License-Identifier: Apache-2.0
// An autoloaded function of zsh's completion system, _cowtrace.
#include <fmt/format.h>

#include <string_view>

#include "cli/completions/words.h"

namespace cowtrace::cli {
namespace {

// Within a specification of _arguments.
std::string escaped(const std::string& text) {
  std::string out;
  for (const char one : text) {
    if (std::string_view("[]:\\").find(one) != std::string_view::npos) out += '\\';
    out += one;
  }
  return out;
}

std::string action(const Word& word) {
  switch (word.kind) {
    case Kind::Free:
      return " ";
    case Kind::Choices:
      return fmt::format("({})", joined(word.choices));
    case Kind::File:
      return "_files";
    case Kind::Directory:
      return "_files -/";
    case Kind::User:
      return "_users";
    case Kind::Pid:
      return "_cowtrace_pids";
    case Kind::Command:
      return "_command_names -e";
  }
  return " ";
}

// One line for each name: '(-o --output)--output=[about]:FILE:_files'
std::string option_lines(const std::vector<Word>& options) {
  std::string lines;
  for (const Word& option : options)
    for (const std::string& name : option.names) {
      const bool is_long = name.starts_with("--");
      const std::string before =
          option.repeatable ? "*" : fmt::format("({})", joined(option.names));
      const std::string value =
          option.takes_value ? fmt::format(":{}:{}", escaped(option.value), action(option)) : "";
      const char* glue = !option.takes_value ? "" : is_long ? "=" : "+";
      lines += fmt::format("        {} \\\n",
                           single_quoted(fmt::format("{}{}{}[{}]{}", before, name, glue,
                                                     escaped(option.about), value)));
    }
  return lines;
}

std::string positional_lines(const CommandWords& command) {
  std::string lines;
  for (const Word& word : command.positionals) {
    if (word.kind == Kind::Command) {
      lines += "        '(-)1:command:_command_names -e' \\\n        '*::arguments:_normal' \\\n";
      continue;
    }
    lines += fmt::format("        {} \\\n",
                         single_quoted(fmt::format("{}:{}:{}", word.repeatable ? "*" : "",
                                                   word.value, action(word))));
  }
  return lines;
}

}  // namespace

std::string zsh_completion(const AllWords& all) {
  std::string names, described, cases;
  for (const CommandWords& command : all.commands) {
    names += (names.empty() ? "" : " | ") + command.name;
    described +=
        fmt::format("      {}\n", single_quoted(command.name + ":" + escaped(command.about)));
    cases += fmt::format("    {})\n      _arguments -s -S \\\n{}{}        && return 0 ;;\n",
                         command.name, option_lines(command.options), positional_lines(command));
  }
  // Behind "--" the words are another command's, whichever command of ours is before it.
  constexpr const char* kDashes = R"(  local -i dashes=${words[(i)--]}
  if (( dashes < CURRENT )); then
    shift $dashes words
    (( CURRENT -= dashes ))
    _normal
    return
  fi
)";
  std::string text =
      "#compdef cowtrace\n# SPDX-License-Identifier: Apache-2.0\n"
      "# zsh completion of cowtrace, made from the definitions of its options.\n\n"
      "# All of the machine: _pids has those of the terminal.\n"
      "_cowtrace_pids() {\n  local expl\n  _wanted processes expl process compadd - "
      "/proc/<->(N:t)\n}\n\n_cowtrace() {\n"
      "  local curcontext=$curcontext command=run\n  local -a ours\n";
  text += kDashes;
  text += fmt::format(
      "  if (( CURRENT == 2 )) && [[ $words[2] != -* ]]; then\n    ours=(\n{}    )\n"
      "    _describe -t commands 'command of cowtrace' ours\n    return\n  fi\n",
      described);
  text += fmt::format(
      "  if (( CURRENT == 2 )); then\n    _arguments -s -S \\\n{}{}      && return 0\n    return "
      "1\n  fi\n",
      option_lines(all.options), option_lines([&] {
        std::vector<Word> of_run;
        for (const Word& option : all.commands.front().options)
          if (option.names.back() != "--help") of_run.push_back(option);
        return of_run;
      }()));
  text += fmt::format(
      "  case $words[2] in\n    {})\n      command=$words[2]\n      shift words\n      (( "
      "CURRENT-- )) ;;\n  esac\n",
      names);
  text += fmt::format("  case $command in\n{}  esac\n  return 1\n}}\n\n_cowtrace \"$@\"\n", cases);
  return text;
}

}  // namespace cowtrace::cli
