#include "linear/hostile.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <ostream>

#include "options.h"
#include "questions.h"
#include "spanforge/base/hash.h"
#include "spanforge/base/threads.h"
#include "spanforge/data/check.h"
#include "spanforge/data/overlap.h"
#include "spanforge/data/repair.h"
#include "spanforge/data/rewrite.h"
#include "spanforge/formats/safetensors.h"
#include "spanforge/formats/tfevents.h"
#include "spanforge/formats/torch_file.h"
#include "spanforge/formats/zip.h"
#include "spanforge/metrics/predictions_file.h"
#include "spanforge/metrics/squad.h"
#include "spanforge/model/config.h"
#include "spanforge/text/tokenizer.h"
#include "spanforge/text/vocabulary.h"
#include "spanforge/train/arguments.h"
#include "spanforge/train/state_files.h"
#include "support/colliding_texts.h"

namespace spanforge {

std::string repeat(std::string_view piece, size_t size) {
  std::string out;
  while (out.size() < size) out += piece;
  return out;
}

Make all(std::string piece, std::string before, std::string after) {
  return [=](size_t size) { return before + repeat(piece, size) + after; };
}

Make colliding(std::string before_key, std::string after_key, std::string before,
               std::string after) {
  return [=](size_t size) {
    std::string out = before;
    for (size_t i = 0; out.size() < size; ++i) {
      out += before_key + testing::colliding_text(i) + after_key;
    }
    return out + after;
  };
}

namespace {

// --- What is fed -------------------------------------------------------------------------------

// Pieces with a number in each.
Make numbered(std::string before_number, std::string after_number, std::string before = "",
              std::string after = "") {
  return [=](size_t size) {
    std::string out = before;
    for (size_t i = 0; out.size() < size; ++i) {
      out += before_number + std::to_string(i) + after_number;
    }
    return out + after;
  };
}
// A number and a key as colliding() makes them in each.
Make numbered_colliding(std::string before_number, std::string before_key, std::string after_key) {
  return [=](size_t size) {
    std::string out;
    for (size_t i = 0; out.size() < size; ++i) {
      out +=
          before_number + std::to_string(i) + before_key + testing::colliding_text(i) + after_key;
    }
    return out;
  };
}
std::string little_endian(uint64_t value, size_t size) {
  std::string out;
  for (size_t i = 0; i < size; ++i) out += static_cast<char>(value >> (8 * i) & 0xFF);
  return out;
}

// --- What it is fed to ---------------------------------------------------------------------------

// An error is an end like any other: only the time counts.
template <class Body>
void whatever_comes(Body&& body) {
  try {
    body();
  } catch (const Error& error) {
    ASSERT_NE(error.code(), ErrorCode::kInternal) << error.what();
  }
}

void read_json(const std::string& text) {
  whatever_comes([&] { parse_json(text, "f", ErrorCode::kBadData); });
}
void read_config(const std::string& text) {
  whatever_comes([&] { ModelConfig::from_json_text(text, "f"); });
}
void read_safetensors(const std::string& header) {
  whatever_comes([&] { parse_safetensors(little_endian(header.size(), 8) + header, "f"); });
}
void check_data(const std::string& text) {
  whatever_comes([&] {
    const Dataset dataset = parse_dataset(text, "f");
    const std::vector<const Dataset*> files = {&dataset};
    check_verdict(check_datasets(files), files);
  });
}
// As data check and data fix read: faults are noted and the rest is looked at.
void survey_and_fix(const std::string& text) {
  whatever_comes([&] {
    const Dataset dataset = survey_text(text, "f");
    const std::vector<const Dataset*> files = {&dataset};
    check_to_text(check_datasets(files), files);
    const RepairPlan plan = plan_repairs(dataset, {.similar = true, .trim = true});
    plan_to_text(plan, dataset);
    std::vector<AnswerChange> changes;
    for (const Repair& one : plan.repairs) changes.push_back({one.example, one.answer, one.after});
    find_byte_changes(text, dataset, changes);
  });
}
void compare_data(const std::string& text) {
  whatever_comes([&] {
    const Dataset dataset = parse_dataset(text, "f");
    find_overlap(dataset, dataset);
  });
}
void score_words(const std::string& text) { squad_f1(text, text + " x"); }
void read_questions(const std::string& text) {
  whatever_comes([&] { app::parse_questions(text, "f"); });
}
void read_predictions(const std::string& text) {
  whatever_comes([&] { parse_predictions(text, "f"); });
}
void read_trainer_state(const std::string& text) {
  whatever_comes([&] {
    std::filesystem::path best;
    trainer_state_from_json(parse_json(text, "f", ErrorCode::kBadModel), "f", best);
  });
}
void read_events_of(const std::string& bytes) {
  whatever_comes([&] { parse_events(bytes, "f"); });
}
void read_torch(const std::string& pickle) {
  std::string file;
  ZipWriter zip([&](std::string_view bytes) { file += bytes; });
  zip.add("archive/data.pkl", "\x80\x02" + pickle);
  zip.add("archive/data/0", "aaaabbbbccccdddd");
  zip.finish();
  whatever_comes([&] { parse_torch_file(file, "f"); });
}
void read_archive(const std::string& bytes) {
  whatever_comes([&] { read_zip(bytes, "f"); });
}
void read_toml(const std::string& text) {
  whatever_comes([&] {
    TrainingArguments arguments;
    app::OptionTable table;
    visit_training_arguments(arguments, table);
    table.apply_config(text, "f");
  });
}
void read_vocabulary(const std::string& text) {
  whatever_comes([&] { Tokenizer::from_vocabulary_text(text, {}, "f"); });
}
// The table of tokens alone: what else a vocabulary of long tokens costs, VocabularyManyLines
// measures.
void add_tokens(const std::string& text) {
  std::vector<std::string_view> lines;
  for (size_t begin = 0; begin < text.size(); begin += lines.back().size() + 1) {
    lines.push_back(std::string_view(text).substr(begin, text.find('\n', begin) - begin));
  }
  Vocabulary vocabulary;
  auto tokens = vocabulary.ahead(lines.size(), [&](size_t i) { return lines[i]; });
  for (size_t i = 0; i < lines.size(); ++i) {
    vocabulary.add(tokens.next(), static_cast<int64_t>(i), "f");
  }
}
void read_tokenizer(const std::string& json) {
  whatever_comes([&] { Tokenizer::from_json(json, "", "f"); });
}

constexpr const char* kTokenizerHead =
    R"({"version": "1.0", "normalizer": {"type": "BertNormalizer", "clean_text": true,
    "handle_chinese_chars": true, "strip_accents": null, "lowercase": true},
    "pre_tokenizer": {"type": "BertPreTokenizer"},
    "decoder": {"type": "WordPiece", "prefix": "##", "cleanup": true}, )";
