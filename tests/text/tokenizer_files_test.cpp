// Tokenizer directories: forms of vocab.txt, malformed files, saving.

#include <fmt/core.h>
#include <gtest/gtest.h>

#include "spanforge/base/json.h"
#include "support/saving.h"
#include "text/sample.h"

namespace spanforge {
namespace {

using testing::expect_error;
using testing::sample_tokenizer;
using testing::TemporaryDirectory;
using testing::write;

const char* const kTinyVocabulary = "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\na\n##b\n的\n";

const char* const kTinyJson = R"({"version": "1.0", "truncation": null, "padding": null,
  "added_tokens": [{"id": 0, "content": "[UNK]", "single_word": false, "lstrip": false,
                    "rstrip": false, "normalized": false, "special": true}],
  "normalizer": {"type": "BertNormalizer", "clean_text": true, "handle_chinese_chars": true,
                 "strip_accents": null, "lowercase": true},
  "pre_tokenizer": {"type": "BertPreTokenizer"},
  "post_processor": {"type": "TemplateProcessing",
    "single": [{"SpecialToken": {"id": "[CLS]", "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 0}}],
    "pair": [{"Sequence": {"id": "A", "type_id": 0}}, {"Sequence": {"id": "B", "type_id": 1}}],
    "special_tokens": {"[CLS]": {"id": "[CLS]", "ids": [1], "tokens": ["[CLS]"]}}},
  "decoder": {"type": "WordPiece", "prefix": "##", "cleanup": true},
  "model": {"type": "WordPiece", "unk_token": "[UNK]", "continuing_subword_prefix": "##",
            "max_input_chars_per_word": 100, "vocab": {"[UNK]": 0, "[CLS]": 1, "a": 2, "##b": 3}}})";

std::string replaced(std::string text, const std::string& from, const std::string& to) {
  const size_t at = text.find(from);
  EXPECT_NE(at, std::string::npos) << from;
  return text.replace(at, from.size(), to);
}

std::vector<int32_t> ids_from_vocabulary(const std::string& vocabulary, const std::string& text) {
  TemporaryDirectory directory;
  write(directory / "vocab.txt", vocabulary);
  return Tokenizer::from_directory(directory.path()).encode(text).ids;
}

TEST(TokenizerFiles, LineEndsDoNotMatter) {
  const std::vector<int32_t> expected = ids_from_vocabulary(kTinyVocabulary, "ab的[MASK]");
  EXPECT_EQ(expected, (std::vector<int32_t>{2, 5, 6, 7, 4, 3}));
  for (const char* end : {"\r\n", "\r"}) {
    std::string vocabulary;
    for (const char c : std::string(kTinyVocabulary)) {
      vocabulary += c == '\n' ? end : std::string(1, c);
    }
    EXPECT_EQ(ids_from_vocabulary(vocabulary, "ab的[MASK]"), expected);
  }
  std::string unended = kTinyVocabulary;
  unended.pop_back();
  EXPECT_EQ(ids_from_vocabulary(unended, "ab的[MASK]"), expected);
}

TEST(TokenizerFiles, BlankLinesHaveIds) {
  EXPECT_EQ(ids_from_vocabulary("[UNK]\n\n[CLS]\n[SEP]\n\na\n", "a"),
            (std::vector<int32_t>{2, 5, 3}));
}

TEST(TokenizerFiles, TheLastOfRepeatedLinesCounts) {
  EXPECT_EQ(ids_from_vocabulary("[UNK]\na\n[CLS]\n[SEP]\na\n", "a"),
            (std::vector<int32_t>{2, 4, 3}));
}

TEST(TokenizerFiles, AByteOrderMarkBelongsToTheFirstToken) {
  // As in HF, [PAD] is then not in the vocabulary and gets the next id.
  TemporaryDirectory directory;
  write(directory / "vocab.txt", std::string("\xEF\xBB\xBF") + kTinyVocabulary);
  const Tokenizer tokenizer = Tokenizer::from_directory(directory.path());
  EXPECT_EQ(tokenizer.special_tokens().pad, 8);
  EXPECT_EQ(tokenizer.id_to_token(0), "\xEF\xBB\xBF[PAD]");
}

TEST(TokenizerFiles, TheConfigDecidesCaseAccentsAndNames) {
  TemporaryDirectory directory;
  write(directory / "vocab.txt", "<unk>\n[CLS]\n[SEP]\na\nA\né\n##é\n[PAD]\n");
  write(directory / "tokenizer_config.json",
        R"({"do_lower_case": false, "unk_token": {"content": "<unk>"}, "model_max_length": 77})");
  Tokenizer tokenizer = Tokenizer::from_directory(directory.path());
  EXPECT_EQ(tokenizer.encode("A Aé x").ids, (std::vector<int32_t>{1, 4, 4, 6, 0, 2}));
  EXPECT_EQ(tokenizer.model_max_length(), 77);
  write(directory / "tokenizer_config.json",
        R"({"strip_accents": false, "unk_token": "<unk>", "model_max_length": 1e30})");
  tokenizer = Tokenizer::from_directory(directory.path());
  EXPECT_EQ(tokenizer.encode("AÉ").ids, (std::vector<int32_t>{1, 3, 6, 2}));
  EXPECT_EQ(tokenizer.model_max_length(), std::nullopt);
}

TEST(TokenizerFiles, ErrorsNameMalformedVocabularies) {
  struct Row {
    const char* name;
    std::string vocabulary;
    std::string reason;
  };
  const Row rows[] = {
      {"empty", "", "[UNK]"},
      {"no [UNK]", "[CLS]\n[SEP]\n[PAD]\n", "[UNK]"},
      {"no [CLS]", "[UNK]\n[SEP]\n[PAD]\n", "[CLS]"},
      {"no [SEP]", "[UNK]\n[CLS]\n[PAD]\n", "[SEP]"},
      {"bad UTF-8", "[UNK]\n[CLS]\n\xff\n", "UTF-8"},
  };
  for (const Row& row : rows) {
    SCOPED_TRACE(row.name);
    TemporaryDirectory directory;
    write(directory / "vocab.txt", row.vocabulary);
    const Error error =
        expect_error(ErrorCode::kBadModel, [&] { Tokenizer::from_directory(directory.path()); });
    EXPECT_NE(error.file().find("vocab.txt"), std::string::npos) << error.what();
    EXPECT_NE(error.reason().find(row.reason), std::string::npos) << error.what();
  }
}

TEST(TokenizerFiles, ErrorsNameMalformedTokenizerJson) {
  struct Row {
    std::string from, to, place, reason;
  };
  const Row rows[] = {
      {"\"1.0\"", "\"2.0\"", "version", "1.0"},
      {"BertNormalizer", "Precompiled", "normalizer", "\"Precompiled\" is not supported"},
      {"BertPreTokenizer", "Metaspace", "pre_tokenizer", "\"Metaspace\" is not supported"},
      {"TemplateProcessing", "Twice", "post_processor", "not supported"},
      {"{\"type\": \"WordPiece\", \"prefix\"", "{\"type\": \"Fuse\", \"prefix\"", "decoder",
       "not supported"},
      {"{\"type\": \"WordPiece\", \"unk_token\"", "{\"type\": \"Unigram\", \"unk_token\"", "model",
       "\"Unigram\" is not supported"},
      {"\"lowercase\": true", "\"lowercase\": 1", "",
       "\"normalizer.lowercase\" is 1; it must be true or false"},
      {"\"a\": 2", "\"a\": -1", "model.vocab", "id -1"},
      {"\"a\": 2", "\"a\": 3", "model.vocab", "id 3, which \"a\" also has"},
      {"\"a\": 2", "\"a\": 5000000000", "model.vocab", "5000000000"},
      {"\"a\": 2", "\"a\": 18446744073709551615", "model.vocab", "no usable id"},
      {"\"a\": 2", "\"a\": 1e30", "model.vocab", "no usable id"},
      {"\"a\": 2", "\"a\": \"2\"", "model.vocab", "no usable id"},
      {"\"a\": 2", "\"a\": 2, \"a\": 9", "line", "twice"},
      {"\"unk_token\": \"[UNK]\"", "\"unk_token\": \"[unk]\"", "model.vocab", "[unk]"},
      {"\"ids\": [1]", "\"ids\": [7]", "special_tokens", "no token with id 7"},
      {"\"ids\": [1]", "\"ids\": [1, 1]", "special_tokens",
       "numbers of ids and tokens must be equal"},
      {"\"id\": \"[CLS]\", \"type_id\"", "\"id\": \"[XXX]\", \"type_id\"", "single[0]", "[XXX]"},
      {"\"id\": \"A\"", "\"id\": \"C\"", "single[1]", "\"A\" or \"B\""},
      {"\"id\": \"A\"", "\"id\": \"B\"", "single[1]", "no sequence B"},
      {"{\"id\": 0, \"content\"", "{\"id\": 1, \"content\"", "added_tokens[0]", "states id 1"},
      {"\"lstrip\": false,", "", "", "\"added_tokens[0].lstrip\" is missing"},
      {"\"max_input_chars_per_word\": 100", "\"max_input_chars_per_word\": -1", "",
       "\"model.max_input_chars_per_word\" is -1; it must be an integer of at least 0"},
      {"\"model\": {", "\"other\": {", "", "\"model\" is missing"},
      {"\"vocab\": {", "\"vocab\": [{", "line", ""},
  };
  for (const Row& row : rows) {
    SCOPED_TRACE(row.from + " -> " + row.to);
    const Error error = expect_error(ErrorCode::kBadModel, [&] {
      Tokenizer::from_json(replaced(kTinyJson, row.from, row.to), "", "dir/tokenizer.json");
    });
    EXPECT_EQ(error.file().find("dir/tokenizer.json"), 0u) << error.what();
    EXPECT_NE(error.place().text().find(row.place), std::string::npos) << error.what();
    EXPECT_NE(error.reason().find(row.reason), std::string::npos) << error.what();
  }
  EXPECT_EQ(Tokenizer::from_json(kTinyJson, "", "t").encode("ab").ids,
            (std::vector<int32_t>{1, 2, 3}));
}

TEST(TokenizerFiles, AnEmptyOrMissingDirectoryIsAnError) {
  TemporaryDirectory directory;
  for (const fs::path& path : {directory.path(), directory / "none"}) {
    const Error error = expect_error(ErrorCode::kIo, [&] { Tokenizer::from_directory(path); });
    EXPECT_EQ(error.file(), path.string());
  }
  fs::create_directory(directory / "vocab.txt");
  EXPECT_NE(expect_error(ErrorCode::kIo, [&] { Tokenizer::from_directory(directory.path()); })
                .place()
                .text()
                .find("vocab.txt"),
            std::string::npos);
}

TEST(TokenizerFiles, AVocabularyThatDisagreesWithTokenizerJsonIsAnError) {
  TemporaryDirectory directory;
  write(directory / "tokenizer.json", kTinyJson);
  write(directory / "vocab.txt", "[UNK]\n[CLS]\na\n##b\n");
  EXPECT_EQ(Tokenizer::from_directory(directory.path()).vocabulary_size(), 4u);
  write(directory / "vocab.txt", "[UNK]\n[CLS]\nx\n##b\n");
  const Error error =
      expect_error(ErrorCode::kBadModel, [&] { Tokenizer::from_directory(directory.path()); });
  EXPECT_NE(error.place().text().find("vocab.txt: line 3"), std::string::npos) << error.what();
}

TEST(TokenizerFiles, StoredTruncationAndPaddingAreNotApplied) {
  const std::string json = replaced(
      kTinyJson, "\"truncation\": null, \"padding\": null",
      R"("truncation": {"max_length": 1, "strategy": "LongestFirst", "stride": 0, "direction": "Right"},
         "padding": {"strategy": {"Fixed": 128}, "direction": "Right", "pad_id": 0,
                     "pad_type_id": 0, "pad_token": "[UNK]", "pad_to_multiple_of": null})");
  EXPECT_EQ(Tokenizer::from_json(json, "", "t").encode("ab a").ids,
            (std::vector<int32_t>{1, 2, 3, 2}));
}

void expect_same(const Tokenizer& a, const Tokenizer& b) {
  EXPECT_EQ(a.vocabulary_size(), b.vocabulary_size());
  EXPECT_EQ(a.model_max_length(), b.model_max_length());
  CounterStream random(testing::test_seed());
  for (int i = 0; i < 200; ++i) {
    const std::string text = testing::random_text(random, 15);
    const Encoding x = a.encode_pair(text, "the Day"), y = b.encode_pair(text, "the Day");
    ASSERT_EQ(x.ids, y.ids) << text;
    ASSERT_EQ(x.tokens, y.tokens) << text;
    ASSERT_EQ(x.offsets, y.offsets) << text;
    ASSERT_EQ(a.decode(x.ids), b.decode(y.ids)) << text;
  }
}

TEST(TokenizerFiles, ASavedTokenizerLoadsAsTheSame) {
  for (const bool lower_case : {true, false}) {
    TemporaryDirectory directory;
    Tokenizer::BertOptions options;
    options.do_lower_case = lower_case;
    options.model_max_length = 384;
    const Tokenizer original =
        Tokenizer::from_vocabulary(testing::sample_vocabulary(), options, "sample");
    testing::save_in(directory / "saved", original);
    for (const char* name :
         {"tokenizer.json", "tokenizer_config.json", "special_tokens_map.json", "vocab.txt"}) {
      EXPECT_TRUE(fs::exists(directory / "saved" / name)) << name;
    }
    expect_same(original, Tokenizer::from_directory(directory / "saved"));
    EXPECT_EQ(Tokenizer::from_directory(directory / "saved").model_max_length(), 384);
    // Also without tokenizer.json.
    fs::remove(directory / "saved" / "tokenizer.json");
    expect_same(original, Tokenizer::from_directory(directory / "saved"));
  }
}

// As in transformers: the config's value; without one, true for a vocabulary and false for a
// tokenizer.json.
TEST(TokenizerFiles, CleansUpSpacesWhenTransformersDoes) {
  const auto decoded = [](const Tokenizer& tokenizer) {
    return tokenizer.decode(tokenizer.encode("a' b").ids);
  };
  const std::vector<std::string> vocabulary = {"[PAD]",  "[UNK]", "[CLS]", "[SEP]",
                                               "[MASK]", "a",     "b",     "'"};
  TemporaryDirectory directory;
  const Tokenizer original = Tokenizer::from_vocabulary(vocabulary, {}, "sample");
  EXPECT_EQ(decoded(original), "a'b");
  testing::save_in(directory / "m", original);
  EXPECT_EQ(decoded(Tokenizer::from_directory(directory / "m")), "a'b") << "it is written down";
  fs::remove(directory / "m" / "tokenizer_config.json");
  EXPECT_EQ(decoded(Tokenizer::from_directory(directory / "m")), "a ' b");
  testing::save_in(directory / "n", Tokenizer::from_directory(directory / "m"));
  EXPECT_EQ(decoded(Tokenizer::from_directory(directory / "n")), "a ' b");
  for (const auto& [says, text] : {std::pair("true", "a'b"), std::pair("false", "a ' b")}) {
    SCOPED_TRACE(says);
    write(directory / "m" / "tokenizer_config.json",
          fmt::format("{{\"clean_up_tokenization_spaces\": {}}}", says));
    EXPECT_EQ(decoded(Tokenizer::from_directory(directory / "m")), text);
  }
  fs::remove(directory / "m" / "tokenizer.json");
  EXPECT_EQ(decoded(Tokenizer::from_directory(directory / "m")), "a ' b")
      << "the config says false";
}

TEST(TokenizerFiles, SavesAVocabularyFileUnchanged) {
  TemporaryDirectory directory;
  const std::string lines = "[UNK]\r\n[CLS]\r\n[SEP]\r\na\r\n##b\r\nc";
  write(directory / "words.txt", lines);
  Tokenizer::BertOptions options;
  options.model_max_length = 77;
  const Tokenizer original = Tokenizer::from_vocabulary_file(directory / "words.txt", options);
  EXPECT_EQ(original.encode("ab").ids, (std::vector<int32_t>{1, 3, 4, 2}));
  EXPECT_EQ(original.vocabulary_size(), 8u);  // the 6 lines, [PAD] and [MASK]
  testing::save_in(directory / "saved", original);
  EXPECT_EQ(read_file(directory / "saved" / "vocab.txt"), lines);
  expect_same(original, Tokenizer::from_directory(directory / "saved"));
  EXPECT_EQ(Tokenizer::from_directory(directory / "saved").model_max_length(), 77);
}

TEST(TokenizerFiles, SavesFilesThatWereReadUnchanged) {
  TemporaryDirectory directory;
  fs::create_directory(directory / "from");
  const std::string config = "{\"tokenizer_class\":  \"BertTokenizer\", \"own_key\": 1}";
  write(directory / "from" / "tokenizer.json", kTinyJson);
  write(directory / "from" / "tokenizer_config.json", config);
  testing::save_in(directory / "to", Tokenizer::from_directory(directory / "from"));
  EXPECT_EQ(read_file(directory / "to" / "tokenizer.json"), kTinyJson);
  EXPECT_EQ(read_file(directory / "to" / "tokenizer_config.json"), config);
  EXPECT_EQ(read_file(directory / "to" / "vocab.txt"), "[UNK]\n[CLS]\na\n##b\n");
}

}  // namespace
}  // namespace spanforge
