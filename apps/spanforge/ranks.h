#pragma once
// This process as one of several that work on one command (docs/parallel.md).

#include <filesystem>
#include <memory>
#include <string>

#include "options.h"
#include "spanforge/base/options.h"
#include "spanforge/model/model_directory.h"
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

// These refuse ranks that read other contents than rank 0, of which each would answer a part:
// Error{kUsage, parameter} that names a file. Files go by their names without folders, since each
// rank may have its own copy. Of a model those files count that decide its answers.
void require_same_model(Group& group, const ModelDirectory& directory);    // parameter "model"
void require_same_input(Group& group, const std::filesystem::path& file);  // parameter "input"

}  // namespace spanforge::app
