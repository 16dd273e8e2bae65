#include "spanforge/data/rewrite.h"

#include <algorithm>
#include <optional>
#include <span>
#include <utility>

#include <fmt/core.h>

#include "spanforge/base/error.h"
#include "spanforge/base/json.h"
#include "spanforge/base/json_reader.h"
#include "spanforge/base/keyed_hash.h"
#include "spanforge/data/answer_start.h"
#include "spanforge/data/keys.h"
#include "spanforge/data/normalize.h"

namespace spanforge {
namespace {

constexpr size_t kPiece = 4 << 20;  // bytes copied at a time

// A value in the file.
struct Token {
  size_t begin = 0, end = 0;  // bytes of the file; equal: there is no value
  explicit operator bool() const { return end > begin; }
};

// The tokens of one answer and their values.
struct AnswerTokens {
  Token text, start;
  std::string said;  // the text, as load.cpp reads it
  bool is_string = false;
  StartSource source = StartSource::kNoStarts;
  int64_t number = 0;          // the start
  bool starts_follow = false;  // it is in a list of texts whose list of starts is missing
};

// A list of texts without a list of starts: all starts are written at once.
struct MissingStarts {
  Token texts;                  // the list of texts
  Token in_place;               // a null that the list of starts replaces
  size_t first = 0, count = 0;  // its answers, including skipped ones
};

// The value of the first name that the object has, whatever the order of its keys.
class FirstNamed {
 public:
  explicit FirstNamed(std::span<const std::string_view> names)
      : names_(names), best_(names.size()) {}
  void offer(std::string_view key, Token value) {
    for (size_t i = 0; i < best_; ++i) {
      if (key != names_[i]) continue;
      best_ = i;
      value_ = value;
    }
  }
  Token value() const { return value_; }

 private:
  std::span<const std::string_view> names_;
  size_t best_;
  Token value_;
};

class ChangeFinder {
 public:
  ChangeFinder(std::string_view file_text, const Dataset& dataset,
               const std::vector<RowChange>& changes, const ReadCallback& on_read,
               const ReadOptions& options)
      : file_text_(file_text), dataset_(dataset), on_read_(on_read) {
    for (const RowChange& change : changes) {
      changes_[dataset.examples[change.example].place].push_back(&change);
    }
    ids_ = names_of("id", keys::kId, options);
    answers_ = names_of("answer", keys::kAnswers, options);
    flags_ = names_of("is_impossible", keys::kImpossible, options);
  }

  std::vector<ByteChange> run() && {
    for_each_text(file_text_, [this](std::string_view text, const std::string& base_place) {
      JsonReader in(text, dataset_.file.string(), ErrorCode::kBadData);
      base_ = static_cast<size_t>(text.data() - file_text_.data());
      base_place_ = base_place;
      try {
        if (in.peek() == JsonReader::Kind::kArray) {
          walk_rows(in, RowKind::kRow);
        } else if (in.peek() == JsonReader::Kind::kObject) {
          walk_row(in, RowKind::kDocument);
        }
      } catch (const JsonReader::Failure&) {  // a malformed line: keeps the rows before the error
        if (base_place.empty()) throw;
      }
    });
    if (!changes_.empty()) fail(std::ranges::min_element(changes_)->first);
    std::ranges::sort(found_, {}, &ByteChange::begin);
    return std::move(found_);
  }

 private:
  using Names = std::vector<std::string_view>;

  // The same as load.cpp's find(): the user's name, or the known ones.
  template <class Known>
  static Names names_of(std::string_view ours, const Known& known, const ReadOptions& options) {
    for (const auto& [part, theirs] : options.columns) {
      if (part == ours) return {theirs};
    }
    return {known.begin(), known.end()};
  }

  void walk_rows(JsonReader& in, RowKind kind) {
    for (in.begin_array(); in.next_item();) {
      if (in.peek() == JsonReader::Kind::kObject) {
        walk_row(in, kind);
      } else {
        in.skip_value();
      }
    }
  }

  void walk_row(JsonReader& in, RowKind kind) {
    FirstNamed id(ids_), answers(answers_), flag(flags_);
    std::string key;
    for (in.begin_object(); in.next_key(key);) {
      const std::optional<RowKind> elements = streamed_elements(kind, key);
      if (elements && in.peek() == JsonReader::Kind::kArray) {
        walk_rows(in, *elements);
        continue;
      }
      const Token value = take(in);
      id.offer(key, value);
      answers.offer(key, value);
      flag.offer(key, value);
    }
    if (const auto here = changes_.find(place_at(in.path())); here != changes_.end()) {
      apply(here->second, id.value(), answers.value(), flag.value());
      changes_.erase(here);
    }
    tell_read(base_ + in.end_position());
  }

  std::string place_at(const std::string& path) const {
    if (base_place_.empty()) return path;
    return path.empty() ? base_place_ : base_place_ + ": " + path;
  }

