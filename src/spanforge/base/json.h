#pragma once
// What: a JSON value in memory. Objects keep the order of their members, which SQuAD-like files and
//   run_qa's outputs need.
// Parsing: as strict as json_reader.h, with the memory limit of json_builder.h. To read members of
//   a certain type, with errors that name the place, use JsonView (json_view.h).
// Writing: can equal Python's json.dumps to the byte, for files that other tools compare or sort.
// Why our own class: a header-only library adds a second and a half to the compilation of each of a
//   hundred files, and appending to a large object must not search its keys. Only the conversions
//   from and to containers are in this header.
//
// Example:
//   Json row = {{"id", "q1"}, {"answers", Json::array()}};
//   row["answers"].push_back({{"text", "Ulm"}, {"answer_start", 12}});
//   row.at("answers").at(0).at("text").get<std::string>();  // "Ulm"
//   row.dump();  // {"id":"q1","answers":[{"text":"Ulm","answer_start":12}]}

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <initializer_list>
#include <limits>
#include <stdexcept>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include "spanforge/base/error.h"

namespace spanforge {

class JsonItem;

namespace json_detail {
// Containers other than text: lists of values, or lists of key-value pairs.
template <class C>
concept Container = !std::convertible_to<const C&, std::string> &&
                    !std::convertible_to<const C&, std::string_view> && requires(const C& c) {
  typename C::value_type;
  c.begin();
  c.end();
};
template <class E>
concept KeyAndValue = requires(const E& e) {
  { e.first } -> std::convertible_to<std::string_view>;
  e.second;
};
template <class T>
struct IsVector : std::false_type {};
template <class T>
struct IsVector<std::vector<T>> : std::true_type {};
}  // namespace json_detail

class Json {
 public:
  struct Member;
  using Array = std::vector<Json>;
  using Object = std::vector<Member>;
  // A parsed number without a sign or point is kUnsigned, a negative one kInteger, any other
  // kFloat. A number made by a constructor has the type of its argument.
  enum class Type : uint8_t { kNull, kBool, kInteger, kUnsigned, kFloat, kString, kArray, kObject };

  // at() and get() throw this if the value has another form. Only for values that this program
  // made: read those of a file through a JsonView, whose Error names the place.
  class Mismatch : public std::runtime_error {
   public:
    using std::runtime_error::runtime_error;
  };

  Json() noexcept = default;
  Json(std::nullptr_t) noexcept {}
  Json(bool value) noexcept : type_(Type::kBool), held_{.boolean = value} {}
  Json(int value) noexcept : Json(static_cast<long long>(value)) {}
  Json(long value) noexcept : Json(static_cast<long long>(value)) {}
  Json(long long value) noexcept : type_(Type::kInteger), held_{.integer = value} {}
  Json(unsigned value) noexcept : Json(static_cast<unsigned long long>(value)) {}
  Json(unsigned long value) noexcept : Json(static_cast<unsigned long long>(value)) {}
  Json(unsigned long long value) noexcept : type_(Type::kUnsigned), held_{.whole = value} {}
  Json(double value) noexcept : type_(Type::kFloat), held_{.real = value} {}
  Json(const char* text);
  Json(std::string_view text);
  Json(const std::string& text);
  Json(std::string&& text);
  Json(Array items);
  // If every item is a pair that begins with a text, the list is an object, else an array.
  Json(std::initializer_list<JsonItem> items);
  template <class C>
  requires json_detail::Container<C> Json(const C& container);
  template <class T>  // a pointer must not become a bool
  Json(const T* pointer) = delete;

  Json(const Json& other);
  Json(Json&& other) noexcept;
  Json& operator=(Json other) noexcept;
  ~Json();

  static Json array(std::initializer_list<JsonItem> items = {});
  static Json object();

  Type type() const { return type_; }
  std::string_view type_name() const;  // null, boolean, number, string, array, object
  bool is_null() const { return type_ == Type::kNull; }
  bool is_boolean() const { return type_ == Type::kBool; }
  bool is_number_integer() const { return type_ == Type::kInteger || is_number_unsigned(); }
  bool is_number_unsigned() const { return type_ == Type::kUnsigned; }
  bool is_number_float() const { return type_ == Type::kFloat; }
  bool is_number() const { return is_number_integer() || is_number_float(); }
  bool is_string() const { return type_ == Type::kString; }
  bool is_array() const { return type_ == Type::kArray; }
  bool is_object() const { return type_ == Type::kObject; }

  // T: bool, a number type, std::string, Json, or a std::vector of them. Throws Mismatch if the
  // value has another type, or T cannot hold the number. A float becomes an integer only if it is
  // whole.
  template <class T>
  T get() const;
  const std::string& as_string() const;
  std::string& as_string();
  const Array& as_array() const;
  Array& as_array();
  const Object& as_object() const;
  Object& as_object();

  // The number of items or members; 0 for null, 1 for any other value.
  size_t size() const;
  bool empty() const { return size() == 0; }