constexpr const char* kModelHead =
    R"("model": {"type": "WordPiece", "unk_token": "[UNK]", "continuing_subword_prefix": "##",
    "max_input_chars_per_word": 1000000000, "vocab": {"[UNK]": 0, "a": 1, "##a": 2)";

std::string added_tokens(size_t count, const std::string& flags) {
  std::string out = "\"added_tokens\": [";
  for (size_t i = 0; i < count; ++i) {
    out += (i > 0 ? ", " : "") + std::string(R"({"content": "[x)") + std::to_string(i) +
           R"(]", "single_word": false, "lstrip": true, "rstrip": true, "normalized": false, )" +
           R"("special": true, "id": )" + std::to_string(i + 4) + flags + "}";
  }
  return out + "], ";
}
std::string tokenizer_json(const std::string& added) {
  return std::string(kTokenizerHead) + added + kModelHead + R"(, "##)" + std::string(500, 'a') +
         R"(b": 3}}})";
}
void read_tokenizer_config(const std::string& config) {
  static const std::string json = tokenizer_json("");
  whatever_comes([&] { Tokenizer::from_json(json, config, "f"); });
}

// Few tokens; one of them long, so that "aaaa..." is followed far before it is given up; words may
// be of any length.
const Tokenizer& plain_tokenizer() {
  static const Tokenizer tokenizer = Tokenizer::from_json(tokenizer_json(""), "", "f");
  return tokenizer;
}
const Tokenizer& many_specials() {
  static const Tokenizer tokenizer =
      Tokenizer::from_json(tokenizer_json(added_tokens(5000, "")), "", "f");
  return tokenizer;
}
const Tokenizer& bert_tokenizer() {
  static const Tokenizer tokenizer = Tokenizer::from_vocabulary(
      {"[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "a", "##a", "##b", "一", ".", "e"}, {}, "f");
  return tokenizer;
}
Use encode_with(const Tokenizer& (*tokenizer)()) {
  return [tokenizer](const std::string& text) { tokenizer().encode(text); };
}
void encode_in_windows(const std::string& text) {
  EncodeOptions options;
  options.truncation = Truncation{64, 32, TruncationStrategy::kLongestFirst};
  bert_tokenizer().encode(text, options);
}

std::string long_context(size_t size, const std::string& answers) {
  const std::string context = repeat("word ", size / 2);
  std::string out = R"({"data": [{"paragraphs": [{"context": ")" + context + R"(", "qas": [)";
  for (size_t i = 0; out.size() < size; ++i) {
    out += (i > 0 ? ", " : "") + std::string(R"({"id": ")") + std::to_string(i) +
           R"(", "question": "q", "answers": )" + answers + "}";
  }
  return out + "]}]}]}";
}
Make in_one_context(std::string answers) {
  return [=](size_t size) { return long_context(size, answers); };
}

