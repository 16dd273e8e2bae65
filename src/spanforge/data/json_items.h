#pragma once
// Reads the objects of a JSON file one after the other: of a list, of JSON lines, or the only one.
// Holds one of them in memory at a time.

#include <functional>
#include <string>
#include <string_view>

#include "spanforge/base/json.h"
#include "spanforge/data/row_stream.h"

namespace spanforge {

// place: "[3]", "line 4", or "" for the only object. A line that is not JSON, and an element that
// is not an object, is passed as {"error": reason}.
using ItemCallback = std::function<void(Json& item, const std::string& place)>;

// Errors: Error{kBadData, file} if a list, or the only object, is not JSON.
void for_each_item(std::string_view text, const std::string& file, const ItemCallback& callback,
                   const ReadCallback& on_read = {});

}  // namespace spanforge
