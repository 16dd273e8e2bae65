#pragma once
// What: builds Json values from a JsonReader, with a limit on their memory: a value of "[0,0,0"
//   takes two bytes in a file and 16 in memory. parse_json() in json.h uses one builder for one
//   value; a caller that reads a long text row by row uses one builder for all rows.
// Errors: JsonReader::Failure, also if the values exceed the limit.
//
// Example for {"rows": [...]}; `in` is before the first row, and each row is forgotten after use:
//   JsonBuilder builder(in, text.size() + kJsonBesidesText);
//   while (in.next_item()) {
//     use(builder.read());
//     builder.forget();
//   }

#include <cstdint>

#include "spanforge/base/json.h"
#include "spanforge/base/json_reader.h"

namespace spanforge {

class JsonBuilder {
 public:
  // Returns the value to use for a number that was just read; `in` still knows its text and key.
  using NumberHook = Json (*)(const JsonReader& in, Json number);

  // memory: roughly the bytes that all values since the last forget() may take.
  JsonBuilder(JsonReader& in, uint64_t memory, NumberHook number = nullptr)
      : in_(in), memory_(memory), left_(memory), number_(number) {}
  Json read();  // the next value
  void forget() { left_ = memory_; }

 private:
  void charge(uint64_t bytes);
  Json read_list();
  Json read_object();
  Json read_string();
  Json read_number();

  JsonReader& in_;
  uint64_t memory_, left_;
  NumberHook number_;
};

// Reads the only value of the text. The text must end after it.
Json read_document(JsonReader& in, uint64_t memory);

}  // namespace spanforge
