// Mistakes planted on purpose, one at a time, in a build that no user has: a test that looks for
// the promises' violations must find each of them. In every other build nothing of them is left:
// the question is answered by the compiler.
//
// Each names what is wrong, and which invariants of tests/simulation should see it.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

namespace sagorder {

enum class Planted : std::uint8_t {
  none,

  // order and durability
  send_before_commit,     ///< a row is sent as soon as its intent is gathered (I5)
  result_before_commit,   ///< a line is handed out before its outcome is durable (I6)
  failed_commit_ignored,  ///< a commit that failed is taken for one that did not (I5, I6)
  more_in_flight,         ///< --max-in-flight is not kept (I7)
  resume_resends,         ///< a start makes open intents pending instead of in doubt (I1)
  waiting_not_woken,      ///< nothing wakes a row that waits for its next attempt (I8)

  // what is sent
  nonce_repeats,          ///< every eighth nonce is the one before (I5)
  retry_sends_old_bytes,  ///< the next attempt sends the bytes of the one before (I5)
  replay_not_recorded,    ///< the same bytes are sent again without a record of it (I5)
  replay_signed_anew,     ///< the second sending has a nonce of its own (I5, I16)
  replay_without_end,     ///< the same bytes are sent as often as no answer comes (I5)
  replay_after_restart,   ///< a doubt of an earlier process is sent again (I5, I16)

  // what an answer means
  resign_on_nonce_used,        ///< SignatureNonceUsed is not executed: a new nonce (I1)
  internal_error_rejected,     ///< InternalError under 403 is a refusal (I4)
  server_error_not_executed,   ///< 5xx is not executed (I1)
  unavailable_not_executed,    ///< ServiceUnavailable is throttling (I1)
  payment_rejected,            ///< PAY.* is a refusal (I4)
  unknown_code_rejected,       ///< a code that is on no list is a refusal (I4)
  broken_success_rejected,     ///< 2xx without an OrderId that can be read is a refusal (I4)
  number_is_no_order_id,       ///< an OrderId that is a JSON number is not understood (I7)
  first_order_id_taken,        ///< of two OrderIds in one answer the first is taken (I3)
  repeated_order_id_believed,  ///< an OrderId that another row was given (I3)
  refusal_ends_doubt,  ///< a refusal of the second sending ends the doubt of the first (I1, I4)

  // what a fault means
  retry_on_reset,          ///< a connection that ended without an answer's byte did nothing (I1)
  retry_on_timeout,        ///< no answer in time is not executed (I1)
  retry_on_garbage,        ///< an answer that cannot be read is not executed (I1)
  cancelled_not_executed,  ///< what the second interrupt gave up did not execute (I1)

  // which connection serves again
  reuse_after_timeout,  ///< one on which an answer is still due (I3)
  reuse_of_dirty,       ///< one on which bytes are found that nobody asked for (I3)
  reuse_after_doubt,    ///< one whose answer left a doubt (I3)
  surplus_ignored,      ///< bytes behind an answer begin the next one (I3, I4)

  // the rate
  retries_without_token,    ///< another attempt takes no token (I9)
  token_before_connection,  ///< the token is taken when the connection is asked for (I9)
  bucket_saves_up,          ///< tokens are saved up without end while nothing is sent (I9)
  bucket_filled_by_change,  ///< a change of the rate fills the bucket (I9)

  // what may be spent
  under_way_is_free,      ///< what is under way does not count to the limits (I17, I20)
  canary_of_run_alone,    ///< what earlier runs did not place does not count (I20)
  canary_ignores_doubt,   ///< an order in doubt gives its place in the canary back (I20)
  late_request_connects,  ///< without a rate what has to connect may leave late (I21)

  // who may begin
  second_process_let_in,  ///< a ledger that another process holds (I13)
  changed_input_let_in,   ///< an input that the ledger was not begun with (I14)
  older_ledger_let_in,    ///< a ledger that does not know the last run (I14)
  other_output_let_in,    ///< a content that was ordered out of another ledger (I14)

  // what is shown
  missing_lines_forgotten,  ///< lines that a crash took are not added (I6)
  outdated_line_kept,       ///< a line that the ledger has outdated stays (I6)
  torn_line_taken,          ///< a last line without its end is a line (I6)
  doubt_shown_as_rejected,  ///< a row in doubt has the line of a rejected one (I6)
  secret_in_evidence,       ///< the secret is shown where a server echoes it (I15)
  clipped_before_hidden,    ///< a text is clipped first, and half a secret stays (I15)

  // several hosts on one batch: for the simulation that has them (S0 to S9)
  refused_is_sent,          ///< an intent that another host had claimed is sent all the same (S2)
  open_intent_moves,        ///< of a range taken over, open intents are tried again (S9)
  held_range_read_again,    ///< a range that this host still has in its slots is read anew (S0)
  sent_without_lease,       ///< what has its connection leaves, lease or not (S4)
  tokens_do_not_expire,     ///< what was leased stays good for ever (S4)
  lease_from_its_answer,    ///< the lease's length counts from its answer (S4)
  lease_is_free,            ///< the bucket gives the whole burst, leased or not (S5)
  throttling_kept_to_self,  ///< what one host saw of throttling is not told to the others (S7)
  fenced_goes_on,           ///< a host that was fenced asks again and again (S8)
  canary_of_hosts_goes_on,  ///< of a canary that one order has lost, the others are sent (S12)
  share_taken_unasked,      ///< a host spends what it asks for before it is granted (S13)
  share_of_what_is_under_way_given_back,  ///< a host that has no room gives back too much (S13)
};

#ifdef SAGORDER_PLANTED_BUGS

inline Planted planted_bug = Planted::none;  ///< set once, before anything runs

inline bool planted(Planted bug) { return planted_bug == bug; }

/// In the order of the enum, `none` left out: those of one host, and those of several.
std::span<const std::string_view> planted_names();
std::span<const std::string_view> planted_names_of_hosts();
std::optional<Planted> planted_by_name(std::string_view name);

#else

consteval bool planted(Planted /*bug*/) { return false; }

#endif

}  // namespace sagorder
