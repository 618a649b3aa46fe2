#include "engine/reconcile.hpp"

#include <algorithm>
#include <array>
#include <numeric>
#include <optional>
#include <utility>

#include "engine/signing.hpp"

namespace sagorder {
namespace {

constexpr std::array<std::string_view, 5> kFindingNames = {"found", "absent", "ambiguous",
                                                           "unknown", "too early"};
constexpr std::size_t kNobody = SIZE_MAX;
constexpr std::size_t kNamedMax = 4;  // orders that an explanation names

enum class Match : std::uint8_t { no, possible, sure };

template <class Value, class Wanted>
Match match_of(const std::optional<Value>& term, const Wanted& wanted) {
  if (!term) return Match::possible;
  return *term == wanted ? Match::sure : Match::no;
}

Match match_of(const Terms& terms, const Doubt& doubt) {
  return std::min(
      {match_of(terms.region_id, doubt.region_id), match_of(terms.user_count, doubt.user_count),
       match_of(terms.data_plan, doubt.data_plan), match_of(terms.period, doubt.period)});
}

/// Listed times are whole seconds, rounded down.
bool is_within(WallTime created_at, const Window& window) {
  return created_at > window.begin - seconds(1) && created_at <= window.end;
}

std::string text_of(WallTime at) {
  const Timestamp text = timestamp_of(at);
  return {text.data(), text.size()};
}

std::string counted(std::size_t count, std::string_view noun) {
  return std::to_string(count) + " " + std::string(noun) + (count == 1 ? "" : "s");
}

std::string terms_text(const Doubt& doubt) {
  return doubt.region_id + ", " + std::to_string(doubt.user_count) + " seats, " +
         std::to_string(doubt.data_plan) + " GB, " + std::to_string(doubt.period) + " months";
}

std::string window_text(const Window& window) {
  return text_of(window.begin) + " to " + text_of(window.end);
}

class Matcher {
 public:
  Matcher(std::span<const Doubt> doubts, const Evidence& evidence, Word word)
      : doubts_(doubts), evidence_(evidence), word_(word), orders_(evidence.survey.orders) {}

  std::vector<Ruling> judge() {
    if (const auto flaw = flaw_of_all()) return all_unknown(*flaw);
    relate();
    std::vector<Ruling> rulings(doubts_.size());
    for (std::size_t i = 0; i < doubts_.size(); ++i) rulings[i].row = doubts_[i].row;
    for (std::size_t i = 0; i < doubts_.size(); ++i) {
      if (root_of(i) == i) judge_group(i, rulings);
    }
    return rulings;
  }

 private:
  // ---- the listing as a whole

  [[nodiscard]] std::optional<std::string> flaw_of_all() const {
    if (!evidence_.flaw.empty()) return evidence_.flaw;
    if (evidence_.survey.explained == 0 && !word_.same_account) {
      return "no order of this ledger is in the listing, so nothing shows that it is of the "
             "account "
             "that ordered";
    }
    return std::nullopt;
  }

  [[nodiscard]] std::vector<Ruling> all_unknown(const std::string& why) const {
    std::vector<Ruling> rulings;
    for (const Doubt& doubt : doubts_) {
      rulings.push_back({doubt.row, Finding::unknown, {}, {}, why.substr(0, kBecauseBytesMax)});
    }
    return rulings;
  }

  [[nodiscard]] bool is_too_early(const Doubt& doubt) const {
    return evidence_.as_of < doubt.at + kSafeTime;
  }

  [[nodiscard]] bool is_covered(const Doubt& doubt) const {
    const Window window = window_of(doubt);
    return evidence_.from <= window.begin - seconds(1) && window.end <= evidence_.to;
  }

  // ---- groups: rows are 0 to n - 1, orders n to n + m - 1

  [[nodiscard]] Match match(std::size_t row, std::size_t order) const {
    const Doubt& doubt = doubts_[row];
    if (!is_within(orders_[order].created_at, window_of(doubt))) return Match::no;
    return match_of(orders_[order].terms, doubt);
  }

