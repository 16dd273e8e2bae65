#include "spanforge/parallel/launch.h"

#include <array>
#include <charconv>
#include <cstdlib>

#include <fmt/core.h>

#include "spanforge/base/error.h"

namespace spanforge {
namespace {

constexpr int kMostRanks = 65536;

// A launcher's variables. Empty: it has none of this kind.
struct Names {
  const char *rank, *size, *on_this_host;
  // Variables whose values together name a start.
  std::array<const char*, 3> start;
};

constexpr std::array kLaunchers = {
    Names{"RANK",
          "WORLD_SIZE",
          "LOCAL_WORLD_SIZE",
          {"MASTER_ADDR", "MASTER_PORT", "TORCHELASTIC_RUN_ID"}},
    Names{"OMPI_COMM_WORLD_RANK",
          "OMPI_COMM_WORLD_SIZE",
          "OMPI_COMM_WORLD_LOCAL_SIZE",
          {"PMIX_NAMESPACE", "OMPI_MCA_orte_hnp_uri", nullptr}},
    Names{"PMI_RANK", "PMI_SIZE", "MPI_LOCALNRANKS", {"PMI_PORT", "HYDRA_JOB_ID", nullptr}},
    Names{"SLURM_PROCID",
          "SLURM_STEP_NUM_TASKS",
          nullptr,
          {"SLURM_JOB_ID", "SLURM_STEP_ID", "SLURM_RESTART_COUNT"}}};

std::optional<int> number(const GetEnvironment& get, const char* name, int least) {
  if (name == nullptr) return std::nullopt;
  const auto text = get(name);
  if (!text || text->empty()) return std::nullopt;
  int value = 0;
  const char* end = text->data() + text->size();
  const auto [stop, error] = std::from_chars(text->data(), end, value);
  if (error != std::errc() || stop != end || value < least || value > kMostRanks) {
    throw Error(ErrorCode::kUsage, {.where = name},
                fmt::format("'{}' is not a number from {} to {}", quote_for_message(*text), least,
                            kMostRanks));
  }
  return value;
}

std::string start_of(const GetEnvironment& get, const Names& names) {
  std::string start;
  for (const char* name : names.start) {
    if (name == nullptr) continue;
    if (const auto value = get(name)) start += fmt::format("{}={};", name, *value);
  }
  return start;
}

}  // namespace

Launch find_launch(const GetEnvironment& get) {
  for (const Names& names : kLaunchers) {
    const auto size = number(get, names.size, 1);
    if (!size) continue;  // a rank alone may be another program's variable
    const auto rank = number(get, names.rank, 0);
    if (!rank) {
      if (*size == 1) continue;
      throw Error(ErrorCode::kUsage, {.where = names.size},
                  fmt::format("is {}, but {} is not set: which of the processes is this?", *size,
                              names.rank));
    }
    if (*rank >= *size) {
      throw Error(ErrorCode::kUsage, {.where = names.rank},
                  fmt::format("is {}, must be below {}, which is {}", *rank, names.size, *size));
    }
    return {*rank, *size, number(get, names.on_this_host, 1).value_or(0), start_of(get, names),
            number(get, "TORCHELASTIC_RESTART_COUNT", 0).value_or(0)};
  }
  return {};
}

Launch find_launch() {
  return find_launch([](const char* name) -> std::optional<std::string> {
    const char* value = std::getenv(name);
    return value == nullptr ? std::nullopt : std::optional<std::string>(value);
  });
}

}  // namespace spanforge
