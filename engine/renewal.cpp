#include "engine/renewal.hpp"

#include <algorithm>

namespace sagorder {

void Renewal::start(const KeyLife& life) {
  const milliseconds whole = std::max(life.until - life.from, milliseconds(0));
  renewable_ = true;
  expires_at_ = life.until;
  next_at_ = life.until - std::min(kRenewAheadMax, whole / kRenewAheadShare);
  signs_until_ = life.until - std::min(kKeyMarginMax, whole / kKeyMarginShare);
  wait_ = kRenewWaitFirst;
  is_refused_ = false;
}

void Renewal::failed(WallTime now) {
  under_way_ = false;
  const WallTime later = now + wait_;
  next_at_ = now < signs_until_ ? std::min(later, signs_until_) : later;
  wait_ = std::min(2 * wait_, kRenewWaitMax);
}

bool Renewal::renewed(const KeyLife& life) {
  // After a refusal nothing is known of the end that was told.
  if (!is_refused_ && life.until <= expires_at_) {
    failed(life.from);
    return false;
  }
  under_way_ = false;
  for_refusal_ = is_refused_;
  start(life);
  return true;
}

bool Renewal::refused(WallTime now) {
  if (!renewable_ || for_refusal_) return false;
  is_refused_ = true;
  signs_until_ = WallTime::min();
  next_at_ = now;
  return true;
}

}  // namespace sagorder
