#include "engine/reuse.hpp"

#include "engine/planted.hpp"

namespace sagorder {

Reuse after(const ExchangeEnd& end) {
  if (planted(Planted::reuse_after_timeout) && end.fault == FaultKind::timed_out) {
    return Reuse::again;
  }
  if (end.fault) return Reuse::never;
  return end.asked_to_close || end.surplus ? Reuse::farewell : Reuse::again;
}

Reuse before_use(Look look) {
  if (planted(Planted::reuse_of_dirty) && look == Look::dirty) return Reuse::again;
  return look == Look::clean ? Reuse::again : Reuse::never;
}

Reuse while_idle(nanoseconds idle, nanoseconds most) {
  return idle < most ? Reuse::again : Reuse::farewell;
}

}  // namespace sagorder
