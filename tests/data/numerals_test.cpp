#include "spanforge/data/numerals.h"

#include "support/testing.h"

namespace spanforge {
namespace {

struct NumeralCase {
  std::string context, number;
  int64_t stated;
  int64_t place;  // -1: no place is certain
};

TEST(Numerals, AreFoundWholeAtTheirStartOrInTheirOnlyOtherPlace) {
  const std::vector<NumeralCase> cases = {
      {"仓库起火，3人受伤", "3", 5, 5},
      {"仓库起火，3人受伤", "3", 0, 5},
      {"约48万元", "48", 0, 1},
      {"3人，又3人", "3", 4, 4},
      {"3人，又3人", "3", 1, -1},
      {"3人，又3.5人", "3", 1, 0},
      {"1500 men", "5", 1, -1},
      {"1.50 m", "1.5", 0, -1},
      {"1.50 m", "1.50", 0, 0},
      {"3.5 m", "3", 0, -1},
      {"1,300 m", "300", 2, -1},
      {"1,300 m", "1", 0, -1},
      {"1\u00A0300 m", "300", 2, -1},
      {"on 2024.06.01", "6", 0, -1},
      {"on 2024.06.01", "2024.06", 3, -1},
      {"3, 4 and 5.", "5", 0, 9},
      {"3, 4 and 5.", "3", 2, 0},
      {"-3 degrees", "3", 1, -1},
      {"-3 degrees", "-3", 0, 0},
      {"pages 12-48", "48", 0, 9},
      {"COVID-19", "19", 0, 6},
      {".5 m", "5", 1, -1},
      {"the end.5 men", "5", 0, 8},
      {"wait...5 men", "5", 0, 7},
      {"1e5 m", "1", 0, -1},
      {"1e5 m", "1e5", 0, 0},
      {"5km", "5", 0, 0},
      {"5km", "5", 1, -1},
      {"in 3D", "3", 0, -1},
      {"x86", "86", 1, 1},
      {"x86", "86", 0, -1},
      {"３人", "3", 0, -1},
      {"1３人", "1", 0, -1},
      {"3명", "3", 9, 0},
      {"7", "7", INT64_MIN, 0},
      {"", "7", 0, -1},
      {"no number", "7", 0, -1},
  };
  for (const NumeralCase& item : cases) {
    SCOPED_TRACE(item.context + ": " + item.number + " at " + std::to_string(item.stated));
    EXPECT_EQ(Numerals(item.context).place_of(item.number, item.stated).value_or(-1), item.place);
  }
}

TEST(StandsAsWord, NeedsNoLetterOrDigitNextToIt) {
  const std::string context = "是true, untrue; true1 true";
  const CodePointIndex index(context);
  for (const auto& [start, stands] : std::vector<std::pair<int64_t, bool>>{
           {1, true}, {9, false}, {15, false}, {21, true}, {0, false}, {-1, false}, {99, false}}) {
    SCOPED_TRACE(start);
    EXPECT_EQ(stands_as_word("true", start, context, index), stands);
  }
}

}  // namespace
}  // namespace spanforge
