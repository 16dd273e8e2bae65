#include "spanforge/data/similar_span.h"

#include "support/testing.h"

namespace spanforge {
namespace {

struct SimilarCase {
  std::string name, context, text;
  double f1;
  std::vector<CharSpan> spans;
};

TEST(FindSimilarSpans, GivesTheBestByWordsAndCharacters) {
  const std::vector<SimilarCase> cases = {
      {"punctuation does not count", "他說：「你好」。", "你好，", 1, {{4, 6}}},
      {"one word more", "It was the old grey goose.", "old grey goose flies", 6.0 / 7, {{11, 25}}},
      {"one word inside", "the old and grey goose", "old grey goose", 6.0 / 7, {{4, 22}}},
      {"any order", "看光线所有的", "所有光线。", 1, {{1, 5}}},
      {"the answer's order first", "b a c a b c", "a b c.", 1, {{6, 11}}},
      {"its order twice", "a b. b a. a b", "a b!", 1, {{0, 3}, {10, 13}}},
      {"quotation marks", "说“你好”，走", "“你好”。", 1, {{1, 5}}},
      {"brackets of another kind", "(you) ran", "[you] ran!", 1, {{1, 9}}},
      {"any case", "The OLD Goose", "the old goose", 1, {{0, 13}}},
      {"not enough", "the old goose", "a young goose", 0, {}},
      {"twice", "old goose, old goose", "the old goose", 0.8, {{0, 9}, {4, 14}, {11, 20}}},
      {"repeats count", "so so", "so so so", 0.8, {{0, 5}}},
      {"Thai", "ฉันรักแมว", "รักแมว!", 1, {{3, 9}}},
      {"no unit", "a b", "?!", 0, {}},
      {"no context", "", "a", 0, {}},
  };
  for (const SimilarCase& item : cases) {
    SCOPED_TRACE(item.name);
    const SimilarSpans found = find_similar_spans(item.text, item.context, 0.8);
    EXPECT_DOUBLE_EQ(found.f1, item.f1);
    EXPECT_EQ(found.spans, item.spans);
    EXPECT_FALSE(found.given_up);
  }
  EXPECT_EQ(find_similar_spans("b c d e", "a b c", 0.6).spans, (std::vector<CharSpan>{{2, 5}}));
  EXPECT_TRUE(find_similar_spans("b c d e", "a b c", 0.7).spans.empty());
  std::string many;
  for (int i = 0; i < 20000; ++i) many += "a ";
  EXPECT_TRUE(find_similar_spans(many + "b", many, 0.8).given_up);
}

}  // namespace
}  // namespace spanforge
