// What an exception comes to when it ends a command: the exit code, and what is said.
#pragma once

#include <exception>
#include <string>

#include "io/exit_code.hpp"

namespace sagorder::io {

struct Ending {
  ExitCode code = ExitCode::internal;
  std::string what;    ///< a sentence
  std::string advice;  ///< lines; may be empty
};

/// @param error not null; one that is no std::exception is thrown on
Ending ending_of(const std::exception_ptr& error);

}  // namespace sagorder::io