std::string event_record(const std::string& body) {
  const auto masked = [](std::string_view bytes) {
    const uint32_t crc = crc32c(bytes);
    return little_endian((crc >> 15 | crc << 17) + 0xA282EAD8u, 4);
  };
  const std::string length = little_endian(body.size(), 8);
  return length + masked(length) + body + masked(body);
}
std::string one_event_of_many_values(size_t size) {
  std::string summary;
  for (size_t i = 0; summary.size() < size; ++i) {
    summary += std::string("\x0a\x08\x0a\x01t\x15\0\0\0\0", 10);  // value {tag, simple_value}
  }
  std::string length;
  for (size_t rest = summary.size(); rest > 0; rest >>= 7) {
    length += static_cast<char>((rest & 127) | (rest > 127 ? 128 : 0));
  }
  return event_record("\x2a" + length + summary);
}
std::string archive_of(
    size_t size, size_t entry_bytes,
    const std::function<std::string(size_t)>& name_of = [](size_t i) {
      return std::to_string(i);
    }) {
  std::string out;
  ZipWriter zip([&](std::string_view bytes) { out += bytes; });
  for (size_t i = 0; out.size() < size; ++i) {
    zip.add("archive/data/" + name_of(i), std::string(entry_bytes, 'x'));
  }
  zip.finish();
  return out;
}

}  // namespace

void encode_bert(const std::string& text) { bert_tokenizer().encode(text); }
void PrintTo(const Hostile& row, std::ostream* out) { *out << row.name; }

