#include "options.h"

#include <fstream>

#include <fmt/core.h>

#include "command.h"
#include "progress.h"
#include "spanforge/base/join.h"
#include "spanforge/train/arguments.h"
#include "support/testing.h"

namespace spanforge::app {
namespace {

const Command kCommand{"train", "a command", "", "", nullptr};

bool parse(OptionTable& table, std::vector<std::string> words) {
  return table.parse(Arguments{&kCommand, std::move(words), {}});
}

// A value that is not the default, and that the row's range allows.
std::string other_value(const OptionRow& row) {
  if (row.kind == OptionKind::kBoolean) return row.default_text == "true" ? "false" : "true";
  if (row.range.find('|') != std::string::npos) return row.range.substr(row.range.rfind('|') + 1);
  if (row.placeholder == "N") return "9";
  if (row.placeholder == "X") return "0.625";
  return "some/text";
}

std::string value_of(const std::string& name, const TrainingArguments& arguments) {
  TrainingArguments copy = arguments;
  std::string found;
  OptionTable table;  // its rows hold each field's current value as text
  visit_training_arguments(copy, table);
  for (const OptionRow& row : table.rows()) {
    if (row.name == name) found = row.default_text;
  }
  return found;
}

std::vector<OptionRow> training_rows() {
  TrainingArguments arguments;
  OptionTable table;
  visit_training_arguments(arguments, table);
  return table.rows();
}

TrainingArguments parsed(const std::vector<std::string>& words) {
  TrainingArguments arguments;
  OptionTable table;
  visit_training_arguments(arguments, table);
  table.allow_config();
  EXPECT_TRUE(parse(table, words));
  return arguments;
}

TEST(TrainingOptions, AreSetByEachRoute) {
  const testing::TemporaryDirectory directory;
  int set = 0, with_preset = 0;
  for (const OptionRow& row : training_rows()) {
    SCOPED_TRACE(row.name);
    if (row.kind == OptionKind::kList) continue;
    ++set;
    const std::string value = other_value(row);
    const std::string snake = "--" + row.name;
    EXPECT_EQ(value_of(row.name, parsed({flag_of(row.name), value})), value);
    EXPECT_EQ(value_of(row.name, parsed({snake, value})), value);
    EXPECT_EQ(value_of(row.name, parsed({snake + "=" + value})), value);
    const auto file = directory / "run.toml";
    std::ofstream(file) << row.name << " = \"" << value << "\"\n";
    EXPECT_EQ(value_of(row.name, parsed({"--config", file.string()})), value);
    const std::string preset = value_of(row.name, TrainingArguments{});
    if (!preset.empty()) {
      ++with_preset;
      EXPECT_EQ(value_of(row.name, parsed({"--config", file.string(), snake + "=" + preset})),
                preset);
    }
  }
  EXPECT_GT(set, 40);
  EXPECT_GT(with_preset, 30);
}

TEST(TrainingOptions, HaveTheDefaultsOfTrainingArguments) {
  const TrainingArguments defaults = parsed({});
  EXPECT_EQ(defaults.learning_rate, 5e-5);
  EXPECT_EQ(defaults.per_device_train_batch_size, 8);
  EXPECT_EQ(defaults.num_train_epochs, 3.0);
  EXPECT_EQ(defaults.max_grad_norm, 1.0);
  EXPECT_EQ(defaults.seed, 42U);
}

struct Fields {
  bool flag = false, json = false;
  AutoBool third = AutoBool::kFalse;
  std::string name;
  std::optional<int32_t> number;
  std::vector<std::string> list, files;
  OptionTable table;
  Fields() {
    table({"flag", "a boolean", ""}, flag);
    table({"third", "a boolean with a third word", ""}, third);
    table({"name", "a text", "", "title,other_name"}, name);
    table({"number", "a number", ">= 2"}, number);
    table({"list", "a list", ""}, list);
    table.add_switch({"json", "a switch", ""}, json);
    table.positional("FILE", "files", files, 0, 2);
  }
};

TEST(OptionTable, BooleanStandsAloneOrTakesAValue) {
  struct Row {
    std::vector<std::string> words;
    bool flag;
    AutoBool third;
    size_t files;
  };
  for (const Row& row : std::vector<Row>{{{"--flag"}, true, AutoBool::kFalse, 0},
                                         {{"--flag", "false", "a"}, false, AutoBool::kFalse, 1},
                                         {{"--flag", "a"}, true, AutoBool::kFalse, 1},
                                         {{"--flag=no", "--third"}, false, AutoBool::kTrue, 0},
                                         {{"--third", "auto", "a"}, false, AutoBool::kAuto, 1},
                                         {{"--third=False"}, false, AutoBool::kFalse, 0},
                                         {{"--json", "true"}, false, AutoBool::kFalse, 1}}) {
    SCOPED_TRACE(fmt::format("{}", row.words[0]));
    Fields f;
    parse(f.table, row.words);
    EXPECT_EQ(f.flag, row.flag);
    EXPECT_EQ(f.third, row.third);
    EXPECT_EQ(f.files.size(), row.files);
  }
}

TEST(OptionTable, ValuesMayStartWithADashAndTextsBeEmpty) {
  Fields f;
  f.table.allow_empty("name");
  parse(f.table,
        {"--name=", "--list", "-5 degrees", "--list", "--no such option", "-7", "--", "--json"});
  EXPECT_TRUE(f.table.given("name"));
  EXPECT_EQ(f.name, "");
  EXPECT_EQ(f.list, (std::vector<std::string>{"-5 degrees", "--no such option"}));
  EXPECT_EQ(f.files, (std::vector<std::string>{"-7", "--json"}));
  EXPECT_FALSE(f.json);
}

TEST(OptionTable, EmptyValueIsRefused) {
  struct Row {
    std::vector<std::string> words;
    std::string place;
  };
  for (const Row& row : std::vector<Row>{{{"--name="}, "--name"},
                                         {{"--title", ""}, "--title"},
                                         {{"--number", ""}, "--number"},
                                         {{"--list", "a", "--list", ""}, "--list"},
                                         {{"--config", ""}, "--config"},
                                         {{"a", ""}, "FILE"},
                                         {{"--", ""}, "FILE"}}) {
    SCOPED_TRACE(join(row.words, " "));
    Fields f;
    f.table.allow_config();
    const Error error =
        testing::expect_error(ErrorCode::kUsage, [&] { parse(f.table, row.words); });
    EXPECT_EQ(with_flags(error).place().text(), row.place);
    EXPECT_NE(error.reason().find("is empty"), std::string::npos) << error.reason();
  }
  Fields f;
  f.table.allow_empty("FILE");
  parse(f.table, {""});
  EXPECT_EQ(f.files, std::vector<std::string>{""});
}

TEST(OptionTable, LastOfSeveralValuesHolds) {
  Fields f;
  parse(f.table, {"--name", "a", "--json", "--list", "x", "--list", "y", "--json", "--title=b"});
  EXPECT_EQ(f.name, "b");
  EXPECT_EQ(f.list, (std::vector<std::string>{"x", "y"}));
}

TEST(OptionTable, ConfigurationFileNamesAnOptionOnceAndNoOtherFile) {
  struct Row {
    std::string text, place;
  };
  for (const Row& row : {Row{"name = 'a'\ntitle = 'a'\n", "f.toml: line 2: title"},
                         Row{"config = 'g.toml'\n", "f.toml: line 1: config"},
                         Row{"name = ''\n", "f.toml: line 1: name"},
                         Row{"json = 'perhaps'\n", "f.toml: line 1: json"}}) {
    SCOPED_TRACE(row.text);
    Fields f;
    std::string config;
    f.table({"config", "as allow_config() has it", ""}, config);
    EXPECT_EQ(
        testing::expect_error(ErrorCode::kUsage, [&] { f.table.apply_config(row.text, "f.toml"); })
            .place()
            .text(),
        row.place);
  }
  Fields f;
  f.json = true;
  f.table.apply_config("json = false\n", "f.toml");
  EXPECT_FALSE(f.json);
}

TEST(OptionTable, WhatHasNoEffectAloneNeedsTheOther) {
  Fields f;
  parse(f.table, {"--name", "a"});
  f.table.need("name", "name");
  f.table.need("number", "flag");
  EXPECT_EQ(
      testing::expect_error(ErrorCode::kUsage, [&] { f.table.need("name", "flag"); }).parameter(),
      "name");
}

TEST(OptionTable, AliasesMeanTheOption) {
  Fields f;
  parse(f.table, {"--other-name", "x"});
  EXPECT_EQ(f.name, "x");
  EXPECT_TRUE(f.table.given("name"));
}

TEST(OptionTable, WrongUseNamesTheOption) {
  struct Row {
    std::vector<std::string> words;
    std::string place, reason;
  };
  for (const Row& row :
       std::vector<Row>{{{"--nmae", "x"}, "--nmae", "did you mean --name?"},
                        {{"--entirely-different"}, "--entirely-different", "no such option"},
                        {{"--name"}, "--name", "needs a value"},
                        {{"--name", "--json"}, "--name", "needs a value"},
                        {{"--number", "1"}, "--number", ">= 2"},
                        {{"--number", "2.5"}, "--number", "whole number"},
                        {{"--number", "99999999999"}, "--number", "at most 2147483647"},
                        {{"--json=1"}, "--json", "takes no value"},
                        {{"a", "b", "c"}, "c", "too many"},
                        {{"-x"}, "-x", "no such option"}}) {
    SCOPED_TRACE(row.words[0]);
    Fields f;
    const Error error =
        testing::expect_error(ErrorCode::kUsage, [&] { parse(f.table, row.words); });
    EXPECT_EQ(with_flags(error).place().text(), row.place);
    EXPECT_NE(error.reason().find(row.reason), std::string::npos) << error.reason();
  }
}

TEST(OptionTable, ForeignNamesAreTakenWithTheirValuesAlone) {
  struct Row {
    ForeignOption option;
    std::vector<std::string> words;
    bool taken;
  };
  for (const Row& row : std::vector<Row>{{{"cpu", "*", "why", true}, {"--cpu"}, true},
                                         {{"cpu", "*", "why", true}, {"--cpu", "no"}, true},
                                         {{"half", "false", "why", true}, {"--half=0"}, true},
                                         {{"half", "false", "why", true}, {"--half"}, false},
                                         {{"how", "a|b", "why"}, {"--how", "b"}, true},
                                         {{"how", "a|b", "why"}, {"--how", "c"}, false},
                                         {{"how", "a", "why"}, {"--how", "a"}, true},
                                         {{"how", "", "why"}, {"--how", "a"}, false},
                                         {{"how", "*", "why"}, {"--how", "7"}, true}}) {
    SCOPED_TRACE(fmt::format("{} {}", row.option.allowed, row.words[0]));
    Fields f;
    f.table.add_foreign(row.option);
    if (row.taken) {
      parse(f.table, row.words);
      EXPECT_TRUE(f.table.given(row.option.name));
    } else {
      const Error error =
          testing::expect_error(ErrorCode::kUsage, [&] { parse(f.table, row.words); });
      EXPECT_NE(error.reason().find("is not possible here: why"), std::string::npos);
    }
  }
}

TEST(NearestName, IsFoundWithinAFewEdits) {
  const std::vector<std::string> names = {"train", "tokenize", "evaluate"};
  EXPECT_EQ(nearest_name("trian", names), "train");
  EXPECT_EQ(nearest_name("tokenise", names), "tokenize");
  EXPECT_EQ(nearest_name("serve_all_day", names), std::nullopt);
}

TEST(OptionTable, TakesValuesWithoutACommandLine) {
  TrainingArguments arguments;
  OptionTable table;
  visit_training_arguments(arguments, table);
  table.set("doc_stride", {"7"});  // an alias
  table.set("freeze", {"embeddings", "layers:0-1"});
  EXPECT_EQ(arguments.window_overlap, 7);
  EXPECT_EQ(arguments.freeze.size(), 2u);
  const auto refused = [&](const std::string& name, const std::vector<std::string>& values) {
    return testing::expect_error(ErrorCode::kUsage, [&] { table.set(name, values); });
  };
  EXPECT_EQ(refused("max_step", {"3"}).parameter(), "max_step");
  EXPECT_NE(refused("max_step", {"3"}).reason().find("max_steps"), std::string::npos);
  EXPECT_EQ(refused("max_steps", {"1", "2"}).parameter(), "max_steps");
  EXPECT_EQ(refused("max_steps", {"few"}).parameter(), "max_steps");
}

TEST(BarText, LooksLikeTqdm) {
  EXPECT_EQ(bar_text("Map", "examples", 5, 10, 2.0, 5, 60),
            "Map:  50%|█████▌     | 5/10 [00:02<00:02,  2.50 examples/s]");
  EXPECT_EQ(bar_text("", "it", 0, 36, 0.0, 0, 45), "  0%|                | 0/36 [00:00<?, ?it/s]");
  EXPECT_NE(bar_text("", "it", 3, 36, 6.0, 3, 80).find("[00:06<01:06,  2.00s/it]"),
            std::string::npos);
  EXPECT_EQ(clock_text(3725), "1:02:05");
}

TEST(BarText, CountsBytesInTheirUnits) {
  const std::string bar =
      bar_text("model.safetensors", "B", 219'000'000, 438'000'000, 20.0, 200'000'000, 100);
  EXPECT_NE(bar.find("| 219MB/438MB [00:20<00:21, 10.0MB/s]"), std::string::npos) << bar;
  EXPECT_NE(bar_text("a", "B", 570, 570, 1, 570, 80).find("570B/570B"), std::string::npos);
  EXPECT_EQ(bar_text("a", "B", 1500, 0, 1, 1500, 80), "a: 1.5kB") << "of unknown length";
}

TEST(BarText, IsNarrowerThanTheTerminal) {
  for (size_t columns = 0; columns < 120; ++columns) {
    const std::string bar = bar_text("model.safetensors", "B", 0, 438'000'000, 0.0, 0, columns);
    EXPECT_LT(bar.size(), std::max<size_t>(1, columns));  // an empty bar is of blanks
  }
  EXPECT_EQ(bar_text("Map", "examples", 5, 10, 2.0, 5, 20), "Map:  50%| 5/10");
  EXPECT_EQ(bar_text("Map", "examples", 5, 10, 2.0, 5, 12), " 50% 5/10");
  EXPECT_EQ(bar_text("Map", "examples", 5, 10, 2.0, 5, 5), " 50%");
}

TEST(Commands, HaveWhatTheirHelpNeeds) {
  ASSERT_GT(commands().size(), 10u);
  for (const Command& command : commands()) {
    SCOPED_TRACE(command.name);
    EXPECT_FALSE(command.summary.empty());
    EXPECT_TRUE(command.example.starts_with(fmt::format("spanforge {}", command.name)));
    EXPECT_NE(command.run, nullptr);
  }
}

}  // namespace
}  // namespace spanforge::app
