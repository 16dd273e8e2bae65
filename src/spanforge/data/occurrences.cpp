#include "spanforge/data/occurrences.h"

#include "spanforge/base/utf8.h"
#include "spanforge/data/text_automaton.h"

namespace spanforge {

std::vector<Occurrences> find_occurrences(std::string_view context,
                                          std::span<const std::string_view> texts) {
  std::vector<std::u32string> sought;
  sought.reserve(texts.size());
  for (const std::string_view text : texts) sought.push_back(decode_utf8(text));
  TextAutomaton automaton(sought);
  for (size_t at = 0; at < context.size();) automaton.read(next_code_point(context, at));
  std::vector<Occurrences> all;
  all.reserve(texts.size());
  for (const TextAutomaton::Found& found : automaton.finish()) {
    all.push_back({found.count, found.first});
  }
  return all;
}

}  // namespace spanforge
