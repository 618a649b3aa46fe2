#include "io/metrics.hpp"

#include <fmt/format.h>

#include "io/file.hpp"
#include "io/log.hpp"
#include "io/version.hpp"

namespace sagorder::io {
namespace {

// Bounds of histograms: powers of two, which the engine's buckets end at. 131 us to 69 s.
constexpr int kFirstPower = 17;
constexpr int kLastPower = 36;

double seconds_of(nanoseconds span) { return static_cast<double>(span.count()) / 1e9; }
double seconds_of(WallTime at) { return static_cast<double>(at.time_since_epoch().count()) / 1e3; }

/// A label's value: harmless, and with what the format gives a meaning to escaped.
std::string label(std::string_view value) {
  std::string text;
  for (const char each : printable(value)) {
    if (each == '\\' || each == '"') text += '\\';
    text += each;
  }
  return text;
}

class Text {
 public:
  /// What follows are its samples.
  void family(std::string_view name, std::string_view type, std::string_view help) {
    name_ = name;
    text_ += fmt::format("# HELP {0} {1}\n# TYPE {0} {2}\n", name, help, type);
  }
  template <class Value>
  void sample(Value value) {
    text_ += fmt::format("{} {}\n", name_, value);
  }
  /// @param labels as they stand between the braces
  template <class Value>
  void sample(std::string_view labels, Value value) {
    text_ += fmt::format("{}{{{}}} {}\n", name_, labels, value);
  }
  template <class Value>
  void counter(std::string_view name, std::string_view help, Value value) {
    family(name, "counter", help);
    sample(value);
  }
  template <class Value>
  void gauge(std::string_view name, std::string_view help, Value value) {
    family(name, "gauge", help);
    sample(value);
  }
  void histogram(std::string_view name, std::string_view help, const Histogram& histogram) {
    family(name, "histogram", help);
    for (int power = kFirstPower; power <= kLastPower; ++power) {
      const nanoseconds longest{(std::int64_t{1} << power) - 1};
      text_ += fmt::format("{}_bucket{{le=\"{:.9f}\"}} {}\n", name, seconds_of(longest),
                           histogram.below_power_of_two(power));
    }
    text_ += fmt::format("{0}_bucket{{le=\"+Inf\"}} {1}\n{0}_sum {2:.9f}\n{0}_count {1}\n", name,
                         histogram.count(), seconds_of(histogram.sum()));
  }
  [[nodiscard]] std::string take() { return std::move(text_); }

