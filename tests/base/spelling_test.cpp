#include "spanforge/base/spelling.h"

#include <gtest/gtest.h>

#include "spanforge/base/options.h"

namespace spanforge {
namespace {

enum class Fruit { kApple, kPear, kStone };
constexpr auto spellings(Fruit) {  // users cannot choose kStone
  return std::to_array<Spelling<Fruit>>(
      {{"apple", Fruit::kApple}, {"pear", Fruit::kPear}, {"bartlett", Fruit::kPear}});
}

TEST(Spelling, FirstWordNamesAValueAndEachIsRead) {
  static_assert(spelling_of(Fruit::kPear) == "pear");
  EXPECT_EQ(find_spelling<Fruit>("pear"), Fruit::kPear);
  EXPECT_EQ(find_spelling<Fruit>("bartlett"), Fruit::kPear);
  EXPECT_EQ(find_spelling<Fruit>("Pear"), std::nullopt);
  EXPECT_EQ(find_spelling<Fruit>(""), std::nullopt);
  EXPECT_EQ(find_word(Fruit::kStone), std::nullopt);
  EXPECT_EQ(find_word(static_cast<Fruit>(77)), std::nullopt);
}

TEST(Spelling, MessagesListTheChoices) {
  EXPECT_EQ(choices<Fruit>(), "apple|pear|bartlett");
  EXPECT_EQ(unknown_spelling<Fruit>("plum"), "'plum' is not one of apple, pear, bartlett");
}

TEST(Preset, KnowsWhetherItWasSet) {
  Preset<double> rate = 5e-5;
  EXPECT_EQ(rate, 5e-5);
  EXPECT_FALSE(is_set(rate));
  rate = 5e-5;
  EXPECT_TRUE(is_set(rate)) << "even to its default";
  const Preset<double> copy = rate;
  EXPECT_TRUE(is_set(copy));
  rate = 1;
  EXPECT_EQ(rate * 2, 2.0);
  Preset<Fruit> fruit = Fruit::kApple;
  fruit = Fruit::kPear;
  EXPECT_EQ(fruit, Fruit::kPear);
}

TEST(Preset, OtherFieldsAreSetUnlessEmpty) {
  EXPECT_FALSE(is_set(std::optional<int>()));
  EXPECT_TRUE(is_set(std::optional<int>(0)));
  EXPECT_FALSE(is_set(std::string()));
  EXPECT_TRUE(is_set(std::string("a")));
}

}  // namespace
}  // namespace spanforge
