#pragma once
// What reads the hostile texts. An error is accepted as an end, but one of kind kInternal fails the
// test.

#include <functional>
#include <string>

namespace spanforge {

using Use = std::function<void(const std::string&)>;

void read_json(const std::string& text);
void read_config(const std::string& text);
void read_safetensors(const std::string& header);
void check_data(const std::string& text);
// Reads as data check and data fix do: notes faults and continues.
void survey_and_fix(const std::string& text);
void compare_data(const std::string& text);
// Checks the answers as training does, and the windows as data check --model does.
void check_for_training(const std::string& text);
void score_words(const std::string& text);
void read_questions(const std::string& text);
void read_predictions(const std::string& text);
void read_trainer_state(const std::string& text);
void read_events_of(const std::string& bytes);
void read_torch(const std::string& pickle);
void read_archive(const std::string& bytes);
void read_toml(const std::string& text);
void read_vocabulary(const std::string& text);
// Only the table of tokens, without the other costs of a vocabulary of long tokens.
void add_tokens(const std::string& text);
void read_tokenizer(const std::string& json);
void read_tokenizer_config(const std::string& config);
// As vocab.json, and as merges.txt next to one.
void read_vocab_json(const std::string& json);
void read_merges(const std::string& text);

void encode_bert(const std::string& text);
// Words of any length.
void encode_long_words(const std::string& text);
void encode_many_specials(const std::string& text);  // "[x0]" to "[x4999]"
void encode_in_windows(const std::string& text);
// Byte pairs. One token is "aa..." of each length that is a power of two.
void encode_bytes(const std::string& text);
// The same by the parts of the tokenizer.
void encode_bytes_by_parts(const std::string& text);
void decode_bytes(const std::string& text);  // a token for each byte

}  // namespace spanforge