  Token take(JsonReader& in) const {
    in.peek();
    const size_t begin = base_ + in.position();
    in.skip_value();
    return {begin, base_ + in.end_position()};
  }

  std::string_view bytes_of(Token token) const {
    return file_text_.substr(token.begin, token.end - token.begin);
  }

  Json value_of(Token token) const {
    return parse_json(bytes_of(token), dataset_.file.string(), ErrorCode::kBadData);
  }

  // Runs the body with a reader of the token's bytes. Tokens that it takes are positions in the
  // file.
  template <class Body>
  void read_inside(Token token, const Body& body) {
    JsonReader in(bytes_of(token), dataset_.file.string(), ErrorCode::kBadData);
    const size_t outer = std::exchange(base_, token.begin);
    body(in);
    base_ = outer;
  }

  std::vector<Token> items_of(Token list) {
    std::vector<Token> items;
    read_inside(list, [&](JsonReader& in) {
      for (in.begin_array(); in.next_item();) items.push_back(take(in));
    });
    return items;
  }

  static bool is_answer_object(const Json& value) {
    return value.is_object() && !is_spelling(value);
  }

  // All answers of a row in any form that load.cpp reads.
  void take_answers(Token answers) {
    tokens_.clear();
    missing_.clear();
    const Json value = value_of(answers);
    if (is_answer_object(value)) {
      take_object(answers);
    } else if (value.is_array()) {
      const std::vector<Token> items = items_of(answers);
      for (size_t i = 0; i < items.size(); ++i) {
        is_answer_object(value.at(i)) ? take_object(items[i])
                                      : add(items[i], {}, StartSource::kNoStarts);
      }
    } else if (!value.is_null()) {
      add(answers, {}, StartSource::kNoStarts);
    }
  }

  // {"text", "answer_start"} of one answer, or two lists of all answers.
  void take_object(Token object) {
    FirstNamed text(keys::kText), start(keys::kStart);
    read_inside(object, [&](JsonReader& in) {
      std::string key;
      for (in.begin_object(); in.next_key(key);) {
        const Token value = take(in);
        text.offer(key, value);
        start.offer(key, value);
      }
    });
    if (!text.value() || !begins_list(text.value())) {
      return add(text.value(), start.value(), StartSource::kUnknown);
    }
    const std::vector<Token> texts = items_of(text.value());
    std::vector<Token> starts;
    if (start.value() && begins_list(start.value())) {
      starts = items_of(start.value());
    } else {
      missing_.push_back({text.value(), start.value(), tokens_.size(), texts.size()});
    }
    for (size_t i = 0; i < texts.size(); ++i) {
      add(texts[i], i < starts.size() ? starts[i] : Token(), StartSource::kUnknown);
      tokens_.back().starts_follow = starts.empty();
    }
  }

  bool begins_list(Token token) const { return file_text_[token.begin] == '['; }

  void add(Token text, Token start, StartSource source) {
    AnswerTokens& one = tokens_.emplace_back();
    one.text = text;
    one.start = start;
    one.source = source;
    if (text) {
      const Json value = value_of(text);
      one.is_string = value.is_string();
      if (value.is_string()) {
        one.said = value.get<std::string>();
      } else if (is_spelling(value)) {
        one.said = value.items().front().value.as_string();
      } else if (!value.is_null()) {
        one.said = bytes_of(text);
      }
    }
    one.number = -1;
    if (!start) return;
    const Json value = value_of(start);
    if (value.is_null()) return;
    one.number = start_value(value);
    if (one.number != -1) one.source = StartSource::kStated;
  }

  void apply(const std::vector<const RowChange*>& changes, Token id, Token answers, Token flag) {
    const Example& example = dataset_.examples[changes.front()->example];
    const auto is_answer = [](const RowChange* one) {
      return one->part == RowChange::Part::kAnswer;
    };
    if (std::ranges::any_of(changes, is_answer)) change_answers(example, changes, answers);
    for (const RowChange* change : changes) {
      switch (change->part) {
        case RowChange::Part::kAnswer: break;
        case RowChange::Part::kId: change_id(example, *change, id); break;
        case RowChange::Part::kFlag:
          if (!flag) fail(example.place);
          found_.push_back({flag.begin, flag.end, example.is_impossible ? "true" : "false"});
          break;
        case RowChange::Part::kNoAnswers: empty_answers(example, answers); break;
      }
    }
  }

  void change_id(const Example& example, const RowChange& change, Token id) {
    if (!id) fail(example.place);
    const Json before = value_of(id);
    if ((before.is_string() ? before.as_string() : before.dump()) != example.id)
      fail(example.place);
    const bool digits = change.id.find_first_not_of("0123456789") == std::string::npos;
    const bool as_number = !before.is_string() && digits;
    found_.push_back({id.begin, id.end, as_number ? change.id : spell(change.id)});
  }

