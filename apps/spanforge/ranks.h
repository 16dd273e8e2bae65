#pragma once
// This process as one of several that work on one command (docs/parallel.md).

#include <memory>
#include <string>

#include "options.h"
#include "spanforge/base/options.h"
#include "spanforge/parallel/group.h"

namespace spanforge::app {

struct RankOptions {
  std::string rendezvous;
  Preset<std::string> interface = std::string("lo");
};

void add_rank_options(OptionTable& table, RankOptions& options);

// The group of the processes that were started together; of this one, if it was started alone.
// Refuses other versions of this program. Warns if results will differ from those of equal
// processes. If `threads` is 0, the ranks that may use the same cores of this host share them.
std::unique_ptr<Group> join_ranks(const RankOptions& options, int32_t& threads);
std::unique_ptr<Group> join_ranks(const RankOptions& options, Preset<int32_t>& threads);

}  // namespace spanforge::app
