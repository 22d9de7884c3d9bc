// SPDX-License-Identifier: Apache-2.0
// For bash alone or with bash-completion, which finds the file and completes the traced command's
// own words.
#include <fmt/format.h>

#include "cli/completions/words.h"

namespace cowtrace::cli {
namespace {

constexpr const char* kBashHead = R"(# SPDX-License-Identifier: Apache-2.0
# bash completion of cowtrace, made from the definitions of its options.

# _cowtrace_words LIST: those that begin as the current word does.
_cowtrace_words() {
  mapfile -t COMPREPLY < <(compgen -W "$1" -- "$cur")
}

_cowtrace_files() {
  compopt -o filenames 2>/dev/null
  mapfile -t COMPREPLY < <(compgen "$1" -- "$cur")
}

_cowtrace_pids() {
  local pids=(/proc/[0-9]*)
  _cowtrace_words "${pids[*]#/proc/}"
}

# _cowtrace_command FIRST: the words from FIRST on are another command's.
_cowtrace_command() {
  if declare -F _command_offset >/dev/null; then
    _command_offset "$1"
  elif ((COMP_CWORD == $1)); then
    _cowtrace_files -c
  else
    _cowtrace_files -f
  fi
}

)";

std::string completion(const Word& word) {
  switch (word.kind) {
    case Kind::Free:
      return ":";
    case Kind::Choices:
      return fmt::format("_cowtrace_words {}", single_quoted(joined(word.choices)));
    case Kind::File:
      return "_cowtrace_files -f";
    case Kind::Directory:
      return "_cowtrace_files -d";
    case Kind::User:
      return "mapfile -t COMPREPLY < <(compgen -u -- \"$cur\")";
    case Kind::Pid:
      return "_cowtrace_pids";
    case Kind::Command:
      return "_cowtrace_files -c";
  }
  return ":";
}

std::string names_of(const std::vector<Word>& options) {
  std::vector<std::string> names;
  for (const Word& option : options) names.push_back(joined(option.names));
  return joined(names);
}

std::string values_of(const CommandWords& command) {
  std::string cases;
  for (const Word& option : command.options) {
    if (!option.takes_value) continue;
    std::vector<std::string> patterns;
    for (const std::string& name : option.names)
      patterns.push_back(single_quoted(command.name + " " + name));
    cases += fmt::format("    {})\n      {}\n      return ;;\n", joined(patterns, " | "),
                         completion(option));
  }
  return cases;
}

}  // namespace

std::string bash_completion(const AllWords& all) {
  std::vector<std::string> commands;
  std::string values, options, positionals;
  for (const CommandWords& command : all.commands) {
    commands.push_back(command.name);
    values += values_of(command);
    options += fmt::format("      {}) _cowtrace_words {} ;;\n", command.name,
                           single_quoted(names_of(command.options)));
    if (!command.positionals.empty())
      positionals +=
          fmt::format("    {}) {} ;;\n", command.name, completion(command.positionals.front()));
  }
  std::string text = kBashHead;
  text +=
      "_cowtrace() {\n  local cur=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD - 1]} "
      "command=run i\n  COMPREPLY=()\n";
  text +=
      "  for ((i = 1; i < COMP_CWORD; i++)); do\n    [[ ${COMP_WORDS[i]} != -- ]] || { "
      "_cowtrace_command $((i + 1)); return; }\n  done\n";
  text += fmt::format(
      "  if ((COMP_CWORD > 1)); then\n    case ${{COMP_WORDS[1]}} in {}) "
      "command=${{COMP_WORDS[1]}} ;; esac\n  fi\n",
      joined(commands, " | "));
  text +=
      "  # --option=value is three words here.\n  if [[ $cur == = ]]; then\n    cur=\n"
      "  elif [[ $previous == = ]]; then\n    previous=${COMP_WORDS[COMP_CWORD - 2]}\n  fi\n";
  text += fmt::format("  case \"$command $previous\" in\n{}  esac\n", values);
  text += "  if [[ $cur == -* ]]; then\n";
  text += fmt::format("    case $command in\n{}    esac\n", options);
  text += fmt::format(
      "    if ((COMP_CWORD == 1)); then COMPREPLY+=($(compgen -W {} -- \"$cur\")); fi\n    "
      "return\n  fi\n",
      single_quoted(names_of(all.options)));
  text += fmt::format("  if ((COMP_CWORD == 1)); then\n    _cowtrace_words {}\n    return\n  fi\n",
                      single_quoted(joined(commands)));
  text += fmt::format("  case $command in\n{}  esac\n}}\n\ncomplete -F _cowtrace cowtrace\n",
                      positionals);
  return text;
}

}  // namespace cowtrace::cli
