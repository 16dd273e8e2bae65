#include "spanforge/parallel/connect.h"

#include <vector>

#include <fmt/core.h>
#include <net/if.h>

#include "spanforge/base/error.h"
#include "spanforge/base/join.h"
#include "spanforge/parallel/group_gloo.h"
#include "spanforge/parallel/meeting.h"

namespace spanforge {
namespace {

void require_interface(const std::string& name) {
  if (!name.empty() && ::if_nametoindex(name.c_str()) != 0) return;
  std::vector<std::string> names;
  if (struct if_nameindex* all = ::if_nameindex()) {
    for (const struct if_nameindex* one = all; one->if_index != 0; ++one)
      names.emplace_back(one->if_name);
    ::if_freenameindex(all);
  }
  throw Error(ErrorCode::kUsage, {.parameter = "interface"},
              fmt::format("'{}' is not a network interface of this host, which has {}",
                          quote_for_message(name), join(names, ", ")));
}

}  // namespace

std::string group_engine() { return gloo_version(); }

std::unique_ptr<Group> connect_group(const Launch& launch, const ConnectOptions& options) {
  if (launch.size == 1) return std::make_unique<GroupAlone>();
  if (gloo_version().empty()) {
    throw Error(ErrorCode::kUsage, {.where = "WORLD_SIZE"},
                fmt::format("{} processes were started, but this program was built without Gloo "
                            "(the package libgloo-dev), which connects them",
                            launch.size));
  }
  require_interface(options.interface);
  const Meeting meeting(
      launch, {.directory = options.rendezvous.empty() ? default_rendezvous(launch)
                                                       : std::filesystem::path(options.rendezvous),
               .removes_directory = options.rendezvous.empty(),
               .interface = options.interface,
               .deadline = options.meeting_deadline,
               .stop = options.stop});
  auto group = make_gloo_group(launch, meeting.folder(), options.interface, meeting.on_this_host());
  group->barrier();  // all have read the engine's files, which the meeting then removes
  return group;
}

}  // namespace spanforge
