#include "io/ending.hpp"

#include "engine/expect.hpp"
#include "io/batches.hpp"
#include "io/commands.hpp"
#include "io/credentials.hpp"
#include "io/file.hpp"
#include "io/orders_file.hpp"
#include "io/results_file.hpp"
#include "io/tls.hpp"

namespace sagorder::io {

Ending ending_of(const std::exception_ptr& error) {
  try {
    std::rethrow_exception(error);
  } catch (const UsageError& usage) {
    return {ExitCode::usage, usage.what(), usage.hint};
  } catch (const Refusal& refusal) {
    return {refusal.code, refusal.what(), refusal.advice};
  } catch (const InputError& input) {
    return {ExitCode::input, input.what(), input.advice};
  } catch (const CredentialsError& credentials) {
    return {ExitCode::credentials, credentials.what(), {}};
  } catch (const TlsError& tls) {
    return {ExitCode::usage, tls.what(), {}};
  } catch (const LedgerBusy& busy) {
    return {ExitCode::busy, busy.what(),
            "wait for it to end, or stop it; then try again. `run --wait-lock 30m` waits by "
            "itself"};
  } catch (const LedgerError& ledger) {
    return {ExitCode::unwritable, ledger.what(), {}};
  } catch (const OutputError& output) {
    return {ExitCode::unwritable, output.what(), {}};
  } catch (const BatchesError& batches) {
    return {ExitCode::unwritable, batches.what(), {}};
  } catch (const FileError& file) {
    return {ExitCode::unwritable, file.what(), {}};
  } catch (const BrokenPromise& promise) {
    return {ExitCode::internal, promise.what(),
            "nothing more was sent; the same command opens what was under way as in doubt"};
  } catch (const std::exception& other) {
    return {ExitCode::internal, other.what(), {}};
  }
}

}  // namespace sagorder::io
