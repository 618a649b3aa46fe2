#include "io/misnamed.hpp"

#include <fmt/format.h>
#include <openssl/evp.h>

#include <array>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <vector>

#include "io/batches.hpp"
#include "io/commands.hpp"
#include "io/file.hpp"
#include "io/own_file.hpp"

namespace sagorder::io {
namespace {

constexpr std::string_view kLedgerEnd = ".ledger";

/// Of its bytes, as they are: what a packed or encoded input is remembered by, too.
std::string sha256_of_file(const std::string& path) {
  constexpr std::size_t kPiece = std::size_t{256} * 1024;
  const std::unique_ptr<EVP_MD_CTX, decltype(&EVP_MD_CTX_free)> context(EVP_MD_CTX_new(),
                                                                        &EVP_MD_CTX_free);
  bool good = context && EVP_DigestInit_ex(context.get(), EVP_sha256(), nullptr) == 1;
  const Fd file = open_to_read(path);
  std::vector<char> piece(kPiece);
  for (std::size_t count = kPiece; good && count == kPiece;) {
    count = read_full(file, piece.data(), kPiece, path);
    good = EVP_DigestUpdate(context.get(), piece.data(), count) == 1;
  }
  std::array<unsigned char, 32> digest{};
  good = good && EVP_DigestFinal_ex(context.get(), digest.data(), nullptr) == 1;
  if (!good) throw std::runtime_error("SHA-256 is not to be had");
  std::string hex;
  for (const unsigned char byte : digest) hex += fmt::format("{:02x}", byte);
  return hex;
}

/// The last batch of an input; nullopt if none is remembered.
std::optional<Batch> batch_of_input(const std::string& path) {
  try {
    const std::vector<Batch> all =
        Batches(Batches::default_directory()).all_of(sha256_of_file(path));
    return all.empty() ? std::nullopt : std::optional(all.back());
  } catch (const BatchesError&) {
    return std::nullopt;  // without a memory nothing is known of it
  }
}

std::string results_for(const std::string& ledger) {
  const bool usual = ledger.ends_with(kLedgerEnd);
  return usual ? operand_quoted(ledger.substr(0, ledger.size() - kLedgerEnd.size()))
               : "RESULTS --ledger " + operand_quoted(ledger);
}

void refuse_what_it_is(const Settings& settings) {
  const std::string& given = settings.output;
  const std::string begin = beginning_of(given);
  if (is_results_file(begin)) {
    throw Refusal(ExitCode::usage,
                  fmt::format("{}: the ledger of {} is missing", settings.ledger, given),
                  "put it back, with its -wal file if there was one, or name the place where it is "
                  "by --ledger; nothing else knows which rows may have been ordered");
  }
  if (is_database_file(begin)) {
    throw Refusal(ExitCode::usage, given + ": is a ledger, and a results file is wanted",
                  "give its results:  " + results_for(given));
  }
  const auto batch = batch_of_input(given);
  if (!batch) return;
  const bool usual = batch->ledger == batch->output + std::string(kLedgerEnd);
  throw Refusal(ExitCode::usage,
                fmt::format("{}: is an input, ordered with results in {}", given, batch->output),
                "give those:  " + operand_quoted(batch->output) +
                    (usual ? "" : " --ledger " + operand_quoted(batch->ledger)));
}

}  // namespace

void refuse_without_ledger(const Settings& settings) {
  FileIdentity identity;
  if (identity_of(settings.output, identity)) refuse_what_it_is(settings);
  throw Refusal(ExitCode::usage, settings.ledger + ": there is no such ledger",
                "give the results file of a run that was begun, or its --ledger");
}

}  // namespace sagorder::io
