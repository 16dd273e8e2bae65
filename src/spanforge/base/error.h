#pragma once
// What: the library's only exception. A caller decides by its fields and never parses its text.
//   The library does not print, exit or assert on user input. A value that may be absent is a
//   std::optional, not an Error.
// Fields: file, where and parameter are "" if they do not apply.
//   code()       the kind of error, which also gives a program's exit status
//   file()       the file, directory, URL or hub id that is wrong, as the caller named it
//   where()      the position in the file: "line 3 column 5", "data[2].paragraphs[0]". Without a
//                file, another place: "question 2", "step 40", "HF_ENDPOINT"
//   parameter()  the parameter that is wrong, as structs and TOML files call it: "max_seq_length"
//   reason()     the problem and, if there is one, the remedy
//   what()       all of these as one line, "FILE: WHERE: REASON" or "PARAMETER: REASON"
// Backquotes: a reason names parameters in backquotes: "is in use; give another `output`". The
//   library never names a flag of the program: the program (apps/spanforge/flags.h) prints --output
//   for `output`, and a binding may use its own spelling.
//
// Example:
//   throw Error(ErrorCode::kBadData, file.string(), "is empty");
//   throw Error(ErrorCode::kBadData, {.file = file.string(), .where = "line 3"}, "is not UTF-8");
//   throw Error(ErrorCode::kUsage, {.parameter = "top_k"}, "must be at least 1");
//
//   try {
//     train(arguments);
//   } catch (const Error& error) {
//     if (error.parameter() == "learning_rate") ask_again();
//     log(error.what());  // "learning_rate: is -1, must be >= 0"
//   }

#include <concepts>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>

namespace spanforge {

enum class ErrorCode {
  kUsage,        // exit 2: an option or argument is wrong
  kBadData,      // exit 3: a dataset or predictions file is malformed
  kBadModel,     // exit 3: a config, weights, tokenizer or checkpoint is malformed
  kNonFinite,    // exit 3: NaN or Inf in loss, gradients or logits
  kNetwork,      // exit 4: the hub could not be reached, or its answer was wrong
  kCacheMiss,    // exit 4: offline, and the cache does not hold the file
  kIo,           // exit 74: the system refused: missing file, directory, full disk
  kInterrupted,  // exit 128 + signal (main adds it): a signal asked to stop; state is saved
  kPeerLost,     // exit 75: another process of this run is gone, or does not answer
  kInternal,     // exit 70: a bug of this library
};

// Exit status of a process that ends with this code.
int exit_code(ErrorCode code);
std::string_view error_code_name(ErrorCode code);

// The place of an error. At least one field is not "".
struct ErrorPlace {
  std::string file = {}, where = {}, parameter = {};

  // "FILE: WHERE: PARAMETER", without a file "PARAMETER: WHERE"; skips empty fields. For people: a
  // program reads the fields.
  std::string text() const;
  // A position inside this one: "data[2]" and "answers" make "data[2]: answers".
  ErrorPlace inside(const std::string& position) const;
};

class Error : public std::runtime_error {
 public:
  // what() escapes control characters, line ends and invalid UTF-8, so it is always one line of
  // text. The fields hold the arguments unchanged.
  Error(ErrorCode code, ErrorPlace place, std::string reason);
  // A std::string alone is a file. For a literal write {.file = "config.json"}.
  template <std::same_as<std::string> File>
  Error(ErrorCode code, const File& file, std::string reason)
      : Error(code, ErrorPlace{.file = file}, std::move(reason)) {}

  ErrorCode code() const { return code_; }
  const ErrorPlace& place() const { return place_; }
  const std::string& file() const { return place_.file; }
  const std::string& where() const { return place_.where; }
  const std::string& parameter() const { return place_.parameter; }
  const std::string& reason() const { return reason_; }

  // The same error with another field, for a catch block that knows a better one.
  Error with_place(ErrorPlace place) const;
  Error with_file(std::string file) const;  // keeps where and parameter
  Error with_reason(std::string reason) const;

 private:
  ErrorCode code_;
  ErrorPlace place_;
  std::string reason_;
};

// User text for a message: escapes control characters and invalid UTF-8 (as \n, \xNN). Truncates to
// `max_bytes`, at a code point boundary, and appends "...".
std::string quote_for_message(std::string_view text, size_t max_bytes = 80);

}  // namespace spanforge
