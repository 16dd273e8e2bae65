#pragma once
// Whether all ranks are about to compute the same run.

#include "spanforge/parallel/group.h"
#include "spanforge/train/setup.h"

namespace spanforge {

// Throws Error{kUsage, parameter} on all ranks if options, the contents of the data, the weights or
// the checkpoint to resume from differ. It names the option, the ranks and the values.
void require_alike(Group& group, const Setup& setup);

}  // namespace spanforge
