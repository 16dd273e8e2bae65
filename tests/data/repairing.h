#pragma once
// What the tests of repairs share.

#include <string>

#include <gtest/gtest.h>

#include "spanforge/data/repair.h"
#include "spanforge/data/rewrite.h"

namespace spanforge {

// The file's text after the repairs.
inline std::string fix(const std::string& text, const RepairOptions& options = {},
                       RepairPlan* plan_out = nullptr) {
  const Dataset dataset = read_dataset_text(text, "set.json");
  const RepairPlan plan = plan_repairs(dataset, options);
  if (plan_out != nullptr) *plan_out = plan;
  std::string out;
  size_t done = 0;
  for (const ByteChange& change : find_byte_changes(text, dataset, changes_of(plan))) {
    EXPECT_LE(done, change.begin);
    out += text.substr(done, change.begin - done) + change.bytes;
    done = change.end;
  }
  return out + text.substr(done);
}

inline std::string only_answer(const std::string& context, const Json& answer) {
  const Json row = {
      {"id", "a"}, {"context", context}, {"question", "q?"}, {"answers", Json::array({answer})}};
  return Json::array({row}).dump();
}

}  // namespace spanforge
