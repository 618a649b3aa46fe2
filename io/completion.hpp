// Completion scripts out of the manual's values. They are whole by themselves: the shell asks the
// script and never the program.
#pragma once

#include <string>

#include "io/manual.hpp"

namespace sagorder::io {

/// For bash 4.4 and newer, with or without the package bash-completion.
std::string bash_completion(const Manual& manual);

/// A function for a directory of zsh's fpath, as `_sagorder`.
std::string zsh_completion(const Manual& manual);

/// For fish 3.
std::string fish_completion(const Manual& manual);

}  // namespace sagorder::io
