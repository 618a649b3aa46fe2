#include "io/process.hpp"

#include <gtest/gtest.h>
#include <unistd.h>

#include <thread>

namespace sagorder::io {
namespace {

/// Whatever it waits for: here a thread that takes no signal, as those of ledgers do not.
TEST(ProcessDeathTest, EndsAtLast) {
  EXPECT_EXIT(
      {
        std::thread waiting([] {
          const SignalsBlocked blocked;
          ::pause();
        });
        end_at_last(std::chrono::seconds(1), 130, "it was long enough\n");
        waiting.join();
      },
      testing::ExitedWithCode(130), "it was long enough");
}

}  // namespace
}  // namespace sagorder::io
