#include "spanforge/data/row_stream.h"

#include <fmt/core.h>

#include <algorithm>
#include <array>
#include <optional>
#include <utility>
#include <variant>
#include <vector>

#include "spanforge/base/json_reader.h"
#include "spanforge/base/text_index.h"
#include "spanforge/data/answer_start.h"
#include "spanforge/data/keys.h"

namespace spanforge {
namespace {

constexpr std::string_view kByteOrderMark = "\xEF\xBB\xBF";
constexpr std::string_view kJsonSpace = " \t\r\n";

bool is_known_key(std::string_view key) {
  constexpr std::array<std::string_view, 6> kOfFiles = {"data", "version", "title",
                                                        "paragraphs", "qas", "header"};
  using namespace keys;
  return is_one_of(key, kOfFiles) || is_one_of(key, kId) || is_one_of(key, kQuestion) ||
         is_one_of(key, kContext) || is_one_of(key, kAnswers) || is_one_of(key, kImpossible);
}

// Whether the value under the key, or in a list under it, is an answer's text.
bool holds_text(std::string_view key) {
  return keys::is_one_of(key, keys::kText) || keys::is_one_of(key, keys::kAnswers);
}

// True when the brackets that open in the text all close in it.
bool closes(std::string_view text) {
  int64_t depth = 0;
  for (size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (c == '{' || c == '[') ++depth;
    if (c == '}' || c == ']') --depth;
    if (c != '"') continue;
    for (++i; i < text.size() && text[i] != '"'; ++i) i += text[i] == '\\';
  }
  return depth <= 0;
}

// JSON lines: an object closes on the first line, and another opens after it.
bool is_json_lines(std::string_view text) {
  const size_t first = text.find_first_not_of(kJsonSpace);
  if (first == std::string_view::npos || text[first] != '{') return false;
  const size_t line_end = text.find('\n', first);
  const size_t next = text.find_first_not_of(kJsonSpace, line_end);
  if (line_end == std::string_view::npos || next == std::string_view::npos) return false;
  return text[next] == '{' && closes(text.substr(first, line_end - first));
}

// The keys of one object, to notice one that appears twice.
class Keys {
 public:
  // False where the key was there.
  bool insert(const std::string& key) {
    constexpr size_t kFew = 32;
    const auto key_at = texts_in(keys_);
    if (keys_.size() < kFew ? std::ranges::find(keys_, key) != keys_.end()
                            : index_.find(key, key_at).has_value()) {
      return false;
    }
    keys_.push_back(key);
    if (keys_.size() < kFew) return true;
    // All of them when they become many, then each as it comes.
    for (size_t i = keys_.size() == kFew ? 0 : keys_.size() - 1; i < keys_.size(); ++i) {
      index_.insert(keys_[i], i, key_at);
    }
    return true;
  }

 private:
  std::vector<std::string> keys_;  // few, searched linearly
  TextIndex index_;                // of them where they are many
};

// An open object or array, for the place in messages.
struct Frame {
  bool is_array = false;
  std::string key;       // of the member being read
  int64_t elements = 0;  // read so far
};

class RowReader {
 public:
  RowReader(std::string_view text, const std::string& file, const std::string& base_place,
            const std::vector<std::string>& extra_keys, const RowCallback& callback,
            const ReadCallback& on_read)
      : text_(text),
        in_(text, file, ErrorCode::kBadData),
        file_(file),
        base_place_(base_place),
        extra_keys_(extra_keys),
        callback_(callback),
        on_read_(on_read) {}

  void run() {
    try {
      read_document();
      in_.finish();
    } catch (const JsonReader::SyntaxError& error) {
      const std::string line = fmt::format("line {}, ", error.line);
      fail(fmt::format("is not sound JSON at {}column {}: {}", base_place_.empty() ? line : "",
                       error.column, error.reason()));
    }
  }

 private:
  using Kind = JsonReader::Kind;

  void read_document() {
    switch (in_.peek()) {
      case Kind::kObject: return read_row(RowKind::kDocument);
      case Kind::kArray: read_rows(RowKind::kRow); return;
      default: in_.skip_value(); fail("must be an object or a list of rows");
    }
  }

  // Returns the number of rows.
  int64_t read_rows(RowKind kind) {
    const size_t depth = open(true);
    for (in_.begin_array(); in_.next_item(); ++frames_[depth].elements) {
      if (in_.peek() == Kind::kArray) fail("must be an object, not a list");
      if (in_.peek() != Kind::kObject) {
        fail(fmt::format("must be an object, not {}", read_value().type_name()));
      }
      read_row(kind);
    }
    const int64_t rows = frames_.back().elements;
    frames_.pop_back();
    return rows;
  }

  void read_row(RowKind kind) {
    const std::string where = place();
    Json row = Json::object();
    read_members([&](std::string& key) {
      if (const auto elements = streamed_elements(kind, key)) {
        if (in_.peek() == Kind::kObject) fail("must be a list, not an object");
        if (in_.peek() != Kind::kArray) {
          fail(fmt::format("must be a list, not {}", read_value().type_name()));
        }
        // The key is new: it is not looked for among the others, which may be many.
        append_member(row, std::move(key), read_rows(*elements));
      } else if (is_known_key(key) || keys::is_one_of(key, extra_keys_)) {
        append_member(row, std::move(key), read_value());
      } else {
        skip_value();
      }
    });
    callback_(kind, row, where);
    held_ = 0;
    report();
  }

