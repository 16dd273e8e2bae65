#include "spanforge/data/json_items.h"

#include <fmt/core.h>

#include "spanforge/base/json_reader.h"

namespace spanforge {
namespace {

Json error_item(const std::string& reason) { return {{"error", reason}}; }

// Reads the elements of a list. The reader checks each element, then parse_json() makes its value.
void read_list(JsonReader& in, std::string_view text, const std::string& file,
               const ItemCallback& callback, const ReadCallback& on_read) {
  size_t number = 0;
  for (in.begin_array(); in.next_item(); ++number) {
    const bool is_object = in.peek() == JsonReader::Kind::kObject;
    const std::string place = fmt::format("[{}]", number);
    const size_t begin = in.position();
    in.skip_value();
    Json item = error_item("must be an object");
    if (is_object) {
      try {
        item = parse_json(text.substr(begin, in.end_position() - begin), file, ErrorCode::kBadData);
      } catch (const Error& error) {
        item = error_item(error.reason());
      }
    }
    callback(item, place);
    if (on_read) on_read(text.data() + in.end_position());
  }
}

}  // namespace

void for_each_item(std::string_view text, const std::string& file, const ItemCallback& callback,
                   const ReadCallback& on_read) {
  for_each_text(text, [&](std::string_view one, const std::string& base_place) {
    // This reader only finds the elements. Each is read again by itself.
    JsonReader in(one, file, ErrorCode::kBadData, {.keys_may_repeat = true});
    try {
      if (base_place.empty() && in.peek() == JsonReader::Kind::kArray) {
        read_list(in, one, file, callback, on_read);
        return in.finish();
      }
      Json item = parse_json(one, file, ErrorCode::kBadData);
      if (!item.is_object()) item = error_item("must be an object");
      callback(item, base_place);
    } catch (const JsonReader::Failure& error) {
      if (base_place.empty()) {
        throw Error(ErrorCode::kBadData, file,
                    fmt::format("is not valid JSON at line {} column {}: {}", error.line,
                                error.column, error.reason()));
      }
      Json item = error_item(
          fmt::format("is not valid JSON at column {}: {}", error.column, error.reason()));
      callback(item, base_place);
    }
    if (on_read) on_read(one.data() + one.size());
  });
}

}  // namespace spanforge
