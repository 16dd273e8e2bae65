#pragma once
// The words and sentence patterns of the sample data. All of it is data: a language is a list of
// fact kinds, a kind a list of patterns over slots, a slot a list of values.

#include <string>
#include <vector>

namespace spanforge::sample {

// A pattern is text with slots as {x}, x one of the letters below. A question's answer is the value
// of one slot, at its place in the statement.
//   p person   q receiver   t time      l place     d preposition before the place (English)
//   a action   m mood             r reason    o thing     u measure word of the thing (Chinese)
//   n count    s shop             c cost      j job       k skill
//   v vehicle  y destination      g age       h home      x gift     f fee, what a cost is paid for
using Slot = char;

struct QuestionPattern {
  std::string text;
  Slot answer;
};

// A thing with the slots that belong to it: its measure word, or a place with its preposition.
struct Pair {
  std::string first, second;
};

struct FactKind {
  std::string slots;  // the slots a fact of this kind fills
  std::vector<std::string> statements;
  std::vector<QuestionPattern> questions;
};

struct Feelings {
  std::vector<std::string> moods, reasons;
};

struct Lexicon {
  std::string code;                      // "zh", "en"
  std::string sentence_gap;              // between sentences
  std::vector<std::string> first_names;  // Chinese: family names
  std::vector<std::string> last_names;   // Chinese: given names
  std::string name_gap;
  std::vector<std::string> receivers, times, actions, counts, shops, costs, jobs, skills, vehicles,
      destinations, ages, homes, gifts, fees;
  Feelings good, bad;        // a scene uses one of them, so that reasons suit moods
  std::vector<Pair> places;  // place, preposition
  std::vector<Pair> things;  // thing, measure word
  std::vector<FactKind> kinds;
};

const Lexicon& chinese_lexicon();
const Lexicon& english_lexicon();

}  // namespace spanforge::sample
