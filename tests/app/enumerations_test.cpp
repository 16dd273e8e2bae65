// Every enumeration that an option takes: its words are read, printed and refused in the same way.
#include <algorithm>

#include <gtest/gtest.h>

#include "command.h"
#include "options.h"
#include "spanforge/data/convert.h"
#include "spanforge/model/model.h"
#include "spanforge/ops/activation.h"
#include "spanforge/text/tokenizer.h"
#include "spanforge/train/arguments.h"
#include "support/testing.h"

namespace spanforge::app {
namespace {

const Command kEnumerationCommand{"train", "a command", "", "", nullptr};

template <class E>
class Enumeration : public ::testing::Test {};
using All = ::testing::Types<AutoBool, DecoderKind, BadAnswerPolicy, LabelRule, TruncationStrategy,
                             MatrixSpread, PresetSize, ops::Activation, DataForm, IntervalStrategy,
                             SaveStrategy, AccumulationMean, ScheduleKind, OptimizerName,
                             OnNonFinite, WindowOrder, ReportTo>;
TYPED_TEST_SUITE(Enumeration, All);

template <class E>
std::optional<E> parsed(const std::string& word) {
  std::optional<E> field;
  OptionTable table;
  table({"word", "an enumeration", ""}, field);
  EXPECT_TRUE(table.parse(Arguments{&kEnumerationCommand, {"--word", word}, {}}));
  return field;
}

TYPED_TEST(Enumeration, WordsAreReadAndToldBack) {
  int words = 0;
  for (const Spelling<TypeParam>& row : spellings(TypeParam{})) {
    SCOPED_TRACE(row.word);
    EXPECT_EQ(parsed<TypeParam>(std::string(row.word)), row.value);
    EXPECT_EQ(find_spelling<TypeParam>(spelling_of(row.value)), row.value);
    EXPECT_EQ(default_text(row.value), spelling_of(row.value));
    ++words;
  }
  EXPECT_GE(words, 2);
}

TYPED_TEST(Enumeration, WrongWordListsTheChoices) {
  OptionTable table;
  TypeParam field{};
  table({"word", "an enumeration", ""}, field);
  EXPECT_EQ(table.rows()[0].placeholder, choices<TypeParam>()) << "as --help shows";
  const Error error = testing::expect_error(ErrorCode::kUsage, [&] {
    table.parse(Arguments{&kEnumerationCommand, {"--word=wrong"}, {}});
  });
  EXPECT_EQ(error.place().text(), "--word");
  EXPECT_EQ(error.reason(), "'wrong' is not allowed; it must be " + choices<TypeParam>());
}

// A field of a new enumeration belongs in the list above.
TEST(Enumerations, AreAllOfTrainings) {
  std::vector<std::string> known;
  const auto add = [&]<class... E>(::testing::Types<E...>) {
    (known.push_back(choices<E>()), ...);
  };
  add(All{});
  TrainingArguments arguments;
  OptionTable table;
  visit_training_arguments(arguments, table);
  int found = 0;
  for (const OptionRow& row : table.rows()) {
    if (row.range.find('|') == std::string::npos) continue;
    ++found;
    EXPECT_NE(std::find(known.begin(), known.end(), row.range), known.end()) << row.name;
  }
  EXPECT_GE(found, 13);
}

}  // namespace
}  // namespace spanforge::app
