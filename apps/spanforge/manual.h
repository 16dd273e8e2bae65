#pragma once
// Manual pages in the man macros of groff (man 7 groff_man), made from the two tables: spanforge(1)
// and one page for each command, such as spanforge-data-check(1).

#include <string>
#include <vector>

namespace spanforge::app {

struct ManualPage {
  std::string file;  // "spanforge-data-check.1"
  std::string text;
};
std::vector<ManualPage> manual_pages();

}  // namespace spanforge::app