  void relate() {
    const std::size_t n = doubts_.size();
    parent_.resize(n + orders_.size());
    std::iota(parent_.begin(), parent_.end(), std::size_t{0});
    unsure_.assign(n, false);
    loose_.assign(n, kNobody);
    for (std::size_t i = 0; i < n; ++i) {
      for (std::size_t j = 0; j < orders_.size(); ++j) {
        const Match found = match(i, j);
        if (found == Match::no) continue;
        if (found == Match::possible) unsure_[i] = true;
        join(i, n + j);
      }
      const auto& gateways = evidence_.survey.gateways;
      for (std::size_t g = 0; g < gateways.size(); ++g) {
        if (!is_within(gateways[g].created_at, window_of(doubts_[i]))) continue;
        if (match_of(gateways[g].terms, doubts_[i]) != Match::no) loose_[i] = g;
      }
    }
  }

  [[nodiscard]] std::size_t root_of(std::size_t node) {
    while (parent_[node] != node) node = parent_[node] = parent_[parent_[node]];
    return node;
  }

  /// The smallest member is the root, so that a group with a row has a row for its root.
  void join(std::size_t a, std::size_t b) {
    a = root_of(a);
    b = root_of(b);
    parent_[std::max(a, b)] = std::min(a, b);
  }

  // ---- one group

  struct Group {
    std::vector<std::size_t> rows;
    std::vector<std::size_t> orders;
  };

  [[nodiscard]] Group group_of(std::size_t root) {
    Group group;
    for (std::size_t node = root; node < parent_.size(); ++node) {
      if (root_of(node) != root) continue;
      if (node < doubts_.size()) {
        group.rows.push_back(node);
      } else {
        group.orders.push_back(node - doubts_.size());
      }
    }
    std::ranges::stable_sort(group.rows, {}, [&](std::size_t i) { return doubts_[i].at; });
    std::ranges::stable_sort(group.orders, {},
                             [&](std::size_t j) { return orders_[j].created_at; });
    return group;
  }

  void judge_group(std::size_t root, std::vector<Ruling>& rulings) {
    const Group group = group_of(root);
    if (const auto why = why_undecided(group)) {
      for (const std::size_t i : group.rows) {
        const bool early = is_too_early(doubts_[i]);
        rulings[i].finding = early ? Finding::too_early : Finding::ambiguous;
        rulings[i].because = (early ? early_text(doubts_[i]) : *why).substr(0, kBecauseBytesMax);
      }
      return;
    }
    if (group.orders.empty()) return judge_absent(rulings[group.rows.front()], group.rows.front());
    judge_found(group, rulings);
  }

  /// What keeps a group from being found or absent; nullopt: nothing.
  [[nodiscard]] std::optional<std::string> why_undecided(const Group& group) {
    const std::string counts = counted(group.rows.size(), "row") + ", " +
                               counted(group.orders.size(), "order") + names_of(group);
    for (const std::size_t i : group.rows) {
      if (is_too_early(doubts_[i])) {
        return counts + ": row " + std::to_string(doubts_[i].row.value) +
               " among them was attempted too short a while ago";
      }
      if (!is_covered(doubts_[i])) return "the listing does not cover the time of the attempt";
      if (loose_[i] != kNobody) {
        return "instance " + evidence_.survey.gateways[loose_[i]].sag_id +
               " may be of this row, and no listed order explains it";
      }
    }
    if (group.orders.empty()) return std::nullopt;
    for (const std::size_t i : group.rows) {
      if (unsure_[i]) return counts + ", of which not every term is known";
      if (doubts_[i].replayed) return counts + ", and bytes of a row were sent twice";
    }
    if (group.rows.size() != group.orders.size() || !assign(group)) return counts;
    if (word_.rivals) {
      return counts +
             ": a batch of --explained-by has rows in doubt, too, of which they may be; the "
             "console or `resolve` tells them apart";
    }
    if (!word_.sole_buyer) {
      return counts +
             ": they match, if nobody else ordered such gateways on this account then "
             "(--sole-buyer says so)";
    }
    return std::nullopt;
  }

