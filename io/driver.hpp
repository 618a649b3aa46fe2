// The only loop: an event comes in, the pipeline says what to do, it is done. The one place that
// reads clocks and randomness during a run.
//
// Events come from the connections, the ledger's thread, the input, the fetching of a key (which
// this loop does not wait for), three timers (the pipeline's
// wake-up, the progress line, the grace) and signals. When the grace is over, the pipeline is told
// what a second interrupt would tell it: it is the operator's word, given in advance. Nothing is
// decided here: what is done, and in which order, is in the pipeline's Actions.
//
// With --threads N the connections live on N threads, each with a loop of its own; the pipeline
// stays on this one and talks with them by values.
#pragma once

#include <functional>
#include <memory>
#include <optional>

#include "engine/intake.hpp"
#include "engine/pipeline.hpp"
#include "io/credentials.hpp"
#include "io/key_fetcher.hpp"
#include "io/ledger.hpp"
#include "io/log.hpp"
#include "io/metrics_server.hpp"
#include "io/orders_file.hpp"
#include "io/outcome_log.hpp"
#include "io/pool.hpp"
#include "io/progress.hpp"
#include "io/results_file.hpp"
#include "io/shared_batch.hpp"

namespace sagorder::io {

/// The clocks, read together.
Moment now();

/// Bytes from the system's random device. Throws std::runtime_error if it has none.
void fill_random(std::span<std::uint8_t> bytes);

/// 32 hex digits.
std::string random_hex();

inline constexpr milliseconds kMetricsEvery{5'000};

/// With which key the batch goes on when the pipeline asks for another.
struct KeyRenewal {
  std::vector<KeySource> sources;  ///< empty: it never does
  Scheme scheme = Scheme::acs3_hmac_sha256;
  Method method = Method::post;
};

struct DriverParts {
  Pipeline& pipeline;
  const Rows& rows;
  Ledger& ledger;
  OrdersFile& input;  ///< validated; rewound by the driver
  IntakeOptions intake;
  ResultsFile& results;
  const TlsContext& tls;
  PoolOptions pool;
  std::uint32_t threads = 1;
  std::optional<milliseconds> grace;  ///< from the first interrupt to the giving up of answers
  KeyRenewal key;
  std::uint64_t rows_total = 0;  ///< valid rows, for the progress line
  Progress& progress;
  Log& log;
  OutcomeLog& outcomes;
  /// Told as soon as the loop runs and every kMetricsEvery; may be empty.
  std::function<void()> write_metrics;
  const Listener* metrics_listener = nullptr;  ///< nullptr: nobody is served
  std::function<std::string()> metrics_text;
  /// Called once, on the ledger's thread, before the first intent is made durable; what it throws
  /// ends the run with nothing sent.
  std::function<void()> before_first_commit;
  /// Of a batch that hosts share, `ledger` then; nullptr: it is this process's alone.
  SharedLedger* shared = nullptr;
  SharedTerms terms = {};
};

class Driver {
 public:
  explicit Driver(DriverParts parts);
  ~Driver();
  Driver(const Driver&) = delete;
  Driver& operator=(const Driver&) = delete;

  /// Returns when the pipeline has finished. Throws what `before_first_commit` or a broken promise
  /// throws.
  void run();

  /// Of all connections, after run(); during it with one thread only.
  [[nodiscard]] PoolCounters counters() const;

  /// One of the first rows of a shared batch was not placed, so no other was begun.
  [[nodiscard]] bool canary_failed() const;

  /// Whatever asks the database from then on fails at once, by an interrupt or the end of --grace;
  /// SteadyTime::max(): it is waited for.
  [[nodiscard]] SteadyTime waiting_ends() const;

  /// The shared ledger lacks, or may lack, what was durable in it: in words; empty: it does not.
  [[nodiscard]] const std::string& records_lost() const;

 private:
  class Loop;
  std::unique_ptr<Loop> loop_;
};

}  // namespace sagorder::io
