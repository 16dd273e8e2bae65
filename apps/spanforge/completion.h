#pragma once
// Completion of commands, options and values in a shell, made from the two tables.

#include <array>
#include <string>

#include "spanforge/base/spelling.h"

namespace spanforge::app {

enum class Shell { kBash, kZsh, kFish };
constexpr auto spellings(Shell) {
  return std::to_array<Spelling<Shell>>(
      {{"bash", Shell::kBash}, {"zsh", Shell::kZsh}, {"fish", Shell::kFish}});
}

// The script for a shell. Packages install it where the shell looks: bash-completion's folder
// completions/spanforge, zsh's site-functions/_spanforge, fish's completions/spanforge.fish.
std::string completion_script(Shell shell);

}  // namespace spanforge::app
