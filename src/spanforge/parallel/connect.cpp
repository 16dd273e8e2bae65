#include "spanforge/parallel/connect.h"

#include <vector>

#include <fmt/core.h>
#include <net/if.h>

#include "spanforge/base/error.h"
#include "spanforge/base/join.h"
#include "spanforge/parallel/board.h"
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

// A name that the user gives counts alone: some launcher may name a start otherwise on each host.
std::string name_in_redis(const RedisUrl& url, const Launch& launch) {
  if (!url.name.empty()) return url.name;
  const std::string digest = start_digest(launch);
  return digest.empty() ? "default" : digest;
}

std::unique_ptr<Board> board_of(const Launch& launch, const std::string& rendezvous) {
  if (rendezvous.empty()) return make_directory_board(default_rendezvous(launch), true);
  if (!is_url(rendezvous)) return make_directory_board(rendezvous, false);
  const RedisUrl url = parse_redis_url(rendezvous);
  return make_redis_board(url, name_in_redis(url, launch));
}

}  // namespace

std::string group_engine() { return gloo_version(); }
std::string rendezvous_client() { return redis_client(); }

void require_rendezvous(const std::string& rendezvous) {
  if (is_url(rendezvous)) parse_redis_url(rendezvous);
}

std::unique_ptr<Group> connect_group(const Launch& launch, const ConnectOptions& options) {
  if (launch.size == 1) return std::make_unique<GroupAlone>();
  if (gloo_version().empty()) {
    throw Error(ErrorCode::kUsage, {.where = "WORLD_SIZE"},
                fmt::format("{} processes were started, but this program was built without Gloo "
                            "(the package libgloo-dev), which connects them",
                            launch.size));
  }
  require_interface(options.interface);
  Meeting meeting(
      launch, board_of(launch, options.rendezvous),
      {.interface = options.interface, .deadline = options.meeting_deadline, .stop = options.stop});
  auto group = make_gloo_group(launch, meeting, options.interface);
  group->barrier();  // all have read the engine's entries, which the meeting then removes
  return group;
}

}  // namespace spanforge