  // Objects. A search compares all keys from the first one on. If the key is missing, at() throws
  // and the non-const operator[] adds it. operator[] turns null into an object.
  bool contains(std::string_view key) const { return find(key) != nullptr; }
  const Json* find(std::string_view key) const;  // nullptr: missing, or not an object
  const Json& at(std::string_view key) const;
  Json& at(std::string_view key);
  const Json& operator[](std::string_view key) const { return at(key); }
  Json& operator[](std::string_view key);
  template <class T>
  T value(std::string_view key, T fallback) const;  // the fallback if the key is missing
  std::string value(std::string_view key, const char* fallback) const {
    return value(key, std::string(fallback));
  }
  // The members: for (const auto& [key, value] : json.items()).
  const Object& items() const { return as_object(); }
  void erase(std::string_view key);
  void update(const Json& members);  // replaces members of the same key, appends the others

  // Arrays. push_back turns null into an array. begin() and end() iterate over the items.
  const Json& at(size_t index) const;
  Json& at(size_t index);
  const Json& operator[](size_t index) const { return at(index); }
  Json& operator[](size_t index) { return at(index); }
  void push_back(Json value);
  const Json& front() const { return at(size_t{0}); }
  const Json& back() const { return at(size() - 1); }
  const Json* begin() const;
  const Json* end() const;
  Json* begin();
  Json* end();

  // The text without spaces; non-ASCII characters are not escaped. NaN and infinities become null.
  std::string dump() const;

  // Numbers compare by value, whatever their types.
  friend bool operator==(const Json& a, const Json& b) { return a.equals(b); }

 private:
  [[noreturn]] void mismatch(std::string_view wanted) const;
  bool equals(const Json& other) const;
  bool get_bool() const;
  double get_double() const;
  int64_t get_integer(int64_t least, int64_t most) const;
  uint64_t get_unsigned(uint64_t most) const;

  // The member that type_ names. Owns texts, arrays and objects.
  union Held {
    unsigned long long whole = 0;
    long long integer;
    double real;
    bool boolean;
    std::string* text;
    Array* items;
    Object* members;
  };

  Type type_ = Type::kNull;
  Held held_;
};

struct Json::Member {
  std::string key;
  Json value;
};

// An element of a braced list. It is moved, not copied, into the value.
class JsonItem {
 public:
  template <class T>
  requires std::constructible_from<Json, T&&> JsonItem(T&& value)
      : value_(std::forward<T>(value)) {}
  JsonItem(std::initializer_list<JsonItem> items) : value_(items) {}

 private:
  friend class Json;
  mutable Json value_;
};

template <class C>
requires json_detail::Container<C> Json::Json(const C& container)
    : Json(json_detail::KeyAndValue<typename C::value_type> ? object() : array()) {
  for (const auto& element : container) {
    if constexpr (json_detail::KeyAndValue<typename C::value_type>) {
      held_.members->push_back({std::string(element.first), Json(element.second)});
    } else {
      held_.items->push_back(Json(element));
    }
  }
}

template <class T>
T Json::get() const {
  if constexpr (std::same_as<T, bool>) {
    return get_bool();
  } else if constexpr (std::floating_point<T>) {
    return static_cast<T>(get_double());
  } else if constexpr (std::signed_integral<T>) {
    return static_cast<T>(
        get_integer(std::numeric_limits<T>::min(), std::numeric_limits<T>::max()));
  } else if constexpr (std::unsigned_integral<T>) {
    return static_cast<T>(get_unsigned(std::numeric_limits<T>::max()));
  } else if constexpr (std::same_as<T, std::string>) {
    return as_string();
  } else if constexpr (std::same_as<T, Json>) {
    return *this;
  } else {
    static_assert(json_detail::IsVector<T>::value, "Json has no conversion to this type");
    T items;
    items.reserve(as_array().size());
    for (const Json& item : as_array()) items.push_back(item.get<typename T::value_type>());
    return items;
  }
}

template <class T>
T Json::value(std::string_view key, T fallback) const {
  const Json* found = find(key);
  if (found == nullptr) return fallback;
  return found->get<T>();
}

// file: the name of the text in errors. Errors: Error{code, file} with line, column and what was
// expected.
Json parse_json(std::string_view text, const std::string& file, ErrorCode code);
// The same for a text that is line `line` of the file.
Json parse_json_line(std::string_view text, const std::string& file, size_t line, ErrorCode code);

// Appends a member in constant time: operator[] would search all keys. REQUIRES: its key is new.
void append_member(Json& object, std::string key, Json value);

struct PythonJsonStyle {
  int indent = -1;  // that of json.dumps; -1 is None
  bool sort_keys = false;
  bool ensure_ascii = true;  // \uXXXX for everything above U+007F
};
// json.dumps of Python 3, to the byte: separators, float repr, NaN / Infinity, escapes.
std::string dump_python_json(const Json& value, const PythonJsonStyle& style = {});

// A list that makes each value when it is written, so that a long list is never in memory.
struct JsonList {
  std::string_view key;
  size_t size = 0;
  std::function<Json(size_t)> value;
};
// The same, but writes the list in place of the value of the object's member `list.key`.
std::string dump_python_json(const Json& object, const PythonJsonStyle& style,
                             const JsonList& list);

// repr(float) of Python 3, the shortest digits that give the same float: "1e-05", "0.0001",
// "1e+16", "inf", "nan".
std::string python_repr(double value);
// repr(str) of Python 3: in single quotes, unless the text holds a single and no double quote.
std::string python_repr(std::string_view text);
// str(value) of a Python dict/list/scalar: {'loss': 0.1, 'flag': True, 'none': None}.
std::string python_str(const Json& value);

}  // namespace spanforge
