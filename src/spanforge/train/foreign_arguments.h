#pragma once
// Names of Hugging Face's TrainingArguments (4.57 and 5.24) that are not options of this trainer;
// people's scripts use many. A name is accepted if its value asks for what is done here anyway, and
// is an error with the reason otherwise, so that nothing is ignored silently. A name that means an
// option here is an alias of that option (arguments.h), not a row of this table.

#include <span>

#include "spanforge/base/options.h"

namespace spanforge {

std::span<const ForeignOption> foreign_arguments();

}  // namespace spanforge