const std::vector<Hostile>& hostile_table() {
  static const std::string kGoodRow =
      "{\"id\":\"x\",\"question\":\"q\",\"context\":\"c\",\"answers\":[]}\n";
  static const std::string kPickleTensor = std::string(
      "ctorch._utils\n_rebuild_tensor_v2\n((X\7\0\0\0storagectorch\nFloatStorage\n"
      "X\1\0\0\0"
      "0X\3\0\0\0cpuK\4tQK\0(K\4t(K\1t\x89"
      "ccollections\nOrderedDict\n)RtR",
      126);
  static const std::vector<Hostile> rows = {
      {"JsonBrackets", all("["), read_json},
      {"JsonBraces", all("{\"a\":"), read_json},
      {"JsonNestedToTheLimit", all(std::string(62, '[') + std::string(62, ']') + ",", "[", "0]"),
       read_json},
      {"JsonLongNumber", all("1"), read_json},
      {"JsonLongFraction", all("1", "0."), read_json},
      {"JsonLongExponent", all("0", "1e"), read_json},
      {"JsonManyNumbers", all("1.5e-7,", "[", "0]"), read_json},
      {"JsonLongText", all("a", "\"", "\""), read_json},
      {"JsonEscapes", all("\\u00e9\\n", "\"", "\""), read_json},
      {"JsonSpaces", all(" \n"), read_json},
      {"JsonManyKeys", numbered("\"", "\":0,", "{", "\"x\":0}"), read_json},
      {"JsonTheSameKey", all("\"a\":0,", "{", "\"a\":0}"), read_json},
      {"JsonManySmallObjects", all("{\"a\":{}},", "[", "0]"), read_json},
      {"JsonWrongAtTheEnd", all("\"\xc3\xa9\",\n", "[", "nix]"), read_json},
      {"ConfigManyKeys", numbered("\"", "\":0,", "{", "\"x\":0}"), read_config},
      {"SafetensorsManyTensors",
       numbered("\"", R"(":{"dtype":"F32","shape":[0],"data_offsets":[0,0]},)", "{",
                R"("x":{"dtype":"F32","shape":[0],"data_offsets":[0,0]}})"),
       read_safetensors},
      {"SafetensorsTheSameTensor",
       all(R"("a":{"dtype":"F32","shape":[0],"data_offsets":[0,0]},)", "{",
           R"("a":{"dtype":"F32","shape":[0],"data_offsets":[0,0]}})"),
       read_safetensors},
      {"SafetensorsNamesOfOneHash",
       colliding("\"", R"(":{"dtype":"F32","shape":[0],"data_offsets":[0,0]},)", "{",
                 R"("x":{"dtype":"F32","shape":[0],"data_offsets":[0,0]}})"),
       read_safetensors},
      {"SafetensorsMetadata", numbered("\"", "\":\"\",", "{\"__metadata__\":{", "\"x\":\"\"}}"),
       read_safetensors},
      {"SafetensorsLongName", all("n", "{\"", "\":{}}"), read_safetensors},
      {"SafetensorsLongShape", all("1,", R"({"a":{"shape":[)", "1]}}"), read_safetensors},
      {"DataManyContexts",
       numbered(R"({"id":")", R"(","question":"q","context":"c","answers":[]},)", "{\"data\":[",
                R"({"id":"x","question":"q","context":"c","answers":[]}]})"),
       check_data},
      {"DataOneLongContext", in_one_context("[]"), check_data},
      {"DataAnswersInOneContext", in_one_context(R"([{"text": "word", "answer_start": 5}])"),
       check_data},
      {"DataWrongAnswersInOneContext", in_one_context(R"([{"text": "word", "answer_start": 6}])"),
       check_data},
      {"DataAbsentAnswersInOneContext", in_one_context(R"([{"text": "wort", "answer_start": 6}])"),
       check_data},
      {"DataManyAnswers",
       all(R"({"text":"a","answer_start":0},)",
           R"({"id":"x","question":"q","context":"a","answers":[)",
           R"({"text":"a","answer_start":0}]})"),
       check_data},
      {"DataManyUnknownKeys", numbered("\"", "\":0,", "{", "\"data\":[]}"), check_data},
      {"DataManyKeysInAnAnswer",
       numbered("\"", "\":0,", R"({"id":"x","question":"q","context":"c","answers":[{)",
                R"("text":"c","answer_start":0}]})"),
       check_data},
      {"DataBrackets", all("["), check_data},
      {"DataDeepUnknown", all("[", "{\"a\":"), check_data},
      {"DataWrongAtTheEnd", all("{},\n", "{\"x\":[", "nix"), check_data},
      {"DataJsonLines",
       numbered(R"({"id":")", "\",\"question\":\"q\",\"context\":\"c\",\"answers\":[]}\n"),
       check_data},
      {"DataEmptyLines",
       all("\n", "{\"id\":\"a\",\"question\":\"q\",\"context\":\"c\",\"answers\":[]}\n{", "}"),
       check_data},
      {"DataTheSameId", all("{\"id\":\"a\",\"question\":\"q\",\"context\":\"c\",\"answers\":[]}\n"),
       survey_and_fix},
      {"DataBadRows", all("{\"id\":\"a\",\"question\":5}\n", "", kGoodRow), survey_and_fix},
      {"DataBadQuestions",
       all(R"({"id":"a"},)", R"({"data":[{"paragraphs":[{"context":"c","qas":[)",
           R"({"id":"b","question":"q","answers":[]}]}]}]})"),
       survey_and_fix},
      {"DataParagraphsWithoutContext",
       all(R"({"qas":[{"id":"a","question":"q","answers":[]}]},)", R"({"data":[{"paragraphs":[)",
           R"({"context":"c","qas":[{"id":"b","question":"q","answers":[]}]}]}]})"),
       survey_and_fix},
      {"DataAnswersWithoutStarts",
       numbered(R"({"id":")", R"(","question":"q","answers":["c"]},)",
                R"({"data":[{"paragraphs":[{"context":"c","qas":[)",
                R"({"id":"x","question":"q","answers":["c"]}]}]}]})"),
       survey_and_fix},
      {"DataAnswersToRepair",
       numbered(R"({"id":")",
                "\",\"question\":\"q\",\"context\":\"one two three\","
                "\"answers\":[{\"text\":\"two\",\"answer_start\":5}]}\n"),
       survey_and_fix},
      {"DataIdsOfOneHash",
       colliding(R"({"id":")", "\",\"question\":\"q\",\"context\":\"c\",\"answers\":[]}\n"),
       survey_and_fix},
      {"DataContextsOfOneHash",
       numbered_colliding(R"({"id":")", R"(","question":"q","context":")", "\",\"answers\":[]}\n"),
       compare_data},
      {"DataQuestionsOfOneHash",
       numbered_colliding(R"({"id":")", R"(","context":"c","question":")", "\",\"answers\":[]}\n"),
       compare_data},
      {"DataKeysOfOneHash",
       colliding("\"", "\":0,", R"({"id":"x","question":"q","context":"c","answers":[{)",
                 R"("text":"c","answer_start":0}]})"),
       check_data},
      {"QuestionsManyLines", all("{\"question\":\"q\",\"context\":\"c\"}\n"), read_questions},
      {"QuestionsOneLine", all("c", "{\"question\":\"q\",\"context\":\"", "\"}"), read_questions},
      {"PredictionsMany", numbered("\"", "\":\"t\",", "{", "\"x\":\"\"}"), read_predictions},
      {"PredictionsOfOneHash", colliding("\"", "\":\"t\",", "{", "\"x\":\"\"}"), read_predictions},
      {"WordsOfOneHash", colliding("", " "), score_words},
      {"TrainerStateHistory",
       numbered("{\"loss\":1,\"step\":", "},", "{\"global_step\":1,\"epoch\":1,\"log_history\":[",
                "{}],\"best_metric\":null}"),
       read_trainer_state},
      {"TrainerStateOneLongLine",
       numbered("\"", "\":1,", "{\"global_step\":1,\"epoch\":1,\"log_history\":[{",
                "\"x\":1}],\"best_metric\":null}"),
       read_trainer_state},
      {"EventsSmallRecords",
       [](size_t size) { return repeat(event_record(std::string("\x10\x01", 2)), size); },
       read_events_of},
      {"EventsEmptyRecords", [](size_t size) { return repeat(event_record(""), size); },
       read_events_of},
      {"EventsManyValues", one_event_of_many_values, read_events_of},
      {"PickleMarks", all("("), read_torch},
      {"PickleNestedLists",
       [](size_t size) { return repeat("]", size / 2) + repeat("a", size / 2 - 1) + "."; },
       read_torch},
      {"PickleAppends", all("Na", "]", "."), read_torch},
      {"PickleAppendsOfAll", all("N", "](", "e."), read_torch},
      {"PickleTheSameKey", all("K\1K\2s", "}", "."), read_torch},
      {"PickleKeysOfOneHash",
       [](size_t size) {
         std::string out = "}";
         for (size_t i = 0; out.size() < size; ++i) {
           const std::string key = testing::colliding_text(i);
           out += "X" + little_endian(key.size(), 4) + key + "Ns";
         }
         return out + ".";
       },
       read_torch},
      {"PickleMemo", all("h", "]q\x68", "."), read_torch},
      {"PickleMemoize", all("\x94", "]", "."), read_torch},
      {"PickleTuples", all(std::string("\x85"), "N", "."), read_torch},
      {"PickleTensors", all(kPickleTensor + "a", "]", "."), read_torch},
      {"PickleLongText",
       [](size_t size) { return "X" + little_endian(size, 4) + std::string(size, 'a') + "."; },
       read_torch},
      {"PickleLineWithoutEnd", all("c"), read_torch},
      {"ZipManyEntries", [](size_t size) { return archive_of(size, 0); }, read_archive},
      {"ZipNamesOfOneHash",
       [](size_t size) { return archive_of(size, 0, testing::colliding_text); }, read_archive},
      {"ZipLargeEntries", [](size_t size) { return archive_of(size, 5000); }, read_archive},
      {"ZipManyEnds", all("PK\x05\x06"), read_archive},
      {"TomlManyKeys", numbered("k", " = 1\n"), read_toml},
      {"TomlLongList", all("'a',", "allow_changed = [", "'b']"), read_toml},
      {"TomlComments", all("# c\n"), read_toml},
      {"TomlLongText", all("a", "output = '", "'"), read_toml},
      {"TomlLongKey", all("k", "", " = 1"), read_toml},
      {"TomlBrackets", all("[", "a = "), read_toml},
      {"TomlTables", numbered("[t", "]\n"), read_toml},
      {"TomlQuotes", all("\"\""), read_toml},
      {"VocabularyManyLines", numbered("t", "\n", "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\n"),
       read_vocabulary},
      {"VocabularyOfOneHash", colliding("", "\n"), add_tokens},
      {"VocabularyTheSameLine", all("t\n", "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\n"),
       read_vocabulary},
      {"VocabularyEmptyLines", all("\n", "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\n"), read_vocabulary},
      {"VocabularyOneLine", all("t", "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\n"), read_vocabulary},
      {"TokenizerJsonVocabulary",
       [](size_t size) {
         std::string out = std::string(kTokenizerHead) + kModelHead;
         for (size_t i = 3; out.size() < size; ++i) {
           out += ", \"t" + std::to_string(i) + "\": " + std::to_string(i);
         }
         return out + "}}}";
       },
       read_tokenizer},
      {"TokenizerJsonAddedTokens",
       [](size_t size) { return tokenizer_json(added_tokens(size / 150, "")); }, read_tokenizer},
      {"TokenizerJsonNormalizers",
       [](size_t size) {
         return R"({"version": "1.0", "normalizer": {"type": "Sequence", "normalizers": [)" +
                repeat(R"({"type": "NFD"},)", size) + R"({"type": "NFD"}]}, )" + kModelHead + "}}}";
       },
       read_tokenizer},
      {"TokenizerConfigSpecialTokens",
       numbered("\"[x", "]\",", "{\"additional_special_tokens\": [", "\"[x]\"]}"),
       read_tokenizer_config},
      {"TokenizerConfigAddedTokens",
       numbered("\"",
                R"(": {"content": "[SEP]", "lstrip": false, "normalized": false, "rstrip": false,
                "single_word": false, "special": true},)",
                "{\"added_tokens_decoder\": {",
                R"("999999999": {"content": "[SEP]", "lstrip": false, "normalized": false,
                "rstrip": false, "single_word": false, "special": true}}})"),
       read_tokenizer_config},
      {"TextWithoutSpaces", all("a"), encode_with(bert_tokenizer)},
      {"TextOfOneLongWord", all("a"), encode_with(plain_tokenizer)},
      {"TextOfLongWords", all(std::string(99, 'a') + " "), encode_with(bert_tokenizer)},
      {"TextOfWordsTooLong", all(std::string(5000, 'a') + " "), encode_with(bert_tokenizer)},
      {"TextOfUnknownWords", all("zq "), encode_with(bert_tokenizer)},
      {"TextOfCombiningMarks", all("\u0301", "e"), encode_with(bert_tokenizer)},
      {"TextOfUnorderedMarks", all("\u0301\u0316\u0327", "e"), encode_with(bert_tokenizer)},
      {"TextOfChinese", all("一"), encode_with(bert_tokenizer)},
      {"TextOfHangul", all("각"), encode_with(bert_tokenizer)},
      {"TextOfPunctuation", all("."), encode_with(bert_tokenizer)},
      {"TextOfSpaces", all(" \t\u3000"), encode_with(bert_tokenizer)},
      {"TextOfControlCharacters", all(std::string("\x01\0\xc2\x85", 4)),
       encode_with(bert_tokenizer)},
      {"TextOfEmoji", all("👩‍🚀"), encode_with(bert_tokenizer)},
      {"TextOfSpecialTokens", all("[SEP]"), encode_with(bert_tokenizer)},
      {"TextOfBrackets", all("["), encode_with(bert_tokenizer)},
      {"TextOfBracketsManySpecials", all("["), encode_with(many_specials)},
      {"TextOfManySpecials", numbered("[x", "] "), encode_with(many_specials)},
      {"TextOfSpecialsAndSpaces", all("[x1]    "), encode_with(many_specials)},
      {"TextInWindows", all("a. "), encode_in_windows},
  };
  return rows;
}

}  // namespace spanforge
