#include "engine/reuse.hpp"

namespace sagorder {

Reuse after(const ExchangeEnd& end) {
  if (end.fault) return Reuse::never;
  return end.asked_to_close || end.surplus ? Reuse::farewell : Reuse::again;
}

Reuse before_use(Look look) { return look == Look::clean ? Reuse::again : Reuse::never; }

Reuse while_idle(nanoseconds idle, nanoseconds most) {
  return idle < most ? Reuse::again : Reuse::farewell;
}

}  // namespace sagorder
