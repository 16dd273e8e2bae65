#include "linear/uses.h"

#include <fstream>

#include <gtest/gtest.h>

#include "linear/makes.h"
#include "options.h"
#include "questions.h"
#include "spanforge/data/check.h"
#include "spanforge/data/overlap.h"
#include "spanforge/data/repair.h"
#include "spanforge/data/rewrite.h"
#include "spanforge/features/feature_set.h"
#include "spanforge/features/window_check.h"
#include "spanforge/formats/safetensors.h"
#include "spanforge/formats/tfevents.h"
#include "spanforge/formats/torch_file.h"
#include "spanforge/formats/zip.h"
#include "spanforge/metrics/predictions_file.h"
#include "spanforge/metrics/squad.h"
#include "spanforge/model/config.h"
#include "spanforge/text/byte_level.h"
#include "spanforge/text/tokenizer.h"
#include "spanforge/text/vocabulary.h"
#include "spanforge/train/arguments.h"
#include "spanforge/train/state_files.h"
#include "support/framing.h"
#include "support/testing.h"

namespace spanforge {
namespace {

// An error is accepted as an end: only the time counts.
template <class Body>
void whatever_comes(Body&& body) {
  try {
    body();
  } catch (const Error& error) {
    ASSERT_NE(error.code(), ErrorCode::kInternal) << error.what();
  }
}

const Tokenizer& bert_tokenizer() {
  static const Tokenizer tokenizer = Tokenizer::from_vocabulary(
      {"[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "a", "##a", "##b", "一", ".", "e"}, {}, "f");
  return tokenizer;
}

}  // namespace

void read_json(const std::string& text) {
  whatever_comes([&] { parse_json(text, "f", ErrorCode::kBadData); });
}

void read_config(const std::string& text) {
  whatever_comes([&] { ModelConfig::from_json_text(text, "f"); });
}

void read_safetensors(const std::string& header) {
  const std::string length = testing::little_endian(header.size(), 8);
  whatever_comes([&] { parse_safetensors(length + header, "f"); });
}

void check_data(const std::string& text) {
  whatever_comes([&] {
    const Dataset dataset = parse_dataset(text, "f");
    const std::vector<const Dataset*> files = {&dataset};
    check_verdict(check_datasets(files), files);
  });
}

void survey_and_fix(const std::string& text) {
  whatever_comes([&] {
    const Dataset dataset = read_dataset_text(text, "f");
    const std::vector<const Dataset*> files = {&dataset};
    check_to_text(check_datasets(files), files);
    const RepairPlan plan = plan_repairs(dataset, {.similar = true, .trim = true});
    plan_to_text(plan, dataset);
    if (dataset.form == SourceForm::kJson) find_byte_changes(text, dataset, changes_of(plan));
  });
}

void compare_data(const std::string& text) {
  whatever_comes([&] {
    const Dataset dataset = parse_dataset(text, "f");
    find_overlap(dataset, dataset);
  });
}

void check_for_training(const std::string& text) {
  whatever_comes([&] {
    const Dataset dataset = parse_dataset(text, "f");
    require_sound_answers(dataset);
    check_windows(dataset, bert_tokenizer(), {});
  });
}

void score_words(const std::string& text) { squad_f1(text, text + " x"); }
void read_questions(const std::string& text) {
  const testing::TemporaryDirectory directory;
  std::ofstream(directory / "f", std::ios::binary) << text;
  whatever_comes([&] { app::QuestionReader((directory / "f").string()).check_all(); });
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

void add_tokens(const std::string& text) {
  Vocabulary vocabulary;
  int64_t id = 0;
  for (size_t begin = 0; begin < text.size(); ++id) {
    const std::string_view line =
        std::string_view(text).substr(begin, text.find('\n', begin) - begin);
    vocabulary.add(line, id, ErrorPlace{.file = "f"});
    begin += line.size() + 1;
  }
}

void read_tokenizer(const std::string& json) {
  whatever_comes([&] { Tokenizer::from_json(json, "", "f"); });
}

void read_tokenizer_config(const std::string& config) {
  static const std::string json = tokenizer_json("");
  whatever_comes([&] { Tokenizer::from_json(json, config, "f"); });
}

// Few tokens, one of them long, so that "aaaa..." is followed far before the search gives up.
// Words may have any length.
void encode_long_words(const std::string& text) {
  static const Tokenizer tokenizer = Tokenizer::from_json(tokenizer_json(""), "", "f");
  tokenizer.encode(text);
}

void encode_many_specials(const std::string& text) {
  static const Tokenizer tokenizer =
      Tokenizer::from_json(tokenizer_json(added_tokens(5000)), "", "f");
  tokenizer.encode(text);
}

void encode_bert(const std::string& text) { bert_tokenizer().encode(text); }

namespace {

const std::string kByteVocab = [] {
  Json vocab = Json::object();
  int id = 0;
  for (const char* token : {"<s>", "<pad>", "</s>", "<unk>", "<mask>"}) vocab[token] = id++;
  for (unsigned byte = 0; byte < 256; ++byte) {
    std::string token;
    append_utf8(byte_level_char(static_cast<unsigned char>(byte)), token);
    vocab[token] = id++;
  }
  for (size_t size = 2; size <= 512; size *= 2) vocab[std::string(size, 'a')] = id++;
  return vocab.dump();
}();

Tokenizer byte_tokenizer(const std::string& merges) {
  return Tokenizer::from_files({{"vocab.json", kByteVocab}, {"merges.txt", merges}}, "m");
}

const Tokenizer& byte_tokenizer() {
  static const Tokenizer made = [] {
    std::string merges = "#\n";
    for (size_t size = 1; size <= 256; size *= 2) {
      merges += std::string(size, 'a') + " " + std::string(size, 'a') + "\n";
    }
    return byte_tokenizer(merges);
  }();
  return made;
}

}  // namespace

void read_vocab_json(const std::string& json) {
  whatever_comes([&] { Tokenizer::from_files({{"vocab.json", json}, {"merges.txt", ""}}, "m"); });
}
void read_merges(const std::string& text) {
  whatever_comes([&] { byte_tokenizer(text); });
}

void encode_bytes(const std::string& text) { byte_tokenizer().encode(text); }
void encode_bytes_by_parts(const std::string& text) { byte_tokenizer().encode(text + "<mask>"); }
void decode_bytes(const std::string& text) {
  std::vector<int32_t> ids;
  for (const char byte : text) ids.push_back(5 + static_cast<unsigned char>(byte));
  byte_tokenizer().decode(ids);
}

void encode_in_windows(const std::string& text) {
  EncodeOptions options;
  options.truncation = Truncation{64, 32, TruncationStrategy::kLongestFirst};
  bert_tokenizer().encode(text, options);
}

}  // namespace spanforge