  // Reads an object: for each key, `member` reads the value.
  template <class Member>
  void read_members(const Member& member) {
    const size_t depth = open(false);
    Keys keys;
    std::string key;
    for (in_.begin_object(); in_.next_key(key);) {
      frames_[depth].key.clear();
      if (!keys.insert(key)) {
        fail(fmt::format("the key \"{}\" stands twice in one object", quote_for_message(key)));
      }
      frames_[depth].key = key;
      member(key);
    }
    frames_.pop_back();
  }

  Json read_value() {
    switch (in_.peek()) {
      case Kind::kObject: {
        Json object = Json::object();
        read_members(
            [&](std::string& key) { append_member(object, std::move(key), read_value()); });
        return charged(std::move(object));
      }
      case Kind::kArray: {
        Json::Array items;
        const size_t depth = open(true);
        for (in_.begin_array(); in_.next_item(); ++frames_[depth].elements) {
          items.push_back(read_value());
        }
        frames_.pop_back();
        return charged(std::move(items));
      }
      case Kind::kString: return charged(in_.read_string());
      case Kind::kBool: return charged(in_.read_bool());
      case Kind::kNull: in_.read_null(); return charged(nullptr);
      case Kind::kNumber: break;
    }
    Json number = std::visit([](auto value) { return Json(value); }, in_.read_number());
    if (!holds_text(innermost_key())) return charged(std::move(number));
    const size_t begin = in_.position();
    return charged(number_spelling(text_.substr(begin, in_.end_position() - begin)));
  }

  // Of the member being read, or of the list that is read in it.
  std::string_view innermost_key() const {
    for (size_t i = frames_.size(); i-- > 0;) {
      if (!frames_[i].is_array) return frames_[i].key;
    }
    return {};
  }

  // Checks a value and forgets it.
  void skip_value() {
    if (in_.peek() == Kind::kObject) {
      read_members([&](std::string&) { skip_value(); });
    } else if (in_.peek() == Kind::kArray) {
      const size_t depth = open(true);
      for (in_.begin_array(); in_.next_item(); ++frames_[depth].elements) skip_value();
      frames_.pop_back();
    } else {
      in_.skip_value();
    }
    report();
  }

  // What the values of a row that is not finished yet take, roughly, is bounded by the text.
  Json charged(Json value) {
    constexpr uint64_t kValue = 96, kBesidesText = uint64_t{32} << 20;
    held_ += kValue + (value.is_string() ? value.as_string().size() : 0);
    if (held_ > text_.size() + kBesidesText) {
      fail("the values of one row take far more memory than their text: refused");
    }
    return value;
  }

  // Tells from time to time how far it is.
  void report() {
    constexpr size_t kReportBytes = size_t{4} << 20;
    if (!on_read_ || in_.end_position() - reported_ < kReportBytes) return;
    reported_ = in_.end_position();
    on_read_(text_.data() + reported_);
  }

  // Returns the frame's number.
  size_t open(bool is_array) {
    frames_.push_back({is_array});
    return frames_.size() - 1;
  }

  // The path of the value being read.
  std::string place() const {
    std::string path;
    for (const Frame& frame : frames_) {
      if (frame.is_array) {
        path += fmt::format("[{}]", frame.elements);
      } else if (!frame.key.empty()) {
        path += path.empty() ? "" : ".";
        path += quote_for_message(frame.key);
      }
    }
    if (base_place_.empty()) return path;
    return path.empty() ? base_place_ : base_place_ + ": " + path;
  }

  [[noreturn]] void fail(const std::string& reason) const {
    const std::string where = place();
    throw Error(ErrorCode::kBadData, where.empty() ? file_ : file_ + ": " + where, reason);
  }

  std::string_view text_;
  JsonReader in_;
  const std::string& file_;
  const std::string& base_place_;
  const std::vector<std::string>& extra_keys_;
  const RowCallback& callback_;
  const ReadCallback& on_read_;
  std::vector<Frame> frames_;
  uint64_t held_ = 0;
  size_t reported_ = 0;
};

}  // namespace

std::optional<RowKind> streamed_elements(RowKind parent, std::string_view key) {
  const bool outer = parent == RowKind::kDocument || parent == RowKind::kRow;
  if (parent == RowKind::kDocument && key == "data") return RowKind::kRow;
  if (outer && key == "paragraphs") return RowKind::kParagraph;
  if (parent != RowKind::kQuestion && key == "qas") return RowKind::kQuestion;
  return std::nullopt;
}

void stream_rows(std::string_view text, const std::string& file, const std::string& base_place,
                 const std::vector<std::string>& extra_keys, const RowCallback& callback,
                 const ReadCallback& on_read) {
  RowReader(text, file, base_place, extra_keys, callback, on_read).run();
}

void for_each_text(std::string_view text, const TextCallback& callback) {
  if (text.starts_with(kByteOrderMark)) text.remove_prefix(kByteOrderMark.size());
  if (!is_json_lines(text)) return callback(text, "");
  int64_t number = 0;
  while (!text.empty()) {
    const size_t end = std::min(text.find('\n'), text.size());
    const std::string_view line = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    ++number;
    if (line.find_first_not_of(kJsonSpace) == std::string_view::npos) continue;
    callback(line, fmt::format("line {}", number));
  }
}

}  // namespace spanforge
