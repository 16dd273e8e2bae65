// Which tokenizer classes are accepted as BERT's, and the errors for others.

#include "spanforge/text/tokenizer_class.h"

#include <gtest/gtest.h>

#include "spanforge/base/json.h"
#include "support/saving.h"
#include "text/sample.h"

namespace spanforge {
namespace {

using testing::expect_error;
using testing::TemporaryDirectory;
using testing::write;

const char* const kVocabulary = "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\na\n##b\nA\n";

TokenizerClass find(const std::string& tokenizer_config, const std::string& model_config = "{}",
                    bool has_tokenizer_json = true) {
  const Json first = parse_json(tokenizer_config, "t", ErrorCode::kInternal);
  const Json second = parse_json(model_config, "c", ErrorCode::kInternal);
  return find_tokenizer_class({first, "tokenizer_config.json"}, {second, "config.json"},
                              has_tokenizer_json);
}

std::string class_is(const std::string& name) { return "{\"tokenizer_class\": \"" + name + "\"}"; }

TEST(TokenizerClass, AcceptsClassesLikeBerts) {
  for (const std::string name :
       {"BertTokenizer", "ElectraTokenizer", "MobileBertTokenizer", "ConvBertTokenizer",
        "LayoutLMTokenizer", "LxmertTokenizer", "SqueezeBertTokenizer", "RealmTokenizer",
        "DPRContextEncoderTokenizer", "DPRQuestionEncoderTokenizer"}) {
    for (const std::string& spelt : {name, name + "Fast"}) {
      SCOPED_TRACE(spelt);
      for (const TokenizerClass& found : {find(class_is(spelt)), find("{}", class_is(spelt))}) {
        EXPECT_EQ(found.name, spelt);
        EXPECT_FALSE(found.is_file_alone);
        EXPECT_TRUE(found.makes_token_types);
      }
    }
  }
  for (const char* nothing : {"{}", R"({"tokenizer_class": null})"}) {
    EXPECT_EQ(find(nothing, nothing).name, "");
    EXPECT_TRUE(find(nothing, nothing).makes_token_types);
  }
}

TEST(TokenizerClass, RefusesOtherClassesByNameAndFile) {
  for (const char* name :
       {"BertJapaneseTokenizer", "BartTokenizer", "GPT2TokenizerFast", "XLMRobertaTokenizer",
        "AlbertTokenizer", "PreTrainedTokenizer", "PreTrainedTokenizerFastFast", "FunnelTokenizer",
        "SplinterTokenizer", "RoCBertTokenizer", "KoBertTokenizer", "BertGenerationTokenizer",
        "BertTokenizerSlow", "Fast", ""}) {
    SCOPED_TRACE(name);
    const Error own = expect_error(ErrorCode::kBadModel, [&] { find(class_is(name)); });
    EXPECT_EQ(own.file(), "tokenizer_config.json");
    EXPECT_NE(own.reason().find(name), std::string::npos) << own.what();
    const Error models = expect_error(ErrorCode::kBadModel, [&] { find("{}", class_is(name)); });
    EXPECT_EQ(models.file(), "config.json");
  }
  // tokenizer_config.json overrides config.json.
  EXPECT_EQ(find(class_is("BertTokenizer"), class_is("XLNetTokenizer")).name, "BertTokenizer");
  expect_error(ErrorCode::kBadModel, [] { find(R"({"tokenizer_class": 7})"); });
}

TEST(TokenizerClass, WithoutANameTheModelTypesUsualClassCounts) {
  const std::pair<const char*, const char*> rows[] = {{"bert", "BertTokenizer"},
                                                      {"ernie", "BertTokenizer"},
                                                      {"electra", "ElectraTokenizer"},
                                                      {"distilbert", "DistilBertTokenizer"},
                                                      {"roberta", "RobertaTokenizer"},
                                                      {"longformer", "LongformerTokenizer"},
                                                      {"mpnet", "MPNetTokenizer"},
                                                      {"mobilebert", "MobileBertTokenizer"},
                                                      {"modernbert", "PreTrainedTokenizerFast"}};
  for (const auto& [type, name] : rows) {
    SCOPED_TRACE(type);
    const std::string config = std::string(R"({"model_type": ")") + type + "\"}";
    const TokenizerClass found = find("{}", config);
    EXPECT_EQ(found.name, name);
    EXPECT_TRUE(found.by_model_type);
    const TokenizerClass named = find(class_is("BertTokenizer"), config);
    EXPECT_EQ(named.name, "BertTokenizer");
    EXPECT_FALSE(named.by_model_type);
  }
  for (const char* type : {"albert", "camembert", "xlm-roberta", "deberta-v2"}) {
    SCOPED_TRACE(type);
    const Error error = expect_error(ErrorCode::kBadModel, [&] {
      find("{}", std::string(R"({"model_type": ")") + type + "\"}");
    });
    EXPECT_EQ(error.file(), "config.json");
    EXPECT_NE(error.reason().find(type), std::string::npos) << error.what();
  }
  EXPECT_EQ(find("{}", R"({"model_type": "of_another_kind"})").kind, nullptr);
  EXPECT_EQ(find("{}", R"({"model_type": 7})").name, "");
}

TEST(TokenizerClass, RobertasMakesNoTokenTypes) {
  for (const char* name : {"RobertaTokenizer", "RobertaTokenizerFast", "LongformerTokenizerFast"}) {
    EXPECT_FALSE(find(class_is(name)).makes_token_types) << name;
    EXPECT_EQ(find(class_is(name)).kind, &roberta_kind()) << name;
  }
}

TEST(TokenizerClass, MpnetsVocabularyHasRobertasSpecialTokens) {
  TemporaryDirectory directory;
  write(directory.path() / "vocab.txt", "<s>\n<pad>\n</s>\n[UNK]\na\n##b\n<mask>\n");
  write(directory.path() / "config.json", R"({"model_type": "mpnet"})");
  const Tokenizer tokenizer = Tokenizer::from_directory(directory.path());
  const Encoding pair = tokenizer.encode_pair("a ab", "a <mask>");
  EXPECT_EQ(pair.ids, (std::vector<int32_t>{0, 4, 4, 5, 2, 2, 4, 6, 2}));
  EXPECT_EQ(pair.type_ids, std::vector<int32_t>(9, 0));
  EXPECT_EQ(tokenizer.special_tokens().pad, 1);
}

TEST(TokenizerClass, FieldsThatMeanOtherTokensAreRefused) {
  const std::pair<const char*, const char*> rows[] = {
      {R"({"word_tokenizer_type": "mecab"})", "mecab"},
      {R"({"subword_tokenizer_type": "character"})", "character"},
      {R"({"tokenizer_class": "BertTokenizer", "word_tokenizer_type": "sudachi"})", "sudachi"},
      {R"({"word_tokenizer_type": {"a": 1}})", "word_tokenizer_type"},
      {R"({"auto_map": {"AutoTokenizer": ["t.T", null]}})", "t.T"},
      {R"({"auto_map": ["t.T", "t.TFast"]})", "t.TFast"}};
  for (const auto& [config, reason] : rows) {
    SCOPED_TRACE(config);
    const Error error = expect_error(ErrorCode::kBadModel, [&] { find(config); });
    EXPECT_EQ(error.file(), "tokenizer_config.json");
    EXPECT_NE(error.reason().find(reason), std::string::npos) << error.what();
  }
  find(R"({"word_tokenizer_type": "basic", "subword_tokenizer_type": "wordpiece"})");
  find("{}", R"({"auto_map": {"AutoModel": "m.M"}})");
  const char* code = R"({"auto_map": {"AutoTokenizer": "t.T"}})";
  EXPECT_EQ(expect_error(ErrorCode::kBadModel, [&] { find("{}", code); }).file(), "config.json");
  find(class_is("BertTokenizer"), code);  // transformers ignores config.json then
}

TEST(TokenizerClass, TheFileAloneCountsForTheBaseClasses) {
  for (const char* name : {"PreTrainedTokenizerFast", "TokenizersBackend"}) {
    SCOPED_TRACE(name);
    EXPECT_TRUE(find(class_is(name)).is_file_alone);
    const Error error = expect_error(
        ErrorCode::kBadModel, [&] { find(class_is(name), "{}", /*has_tokenizer_json=*/false); });
    EXPECT_NE(error.reason().find("tokenizer.json"), std::string::npos) << error.what();
  }
}

TEST(TokenizerClass, DecidesWhetherTokenTypesAreMade) {
  EXPECT_FALSE(find(class_is("DistilBertTokenizer")).makes_token_types);
  EXPECT_FALSE(find("{}", class_is("DistilBertTokenizerFast")).makes_token_types);
  EXPECT_FALSE(find(R"({"model_input_names": ["input_ids", "attention_mask"]})").makes_token_types);
  EXPECT_FALSE(find(class_is("TokenizersBackend")).makes_token_types);
  EXPECT_TRUE(find(class_is("PreTrainedTokenizerFast")).makes_token_types);
  EXPECT_TRUE(find(R"({"tokenizer_class": "DistilBertTokenizer",
                       "model_input_names": ["input_ids", "token_type_ids"]})")
                  .makes_token_types);
}

TEST(TokenizerClass, IsReadFromBothFilesOfADirectory) {
  for (const bool with_json : {false, true}) {
    SCOPED_TRACE(with_json);
    TemporaryDirectory directory;
    write(directory / "vocab.txt", kVocabulary);
    if (with_json) testing::save_in(directory.path(), Tokenizer::from_directory(directory.path()));
    fs::remove(directory / "tokenizer_config.json");
    write(directory / "config.json", class_is("BertJapaneseTokenizer"));
    const Error error =
        expect_error(ErrorCode::kBadModel, [&] { Tokenizer::from_directory(directory.path()); });
    EXPECT_EQ(error.file(), (directory / "config.json").string());
    write(directory / "config.json", "{");  // the model's reader reports it
    EXPECT_EQ(Tokenizer::from_directory(directory.path()).vocabulary_size(), 8u);
  }
}

TEST(TokenizerClass, WithoutTokenTypesAllAreZeroAndASavedDirectoryKeepsThat) {
  TemporaryDirectory directory;
  write(directory / "vocab.txt", kVocabulary);
  const auto types = [](const Tokenizer& tokenizer) {
    return tokenizer.encode_pair("a", "a").type_ids;
  };
  EXPECT_EQ(types(Tokenizer::from_directory(directory.path())),
            (std::vector<int32_t>{0, 0, 0, 1, 1}));
  write(directory / "config.json", class_is("DistilBertTokenizer"));
  const Tokenizer tokenizer = Tokenizer::from_directory(directory.path());
  EXPECT_EQ(types(tokenizer), (std::vector<int32_t>{0, 0, 0, 0, 0}));
  testing::save_in(directory / "saved", tokenizer);
  EXPECT_EQ(types(Tokenizer::from_directory(directory / "saved")),
            (std::vector<int32_t>{0, 0, 0, 0, 0}));
}

// Files of transformers 5 have no added_tokens_decoder and another name for the additional tokens.
TEST(TokenizerClass, ATokenizersBackendIsItsFile) {
  TemporaryDirectory directory;
  write(directory / "vocab.txt", kVocabulary);
  testing::save_in(directory / "m", Tokenizer::from_directory(directory.path()));
  fs::remove(directory / "m" / "special_tokens_map.json");
  const auto ids = [&](const std::string& config, const std::string& text) {
    write(directory / "m" / "tokenizer_config.json", config);
    return Tokenizer::from_directory(directory / "m").encode(text).ids;
  };
  const std::string names =
      R"("backend": "tokenizers", "cls_token": "[CLS]", "sep_token": "[SEP]",)"
      R"( "do_lower_case": false, "is_local": true, "tokenizer_class": )";
  EXPECT_EQ(ids("{" + names + "\"TokenizersBackend\"}", "AB"), (std::vector<int32_t>{2, 5, 6, 3}));
  EXPECT_EQ(ids("{" + names + "\"BertTokenizer\"}", "A"), (std::vector<int32_t>{2, 7, 3}));
  EXPECT_EQ(
      ids("{\"extra_special_tokens\": [\"<x>\"], " + names + "\"TokenizersBackend\"}", "a<x>"),
      (std::vector<int32_t>{2, 5, 8, 3}));
  EXPECT_EQ(
      ids("{\"extra_special_tokens\": {\"x_token\": \"<x>\"}, " + names + "\"TokenizersBackend\"}",
          "<x>a"),
      (std::vector<int32_t>{2, 8, 5, 3}));
}

// The original files of cased models have no tokenizer_config.json: capitals would be lost
// silently.
TEST(TokenizerNote, ReportsCapitalsThatWouldBeLost) {
  TemporaryDirectory directory;
  write(directory / "vocab.txt", kVocabulary);
  const auto note = [&] {
    return Tokenizer::from_directory(directory.path()).note().value_or("none");
  };
  EXPECT_NE(note().find("vocab.txt: 1 of 8 tokens have capital letters"), std::string::npos)
      << note();
  write(directory / "tokenizer_config.json", R"({"do_lower_case": true})");
  EXPECT_EQ(note(), "none");
  write(directory / "tokenizer_config.json", "{}");
  EXPECT_NE(note(), "none");
  write(directory / "vocab.txt", "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\na\n");
  EXPECT_EQ(note(), "none");
}

}  // namespace
}  // namespace spanforge