  [[nodiscard]] std::string names_of(const Group& group) const {
    std::string names;
    for (std::size_t k = 0; k < std::min(kNamedMax, group.orders.size()); ++k) {
      names.append(k == 0 ? " (" : ", ").append(orders_[group.orders[k]].order_id);
    }
    if (group.orders.size() > kNamedMax) names += ", ...";
    return names.empty() ? names : names + ")";
  }

  [[nodiscard]] static std::string early_text(const Doubt& doubt) {
    return "an order may not be listed yet; ask again after " + text_of(doubt.at + kSafeTime);
  }

  [[nodiscard]] std::string listing_text() const {
    return "listed " + text_of(evidence_.as_of) + ": " + counted(evidence_.listed, "order") + ", " +
           std::to_string(evidence_.survey.explained) + " of this ledger";
  }

  void judge_absent(Ruling& ruling, std::size_t row) const {
    const Doubt& doubt = doubts_[row];
    ruling.finding = Finding::absent;
    ruling.because = "no order and no instance of " + terms_text(doubt) + ", created " +
                     window_text(window_of(doubt)) + ", that the ledger does not explain; " +
                     listing_text();
  }

  void judge_found(const Group& group, std::vector<Ruling>& rulings) const {
    for (std::size_t k = 0; k < group.orders.size(); ++k) {
      const std::size_t i = owner_[k];
      const LooseOrder& order = orders_[group.orders[k]];
      rulings[i].finding = Finding::found;
      rulings[i].order_id = order.order_id;
      rulings[i].sag_id = order.sag_id;
      rulings[i].because = "order " + order.order_id + ", created " + text_of(order.created_at) +
                           ", is of " + terms_text(doubts_[i]) +
                           ", and the ledger does not explain it; " +
                           counted(group.rows.size(), "such row") + " in doubt, " +
                           counted(group.orders.size(), "such order") + "; " + listing_text();
    }
  }

  // ---- one order for each row: augmenting paths, orders of the row's own way of payment first

  [[nodiscard]] bool assign(const Group& group) {
    owner_.assign(group.orders.size(), kNobody);
    std::vector<bool> placed(group.rows.size(), false);
    for (const bool alike : {true, false}) {
      for (std::size_t k = 0; k < group.rows.size(); ++k) {
        if (placed[k]) continue;
        tried_.assign(group.orders.size(), false);
        placed[k] = augment(group, group.rows[k], alike);
      }
    }
    return std::ranges::find(owner_, kNobody) == owner_.end();
  }

  /// A free order before one that another row would have to leave: so both stay in time's order.
  [[nodiscard]] bool augment(const Group& group, std::size_t row, bool alike) {
    for (const bool free : {true, false}) {
      for (std::size_t k = 0; k < group.orders.size(); ++k) {
        const bool same = orders_[group.orders[k]].is_paid == doubts_[row].auto_pay;
        if (tried_[k] || (owner_[k] == kNobody) != free || (alike && !same)) continue;
        if (match(row, group.orders[k]) != Match::sure) continue;
        tried_[k] = true;
        if (!free && !augment(group, owner_[k], alike)) continue;
        owner_[k] = row;
        return true;
      }
    }
    return false;
  }

  std::span<const Doubt> doubts_;
  const Evidence& evidence_;
  Word word_;
  const std::vector<LooseOrder>& orders_;
  std::vector<std::size_t> parent_;
  std::vector<bool> unsure_;  // by row: an order that may belong to it does not match for sure
  std::vector<std::size_t> loose_;  // by row: an instance that may be of it; kNobody: none
  std::vector<std::size_t> owner_;  // by order of the group: the row
  std::vector<bool> tried_;
};

}  // namespace

std::string_view name_of(Finding finding) {
  return kFindingNames[static_cast<std::size_t>(finding)];
}

Window window_of(const Doubt& doubt) {
  return {doubt.at - kTimestampValidity, doubt.at + kTimestampValidity + kExecutionDelay};
}

std::vector<Ruling> reconcile(std::span<const Doubt> doubts, const Evidence& evidence, Word word) {
  return Matcher(doubts, evidence, word).judge();
}

}  // namespace sagorder
