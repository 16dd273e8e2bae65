#pragma once
// What the machine has, for commands that report or plan with it.

#include <cstdint>
#include <string>

namespace spanforge::app {

// What stands behind "key:" in a file of /proc; "" where there is no such line.
std::string proc_value(const char* file, const std::string& key);

// Megabytes this process may use: the machine's, or its control group's where that is less. key: of
// /proc/meminfo, "MemTotal".
int64_t memory_megabytes(const char* key);

}  // namespace spanforge::app