 private:
  std::string text_;
  std::string name_;
};

void add_run(Text& text, const MetricsView& view) {
  text.family("sagorder_run_info", "gauge", "The run that these numbers are of; always 1.");
  text.sample(fmt::format(R"(run="{}",version="{}")", label(view.run_id), label(program_version())),
              1);
  text.gauge("sagorder_run_started_timestamp_seconds", "When the run was started.",
             seconds_of(view.begun));
  text.gauge("sagorder_run_refused", "Whether it was refused before its first order.",
             view.refused ? 1 : 0);
  text.gauge("sagorder_run_over", "Whether the run has ended.", view.over ? 1 : 0);
  if (!view.over) return;
  text.gauge("sagorder_run_ended_timestamp_seconds", "When the run ended.",
             seconds_of(view.over->at));
  text.gauge("sagorder_run_exit_code", "The exit code with which it ended.", view.over->exit_code);
}

void add_rows(Text& text, const MetricsView& view) {
  const Rows& rows = view.run.rows;
  text.family("sagorder_batch_rows", "gauge", "Rows of the batch by state, whichever run did it.");
  const std::uint64_t under_way = rows.count_of(State::intended);
  const std::uint64_t settled = view.run.settled_in_batch() + under_way;
  text.sample(R"(state="placed")", rows.count_of(State::placed));
  text.sample(R"(state="rejected")", rows.count_of(State::rejected));
  text.sample(R"(state="in_doubt")", rows.count_of(State::in_doubt));
  text.sample(R"(state="under_way")", under_way);
  text.sample(R"(state="not_sent")", view.run.total > settled ? view.run.total - settled : 0);
  text.sample(R"(state="invalid")", view.invalid);
}

void add_regions(Text& text, const Breakdown& breakdown) {
  const auto name = [](const Breakdown::Region& region) {
    return label(region.region_id.empty() ? "others" : region.region_id);
  };
  text.family("sagorder_rows_settled_total", "counter", "Rows that this run settled.");
  for (const Breakdown::Region& region : breakdown.regions()) {
    const std::pair<const char*, std::uint64_t> counts[] = {
        {"placed", region.placed}, {"rejected", region.rejected}, {"in_doubt", region.in_doubt}};
    for (const auto& [outcome, count] : counts) {
      text.sample(fmt::format(R"(region="{}",outcome="{}")", name(region), outcome), count);
    }
  }
  text.family("sagorder_seats_placed_total", "counter", "Seats of the orders placed.");
  for (const Breakdown::Region& region : breakdown.regions()) {
    text.sample(fmt::format(R"(region="{}")", name(region)), region.seats_placed);
  }
  text.family("sagorder_seat_months_placed_total", "counter", "Seats times months, likewise.");
  for (const Breakdown::Region& region : breakdown.regions()) {
    text.sample(fmt::format(R"(region="{}")", name(region)), region.seat_months_placed);
  }
}

void add_codes(Text& text, const Breakdown& breakdown) {
  text.family("sagorder_outcomes_by_code_total", "counter",
              "Outcomes that are no order, by the gateway's code or the name of a fault.");
  for (const Breakdown::Code& code : breakdown.codes()) {
    const std::string name = label(code.code.empty() ? "others" : code.code);
    const std::pair<const char*, std::uint64_t> counts[] = {{"rejected", code.rejected},
                                                            {"in_doubt", code.in_doubt},
                                                            {"not_executed", code.not_executed}};
    for (const auto& [outcome, count] : counts) {
      text.sample(fmt::format(R"(code="{}",outcome="{}")", name, outcome), count);
    }
  }
}

void add_counts(Text& text, const MetricsView& view) {
  const Tally& tally = view.run.tally;
  text.counter("sagorder_attempts_total", "Attempts begun.", tally.intents);
  text.counter("sagorder_requests_total", "Requests under way, or of which a byte left.",
               tally.sent);
  text.counter("sagorder_throttled_total", "Answers that throttled.", tally.throttled);
  text.counter("sagorder_faults_total", "Exchanges that failed.", tally.faults);
  text.counter("sagorder_replays_total", "Requests whose bytes were sent once more.",
               tally.replays);
  text.counter("sagorder_commits_total", "Commits of the ledger.", tally.commits);
  text.gauge("sagorder_requests_on_wire", "Requests whose answers are awaited.", view.on_wire);
}

void add_rate(Text& text, const Pacer& pacer) {
  const auto shown = [](double rate) { return rate > 0 ? fmt::format("{:.6g}", rate) : "+Inf"; };
  text.gauge("sagorder_rate_limit_orders_per_second", "The rate's limit now.",
             shown(pacer.current_rate()));
  text.gauge("sagorder_rate_asked_orders_per_second", "The limit that was asked for.",
             shown(pacer.asked_rate()));
  text.gauge("sagorder_rate_lowered", "Whether throttling has lowered the limit.",
             pacer.lowered() ? 1 : 0);
}

void add_times(Text& text, const Tally& tally) {
  text.histogram("sagorder_answer_duration_seconds",
                 "From a request's sending to the end of its answer.", tally.latency);
  text.histogram("sagorder_due_duration_seconds",
                 "From the moment when the rate wanted an attempt sent to its end.",
                 tally.since_due);
  text.histogram("sagorder_commit_duration_seconds", "A commit of the ledger.", tally.commit);
  text.family("sagorder_waited_seconds_total", "counter",
              "What the next order waited for; adds up to the run's time.");
  for (std::size_t i = 0; i < kWaits; ++i) {
    const auto what = static_cast<WaitFor>(i);
    text.sample(fmt::format(R"(reason="{}")", name_of(what)), seconds_of(tally.waits.of(what)));
  }
}

void add_network(Text& text, const PoolCounters& network) {
  text.counter("sagorder_connects_total", "Connections begun.", network.connects);
  text.counter("sagorder_handshakes_resumed_total", "Handshakes that resumed a session.",
               network.handshakes_resumed);
  text.counter("sagorder_connections_reused_total", "Exchanges on a connection that had served.",
               network.reused);
  text.counter("sagorder_connections_discarded_total", "Connections found closed before use.",
               network.discarded);
  text.counter("sagorder_written_bytes_total", "Bytes written below TLS.", network.bytes_written);
  text.counter("sagorder_read_bytes_total", "Bytes read below TLS.", network.bytes_read);
}

}  // namespace

std::string metrics_text(const MetricsView& view) {
  Text text;
  add_run(text, view);
  if (!view.refused) add_rows(text, view);
  add_regions(text, view.run.tally.breakdown);
  add_codes(text, view.run.tally.breakdown);
  add_counts(text, view);
  add_rate(text, view.run.pacer);
  add_times(text, view.run.tally);
  if (view.network) add_network(text, *view.network);
  return text.take();
}

void write_metrics(const std::string& path, std::string_view text) {
  Replacement replacement(path);
  write_all(replacement.file(), text, path);
  replacement.take_over_as_it_is();
}

}  // namespace sagorder::io
