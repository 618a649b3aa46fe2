// The simulated gateway: reads whole requests off its links, executes orders (or not), and answers
// in any of the ways that a gateway, a proxy before it or a bug in either can answer.
//
// It keeps a nonce rule (unless this history's server forgets), throttles by quota, compares
// timestamps with the true time, and tells the oracle what it executes. A row's identity is the
// request's UserCount.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "tests/simulation/clock.hpp"
#include "tests/simulation/matrix.hpp"

namespace sagorder::simulation {

struct Stage;

/// What stands in a request.
struct Asked {
  std::uint32_t row = 0;
  std::string_view nonce;
};
/// @param wire one whole request
Asked read_request(std::string_view wire);

class Server {
 public:
  explicit Server(Stage& stage) : stage_(stage) {}

  void on_bytes(std::uint32_t link);
  void on_execute(std::uint32_t job);
  void on_answer(std::uint32_t job);
  /// A kept connection's time is over.
  void on_close(std::uint32_t link, std::uint32_t how);
  /// The client went away; what was read goes on.
  void on_client_gone(std::uint32_t link);

 private:
  enum class Does : std::uint8_t { order, fault };
  struct Job {
    std::uint32_t link = 0;
    std::uint32_t row = 0;
    std::uint32_t attempted = 0;
    bool honest = true;  // places and says so
    Fault fault = Fault::throttled;
    bool odd = false;  // a refusal under a status that contradicts it
    std::uint64_t id = 0;
    std::uint64_t sag = 0;
  };

  void handle(std::uint32_t link, const Asked& asked);
  std::optional<Fault> choose(const Job& job);
  void run(Job job);
  void execute(Job& job);
  void say(const Job& job, int status, std::string_view type, std::string_view body,
           bool may_be_odd);
  void say_ordered(const Job& job, std::uint64_t id);
  void say_error(const Job& job, int status, std::string_view code);
  void after_answer(std::uint32_t link);
  std::string request_id();
  [[nodiscard]] bool over_quota();

  Stage& stage_;
  std::vector<Job> jobs_;
  Time quota_window_ = 0;
  std::uint32_t quota_used_ = 0;
  std::string wire_;
  std::string body_;
  std::string extra_header_;
  bool close_after_ = false;
};

}  // namespace sagorder::simulation
