#include "io/approval.hpp"

#include <fmt/format.h>

#include "io/commands.hpp"
#include "io/driver.hpp"
#include "io/going_on.hpp"
#include "io/kill_point.hpp"

namespace sagorder::io {

Approval::Approval(const Settings& settings) : settings_(settings) {
  if (!settings.plan.empty()) plan_.emplace(Plan::read(settings.plan));
}

void Approval::keep_to(const Validation& validation, std::string_view input_sha256,
                       const KeyPlaces& key, const Facts& facts, Log& log) const {
  if (!plan_) return;
  const WallTime today = now().wall;
  const Plan present({settings_, validation, input_sha256, key}, today, today);
  const std::vector<std::string> differences = plan_->differences_from(present);
  for (const std::string& each : differences) {
    log.line(LogLevel::error, settings_.plan + ": " + each);
  }
  if (!differences.empty()) {
    refuse(fmt::format("is not for this run: {} difference{}", differences.size(),
                       differences.size() == 1 ? "" : "s"),
           command_as_planned(present));
  }
  if (is_over(today)) refuse("expired at " + timestamp(plan_->expires_at()));
  const auto id = facts.find(kFactLedgerId);
  const auto use = PlanUses(PlanUses::default_directory()).use_of(plan_->digest());
  if (use && (id == facts.end() || id->second != use->ledger_id)) refuse_as_used(*use);
}

bool Approval::is_over(WallTime today) const { return plan_ && plan_->expires_at() <= today; }

void Approval::take(Ledger& ledger, SharedLedger* shared, const Facts& facts) {
  if (!plan_) return;
  ledger.set_facts({{std::string(kFactPlan), plan_->digest()}});
  kill_point("plan:in-ledger");
  const PlanUse use{fact(facts, kFactLedgerId, settings_.ledger), absolute(settings_.ledger),
                    absolute(settings_.output), timestamp(now().wall)};
  if (shared != nullptr) {
    const auto other = shared->take_plan(plan_->digest(), use.ledger_id, use.output);
    if (other) refuse_as_used(*other);
  }
  PlanUses uses(PlanUses::default_directory());
  new_use_ = !uses.use_of(plan_->digest());
  if (const auto other = uses.take(plan_->digest(), use)) refuse_as_used(*other);
}

void Approval::give_back(SharedLedger* shared, const Facts& facts) {
  if (!plan_) return;
  try {
    if (shared != nullptr && !shared->give_back_plan(plan_->digest())) return;
  } catch (const LedgerError&) {
    return;  // it stays taken
  }
  if (!new_use_) return;
  PlanUses(PlanUses::default_directory())
      .give_back(plan_->digest(), fact(facts, kFactLedgerId, settings_.ledger));
}

std::string Approval::command_as_planned(const Plan& present) const {
  const auto options = plan_->options_from(present);
  if (!options) return {};
  Settings planned = settings_;
  for (const auto& [option, value] : *options) {
    planned.words = words_without(planned.words, option);
    // What a file or a variable sets, no command line leaves out.
    const auto* const set = settings_.configuration.effective(option.substr(2));
    if (value.empty() && set != nullptr && set->layer != Layer::flag) return {};
    if (!value.empty()) planned.words = words_with(planned.words, option, value);
  }
  return command_without(planned, {});
}

void Approval::refuse(const std::string& why, const std::string& as_planned) const {
  const std::string give =
      as_planned.empty() ? "give what was planned" : "give what was planned:  " + as_planned + "\n";
  throw Refusal(ExitCode::input, settings_.plan + ": " + why + "; nothing was sent",
                give + (as_planned.empty() ? ", " : "") + "or make a new plan first:  " +
                    plan_command(settings_, settings_.limits.canary));
}

void Approval::refuse_as_used(const PlanUse& use) const {
  refuse(fmt::format("was used before, at {}, by the batch with results in {} and ledger {}",
                     use.used_at, use.output, use.ledger));
}

}  // namespace sagorder::io
