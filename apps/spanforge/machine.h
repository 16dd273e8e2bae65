#pragma once
// What: the resources of the machine, for commands that report or need them.

#include <cstdint>
#include <string>

namespace spanforge::app {

// The value after "key:" in a file of /proc; "" if there is no such line.
std::string proc_value(const char* file, const std::string& key);

// The megabytes that this process may use: the machine's, or those of its control group if it has
// fewer. key: a key of /proc/meminfo, such as "MemTotal".
int64_t memory_megabytes(const char* key);

}  // namespace spanforge::app
