#include "spanforge/data/show.h"

#include <fmt/core.h>

#include "spanforge/base/json.h"
#include "spanforge/data/convert.h"

namespace spanforge {

std::string show_datasets(const std::vector<std::pair<std::string, const Dataset*>>& splits,
                          int64_t rows) {
  std::string out = "DatasetDict({\n";
  for (const auto& [name, dataset] : splits) {
    out += fmt::format(
        "    {}: Dataset({{\n"
        "        features: ['id', 'title', 'context', 'question', 'answers'],\n"
        "        num_rows: {}\n"
        "    }})\n",
        name, dataset->examples.size());
  }
  out += "})\n";
  for (const auto& [name, dataset] : splits) {
    out += fmt::format("\n# {}\n", name);
    int64_t shown = 0;
    for (const Example& example : dataset->examples) {
      if (rows >= 0 && shown++ >= rows) break;
      Json row = flat_row(*dataset, example);
      row.erase("is_impossible");
      out += python_str(row) + "\n";
    }
  }
  return out;
}

}  // namespace spanforge
