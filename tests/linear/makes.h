#pragma once
// Texts made to be costly, of roughly any number of bytes.

#include <cstddef>
#include <functional>
#include <string>
#include <string_view>

namespace spanforge {

using Make = std::function<std::string(size_t)>;

std::string repeat(std::string_view piece, size_t size);
// Repeats a piece.
Make all(std::string piece, std::string before = "", std::string after = "");
// Pieces made from their numbers.
Make each(std::function<std::string(size_t)> piece_of, std::string before = "",
          std::string after = "");
// Pieces with a number in each.
Make numbered(std::string before_number, std::string after_number, std::string before = "",
              std::string after = "");
// Pieces around keys that std::hash would put into one bucket.
Make colliding(std::string before_key, std::string after_key, std::string before = "",
               std::string after = "");
// A number and such a key in each piece.
Make numbered_colliding(std::string before_number, std::string before_key, std::string after_key);

// A dataset whose one long context has many questions, each with these answers.
Make in_one_context(std::string answers);
// The same. The context repeats a piece, and each question's answers contain its number.
Make numbered_in_one_context(std::string piece, std::string before_number,
                             std::string after_number);
// The same. The context is "w0 w1 ...".
Make numbered_in_a_context_of_words(std::string before_number, std::string after_number);
// A task of Label Studio whose one long paragraph has many labels.
std::string labels_in_one_paragraph(size_t size);

std::string one_event_of_many_values(size_t size);

// name_of: an entry's number -> its name.
std::string archive_of(size_t size, size_t entry_bytes,
                       const std::function<std::string(size_t)>& name_of);

// tokenizer.json is kTokenizerHead, added tokens, kModelHead, more of the vocabulary and "}}}".
extern const char* const kTokenizerHead;
extern const char* const kModelHead;
std::string added_tokens(size_t count);
std::string tokenizer_json(const std::string& added);

}  // namespace spanforge
