#pragma once
// The objects of a JSON file one after the other: of a list, of JSON lines, or the one it is. One
// of them is held in memory at a time.

#include <functional>
#include <string>
#include <string_view>

#include "spanforge/base/json.h"
#include "spanforge/data/row_stream.h"

namespace spanforge {

// `place`: "[3]", "line 4", or "" of an object by itself. A line that is no JSON, and an element
// that is no object, is handed over as {"error": reason}.
using ItemCallback = std::function<void(Json& item, const std::string& place)>;

// Errors: Error{kBadData, file} where a list, or an object by itself, is not JSON.
void for_each_item(std::string_view text, const std::string& file, const ItemCallback& callback,
                   const ReadCallback& on_read = {});

}  // namespace spanforge
