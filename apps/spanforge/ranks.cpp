#include "ranks.h"

#include <sched.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <functional>
#include <vector>

#include "output.h"
#include "signals.h"
#include "spanforge/base/error.h"
#include "spanforge/base/join.h"
#include "spanforge/base/threads.h"
#include "spanforge/io/file.h"
#include "spanforge/ops/gemm.h"
#include "spanforge/parallel/connect.h"
#include "spanforge/parallel/together.h"
#include "spanforge/version.h"
#include "versions.h"

namespace spanforge::app {
namespace {

// Where a rank computes.
struct RankPlace {
  std::array<char, 64> host{};
  cpu_set_t cores{};
};

// The number of ranks that may use some of this one's cores, this one included.
int ranks_on_these_cores(Group& group) {
  RankPlace mine;
  ::gethostname(mine.host.data(), mine.host.size() - 1);
  if (::sched_getaffinity(0, sizeof mine.cores, &mine.cores) != 0) return group.on_this_host();
  const std::vector<RankPlace> all = group.all_gather_value(mine);
  return static_cast<int>(std::count_if(all.begin(), all.end(), [&](const RankPlace& other) {
    cpu_set_t both;
    CPU_AND(&both, &mine.cores, &other.cores);
    return other.host == mine.host && CPU_COUNT(&both) > 0;
  }));
}

void require_one_version(Group& group) {
  const std::string commit = source_commit();
  const std::string mine =
      std::string(SPANFORGE_VERSION) + (commit.empty() ? "" : ", commit " + commit);
  const std::vector<std::string> all = gather_texts(group, mine);
  if (const auto rank = find_other_rank(all)) {
    throw Error(ErrorCode::kUsage, {.where = fmt::format("rank {}", *rank)},
                fmt::format("is version {} of spanforge, rank 0 is {}", all[*rank], all[0]));
  }
}

void warn_of_other_bits(Group& group, int threads) {
  std::vector<std::string> libraries;
  for (const auto& [name, version] : library_versions()) {
    if (name == "oneDNN" || name == "ICU") libraries.push_back(name + " " + version);
  }
  const std::string mine = fmt::format("{} thread{}, {}, {}", threads, threads == 1 ? "" : "s",
                                       ops::instruction_set(), join(libraries, ", "));
  const std::vector<std::string> all = gather_texts(group, mine);
  if (!group.leads()) return;
  if (const auto rank = find_other_rank(all)) {
    note(
        fmt::format("rank {} computes with {}, rank 0 with {}: the last digits of results "
                    "will differ from those of equal processes",
                    *rank, all[*rank], all[0]));
  }
}

void require_same_files(Group& group, const std::string& parameter,
                        const std::function<std::vector<std::filesystem::path>()>& list) {
  if (group.size() == 1) return;
  std::string mine;
  work_together(group, [&] {
    for (const auto& file : list()) {
      mine += fmt::format("{} {}\n", hash_file(file).sha256, file.filename().string());
    }
  });
  const std::vector<std::string> all = gather_texts(group, mine);
  const auto rank = find_other_rank(all);
  if (!rank) return;
  // The first line that differs names a file.
  const std::string &one = all[0], &other = all[*rank];
  const auto differs = std::mismatch(one.begin(), one.end(), other.begin(), other.end());
  const auto at = static_cast<size_t>(differs.first - one.begin());
  const std::string& longer = one.size() > other.size() ? one : other;
  const size_t line = at == 0 ? 0 : longer.rfind('\n', at - 1) + 1;
  const size_t name = longer.find(' ', line) + 1;
  throw Error(ErrorCode::kUsage, {.parameter = parameter},
              fmt::format("has other contents on rank {} than on rank 0 ({})", *rank,
                          longer.substr(name, longer.find('\n', name) - name)));
}

std::vector<std::filesystem::path> deciding_files(const ModelDirectory& directory) {
  std::vector<std::filesystem::path> parts = {directory.path}, files;
  if (directory.is_adapter()) parts.push_back(directory.base);
  for (const auto& part : parts) {
    for (const std::string& name : list_directory(part)) {
      const std::string kind = std::filesystem::path(name).extension();
      const bool decides =
          kind == ".json" || kind == ".safetensors" || kind == ".bin" || kind == ".txt";
      if (decides && !directory_exists(part / name)) files.push_back(part / name);
    }
  }
  return files;
}

}  // namespace

void add_rank_options(OptionTable& table, RankOptions& options) {
  table({"rendezvous",
         "where the processes meet: a directory that all of them see, or a database of Redis, "
         "redis://HOST[:PORT][/DATABASE][?name=TEXT]; default: a directory of this host, if the "
         "launcher says that all are on it",
         ""},
        options.rendezvous);
  table({"interface",
         "network interface by which the processes talk, without authentication or encryption", ""},
        options.interface);
}

std::unique_ptr<Group> join_ranks(const RankOptions& options, int32_t& threads) {
  require_rendezvous(options.rendezvous);  // also where it is not needed
  const Launch launch = find_launch();
  if (launch.size == 1) return std::make_unique<GroupAlone>();
  auto group = connect_group(launch, {.rendezvous = options.rendezvous,
                                      .interface = options.interface,
                                      .stop = &watch_stop_signals()});
  if (!group->leads()) print_errors_only();
  require_one_version(*group);
  const int sharing = ranks_on_these_cores(*group);
  if (threads == 0) threads = std::max(1, resolve_thread_count(0) / sharing);
  warn_of_other_bits(*group, threads);
  return group;
}

std::unique_ptr<Group> join_ranks(const RankOptions& options, Preset<int32_t>& threads) {
  int32_t number = threads;
  auto group = join_ranks(options, number);
  if (number != threads) threads = number;
  return group;
}

void require_same_model(Group& group, const ModelDirectory& directory) {
  require_same_files(group, "model", [&] { return deciding_files(directory); });
}

void require_same_input(Group& group, const std::filesystem::path& file) {
  require_same_files(group, "input", [&] { return std::vector{file}; });
}

}  // namespace spanforge::app
