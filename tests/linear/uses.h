#pragma once
// What hostile texts are fed to. An error is an end like any other, but one of kind kInternal fails
// the test that runs.

#include <functional>
#include <string>

namespace spanforge {

using Use = std::function<void(const std::string&)>;

void read_json(const std::string& text);
void read_config(const std::string& text);
void read_safetensors(const std::string& header);
void check_data(const std::string& text);
// As data check and data fix read: faults are noted and the rest is looked at.
void survey_and_fix(const std::string& text);
void compare_data(const std::string& text);
void score_words(const std::string& text);
void read_questions(const std::string& text);
void read_predictions(const std::string& text);
void read_trainer_state(const std::string& text);
void read_events_of(const std::string& bytes);
void read_torch(const std::string& pickle);
void read_archive(const std::string& bytes);
void read_toml(const std::string& text);
void read_vocabulary(const std::string& text);
// The table of tokens alone, without what else a vocabulary of long tokens costs.
void add_tokens(const std::string& text);
void read_tokenizer(const std::string& json);
void read_tokenizer_config(const std::string& config);
// As vocab.json, and as merges.txt beside one.
void read_vocab_json(const std::string& json);
void read_merges(const std::string& text);

void encode_bert(const std::string& text);
// A word may be of any length.
void encode_long_words(const std::string& text);
void encode_many_specials(const std::string& text);  // "[x0]" to "[x4999]"
void encode_in_windows(const std::string& text);
// Byte pairs, of which "aa...", of any power of two, is one token.
void encode_bytes(const std::string& text);
// The same by the parts of the tokenizer.
void encode_bytes_by_parts(const std::string& text);
void decode_bytes(const std::string& text);  // a token for each byte

}  // namespace spanforge
