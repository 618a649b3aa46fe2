#include "engine/planted.hpp"

#include <algorithm>
#include <array>

namespace sagorder {
namespace {

constexpr std::array<std::string_view, 61> kNames = {
    "send_before_commit",
    "result_before_commit",
    "failed_commit_ignored",
    "more_in_flight",
    "resume_resends",
    "waiting_not_woken",
    "nonce_repeats",
    "retry_sends_old_bytes",
    "replay_not_recorded",
    "replay_signed_anew",
    "replay_without_end",
    "replay_after_restart",
    "resign_on_nonce_used",
    "internal_error_rejected",
    "server_error_not_executed",
    "unavailable_not_executed",
    "payment_rejected",
    "unknown_code_rejected",
    "broken_success_rejected",
    "number_is_no_order_id",
    "first_order_id_taken",
    "repeated_order_id_believed",
    "refusal_ends_doubt",
    "retry_on_reset",
    "retry_on_timeout",
    "retry_on_garbage",
    "cancelled_not_executed",
    "reuse_after_timeout",
    "reuse_of_dirty",
    "reuse_after_doubt",
    "surplus_ignored",
    "retries_without_token",
    "token_before_connection",
    "bucket_saves_up",
    "bucket_filled_by_change",
    "under_way_is_free",
    "canary_of_run_alone",
    "canary_ignores_doubt",
    "late_request_connects",
    "second_process_let_in",
    "changed_input_let_in",
    "older_ledger_let_in",
    "other_output_let_in",
    "missing_lines_forgotten",
    "outdated_line_kept",
    "torn_line_taken",
    "doubt_shown_as_rejected",
    "secret_in_evidence",
    "clipped_before_hidden",
    "refused_is_sent",
    "open_intent_moves",
    "held_range_read_again",
    "sent_without_lease",
    "tokens_do_not_expire",
    "lease_from_its_answer",
    "lease_is_free",
    "throttling_kept_to_self",
    "fenced_goes_on",
    "canary_of_hosts_goes_on",
    "share_taken_unasked",
    "share_of_what_is_under_way_given_back",
};
static_assert(kNames.size() ==
              static_cast<std::size_t>(Planted::share_of_what_is_under_way_given_back));
constexpr auto kOfOneHost = static_cast<std::size_t>(Planted::clipped_before_hidden);

}  // namespace

std::span<const std::string_view> planted_names() { return std::span(kNames).first(kOfOneHost); }

std::span<const std::string_view> planted_names_of_hosts() {
  return std::span(kNames).subspan(kOfOneHost);
}

std::optional<Planted> planted_by_name(std::string_view name) {
  const auto* const found = std::ranges::find(kNames, name);
  if (found == kNames.end()) return std::nullopt;
  return static_cast<Planted>(found - kNames.begin() + 1);
}

}  // namespace sagorder
