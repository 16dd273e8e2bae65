#pragma once
// What this program was built from and runs with.

#include <string>
#include <utility>
#include <vector>

namespace spanforge::app {

// The commit of the sources, "1bdb32e4c0de"; with "+" after it if they were changed; "" if they
// were not in a git checkout.
std::string source_commit();

// Name and version of each library, as loaded now.
std::vector<std::pair<std::string, std::string>> library_versions();

void print_version();  // spanforge --version; scripts read its first line

}  // namespace spanforge::app
