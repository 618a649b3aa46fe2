#include "io/ending.hpp"

#include <gtest/gtest.h>

#include "engine/expect.hpp"
#include "io/batches.hpp"
#include "io/commands.hpp"
#include "io/credentials.hpp"
#include "io/file.hpp"
#include "io/orders_file.hpp"
#include "io/results_file.hpp"
#include "io/tls.hpp"

namespace sagorder::io {
namespace {

template <class Error>
Ending of(const Error& error) {
  return ending_of(std::make_exception_ptr(error));
}

TEST(Ending, EachErrorHasItsExitCodeAndItsWords) {
  EXPECT_EQ(of(UsageError("u", "hint")).code, ExitCode::usage);
  EXPECT_EQ(of(UsageError("u", "hint")).advice, "hint");
  EXPECT_EQ(of(Refusal(ExitCode::limit, "r", "do")).code, ExitCode::limit);
  EXPECT_EQ(of(Refusal(ExitCode::limit, "r", "do")).what, "r");
  EXPECT_EQ(of(Refusal(ExitCode::limit, "r", "do")).advice, "do");
  EXPECT_EQ(of(InputError("i", "look")).code, ExitCode::input);
  EXPECT_EQ(of(InputError("i", "look")).advice, "look");
  EXPECT_EQ(of(CredentialsError("c")).code, ExitCode::credentials);
  EXPECT_EQ(of(TlsError("t")).code, ExitCode::usage);
  EXPECT_EQ(of(LedgerBusy("b")).code, ExitCode::busy);
  EXPECT_EQ(of(LedgerError("l")).code, ExitCode::unwritable);
  EXPECT_EQ(of(OutputError("o")).code, ExitCode::unwritable);
  EXPECT_EQ(of(BatchesError("m")).code, ExitCode::unwritable);
  EXPECT_EQ(of(FileError("f", 0)).code, ExitCode::unwritable);
  EXPECT_EQ(of(BrokenPromise("p")).code, ExitCode::internal);
  EXPECT_EQ(of(std::runtime_error("x")).code, ExitCode::internal);
  EXPECT_EQ(of(std::runtime_error("x")).what, "x");
}

}  // namespace
}  // namespace sagorder::io
