// The program.

#include <fcntl.h>
#include <unistd.h>

#include <string>
#include <vector>

#include "run_program.h"
#include "short_waits.h"

namespace spanforge::app {
namespace {

// If standard input, output or error is closed at the start, the next file opened would get its
// number, and printed text would go into a checkpoint. So they are occupied; writing to them fails.
void occupy_standard_descriptors() {
  for (const int fd : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO}) {
    if (::fcntl(fd, F_GETFD) < 0) ::open("/dev/null", fd == STDIN_FILENO ? O_WRONLY : O_RDONLY);
  }
}

}  // namespace
}  // namespace spanforge::app

int main(int argc, char** argv) {
  spanforge::app::occupy_standard_descriptors();
  return spanforge::app::run_program(std::vector<std::string>(argv + 1, argv + argc),
                                     [argv] { spanforge::app::wait_briefly(argv); });
}
