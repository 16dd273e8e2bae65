#pragma once
// The engine: Gloo over TCP. connect.cpp calls it; nothing else does.

#include <filesystem>
#include <memory>
#include <string>

#include "spanforge/parallel/group.h"
#include "spanforge/parallel/launch.h"

namespace spanforge {

// folder: new and empty, seen by all ranks, which call this at about the same time.
std::unique_ptr<Group> make_gloo_group(const Launch& launch, const std::filesystem::path& folder,
                                       const std::string& interface, int on_this_host);
std::string gloo_version();  // "": built without Gloo

}  // namespace spanforge
