#include "io/manual.hpp"

#include <algorithm>
#include <utility>

#include "io/exit_code.hpp"

namespace sagorder::io {
namespace {

using Described = std::pair<std::string_view, std::string_view>;  // a word and what is said of it

constexpr std::string_view kPromises[] = {
    "Each order spends money, and the API cannot recognise a repeated one. So no row is ever "
    "ordered "
    "twice, and no order that may have been placed is ever forgotten: through lost answers, kills, "
    "power loss, full disks, and a batch that is started again.",
    "The ledger beside the results is what keeps this. Keep it as long as the batch matters. The "
    "same "
    "command again resumes a batch that ended early, whatever ended it. Rows whose answer is "
    "unknown "
    "are in doubt: they are listed by status, never sent again by themselves, and settled by "
    "resolve.",
};
constexpr Described kExamples[] = {
    {"sagorder check orders.csv", "Says what the file would buy. Sends nothing."},
    {"sagorder run orders.csv --output results.csv --max-orders 1",
     "Places one order. The same command without --max-orders goes on with the rest."},
    {"sagorder status results.csv", "Says where the batch stands, and how to go on."},
    {"sagorder resolve results.csv --row 30 --placed 214986303651568",
     "Row 30 was in doubt, and was found in the console."},
};
constexpr Described kEnvironment[] = {
    {"ALIBABA_CLOUD_ACCESS_KEY_ID, ALIBABA_CLOUD_ACCESS_KEY_SECRET", "The access key."},
    {"ALIBABA_CLOUD_SECURITY_TOKEN", "Of temporary credentials."},
    {"ALIBABA_CLOUD_CONFIG_FILE", "In the place of ~/.aliyun/config.json."},
    {"ALIBABA_CLOUD_PROFILE", "The profile of that file."},
    {"ALIBABA_CLOUD_CREDENTIALS_URI", "Where an access key is fetched from."},
    {"HTTPS_PROXY, NO_PROXY", "The proxy of all connections, and the hosts that need none."},
    {"SSL_CERT_FILE", "Certificates to trust in the place of the system's; --ca-file goes first."},
    {"SAGORDER_RATE, SAGORDER_MAX_ORDERS, ...",
     "Settings: the long option's name; a list has a value in each line. See sagorder-config(1)."},
    {"XDG_CONFIG_HOME", "Where the user's settings are kept (default ~/.config)."},
    {"XDG_STATE_HOME", "Where the digests of batches are kept (default ~/.local/state)."},
    {"NO_COLOR, TERM", "A progress bar is drawn on terminals that can redraw a line."},
};
constexpr Described kFiles[] = {
    {"~/.aliyun/config.json", "Profiles with access keys; refused if others can read it."},
    {"~/.alibabacloud/credentials", "The same, as the vendor's SDKs keep them."},
    {"/etc/sagorder/config.toml, $XDG_CONFIG_HOME/sagorder/config.toml, sagorder.toml",
     "Settings, the later ones first; see sagorder-config(1)."},
    {"RESULTS.ledger, RESULTS.ledger-wal",
     "The ledger: what was or may have been ordered. Move both or none."},
    {"$XDG_STATE_HOME/sagorder/",
     "The digest of every batch of which a request left, and which batch used a plan."},
};
constexpr Described kSignals[] = {
    {"SIGINT, SIGTERM, SIGHUP",
     "The first stops sending, waits for the answers under way and writes everything; the second "
     "or the end of --grace gives the answers up, and their rows are in doubt. SIGHUP is left "
     "ignored under nohup."},
    {"SIGUSR1", "Prints one line that says how far the run is."},
};

constexpr std::string_view kNoHeading = "Options";  // CLI11's, of --help
constexpr std::size_t kSourceWidth = 72;            // of a page's lines, before what is escaped

/// Text for man(7): what it would take for its own is escaped.
std::string escaped_for_man(std::string_view text) {
  std::string escaped;
  for (const char each : text) {
    const bool line_begins = escaped.empty() || escaped.back() == '\n';
    if (line_begins && (each == '.' || each == '\'')) escaped += "\\&";
    switch (each) {
      case '\\':
        escaped += "\\e";
        break;
      case '-':
        escaped += "\\-";
        break;
      case '\'':
        escaped += "\\(aq";
        break;
      case '~':
        escaped += "\\(ti";
        break;
      case '`':
        escaped += "\\(ga";
        break;
      case '^':
        escaped += "\\(ha";
        break;
      default:
        escaped += each;
    }
  }
  return escaped;
}

std::string roff(std::string_view text) { return escaped_for_man(filled(text, kSourceWidth)); }

// In one line, as a tag has to be.
std::string bold(std::string_view text) { return "\\fB" + escaped_for_man(text) + "\\fR"; }
std::string italic(std::string_view text) { return "\\fI" + escaped_for_man(text) + "\\fR"; }

std::string section(const std::string& name) { return ".SH " + name + "\n"; }

std::string tagged(const std::string& tag, const std::string& text) {
  return ".TP\n" + tag + "\n" + text + "\n";
}

template <class List>
std::string list_of(const std::string& name, const List& list) {
  std::string text = section(name);
  for (const auto& [word, said] : list) text += tagged(bold(word), roff(said));
  return text;
}

std::string title(const std::string& name, const Manual& manual) {
  std::string upper = name;
  for (char& each : upper) each = each >= 'a' && each <= 'z' ? static_cast<char>(each - 32) : each;
  return ".TH " + upper + " 1 " + manual.date + " \"sagorder " + manual.version +
         "\" \"User Commands\"\n.nh\n.ad l\n";
}

std::string value_of(const OptionEntry& option) {
  if (option.kind() == ValueKind::choice) return bold(option.value);
  return italic(option.value);
}

std::string tag_of(const OptionEntry& option) {
  if (option.operand) return italic(option.name);
  std::string tag = bold(option.name);
  if (!option.short_name.empty()) tag = bold(option.short_name) + ", " + tag;
  return option.value.empty() ? tag : tag + " " + value_of(option);
}

std::string described(const OptionEntry& option) {
  std::string text = roff(option.help);
  if (option.required && !option.operand) text += "; required";
  return tagged(tag_of(option), text);
}

std::string synopsis_of(const CommandEntry& command) {
  std::string line = bold("sagorder") + " " + bold(command.name);
  for (const OptionEntry& operand : command.operands) {
    line += operand.required ? " " + italic(operand.name) : " [" + italic(operand.name) + "]";
  }
  for (const OptionEntry& option : command.options) {
    if (option.required) line += " " + tag_of(option);
  }
  return line + " [" + italic("option") + " ...]\n";
}

/// @param command empty: of the program
std::string exit_status(std::string_view command) {
  std::string text = section("EXIT STATUS");
  for (const ExitMeaning& each : exit_meanings(command)) {
    text += tagged(bold(std::to_string(static_cast<int>(each.code))), roff(each.means));
  }
  return text;
}

std::string page_name(const CommandEntry& command) { return "sagorder-" + command.name; }

}  // namespace

std::string filled(std::string_view text, std::size_t width) {
  std::string lines;
  std::size_t column = 0;
  while (!text.empty()) {
    const std::string_view word = text.substr(0, text.find_first_of(" \n"));
    const bool full = column > 0 && column + 1 + word.size() > width;
    if (column > 0) lines += full ? '\n' : ' ';
    column = (full || column == 0 ? 0 : column + 1) + word.size();
    lines += word;
    text.remove_prefix(std::min(word.size() + 1, text.size()));
  }
  return lines;
}

ValueKind OptionEntry::kind() const {
  const std::string& word = operand ? name : value;
  if (word.empty()) return ValueKind::none;
  if (word == "COMMAND") return ValueKind::command;
  if (std::find(kFileValues.begin(), kFileValues.end(), word) != kFileValues.end()) {
    return ValueKind::file;
  }
  const bool small =
      std::none_of(word.begin(), word.end(), [](char each) { return each >= 'A' && each <= 'Z'; });
  return small && word.find('|') != std::string::npos ? ValueKind::choice : ValueKind::free;
}

std::vector<std::string> OptionEntry::choices() const {
  std::vector<std::string> names;
  if (kind() != ValueKind::choice) return names;
  const std::string& word = operand ? name : value;
  for (std::size_t begin = 0; begin <= word.size();) {
    const std::size_t end = std::min(word.find('|', begin), word.size());
    names.push_back(word.substr(begin, end - begin));
    begin = end + 1;
  }
  return names;
}

std::vector<std::string> CommandEntry::headings() const {
  std::vector<std::string> found;
  for (const OptionEntry& option : options) {
    if (std::find(found.begin(), found.end(), option.heading) == found.end()) {
      found.push_back(option.heading);
    }
  }
  return found;
}

const CommandEntry* Manual::command(std::string_view name) const {
  for (const CommandEntry& each : commands) {
    if (each.name == name) return &each;
  }
  return nullptr;
}

std::string man_page(const Manual& manual) {
  std::string page = title("sagorder", manual) + section("NAME") + "sagorder \\- " +
                     roff(manual.summary.substr(0, manual.summary.rfind('.'))) + "\n" +
                     section("SYNOPSIS");
  for (const CommandEntry& command : manual.commands) page += synopsis_of(command) + ".br\n";
  page.erase(page.size() - 4);  // the last .br
  page += section("DESCRIPTION") + roff(manual.summary) + "\n";
  for (const std::string_view paragraph : kPromises) page += ".PP\n" + roff(paragraph) + "\n";
  page += section("COMMANDS");
  for (const CommandEntry& command : manual.commands) {
    page += tagged(bold(command.name),
                   roff(command.summary) + "; see " + bold(page_name(command)) + "(1)");
  }
  page += section("OPTIONS");
  for (const OptionEntry& option : manual.options) page += described(option);
  page += list_of("EXAMPLES", kExamples) + list_of("ENVIRONMENT", kEnvironment) +
          list_of("FILES", kFiles) + list_of("SIGNALS", kSignals) + exit_status("") +
          section("SEE ALSO");
  for (const CommandEntry& command : manual.commands) {
    page += ".BR " + roff(page_name(command)) + " (1)" +
            (&command == &manual.commands.back() ? "\n" : ",\n");
  }
  return page;
}

std::string man_page(const Manual& manual, const CommandEntry& command) {
  std::string page = title(page_name(command), manual) + section("NAME") +
                     roff(page_name(command)) + " \\- " + roff(command.summary) + "\n" +
                     section("SYNOPSIS") + synopsis_of(command) + section("DESCRIPTION");
  for (const OptionEntry& operand : command.operands) page += described(operand);
  page += section("OPTIONS");
  for (const std::string& heading : command.headings()) {
    if (heading != kNoHeading) page += ".SS " + roff(heading) + "\n";
    for (const OptionEntry& option : command.options) {
      if (option.heading == heading) page += described(option);
    }
  }
  for (const std::string& note : command.notes) {
    page += (&note == &command.notes.front() ? section("NOTES") : ".PP\n") + roff(note) + "\n";
  }
  return page + exit_status(command.name) + section("SEE ALSO") + ".BR sagorder (1)\n";
}

}  // namespace sagorder::io
