#pragma once
// A value of a JSON document and where it is: typed access for whoever reads a configuration, a
// checkpoint, a tokenizer or a hub's answer. The document must outlive its views.
// Errors: a value of the wrong type or range throws Error{code, file} with one wording,
//   "hidden_size" is "abc"; it must be an integer
//   "model.vocab" is missing
// where a nested value is named by its path; of the document: "is a list; it must be an object".
//
// Example:
//   const Json json = parse_json_file(file, ErrorCode::kBadModel);
//   const JsonView config(json, file.string());
//   const int64_t layers = config.at("num_hidden_layers").integer(1, 1024);
//   const bool cased = config.boolean_or("cased", true);

#include <cstdint>
#include <limits>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "spanforge/base/json.h"

namespace spanforge {

class JsonView {
 public:
  // file: how messages name the document. code: of the errors.
  JsonView(const Json& document, std::string file, ErrorCode code = ErrorCode::kBadModel);
  // The document is a part of a file.
  JsonView(const Json& document, ErrorPlace part, ErrorCode code = ErrorCode::kBadModel);

  const Json& value() const { return *value_; }
  ErrorPlace place() const;  // {file, "a.b[2]"}
  // For what only this caller knows to be wrong: Error{code, place(), reason}.
  [[noreturn]] void fail(const std::string& reason) const;
  // The wording above; wanted: "an integer", "\"LORA\"".
  [[noreturn]] void refuse(std::string_view wanted) const;

  bool is_null() const { return value_->is_null(); }
  bool is_object() const { return value_->is_object(); }
  bool is_string() const { return value_->is_string(); }

  // Members of an object; another value is refused by all but has(), which is false.
  bool has(std::string_view key) const;                      // it is there, and not null
  JsonView at(std::string_view key) const;                   // must be there; may be null
  std::optional<JsonView> find(std::string_view key) const;  // nullopt: it is missing
  const JsonView& object() const;                            // this view, of an object

  const std::string& string() const;
  bool boolean() const;
  // A number written without a point.
  int64_t integer(int64_t least = std::numeric_limits<int64_t>::min(),
                  int64_t most = std::numeric_limits<int64_t>::max()) const;
  uint64_t natural() const;  // likewise, from 0 on
  double number(std::string_view wanted = "a number") const;
  // Of a list or an object, made one after the other: for (const JsonView& item : view.items()),
  // for (const auto& [key, value] : view.members()).
  class Items;
  class Members;
  Items items() const;
  Members members() const;

  // Of a key that may be missing or null.
  bool boolean_or(std::string_view key, bool fallback) const;
  std::optional<std::string> optional_string(std::string_view key) const;

 private:
  struct Document {
    ErrorPlace place;
    ErrorCode code;
  };
  JsonView(const Json& value, std::shared_ptr<const Document> document, std::string path);
  JsonView member(std::string_view key, const Json& value) const;

  const Json* value_;
  std::shared_ptr<const Document> document_;
  std::string path_;  // "a.b[2]"
};

namespace json_detail {
// Makes the elements of a view by their number.
template <class Made>
class ViewRange {
 public:
  explicit ViewRange(JsonView of) : of_(std::move(of)) {}
  struct Iterator {
    const ViewRange* range;
    size_t index;
    auto operator*() const { return (*range)[index]; }
    Iterator& operator++() { return ++index, *this; }
    bool operator==(const Iterator& other) const { return index == other.index; }
  };
  size_t size() const { return of_.value().size(); }
  auto operator[](size_t index) const { return Made::make(of_, index); }
  Iterator begin() const { return {this, 0}; }
  Iterator end() const { return {this, size()}; }

 private:
  JsonView of_;
};
}  // namespace json_detail

class JsonView::Items : public json_detail::ViewRange<Items> {
 public:
  using ViewRange::ViewRange;
  static JsonView make(const JsonView& list, size_t index);
};

class JsonView::Members : public json_detail::ViewRange<Members> {
 public:
  using ViewRange::ViewRange;
  static std::pair<const std::string&, JsonView> make(const JsonView& object, size_t index);
};

}  // namespace spanforge
