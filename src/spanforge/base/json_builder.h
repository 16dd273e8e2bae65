#pragma once
// Makes values of what a JsonReader reads, in bounded memory: "[0,0,0" takes two bytes a value in a
// file and 16 as a tree. parse_json() of json.h is a builder for one value; a caller that goes over
// a long text row by row has one for all of them.
// Errors: JsonReader::Failure, as well where the values held take more than they may.
//
// Example, of {"rows": [...]}, where `in` is before the first row and each is let go at once:
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
  // What stands for a number that was read; `in` still knows its text and key.
  using NumberHook = Json (*)(const JsonReader& in, Json number);

  // memory: the bytes that the values may take, roughly, before they are forgotten.
  JsonBuilder(JsonReader& in, uint64_t memory, NumberHook number = nullptr)
      : in_(in), memory_(memory), left_(memory), number_(number) {}
  Json read();  // the value that comes next
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

// The one value that the text holds, to its end.
Json read_document(JsonReader& in, uint64_t memory);

}  // namespace spanforge
