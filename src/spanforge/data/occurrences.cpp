#include "spanforge/data/occurrences.h"

#include "spanforge/base/utf8.h"

namespace spanforge {

std::vector<Occurrences> find_occurrences(std::string_view context,
                                          std::span<const std::string_view> texts) {
  std::vector<Occurrences> all(texts.size());
  for (size_t i = 0; i < texts.size(); ++i) {
    if (texts[i].empty()) continue;
    for (size_t at = context.find(texts[i]); at != std::string_view::npos;
         at = context.find(texts[i], at + 1)) {
      if (all[i].count++ == 0) {
        all[i].first = static_cast<int64_t>(count_code_points(context.substr(0, at)));
      }
    }
  }
  return all;
}

}  // namespace spanforge
