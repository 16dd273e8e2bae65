// RoBERTa's tokenizers from vocab.json and merges.txt: forms of the files, malformed files,
// classes,
// saving.

#include <fstream>

#include <gtest/gtest.h>

#include "spanforge/base/json.h"
#include "spanforge/io/json_file.h"
#include "support/saving.h"
#include "text/sample.h"

namespace spanforge {
namespace {

using testing::expect_error;
using testing::TemporaryDirectory;
using Files = std::map<std::string, std::string>;

const char* const kVocab =
    R"({"<s>": 0, "<pad>": 1, "</s>": 2, "<unk>": 3, "a": 4, "b": 5, "c": 6, "ab": 7,
  "bc": 8, "<mask>": 9})";
const char* const kMerges = "#version: 0.2\na b\nb c\n";

Files files(const std::string& merges = kMerges, const std::string& vocab = kVocab) {
  return {{"vocab.json", vocab}, {"merges.txt", merges}};
}

std::vector<int32_t> ids(const Files& of, const std::string& text) {
  return Tokenizer::from_files(of, "m").encode(text).ids;
}

void write_all(const fs::path& directory, const Files& of) {
  for (const auto& [name, text] : of) std::ofstream(directory / name, std::ios::binary) << text;
}

TEST(RobertaFiles, AreATokenizerWithoutATokenizerJson) {
  EXPECT_EQ(ids(files(), "abc"), (std::vector<int32_t>{0, 7, 6, 2}));
  const Tokenizer tokenizer = Tokenizer::from_files(files(), "m");
  EXPECT_EQ(tokenizer.special_tokens().cls, 0);
  EXPECT_EQ(tokenizer.special_tokens().pad, 1);
  EXPECT_EQ(tokenizer.special_tokens().mask, 9);
  EXPECT_EQ(tokenizer.vocabulary_size(), 10u);
  EXPECT_EQ(tokenizer.decode({0, 7, 6, 2}), "abc");
}

// Python splits the text at line ends and skips the first and the last piece.
TEST(RobertaFiles, MergesAreReadAsPythonDoes) {
  const std::pair<const char*, std::vector<int32_t>> rows[] = {
      {"#v\na b\nb c\na b\n", {0, 7, 6, 2}},  // the first of equal merges counts
      {"a b\nb c\n", {0, 4, 8, 2}},           // the first line is skipped even if it is a merge
      {"#v\nb c\na b", {0, 4, 8, 2}},         // the last line has no line end
      {"#v\r\na b\r\n", {0, 7, 6, 2}},
      {"#v\ra b\r", {0, 7, 6, 2}},
      {"#v\na \t b \n", {0, 7, 6, 2}},
      {"#v\na\u00a0b\n", {0, 7, 6, 2}},
      {"#v\n", {0, 4, 5, 6, 2}},
      {"", {0, 4, 5, 6, 2}}};
  for (const auto& [merges, expected] : rows)
    EXPECT_EQ(ids(files(merges), "abc"), expected) << merges;
}

TEST(RobertaFiles, ErrorsNameMalformedFiles) {
  struct UnsoundFile {
    Files files;
    std::string place, reason;
  };
  Files with_bert = files();
  with_bert["tokenizer_config.json"] = R"({"tokenizer_class": "BertTokenizer"})";
  Files text_alone = {{"vocab.txt", "[UNK]\n"}, {"config.json", R"({"model_type": "roberta"})"}};
  Files without_merges = files();
  without_merges.erase("merges.txt");
  Files fast = files();
  fast["tokenizer_config.json"] = R"({"tokenizer_class": "PreTrainedTokenizerFast"})";
  const UnsoundFile rows[] = {
      {files("#v\na b\n\nb c\n"), "m/merges.txt: line 3", "two tokens"},
      {files("#v\na b c\n"), "m/merges.txt: line 2", "two tokens"},
      {files("#v\nab\n"), "m/merges.txt: line 2", "two tokens"},
      {files("#v\nx y\n"), "m/vocab.json", "\"x\""},
      {files("#v\nc a\n"), "m/vocab.json", "\"ca\""},
      {files("#v\na \xff\n"), "m/merges.txt: line 2", "UTF-8"},
      {files("version https://git-lfs.github.com/spec/v1\n"), "m/merges.txt", "Git LFS"},
      {files(kMerges, "[]"), "m/vocab.json", "object"},
      {files(kMerges, "{"), "m/vocab.json", ""},
      {files(kMerges, R"({"a": 0, "a": 1})"), "m/vocab.json", "twice"},
      {files(kMerges, R"({"<s>": 0, "a": 1, "b": 2, "ab": 3, "c": 4, "bc": 5})"), "m/vocab.json",
       "</s>"},
      {files("#v\n", R"({"<s>": -1, "</s>": 2})"), "m/vocab.json", "-1"},
      {files("#v\n", R"({"<s>": "x", "</s>": 2})"), "m/vocab.json", "no usable id"},
      {without_merges, "m", "merges.txt is missing"},
      {with_bert, "m",
       "BertTokenizer reads tokenizer.json or vocab.txt, but only vocab.json and merges.txt"},
      {text_alone, "m", "name its \"tokenizer_class\""},
      {fast, "m/tokenizer_config.json", "reads tokenizer.json"},
  };
  for (const UnsoundFile& row : rows) {
    SCOPED_TRACE(row.place + ": " + row.reason);
    const Error error =
        expect_error(ErrorCode::kBadModel, [&] { Tokenizer::from_files(row.files, "m"); });
    EXPECT_EQ(error.place().text().find(row.place), 0u) << error.what();
    EXPECT_NE(error.reason().find(row.reason), std::string::npos) << error.what();
  }
}

