#pragma once
// What: Which rank of how many this process is, as the program that started it says in environment
//   variables: torchrun, Kubeflow and plain shells (RANK, WORLD_SIZE), Open MPI's mpirun (OMPI_*),
//   MPICH's and Intel's (PMI_*), Slurm's srun (SLURM_*). The first of these that is complete
//   counts.
// Slurm sets its variables for a batch script as well, which is one process. So a process counts as
//   one of several only if a step has several tasks.

#include <functional>
#include <optional>
#include <string>

namespace spanforge {

struct Launch {
  int rank = 0, size = 1;
  int on_this_host = 0;  // ranks, this one included; 0: not known
  std::string start;     // a name that another start does not have; "": not known
  int restart = 0;       // torchrun's count of restarts
};

using GetEnvironment = std::function<std::optional<std::string>(const char* name)>;

// Errors: Error{kUsage, where NAME} for variables that make no sense: half of a pair, not a number,
// a rank that is not below the size.
Launch find_launch(const GetEnvironment& get);
Launch find_launch();  // of this process's environment

}  // namespace spanforge
