#pragma once
// The engine: Gloo over TCP. connect.cpp calls it; nothing else does.

#include <memory>
#include <string>

#include "spanforge/parallel/group.h"
#include "spanforge/parallel/launch.h"
#include "spanforge/parallel/meeting.h"

namespace spanforge {

// All ranks of the meeting call this at about the same time.
std::unique_ptr<Group> make_gloo_group(const Launch& launch, Meeting& meeting,
                                       const std::string& interface);
std::string gloo_version();  // "": built without Gloo

}  // namespace spanforge
