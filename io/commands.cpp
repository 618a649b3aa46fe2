#include "io/commands.hpp"

#include <fmt/chrono.h>

#include <charconv>
#include <cstdlib>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "io/choices.hpp"
#include "io/database_address.hpp"

namespace sagorder::io {

namespace {

using nlohmann::json;

std::string input_path(const Settings& settings, const Facts& facts) {
  if (!settings.input.empty()) return settings.input;
  std::string path = fact(facts, kFactInputPath, settings.ledger);
  if (path != absolute("-")) return path;
  throw Refusal(ExitCode::usage, "the batch was read from standard input, which is gone",
                "give the same content again with --input FILE");
}

/// One that is not where it was may be somewhere else, or on another host.
std::unique_ptr<OrdersFile> open_input(const std::string& path, const Settings& settings,
                                       const Reading& reading, const OrdersFile::Watch& watch) {
  try {
    return std::make_unique<OrdersFile>(path, "", watch, reading);
  } catch (const InputError& error) {
    if (!settings.input.empty()) throw;
    throw InputError(error.what(),
                     "name the place where the batch's input is now with --input FILE");
  }
}

void refuse_other_content(const OrdersFile& input, const Facts& facts, const std::string& ledger) {
  if (input.sha256() == fact(facts, kFactInputSha256, ledger)) return;
  throw Refusal(ExitCode::input, input.name() + ": is not the input of this batch, or was changed",
                "put it back as it was, or name the right file with --input");
}

/// What is not said now was said when the batch was ordered.
Reading reading_of(const Settings& settings, const Facts& facts) {
  Reading reading = reading_of(settings);
  const auto encoding = facts.find(kFactEncoding);
  if (reading.encoding.empty() && encoding != facts.end()) reading.encoding = encoding->second;
  const auto delimiter = facts.find(kFactDelimiter);
  if (!reading.delimiter && delimiter != facts.end()) {
    reading.delimiter = choice_of(kDelimiterChoices, delimiter->second);
  }
  return reading;
}

}  // namespace

Reading reading_of(const Settings& settings) { return {settings.encoding, settings.delimiter}; }

std::string recognition(const OrdersFile& file) {
  const std::string what = file.recognised();
  if (what.empty()) return {};
  return file.name() + ": recognised: " + what + "; --encoding and --delimiter say otherwise";
}

TlsContext tls_of(const Settings& settings) {
  const char* const passphrase = std::getenv(kClientPassphrase);
  return TlsContext(settings.ca_file, {settings.client_certificate, settings.client_key,
                                       Secret(passphrase == nullptr ? "" : passphrase)});
}

IntakeOptions intake_of(const Facts& facts, const std::string& ledger) {
  IntakeOptions options;
  const json set = json::parse(fact(facts, kFactSet, ledger));
  for (const auto& [name, value] : set.items()) {
    options.set.emplace_back(name, value.get<std::string>());
  }
  for (const json& column : json::parse(fact(facts, kFactColumns, ledger))) {
    const auto name = column.get<std::string>();
    if (!is_parameter(name) && !set.contains(name)) options.carry.push_back(name);
  }
  return options;
}

Original open_original(const Settings& settings, const Facts& facts, const Rows& rows,
                       const OrdersFile::Watch& watch) {
  const std::string& ledger = settings.ledger;
  Original original;
  original.file =
      open_input(input_path(settings, facts), settings, reading_of(settings, facts), watch);
  original.options = intake_of(facts, ledger);
  const auto look = [&] {
    original.validation = validate(*original.file, original.options, [](const Complaint&) {});
  };
  look();
  refuse_other_content(*original.file, facts, ledger);
  // Which rows were left out as invalid depends on --strict, which no fact tells but their number.
  if (std::to_string(original.validation.invalid) != fact(facts, kFactInvalid, ledger)) {
    original.options.strict = true;
    original.file->rewind();
    look();
  }
  if (original.validation.rows != rows.count() || !original.validation.readable) {
    throw LedgerError(ledger + ": has other rows than its input " + original.file->name());
  }
  return original;
}

Rows replay_rows(Ledger& ledger, std::uint64_t count, const std::string& path,
                 const std::function<void(std::uint64_t)>& watch) {
  constexpr std::uint64_t kWatchedEach = 16'384;
  Rows rows(count);
  std::uint64_t records = 0;
  ledger.replay([&](const Step& step) {
    if (watch && ++records % kWatchedEach == 0) watch(records);
    if (rows.apply(step)) return;
    throw LedgerError(path + ": row " + std::to_string(step.row.value) + " has a record (" +
                      std::string(name_of(step.kind)) + ", attempt " +
                      std::to_string(step.attempt.value) +
                      ") that cannot follow from those before it; the ledger is damaged, and "
                      "nothing is sent from it");
  });
  return rows;
}

std::string fact(const Facts& facts, std::string_view name, const std::string& path) {
  const auto found = facts.find(name);
  if (found == facts.end()) {
    throw LedgerError(path + ": says nothing of '" + std::string(name) +
                      "'; it is not a whole ledger of this program");
  }
  return found->second;
}

std::uint64_t rows_of(const Facts& facts, const std::string& path) {
  const std::string text = fact(facts, kFactRows, path);
  std::uint64_t rows = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), rows);
  if (error != std::errc{} || end != text.data() + text.size()) {
    throw LedgerError(path + ": its number of rows is '" + text + "', which is no number");
  }
  return rows;
}

std::string absolute(const std::string& path) {
  if (is_database(path)) return path;
  return path == "-" ? "standard input" : std::filesystem::weakly_canonical(path).string();
}

void pass_again(
    OrdersFile& input, const IntakeOptions& options,
    const std::function<void(const Order&, bool valid, const std::vector<Complaint>&)>& visit) {
  if (for_each_row(input, options, visit)) return;
  throw Refusal(ExitCode::input,
                input.name() + ": changed after it was validated; nothing was sent",
                "put it back as it was, then the same command goes on");
}

KeyChoice key_choice(const Settings& settings) { return {settings.profile, settings.sts_endpoint}; }

std::string endpoint_text(const std::optional<Endpoint>& endpoint) {
  if (!endpoint) return "by RegionId";
  const bool literal = endpoint->host.find(':') != std::string::npos;
  return (literal ? "[" + endpoint->host + "]" : endpoint->host) + ":" +
         std::to_string(endpoint->port);
}

std::string timestamp(WallTime at) {
  const auto whole = std::chrono::floor<seconds>(at);
  return fmt::format("{:%Y-%m-%dT%H:%M:%S}.{:03}Z", whole, (at - whole).count());
}

}  // namespace sagorder::io
