#include "spanforge/parallel/launch.h"

#include <map>

#include "support/testing.h"

namespace spanforge {
namespace {

using Variables = std::map<std::string, std::string>;

Launch launch_of(const Variables& variables) {
  return find_launch([&](const char* name) -> std::optional<std::string> {
    const auto found = variables.find(name);
    return found == variables.end() ? std::nullopt : std::optional(found->second);
  });
}

TEST(Launch, KnowsEveryLauncher) {
  struct Row {
    const char* name;
    Variables variables;
    int rank, size, on_this_host;
  };
  for (const Row& row :
       {Row{"none", {}, 0, 1, 0}, Row{"shell", {{"RANK", "2"}, {"WORLD_SIZE", "3"}}, 2, 3, 0},
        Row{"torchrun", {{"RANK", "1"}, {"WORLD_SIZE", "4"}, {"LOCAL_WORLD_SIZE", "2"}}, 1, 4, 2},
        Row{"mpirun",
            {{"OMPI_COMM_WORLD_RANK", "3"},
             {"OMPI_COMM_WORLD_SIZE", "4"},
             {"OMPI_COMM_WORLD_LOCAL_SIZE", "4"}},
            3,
            4,
            4},
        Row{"MPICH", {{"PMI_RANK", "0"}, {"PMI_SIZE", "2"}}, 0, 2, 0},
        Row{"srun", {{"SLURM_PROCID", "5"}, {"SLURM_STEP_NUM_TASKS", "8"}}, 5, 8, 0},
        // A batch script is one process, although Slurm tells it of all tasks.
        Row{"sbatch", {{"SLURM_PROCID", "0"}, {"SLURM_NTASKS", "8"}}, 0, 1, 0},
        Row{"another program's", {{"RANK", "7"}}, 0, 1, 0},
        Row{"one", {{"WORLD_SIZE", "1"}}, 0, 1, 0}}) {
    SCOPED_TRACE(row.name);
    const Launch launch = launch_of(row.variables);
    EXPECT_EQ(launch.rank, row.rank);
    EXPECT_EQ(launch.size, row.size);
    EXPECT_EQ(launch.on_this_host, row.on_this_host);
  }
}

TEST(Launch, NamesAStart) {
  Variables variables = {{"RANK", "1"},
                         {"WORLD_SIZE", "4"},
                         {"MASTER_ADDR", "h"},
                         {"MASTER_PORT", "29500"},
                         {"TORCHELASTIC_RUN_ID", "x"},
                         {"TORCHELASTIC_RESTART_COUNT", "3"}};
  const Launch one = launch_of(variables);
  EXPECT_EQ(one.restart, 3);
  variables["MASTER_PORT"] = "29501";
  EXPECT_NE(launch_of(variables).start, one.start);
}

TEST(Launch, RefusesWhatMakesNoSense) {
  const auto place = [](const Variables& variables) {
    return testing::expect_error(ErrorCode::kUsage, [&] { launch_of(variables); }).where();
  };
  EXPECT_EQ(place({{"WORLD_SIZE", "2"}}), "WORLD_SIZE");
  EXPECT_EQ(place({{"WORLD_SIZE", "2"}, {"RANK", "2"}}), "RANK");
  EXPECT_EQ(place({{"WORLD_SIZE", "two"}, {"RANK", "0"}}), "WORLD_SIZE");
  EXPECT_EQ(place({{"WORLD_SIZE", "0"}, {"RANK", "0"}}), "WORLD_SIZE");
  EXPECT_EQ(place({{"WORLD_SIZE", "2"}, {"RANK", "-1"}}), "RANK");
}

}  // namespace
}  // namespace spanforge
