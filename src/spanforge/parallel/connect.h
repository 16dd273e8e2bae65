#pragma once
// What: Makes the group of the processes of one start. The engine is Gloo, if the program was built
//   with it: the distribution's package libgloo-dev. Ranks meet in a directory, or in Redis if the
//   program was built with hiredis: libhiredis-dev.

#include <atomic>
#include <chrono>
#include <memory>
#include <string>

#include "spanforge/parallel/group.h"
#include "spanforge/parallel/launch.h"

namespace spanforge {

struct ConnectOptions {
  // A directory that all ranks see, or a database of Redis that all of them reach:
  // redis://HOST[:PORT][/DATABASE][?name=TEXT] (redis_url.h). "": a directory of this host, if all
  // ranks are on it.
  std::string rendezvous;
  // The network interface that the ranks talk by. Whoever reaches it can join in: Gloo has neither
  // authentication nor encryption.
  std::string interface = "lo";
  std::chrono::milliseconds meeting_deadline =
      std::chrono::minutes(5);  // for all to come and to connect
  const std::atomic<bool>* stop = nullptr;
};

// A size of 1 gives the group of one process.
// Errors: Error{kUsage, parameter} for options; Error{kUsage, where "WORLD_SIZE"} without an
// engine; Error{kPeerLost}; Error{kInterrupted} if *stop is set meanwhile; Error{kIo}.
std::unique_ptr<Group> connect_group(const Launch& launch, const ConnectOptions& options);

// Error{kUsage, parameter "rendezvous"} for a URL that is not one of Redis. A path is not looked
// at.
void require_rendezvous(const std::string& rendezvous);

// The versions of the engine and of hiredis; "": the program was built without.
std::string group_engine();
std::string rendezvous_client();

}  // namespace spanforge
