// SPDX-License-Identifier: Apache-2.0
#include "cli/completions/words.h"

#include <algorithm>
#include <map>

namespace cowtrace::cli {
namespace {

// By the value's name in --help. What is not here (a size, a time) is for the user to type.
Kind kind_of(const std::string& value) {
  static const std::map<std::string, Kind> kKinds = {
      {"FILE", Kind::File},  {"TRACE", Kind::File},     {"BEFORE", Kind::File},
      {"AFTER", Kind::File}, {"PATH", Kind::Directory}, {"NAME", Kind::User},
      {"PID", Kind::Pid},    {"COMMAND", Kind::Command}};
  const auto found = kKinds.find(value);
  return found == kKinds.end() ? Kind::Free : found->second;
}

std::vector<std::string> split(const std::string& text, char at) {
  std::vector<std::string> parts(1);
  for (const char one : text) {
    if (one == at)
      parts.emplace_back();
    else
      parts.back() += one;
  }
  return parts;
}

Word word_of(const CLI::Option& option) {
  Word word;
  word.about = option.get_description();
  if (option.get_positional()) {
    word.names = {option.get_name()};
    word.value = word.names.front();
  } else {
    for (const std::string& name : option.get_snames()) word.names.push_back("-" + name);
    for (const std::string& name : option.get_lnames()) word.names.push_back("--" + name);
    word.takes_value = option.get_items_expected_max() > 0;
    word.value = option.get_type_name();
  }
  word.repeatable = option.get_multi_option_policy() == CLI::MultiOptionPolicy::TakeAll ||
                    option.get_items_expected_max() > 1;
  word.choices = split(word.value, '|');
  if (word.choices.size() == 1) word.choices.clear();
  word.kind = word.choices.empty() ? kind_of(word.value) : Kind::Choices;
  return word;
}

void add_words(const CLI::App& app, std::vector<Word>& options, std::vector<Word>* positionals) {
  for (const CLI::Option* option : app.get_options()) {
    if (!option->get_positional())
      options.push_back(word_of(*option));
    else if (positionals != nullptr)
      positionals->push_back(word_of(*option));
  }
}

}  // namespace

AllWords words_of(const CLI::App& app) {
  AllWords all;
  add_words(app, all.options, nullptr);
  for (const CLI::App* subcommand : app.get_subcommands({})) {
    CommandWords& command = all.commands.emplace_back();
    command.name = subcommand->get_name();
    command.about = subcommand->get_description();
    add_words(*subcommand, command.options, &command.positionals);
  }
  return all;
}

std::string joined(const std::vector<std::string>& words, const char* between) {
  std::string text;
  for (const std::string& word : words) text += (text.empty() ? "" : between) + word;
  return text;
}

std::string single_quoted(const std::string& text) {
  std::string out = "'";
  for (const char one : text) {
    if (one == '\'')
      out += "'\\''";
    else
      out += one;
  }
  return out + "'";
}

}  // namespace cowtrace::cli
