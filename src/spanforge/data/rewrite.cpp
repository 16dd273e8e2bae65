#include "spanforge/data/rewrite.h"

#include <fmt/core.h>

#include <algorithm>
#include <optional>

#include "spanforge/base/error.h"
#include "spanforge/base/json.h"
#include "spanforge/base/json_reader.h"
#include "spanforge/base/keyed_hash.h"
#include "spanforge/data/answer_start.h"

namespace spanforge {
namespace {

constexpr size_t kPiece = 4 << 20;  // bytes copied at a time

// A text or an answer_start in the file.
struct Token {
  size_t begin = 0, end = 0;  // bytes of the file; equal: there is none
  std::string text;
  int64_t number = 0;
};

// The tokens of one answer.
struct AnswerTokens {
  Token text, start;
};

class ChangeFinder {
 public:
  ChangeFinder(std::string_view file_text, const Dataset& dataset,
               const std::vector<AnswerChange>& changes, const ReadCallback& on_read)
      : file_text_(file_text), dataset_(dataset), on_read_(on_read) {
    for (const AnswerChange& change : changes) {
      changes_[dataset.examples[change.example].place].push_back(&change);
    }
  }

  std::vector<ByteChange> run() && {
    for_each_text(file_text_, [this](std::string_view text, const std::string& base_place) {
      JsonReader in(text, dataset_.file.string(), ErrorCode::kBadData);
      base_ = static_cast<size_t>(text.data() - file_text_.data());
      base_place_ = base_place;
      try {
        walk(in, "");
      } catch (const Error&) {  // a line that is no JSON; its rows, if any, stand before the error
        if (base_place.empty()) throw;
      }
    });
    if (!changes_.empty()) fail(std::ranges::min_element(changes_)->first);
    std::ranges::sort(found_, {}, &ByteChange::begin);
    return std::move(found_);
  }

 private:
  void walk(JsonReader& in, const std::string& path) {
    const JsonReader::Kind kind = in.peek();
    if (kind == JsonReader::Kind::kObject) {
      walk_object(in, path);
    } else if (kind == JsonReader::Kind::kArray) {
      in.begin_array();
      for (size_t i = 0; in.next_item(); ++i) walk(in, fmt::format("{}[{}]", path, i));
    } else {
      in.skip_value();
    }
    tell_read(base_ + in.position());
  }

  void walk_object(JsonReader& in, const std::string& path) {
    const auto here = changes_.find(place_at(path));
    std::string key;
    for (in.begin_object(); in.next_key(key);) {
      if (key == "answers" && here != changes_.end()) {
        apply(here->second, take_answers(in));
        changes_.erase(here);
        while (in.next_key(key)) in.skip_value();  // a row holds no other row
        return;
      }
      walk(in, (path.empty() ? "" : path + ".") + quote_for_message(key));
    }
  }

  std::string place_at(const std::string& path) const {
    if (base_place_.empty()) return path;
    return path.empty() ? base_place_ : base_place_ + ": " + path;
  }

  // A list of objects or of strings, or an object of two lists; without those that say "no answer",
  // which load_dataset leaves out.
  std::vector<AnswerTokens> take_answers(JsonReader& in) {
    std::vector<AnswerTokens> all;
    if (in.peek() == JsonReader::Kind::kObject) {
      each_member(in, [&](bool is_text) {
        in.begin_array();
        for (size_t i = 0; in.next_item(); ++i) {
          if (i == all.size()) all.emplace_back();
          (is_text ? all[i].text : all[i].start) = take(in);
        }
      });
    } else {
      for (in.begin_array(); in.next_item();) {
        AnswerTokens& one = all.emplace_back();
        if (in.peek() == JsonReader::Kind::kString) {
          one.text = take(in);
        } else {
          each_member(in, [&](bool is_text) { (is_text ? one.text : one.start) = take(in); });
        }
      }
    }
    std::erase_if(all, [](const AnswerTokens& one) {
      return one.text.text.empty() && has(one.start) && one.start.number == -1;
    });
    return all;
  }

