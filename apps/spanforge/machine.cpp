#include "machine.h"

#include <algorithm>
#include <fstream>
#include <sstream>

namespace spanforge::app {

std::string proc_value(const char* file, const std::string& key) {
  std::ifstream lines(file);
  for (std::string line; std::getline(lines, line);) {
    const size_t colon = line.find(':');
    if (colon == std::string::npos || !line.starts_with(key)) continue;
    const size_t start = line.find_first_not_of(" \t", colon + 1);
    return start == std::string::npos ? "" : line.substr(start);
  }
  return "";
}

int64_t memory_megabytes(const char* key) {
  std::istringstream text(proc_value("/proc/meminfo", key));
  int64_t kilobytes = 0;
  text >> kilobytes;
  std::ifstream group("/sys/fs/cgroup/memory.max");
  int64_t limit = 0;
  if (group >> limit && limit > 0) kilobytes = std::min(kilobytes, limit / 1024);
  return kilobytes / 1024;
}

}  // namespace spanforge::app
