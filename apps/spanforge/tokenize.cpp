#include <algorithm>
#include <atomic>
#include <optional>

#include "command.h"
#include "common.h"
#include "encoding_text.h"
#include "output.h"
#include "spanforge/base/error.h"
#include "spanforge/base/threads.h"
#include "spanforge/io/input_file.h"
#include "spanforge/text/tokenizer.h"
#include "start_threads.h"

namespace spanforge::app {
namespace {

struct TokenizeOptions {
  std::string model, input;
  std::optional<std::string> pair;
  std::optional<int32_t> max_length, pad_to;
  TruncationStrategy truncation = TruncationStrategy::kLongestFirst;
  bool json = false, count = false, decode = false;
  int32_t threads = 0;
};

// A text ends only at LF; the last one needs none.
std::vector<std::string_view> lines_of(std::string_view bytes) {
  std::vector<std::string_view> lines;
  for (size_t start = 0; start < bytes.size();) {
    const size_t end = std::min(bytes.find('\n', start), bytes.size());
    lines.push_back(bytes.substr(start, end - start));
    start = end + 1;
  }
  return lines;
}

EncodeOptions encode_options(const TokenizeOptions& o) {
  EncodeOptions encode;
  if (o.max_length) {
    encode.truncation = Truncation{.max_length = *o.max_length, .strategy = o.truncation};
  }
  if (o.pad_to) encode.padding = Padding{.length = *o.pad_to};
  return encode;
}

// Calls body. Errors about line `number` name file and line.
template <class Body>
void at_line(const std::string& file, size_t number, Body&& body) {
  try {
    body();
  } catch (const Error& error) {
    throw error.with_place({.file = file, .where = fmt::format("line {}", number)});
  }
}

void count_tokens(const TokenizeOptions& o, const Tokenizer& tokenizer,
                  const std::vector<std::string_view>& texts) {
  constexpr int64_t kChunk = 64;
  const auto n = static_cast<int64_t>(texts.size());
  std::atomic<int64_t> tokens = n * tokenizer.special_token_count(false);
  parallel_for((n + kChunk - 1) / kChunk, 1, [&](int64_t chunk) {
    thread_local TokenBuffer buffer;
    for (int64_t i = chunk * kChunk; i < std::min(n, (chunk + 1) * kChunk); ++i) {
      buffer.clear();
      at_line(o.input, static_cast<size_t>(i) + 1,
              [&] { tokenizer.tokenize(texts[static_cast<size_t>(i)], buffer); });
      tokens += static_cast<int64_t>(buffer.size());
    }
  });
  if (o.json) return print_json({{"texts", n}, {"tokens", tokens.load()}});
  emit("{} texts, {} tokens (special tokens counted)\n", n, tokens.load());
}

void tokenize_file(const TokenizeOptions& o, const Tokenizer& tokenizer) {
  const MappedFile file = map_input(o.input);
  const std::vector<std::string_view> texts = lines_of(file.bytes());
  if (o.count) return count_tokens(o, tokenizer, texts), file.expect_whole();
  const EncodeOptions encode = encode_options(o);
  constexpr size_t kBatch = 1024;
  for (size_t start = 0; start < texts.size() && !output_closed(); start += kBatch) {
    const size_t size = std::min(kBatch, texts.size() - start);
    std::vector<std::string> lines(size);
    parallel_for(static_cast<int64_t>(size), 16, [&](int64_t i) {
      const size_t index = start + static_cast<size_t>(i);
      at_line(o.input, index + 1, [&] {
        const Encoding encoding = tokenizer.encode(texts[index], encode);
        lines[static_cast<size_t>(i)] = o.json ? to_json(encoding) : to_text(encoding, tokenizer);
      });
    });
    for (const std::string& line : lines) print(line);
  }
  file.expect_whole();
}

void decode_ids(const std::string& text, const Tokenizer& tokenizer, bool json) {
  std::vector<int32_t> ids;
  for (size_t start = 0; start < text.size();) {
    const size_t end = std::min(text.find_first_of(" ,", start), text.size());
    int32_t id = 0;
    const std::string word = text.substr(start, end - start);
    if (!word.empty()) {
      if (!read_value(word, id))
        throw Error(ErrorCode::kUsage, {.where = "TEXT"}, "'" + word + "' is not a token id");
      ids.push_back(id);
    }
    start = end + 1;
  }
  const std::string decoded = tokenizer.decode(ids);
  if (json) return print_json({{"text", decoded}});
  print(decoded + "\n");
}

}  // namespace

int run_tokenize(const Arguments& arguments) {
  TokenizeOptions o;
  std::vector<std::string> texts;
  OptionTable table;
  table(kModelOption, o.model);
  table({"pair", "second text: TEXT and this make one pair", ""}, o.pair);
  table({"input", "file of texts, one a line (LF); -: standard input", ""}, o.input);
  table({"max_length", "truncate to this many tokens, special tokens included", "> 0"},
        o.max_length);
  table({"truncation", "what --max-length removes", ""}, o.truncation);
  table({"pad_to", "pad to this many tokens", "> 0"}, o.pad_to);
  table.add_switch({"count", "with --input: only the numbers of texts and tokens", ""}, o.count);
  table.add_switch({"decode", "TEXT is token ids; print their text", ""}, o.decode);
  table.add_switch(kJsonOption, o.json);
  table(kThreadsOption, o.threads);
  table.positional("TEXT", "the text to tokenize", texts, 0, 1);
  for (const char* text : {"pair", "TEXT"}) table.allow_empty(text);
  if (!table.parse(arguments)) return 0;
  table.require("model");
  table.exclude("input", "pair");
  table.exclude("input", "decode");
  if (texts.empty() == o.input.empty()) {
    throw Error(ErrorCode::kUsage, {.where = "TEXT"}, "give either one text or --input FILE");
  }
  if (o.count && o.input.empty())
    throw Error(ErrorCode::kUsage, {.parameter = "count"}, "needs --input FILE");
  start_threads(o.threads);
  const Tokenizer tokenizer = Tokenizer::from_directory(resolve_model(o.model).tokenizer());
  if (tokenizer.note()) note(*tokenizer.note());
  if (!o.input.empty()) return tokenize_file(o, tokenizer), 0;
  if (o.decode) return decode_ids(texts[0], tokenizer, o.json), 0;
  const EncodeOptions encode = encode_options(o);
  const Encoding encoding = o.pair ? tokenizer.encode_pair(texts[0], *o.pair, encode)
                                   : tokenizer.encode(texts[0], encode);
  print(o.json ? to_json(encoding) : to_text(encoding, tokenizer));
  return 0;
}

}  // namespace spanforge::app
