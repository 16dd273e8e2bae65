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
  // How much longer twice the size may take. Linear work takes twice as long, quadratic work four
  // times.
  double most_ratio = 2.5;
};
void PrintTo(const Hostile& row, std::ostream* out);
const std::vector<Hostile>& hostile_table();

}  // namespace spanforge
