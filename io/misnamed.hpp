// What a person names where a results file is wanted, and what is meant by it.
#pragma once

#include "io/settings.hpp"

namespace sagorder::io {

/// Of a command whose ledger is not there. Throws a Refusal that says what the named file is (the
/// results of a batch whose ledger is gone, a ledger, an input that was ordered) and what to give.
[[noreturn]] void refuse_without_ledger(const Settings& settings);

}  // namespace sagorder::io