  // Empties a list of answers, or both lists.
  void empty_answers(const Example& example, Token answers) {
    if (!answers) fail(example.place);
    take_answers(answers);
    if (missing_.empty() && file_text_[answers.begin] == '{') {
      FirstNamed text(keys::kText), start(keys::kStart);
      read_inside(answers, [&](JsonReader& in) {
        std::string key;
        for (in.begin_object(); in.next_key(key);) {
          const Token value = take(in);
          text.offer(key, value);
          start.offer(key, value);
        }
      });
      if (text.value() && begins_list(text.value())) {
        found_.push_back({text.value().begin, text.value().end, "[]"});
        found_.push_back({start.value().begin, start.value().end, "[]"});
        return;
      }
    }
    found_.push_back({answers.begin, answers.end, "[]"});
  }

  void change_answers(const Example& example, const std::vector<const RowChange*>& changes,
                      Token answers) {
    if (!answers) fail(example.place);
    take_answers(answers);
    std::vector<size_t> kept;  // the answers that load.cpp did not skip
    for (size_t i = 0; i < tokens_.size(); ++i) {
      if (!says_no_answer(tokens_[i].said, tokens_[i].source, example.is_impossible))
        kept.push_back(i);
    }
    if (kept.size() != example.answers.size()) fail(example.place);
    std::vector<int64_t> written(tokens_.size(), -1);  // the starts that were missing
    for (const RowChange* change : changes) {
      if (change->part != RowChange::Part::kAnswer) continue;
      const size_t index = kept[change->answer];
      const AnswerTokens& tokens = tokens_[index];
      const Answer& before = example.answers[change->answer];
      const bool stated = tokens.source == StartSource::kStated;
      if (tokens.said != before.text || tokens.source != before.source ||
          (stated && tokens.number != before.answer_start)) {
        fail(example.place);
      }
      written[index] = change->after.answer_start;
      change_answer(tokens, *change, before);
    }
    for (const MissingStarts& one : missing_) write_starts(one, written);
  }

  void change_answer(const AnswerTokens& tokens, const RowChange& change, const Answer& before) {
    const std::string number = std::to_string(change.after.answer_start);
    const bool new_text = !tokens.is_string || change.after.text != before.text;
    const bool insert =
        tokens.source == StartSource::kUnknown && !tokens.start && !tokens.starts_follow;
    if (new_text || insert) {
      std::string bytes = new_text ? spell(change.after.text) : std::string(bytes_of(tokens.text));
      if (insert) bytes += fmt::format(", \"answer_start\": {}", number);
      found_.push_back({tokens.text.begin, tokens.text.end, std::move(bytes)});
    }
    if (tokens.start && bytes_of(tokens.start) != number) {
      found_.push_back({tokens.start.begin, tokens.start.end, number});
    }
  }

  // Writes the list of starts for a list of texts; -1 for a start that stays unknown.
  void write_starts(const MissingStarts& missing, const std::vector<int64_t>& starts) {
    const auto begin = starts.begin() + static_cast<std::ptrdiff_t>(missing.first);
    const auto end = begin + static_cast<std::ptrdiff_t>(missing.count);
    if (std::all_of(begin, end, [](int64_t start) { return start < 0; })) return;
    std::string list;
    for (auto at = begin; at != end; ++at) {
      list += (at == begin ? "[" : ", ") + std::to_string(*at);
    }
    list += "]";
    if (missing.in_place) {
      found_.push_back({missing.in_place.begin, missing.in_place.end, list});
    } else {
      found_.push_back({missing.texts.end - 1, missing.texts.end, "], \"answer_start\": " + list});
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
    throw Error(ErrorCode::kBadData, {.file = dataset_.file.string(), .where = place},
                "the file was changed while it was read");
  }

  std::string_view file_text_;
  const Dataset& dataset_;
  KeyedMap<std::string, std::vector<const RowChange*>> changes_;  // by the row's place
  Names ids_, answers_, flags_;                                   // their names in a row
  const ReadCallback& on_read_;
  size_t told_ = 0;            // the last position passed to on_read_
  std::optional<bool> ascii_;  // whether the whole file is ASCII; computed on first use
  size_t base_ = 0;            // the start in the file of the current text
  std::string base_place_;
  std::vector<AnswerTokens> tokens_;    // of the row being changed
  std::vector<MissingStarts> missing_;  // of the same row
  std::vector<ByteChange> found_;
};

}  // namespace

std::vector<ByteChange> find_byte_changes(std::string_view file_text, const Dataset& dataset,
                                          const std::vector<RowChange>& changes,
                                          const ReadCallback& on_read, const ReadOptions& options) {
  return ChangeFinder(file_text, dataset, changes, on_read, options).run();
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
