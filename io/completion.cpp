#include "io/completion.hpp"

#include <algorithm>

namespace sagorder::io {
namespace {

std::string replaced(std::string_view text, char what, std::string_view with) {
  std::string changed;
  for (const char each : text) {
    if (each == what) {
      changed += with;
    } else {
      changed += each;
    }
  }
  return changed;
}

/// Within '...' of bash and zsh.
std::string quoted(std::string_view text) { return "'" + replaced(text, '\'', "'\\''") + "'"; }

std::string joined(const std::vector<std::string>& words) {
  std::string line;
  for (const std::string& word : words) line += (line.empty() ? "" : " ") + word;
  return line;
}

std::vector<std::string> option_words(const std::vector<OptionEntry>& options) {
  std::vector<std::string> words;
  for (const OptionEntry& option : options) {
    words.push_back(option.name);
    if (!option.short_name.empty()) words.push_back(option.short_name);
  }
  return words;
}

std::vector<std::string> command_words(const Manual& manual) {
  std::vector<std::string> words;
  for (const CommandEntry& command : manual.commands) words.push_back(command.name);
  return words;
}

/// The first sentence, for the one line that a shell shows.
std::string brief(std::string_view help) {
  const std::size_t end = std::min(help.find(". "), help.size());
  return std::string(help.substr(0, end));
}

// --- bash

std::string bash_value(const Manual& manual, const OptionEntry& entry) {
  switch (entry.kind()) {
    case ValueKind::choice:
      return "_sagorder_words " + quoted(joined(entry.choices()));
    case ValueKind::command:
      return "_sagorder_words " + quoted(joined(command_words(manual)));
    case ValueKind::file:
      return "_sagorder_files";
    case ValueKind::none:
    case ValueKind::free:
      break;
  }
  return ":";
}

std::string bash_values(const Manual& manual, const CommandEntry& command) {
  std::string lines;
  for (const OptionEntry& option : command.options) {
    if (option.kind() == ValueKind::none) continue;
    lines += "    " + quoted(command.name + " " + option.name) + ") " + bash_value(manual, option) +
             "; return ;;\n";
  }
  return lines;
}

std::string bash_words(const Manual& manual, const CommandEntry& command) {
  std::string lines = "    " + command.name + ")\n      if [[ $current == -* ]]; then\n" +
                      "        _sagorder_words " + quoted(joined(option_words(command.options))) +
                      "\n";
  if (!command.operands.empty()) {
    lines += "      else\n        " + bash_value(manual, command.operands.front()) + "\n";
  }
  return lines + "      fi ;;\n";
}

// --- zsh

/// What zsh's _arguments would take for its own, in a message.
std::string zsh_message(const std::string& text) {
  std::string escaped;
  for (const char each : text) {
    if (std::string_view("[]:\\").find(each) != std::string_view::npos) escaped += '\\';
    escaped += each;
  }
  return escaped;
}

std::string zsh_action(const Manual& manual, const OptionEntry& entry) {
  switch (entry.kind()) {
    case ValueKind::choice:
      return "(" + joined(entry.choices()) + ")";
    case ValueKind::command:
      return "(" + joined(command_words(manual)) + ")";
    case ValueKind::file:
      return "_files";
    case ValueKind::none:
    case ValueKind::free:
      break;
  }
  return " ";
}

std::string zsh_option(const Manual& manual, const OptionEntry& option) {
  const std::string message = "[" + zsh_message(brief(option.help)) + "]";
  const std::string repeat = option.repeatable ? "*" : "";
  if (option.value.empty()) {
    std::string spec = quoted(repeat + option.name + message);
    if (!option.short_name.empty()) spec += " " + quoted(option.short_name + message);
    return spec;
  }
  return quoted(repeat + option.name + "=" + message + ":" + zsh_message(option.value) + ":" +
                zsh_action(manual, option));
}

std::string zsh_command(const Manual& manual, const CommandEntry& command) {
  std::string lines = "    " + command.name + ")\n      _arguments";
  for (const OptionEntry& option : command.options) {
    lines += " \\\n        " + zsh_option(manual, option);
  }
  for (const OptionEntry& operand : command.operands) {
    lines += " \\\n        " +
             quoted("1:" + zsh_message(operand.name) + ":" + zsh_action(manual, operand));
  }
  return lines + " ;;\n";
}

// --- fish

/// Within '...' of fish.
std::string fish_quoted(std::string_view text) {
  return "'" + replaced(replaced(text, '\\', "\\\\"), '\'', "\\'") + "'";
}

std::string fish_value(const Manual& manual, const OptionEntry& entry) {
  switch (entry.kind()) {
    case ValueKind::choice:
      return " -x -a " + fish_quoted(joined(entry.choices()));
    case ValueKind::command:
      return " -x -a " + fish_quoted(joined(command_words(manual)));
    case ValueKind::file:
      return " -r -F";
    case ValueKind::free:
      return " -x";
    case ValueKind::none:
      break;
  }
  return "";
}

std::string fish_option(const Manual& manual, const OptionEntry& option, const std::string& when) {
  std::string line = "complete -c sagorder -n " + when;
  if (!option.short_name.empty()) line += " -s " + option.short_name.substr(1);
  return line + " -l " + option.name.substr(2) + fish_value(manual, option) + " -d " +
         fish_quoted(brief(option.help)) + "\n";
}

std::string fish_command(const Manual& manual, const CommandEntry& command) {
  const std::string when = "'__fish_seen_subcommand_from " + command.name + "'";
  std::string lines = "complete -c sagorder -n __fish_use_subcommand -a " + command.name + " -d " +
                      fish_quoted(command.summary) + "\n";
  for (const OptionEntry& option : command.options) lines += fish_option(manual, option, when);
  for (const OptionEntry& operand : command.operands) {
    const bool file = operand.kind() == ValueKind::file;
    lines += "complete -c sagorder -n " + when +
             (file ? " -F" : " -f -a " + fish_quoted(joined(command_words(manual)))) + "\n";
  }
  return lines;
}

}  // namespace

std::string bash_completion(const Manual& manual) {
  std::string script =
      "# Completion of sagorder's arguments in bash.\n\n"
      "_sagorder_words() { mapfile -t COMPREPLY < <(compgen -W \"$1\" -- \"$current\"); }\n\n"
      "_sagorder_files() {\n"
      "  compopt -o filenames\n"
      "  mapfile -t COMPREPLY < <(compgen -f -- \"$current\")\n"
      "}\n\n"
      "_sagorder() {\n"
      "  local current=${COMP_WORDS[COMP_CWORD]} option=${COMP_WORDS[COMP_CWORD-1]}\n"
      "  COMPREPLY=()\n"
      "  # --option=value comes as three words.\n"
      "  if [[ $current == = ]]; then\n"
      "    current=\n"
      "  elif [[ $option == = ]]; then\n"
      "    option=${COMP_WORDS[COMP_CWORD-2]}\n"
      "  fi\n"
      "  if (( COMP_CWORD == 1 )); then\n"
      "    _sagorder_words ";
  std::vector<std::string> first = command_words(manual);
  for (std::string& word : option_words(manual.options)) first.push_back(std::move(word));
  script += quoted(joined(first)) + "\n    return\n  fi\n  case \"${COMP_WORDS[1]} $option\" in\n";
  for (const CommandEntry& command : manual.commands) script += bash_values(manual, command);
  script += "  esac\n  case ${COMP_WORDS[1]} in\n";
  for (const CommandEntry& command : manual.commands) script += bash_words(manual, command);
  return script + "  esac\n}\n\ncomplete -F _sagorder sagorder\n";
}

std::string zsh_completion(const Manual& manual) {
  std::string script =
      "#compdef sagorder\n"
      "# Completion of sagorder's arguments in zsh.\n\n"
      "_sagorder() {\n"
      "  local curcontext=$curcontext state line\n"
      "  typeset -A opt_args\n"
      "  _arguments -C";
  for (const OptionEntry& option : manual.options) {
    script += " \\\n    " + zsh_option(manual, option);
  }
  script +=
      " \\\n    '1: :->command' \\\n    '*:: :->rest' && return\n"
      "  if [[ $state == command ]]; then\n"
      "    local -a commands=(\n";
  for (const CommandEntry& command : manual.commands) {
    script += "      " + quoted(command.name + ":" + zsh_message(command.summary)) + "\n";
  }
  script += "    )\n    _describe command commands\n    return\n  fi\n  case $line[1] in\n";
  for (const CommandEntry& command : manual.commands) script += zsh_command(manual, command);
  return script + "  esac\n}\n\n_sagorder \"$@\"\n";
}

std::string fish_completion(const Manual& manual) {
  std::string script =
      "# Completion of sagorder's arguments in fish.\n\n"
      "complete -c sagorder -f\n";
  for (const OptionEntry& option : manual.options) {
    script += fish_option(manual, option, "__fish_use_subcommand");
  }
  for (const CommandEntry& command : manual.commands) script += fish_command(manual, command);
  return script;
}

}  // namespace sagorder::io
