#pragma once
// The names of Hugging Face's TrainingArguments (4.57 and 5.24) that are no options of this
// trainer. People's scripts give many of them. One is taken where its value asks for what is done
// here anyway, and refused with the reason else: nothing is taken that would silently do nothing.
// Names that mean an option here are that option's aliases (arguments.h), not rows of this table.

#include <span>

#include "spanforge/base/options.h"

namespace spanforge {

std::span<const ForeignOption> foreign_arguments();

}  // namespace spanforge
