#pragma once
// The rows of the test: the texts and what reads them.

#include <iosfwd>
#include <vector>

#include "linear/makes.h"
#include "linear/uses.h"

namespace spanforge {

struct Hostile {
  const char* name = "";
  Make make;
  Use use;
};
void PrintTo(const Hostile& row, std::ostream* out);
const std::vector<Hostile>& hostile_table();

}  // namespace spanforge
