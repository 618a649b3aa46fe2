// A limit or an order of things that the two promises rest on, checked always, in every build.
#pragma once

#include <stdexcept>
#include <string>

namespace sagorder {

/// The program contradicts itself. Nothing may be sent any more: it unwinds to exit code 70, and
/// the next start finds what was under way in the ledger.
struct BrokenPromise : std::logic_error {
  using std::logic_error::logic_error;
};

/// Apart from `expect`, which is then a compare and a branch wherever it stands: an order meets
/// some forty of them.
[[noreturn, gnu::cold, gnu::noinline]] inline void contradict(const char* what) {
  throw BrokenPromise(std::string("internal contradiction: ") + what);
}

inline void expect(bool holds, const char* what) {
  if (!holds) contradict(what);
}

}  // namespace sagorder
