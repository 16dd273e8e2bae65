#include "spanforge/data/row_stream.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <iterator>
#include <nlohmann/json.hpp>
#include <optional>
#include <utility>
#include <vector>

#include "spanforge/base/text_index.h"

namespace spanforge {
namespace {

constexpr size_t kMaxDepth = 64;
constexpr std::string_view kByteOrderMark = "\xEF\xBB\xBF";
constexpr std::string_view kJsonSpace = " \t\r\n";

constexpr std::array<std::string_view, 15> kKnownKeys = {
    "data",         "version", "title", "paragraphs",   "context",
    "context_text", "qas",     "id",    "question",     "query_id",
    "query_text",   "answers", "text",  "answer_start", "is_impossible"};

bool is_known_key(std::string_view key) {
  for (std::string_view known : kKnownKeys) {
    if (key == known) return true;
  }
  return false;
}

// What the elements of a member are, where the member is a list to be streamed.
std::optional<RowKind> streamed_elements(RowKind parent, std::string_view key) {
  const bool outer = parent == RowKind::kDocument || parent == RowKind::kRow;
  if (parent == RowKind::kDocument && key == "data") return RowKind::kRow;
  if (outer && key == "paragraphs") return RowKind::kParagraph;
  if (parent != RowKind::kQuestion && key == "qas") return RowKind::kQuestion;
  return std::nullopt;
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

// Walks over a text and tells how far it is.
class ReportingIterator {
 public:
  using iterator_category = std::input_iterator_tag;
  using value_type = char;
  using difference_type = std::ptrdiff_t;
  using pointer = const char*;
  using reference = const char&;

  ReportingIterator(const char* at, const ReadCallback* on_read)
      : at_(at), started_(at), on_read_(on_read) {}
  reference operator*() const { return *at_; }
  ReportingIterator& operator++() {
    if (++at_ - started_ >= kReportBytes) {
      (*on_read_)(at_);
      started_ = at_;
    }
    return *this;
  }
  bool operator==(const ReportingIterator& other) const { return at_ == other.at_; }

 private:
  static constexpr std::ptrdiff_t kReportBytes = 4 << 20;
  const char* at_;
  const char* started_;  // where the last report was
  const ReadCallback* on_read_;
};

// One open object or array.
struct Frame {
  enum Role { kRowObject, kRowArray, kValueObject, kValueArray, kSkipped };
  Role role;
  RowKind kind = RowKind::kDocument;          // of the object, or of the elements of a row array
  Json value;                                 // what was read so far; unused where skipped
  std::string key;                            // of the member being read
  bool keep_member = true;                    // false: the member's key is unknown
  int64_t elements = 0;                       // of an array
  std::vector<std::string> keys;              // of an object: few, searched linearly
  TextIndex key_index;                        // ... by this where they are many

  bool is_array() const { return role == kRowArray || role == kValueArray; }
};

class RowHandler : public nlohmann::json_sax<Json> {
 public:
  RowHandler(std::string_view text, const std::string& file, const std::string& base_place,
             const RowCallback& callback)
      : text_(text), file_(file), base_place_(base_place), callback_(callback) {}

  bool null() override { return add(nullptr); }
  bool boolean(bool value) override { return add(value); }
  bool number_integer(number_integer_t value) override { return add(value); }
  bool number_unsigned(number_unsigned_t value) override { return add(value); }
  bool number_float(number_float_t value, const string_t&) override { return add(value); }
  bool string(string_t& value) override { return add(std::move(value)); }
  bool binary(binary_t&) override { return false; }

  bool start_object(size_t) override { return open(true); }
  bool start_array(size_t) override { return open(false); }

  bool key(string_t& key) override {
    Frame& frame = frames_.back();
    frame.key.clear();
    refuse_repeated_key(frame, key);
    frame.keep_member = frame.role == Frame::kValueObject || is_known_key(key);
    frame.key = std::move(key);
    return true;
  }

  bool end_object() override {
    Frame frame = std::move(frames_.back());
    if (frame.role != Frame::kRowObject) {
      frames_.pop_back();
      if (frame.role == Frame::kValueObject) attach(std::move(frame.value));
      return true;
    }
    const std::string where = place(frames_.size() - 1);
    frames_.pop_back();
    callback_(frame.kind, frame.value, where);
    held_ = 0;
    if (!frames_.empty()) ++frames_.back().elements;
    return true;
  }

  bool end_array() override {
    Frame frame = std::move(frames_.back());
    frames_.pop_back();
    if (frame.role == Frame::kSkipped) return true;
    if (frame.role == Frame::kValueArray) {
      attach(std::move(frame.value));
    } else if (!frames_.empty()) {
      frames_.back().value[frames_.back().key] = frame.elements;
    }
    return true;
  }

  bool parse_error(size_t position, const std::string& token,
                   const nlohmann::detail::exception& error) override {
    fail(fmt::format("is not sound JSON at {}: {}", line_and_column(position), reason_of(error)));
  }

 private:
  [[noreturn]] void fail(const std::string& reason) const {
    const std::string where = place(frames_.size());
    throw Error(ErrorCode::kBadData, where.empty() ? file_ : file_ + ": " + where, reason);
  }

  // The library's message without its own prefix, position and echo of the text.
  static std::string reason_of(const nlohmann::detail::exception& error) {
    std::string message = error.what();
    const size_t colon = message.find(": ");
    if (colon != std::string::npos) message.erase(0, colon + 2);
    const size_t echo = message.find("; last read");
    if (echo != std::string::npos) {
      // What was expected stands behind the echo, which may spell anything.
      const size_t quote = message.rfind("'; expected ");
      const bool has_tail = quote != std::string::npos && quote > echo;
      message = message.substr(0, echo) + (has_tail ? message.substr(quote + 1) : "");
    }
    constexpr std::string_view kPrefix = "syntax error while parsing ";
    if (message.starts_with(kPrefix)) message.erase(0, kPrefix.size());
    return quote_for_message(message, 200);
  }

  std::string line_and_column(size_t position) const {
    const std::string_view before = text_.substr(0, position);
    size_t line = 1, start = 0;
    for (size_t at = before.find('\n'); at != std::string_view::npos;
         at = before.find('\n', at + 1)) {
      ++line;
      start = at + 1;
    }
    if (!base_place_.empty()) return fmt::format("column {}", before.size() - start);
    return fmt::format("line {}, column {}", line, before.size() - start);
  }

  void refuse_repeated_key(Frame& frame, const std::string& key) {
    constexpr size_t kFew = 32;
    std::vector<std::string>& keys = frame.keys;
    const auto key_at = texts_in(keys);
    if (keys.size() < kFew ? std::ranges::find(keys, key) != keys.end()
                           : frame.key_index.find(key, key_at).has_value()) {
      fail(fmt::format("the key \"{}\" stands twice in one object", quote_for_message(key)));
    }
    keys.push_back(key);
    if (keys.size() < kFew) return;
    // All of them when they become many, then each as it comes.
    for (size_t i = keys.size() == kFew ? 0 : keys.size() - 1; i < keys.size(); ++i) {
      frame.key_index.insert(keys[i], i, key_at);
    }
  }

  // Path of what stands inside the first `depth` frames.
  std::string place(size_t depth) const {
    std::string path;
    for (size_t i = 0; i < depth; ++i) {
      const Frame& frame = frames_[i];
      if (frame.is_array()) {
        path += fmt::format("[{}]", frame.elements);
      } else if (!frame.key.empty()) {
        path += path.empty() ? "" : ".";
        path += quote_for_message(frame.key);
      }
    }
    if (base_place_.empty()) return path;
    return path.empty() ? base_place_ : base_place_ + ": " + path;
  }

  // What the object or array that opens now is.
  Frame make_frame(bool object) const {
    const auto value = [&] {
      return object ? Frame{Frame::kValueObject, RowKind::kDocument, Json::object()}
                    : Frame{Frame::kValueArray, RowKind::kDocument, Json::array()};
    };
    if (frames_.empty()) {
      return object ? Frame{Frame::kRowObject, RowKind::kDocument, Json::object()}
                    : Frame{Frame::kRowArray, RowKind::kRow, Json()};
    }
    const Frame& parent = frames_.back();
    switch (parent.role) {
      case Frame::kSkipped:
        return Frame{Frame::kSkipped};
      case Frame::kRowArray:
        if (!object) fail("must be an object, not a list");
        return Frame{Frame::kRowObject, parent.kind, Json::object()};
      case Frame::kRowObject: {
        if (!parent.keep_member) return Frame{Frame::kSkipped};
        const auto elements = streamed_elements(parent.kind, parent.key);
        if (elements && !object) return Frame{Frame::kRowArray, *elements, Json()};
        if (elements) fail("must be a list, not an object");
        return value();
      }
      default:
        return value();
    }
  }

  bool open(bool object) {
    if (frames_.size() >= kMaxDepth)
      fail(fmt::format("is nested deeper than {} levels", kMaxDepth));
    frames_.push_back(make_frame(object));
    return true;
  }

  // What the values of a row that is not finished yet take, roughly, is bounded by the text.
  void charge(const Json& value) {
    constexpr uint64_t kValue = 96, kBesidesText = uint64_t{32} << 20;
    held_ += kValue + (value.is_string() ? value.get_ref<const std::string&>().size() : 0);
    if (held_ > text_.size() + kBesidesText) {
      fail("the values of one row take far more memory than their text: refused");
    }
  }

  // A finished value that is not a row goes into the frame around it.
  void attach(Json&& value) {
    if (frames_.empty()) fail("must be an object or a list of rows");
    charge(value);
    Frame& frame = frames_.back();
    switch (frame.role) {
      case Frame::kSkipped:
        return;
      case Frame::kRowArray:
        fail(fmt::format("must be an object, not {}", value.type_name()));
      case Frame::kValueArray:
        frame.value.push_back(std::move(value));
        ++frame.elements;
        return;
      default:
        if (!frame.keep_member) return;
        if (frame.role == Frame::kRowObject && streamed_elements(frame.kind, frame.key) &&
            !value.is_array()) {
          fail(fmt::format("must be a list, not {}", value.type_name()));
        }
        // Its key is new: it is not looked for among the others, which may be many.
        append_member(frame.value, frame.key, std::move(value));
    }
  }

  template <class T>
  bool add(T&& value) {
    if (!frames_.empty() && frames_.back().role == Frame::kSkipped) return true;
    attach(Json(std::forward<T>(value)));
    return true;
  }

  std::string_view text_;
  const std::string& file_;
  const std::string& base_place_;
  const RowCallback& callback_;
  std::vector<Frame> frames_;
  uint64_t held_ = 0;
};

}  // namespace

void stream_rows(std::string_view text, const std::string& file, const std::string& base_place,
                 const RowCallback& callback, const ReadCallback& on_read) {
  RowHandler handler(text, file, base_place, callback);
  if (on_read) {
    const char* end = text.data() + text.size();
    Json::sax_parse(ReportingIterator(text.data(), &on_read), ReportingIterator(end, &on_read),
                    &handler);
  } else {
    Json::sax_parse(text.begin(), text.end(), &handler);
  }
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
