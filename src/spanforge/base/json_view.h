#pragma once
// What: a value of a JSON document and its path. Typed access for readers of configurations,
//   checkpoints, tokenizers and answers of the hub. The document must outlive its views.
// Errors: a value of the wrong type or range throws Error{code, file}, always in this wording:
//     "hidden_size" is "abc"; it must be an integer
//     "model.vocab" is missing
//   A nested value is named by its path. For the document: "is a list; it must be an object".
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
  // file: the name of the document in errors. code: of the errors.
  JsonView(const Json& document, std::string file, ErrorCode code = ErrorCode::kBadModel);
  // The same for a document that is a part of a file.
  JsonView(const Json& document, ErrorPlace part, ErrorCode code = ErrorCode::kBadModel);

  const Json& value() const { return *value_; }
  ErrorPlace place() const;  // {file, "a.b[2]"}
  // Throws Error{code, place(), reason}.
  [[noreturn]] void fail(const std::string& reason) const;
  // Throws the error above. wanted: "an integer", "\"LORA\"".
  [[noreturn]] void refuse(std::string_view wanted) const;

  bool is_null() const { return value_->is_null(); }
  bool is_object() const { return value_->is_object(); }
  bool is_string() const { return value_->is_string(); }

  // Members of an object. If this is not an object, has() is false and the others throw.
  bool has(std::string_view key) const;                      // the key exists and is not null
  JsonView at(std::string_view key) const;                   // throws if missing; may be null
  std::optional<JsonView> find(std::string_view key) const;  // nullopt: it is missing
  const JsonView& object() const;                            // this view; throws if not an object

  const std::string& string() const;
  bool boolean() const;
  // A number written without a point.
  int64_t integer(int64_t least = std::numeric_limits<int64_t>::min(),
                  int64_t most = std::numeric_limits<int64_t>::max()) const;
  uint64_t natural() const;  // the same, from 0 on
  double number(std::string_view wanted = "a number") const;
  // Views of the items of a list or the members of an object:
  // for (const JsonView& item : view.items()), for (const auto& [key, value] : view.members()).
  class Items;
  class Members;
  Items items() const;
  Members members() const;

  // Members that may be missing or null.
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
// Makes each element of a view when it is asked for.
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