  template <class Body>
  void each_member(JsonReader& in, const Body& body) {
    std::string key;
    for (in.begin_object(); in.next_key(key);) {
      if (key == "text" || key == "answer_start") {
        body(key == "text");
      } else {
        in.skip_value();
      }
    }
  }

  Token take(JsonReader& in) {
    Token token;
    in.peek();
    token.begin = base_ + in.position();
    in.skip_value();
    token.end = base_ + in.end_position();
    const Json value = parse_json(bytes_of(token), dataset_.file.string(), ErrorCode::kBadData);
    if (value.is_string()) token.text = value.get<std::string>();
    token.number = start_value(value);
    return token;
  }

  std::string_view bytes_of(const Token& token) const {
    return file_text_.substr(token.begin, token.end - token.begin);
  }

  static bool has(const Token& token) { return token.end > token.begin; }

  void apply(const std::vector<const AnswerChange*>& changes,
             const std::vector<AnswerTokens>& tokens) {
    for (const AnswerChange* change : changes) {
      const Example& example = dataset_.examples[change->example];
      const Answer& before = example.answers[change->answer];
      if (tokens.size() != example.answers.size()) fail(example.place);
      const auto& [text, start] = tokens[change->answer];
      if (text.text != before.text || (has(start) && start.number != before.answer_start)) {
        fail(example.place);
      }
      if (change->after.text != before.text) {
        found_.push_back({text.begin, text.end, spell(change->after.text)});
      }
      std::string number = std::to_string(change->after.answer_start);
      if (has(start) && bytes_of(start) != number) {
        found_.push_back({start.begin, start.end, std::move(number)});
      }
    }
  }

  std::string spell(const std::string& text) {
    if (!ascii_) ascii_ = is_ascii();
    return dump_python_json(Json(text), {.ensure_ascii = *ascii_});
  }

  bool is_ascii() const {
    for (size_t at = 0; at < file_text_.size(); at += kPiece) {
      const std::string_view piece = file_text_.substr(at, kPiece);
      if (std::ranges::any_of(piece, [](char c) { return (c & 0x80) != 0; })) return false;
      if (on_read_) on_read_(piece.data());
    }
    return true;
  }

  void tell_read(size_t position) {
    if (!on_read_ || position < told_ + kPiece) return;
    told_ = position;
    on_read_(file_text_.data() + position);
  }

  [[noreturn]] void fail(const std::string& place) const {
    throw Error(ErrorCode::kBadData, fmt::format("{}: {}", dataset_.file.string(), place),
                "the file was changed while it was read");
  }

  std::string_view file_text_;
  const Dataset& dataset_;
  KeyedMap<std::string, std::vector<const AnswerChange*>> changes_;  // by the row's place
  const ReadCallback& on_read_;
  size_t told_ = 0;            // what on_read_ knows of
  std::optional<bool> ascii_;  // is the whole file, once that was asked
  size_t base_ = 0;            // where in the file the text read now begins
  std::string base_place_;
  std::vector<ByteChange> found_;
};

}  // namespace

std::vector<ByteChange> find_byte_changes(std::string_view file_text, const Dataset& dataset,
                                          const std::vector<AnswerChange>& changes,
                                          const ReadCallback& on_read) {
  return ChangeFinder(file_text, dataset, changes, on_read).run();
}

void write_changed(const MappedFile& file, const std::vector<ByteChange>& changes,
                   AtomicFile& out) {
  std::string piece;
  const std::string_view bytes = file.bytes();
  const auto copy = [&](size_t begin, size_t end) {
    for (; begin < end; begin += piece.size()) {
      piece.resize(std::min(kPiece, end - begin));
      file.copy(bytes.substr(begin, piece.size()), piece.data());
      out.write(piece);
    }
  };
  size_t done = 0;
  for (const ByteChange& change : changes) {
    copy(done, change.begin);
    out.write(change.bytes);
    done = change.end;
  }
  copy(done, bytes.size());
}

}  // namespace spanforge
