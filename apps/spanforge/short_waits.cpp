#include "short_waits.h"

#include <unistd.h>

#include <climits>
#include <cstdlib>
#include <cstring>

namespace spanforge::app {

void wait_briefly(char** argv) {
  if (std::getenv("GOMP_SPINCOUNT") != nullptr || std::getenv("OMP_WAIT_POLICY") != nullptr) return;
  char path[PATH_MAX];
  const ssize_t length = ::readlink("/proc/self/exe", path, sizeof path - 1);
  if (length <= 0 || ::setenv("GOMP_SPINCOUNT", "1000", 0) != 0) return;
  path[length] = '\0';
  // OpenMP has rejected this value with a line on standard error, and would repeat that.
  const char* threads = std::getenv("OMP_NUM_THREADS");
  if (threads != nullptr && std::strspn(threads, "0123456789, ") != std::strlen(threads)) {
    ::unsetenv("OMP_NUM_THREADS");
  }
  ::execv(path, argv);
}

}  // namespace spanforge::app