TEST(RobertaFiles, ErrorsNameFilesThatDisagreeWithTokenizerJson) {
  TemporaryDirectory directory;
  testing::save_in(directory.path(), Tokenizer::from_files(files(), "m"));
  Tokenizer::from_directory(directory.path());
  write_all(directory.path(), files("#v\nb c\na b\n"));
  EXPECT_NE(expect_error(ErrorCode::kBadModel, [&] { Tokenizer::from_directory(directory.path()); })
                .place()
                .text()
                .find("merges.txt"),
            std::string::npos);
  write_all(directory.path(), files(kMerges, R"({"a": 5})"));
  EXPECT_NE(expect_error(ErrorCode::kBadModel, [&] { Tokenizer::from_directory(directory.path()); })
                .reason()
                .find("\"a\" disagrees"),
            std::string::npos);
}

TEST(RobertaFiles, TheClassCountsNotTheModelType) {
  // klue/roberta: the model is RoBERTa, the tokenizer BERT's.
  Files klue = {
      {"vocab.txt", "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\na\n##b\n"},
      {"config.json", R"({"model_type": "roberta", "tokenizer_class": "BertTokenizer"})"}};
  EXPECT_EQ(ids(klue, "ab"), (std::vector<int32_t>{2, 5, 6, 3}));
  klue["config.json"] = R"({"model_type": "roberta"})";
  klue["tokenizer_config.json"] = R"({"tokenizer_class": "BertTokenizer"})";
  EXPECT_EQ(ids(klue, "ab"), (std::vector<int32_t>{2, 5, 6, 3}));
  Files roberta = files();
  roberta["config.json"] = R"({"model_type": "roberta"})";
  EXPECT_EQ(ids(roberta, "ab"), (std::vector<int32_t>{0, 7, 2}));
  roberta["config.json"] = R"({"model_type": "longformer"})";
  EXPECT_EQ(ids(roberta, "ab"), (std::vector<int32_t>{0, 7, 2}));
  // The class is known but not supported.
  roberta["config.json"] = R"({"model_type": "xlm-roberta"})";
  const Error error = expect_error(ErrorCode::kBadModel, [&] { ids(roberta, "ab"); });
  EXPECT_EQ(error.file(), "m/config.json");
  EXPECT_NE(error.reason().find("XLMRobertaTokenizer"), std::string::npos) << error.what();
}

TEST(RobertaFiles, TheMaskIncludesTheSpaceBeforeItUnlessFilesSayOtherwise) {
  EXPECT_EQ(ids(files(), "a <mask>"), (std::vector<int32_t>{0, 4, 9, 2}));
  Files stated = files();
  stated["special_tokens_map.json"] =
      R"({"mask_token": {"content": "<mask>", "lstrip": false, "rstrip": true, "normalized": false,
          "single_word": false}})";
  EXPECT_EQ(Tokenizer::from_files(stated, "m").encode("<mask>  a").tokens[1], "<mask>  ");
}

TEST(RobertaFiles, ASavedDirectoryIsTheSameTokenizerAndKeepsTheFiles) {
  for (const char* config : {"", R"({"add_prefix_space": true, "trim_offsets": false})",
                             R"({"tokenizer_class": "RobertaTokenizer"})"}) {
    SCOPED_TRACE(config);
    TemporaryDirectory directory;
    Files of = testing::roberta_files(config);
    if (of["tokenizer_config.json"].empty()) of.erase("tokenizer_config.json");
    const Tokenizer tokenizer = Tokenizer::from_files(of, "m");
    testing::save_in(directory / "saved", tokenizer);
    for (const char* name : {"vocab.json", "merges.txt"}) {
      EXPECT_EQ(read_file(directory / "saved" / name), of.at(name));
    }
    EXPECT_FALSE(path_exists(directory / "saved" / "vocab.txt"));
    // With all files, with tokenizer.json only, and without it.
    const Tokenizer all = Tokenizer::from_directory(directory / "saved");
    testing::save_in(directory / "again", all);
    EXPECT_EQ(read_file(directory / "again" / "tokenizer.json"),
              read_file(directory / "saved" / "tokenizer.json"));
    for (const char* name : {"vocab.json", "merges.txt"}) fs::remove(directory / "again" / name);
    const Tokenizer alone = Tokenizer::from_directory(directory / "again");
    fs::remove(directory / "saved" / "tokenizer.json");
    const Tokenizer slow = Tokenizer::from_directory(directory / "saved");
    testing::save_in(directory / "third", alone);  // made of tokenizer.json
    EXPECT_EQ(parse_json_file(directory / "third" / "vocab.json", ErrorCode::kBadModel).dump(),
              parse_json(of.at("vocab.json"), "v", ErrorCode::kBadModel).dump());
    EXPECT_EQ(read_file(directory / "third" / "merges.txt"), of.at("merges.txt"));
    CounterStream random(testing::test_seed());
    for (int i = 0; i < 100; ++i) {
      const std::string text = testing::random_text(random, random.next_below(20)) + " <mask>";
      for (const Tokenizer* other : {&all, &alone, &slow}) {
        const Encoding one = tokenizer.encode_pair(text, " a"),
                       two = other->encode_pair(text, " a");
        ASSERT_EQ(one.ids, two.ids) << text;
        ASSERT_EQ(one.offsets, two.offsets) << text;
        ASSERT_EQ(one.type_ids, two.type_ids) << text;
      }
    }
  }
}

}  // namespace
}  // namespace spanforge
