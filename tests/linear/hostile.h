#pragma once
// Texts that are made to be costly, of any size, and what they are fed to.

#include <cstddef>
#include <functional>
#include <iosfwd>
#include <string>
#include <string_view>
#include <vector>

namespace spanforge {

using Make = std::function<std::string(size_t)>;  // about that many bytes
using Use = std::function<void(const std::string&)>;

struct Hostile {
  const char* name;
  Make make;
  Use use;
};
void PrintTo(const Hostile& row, std::ostream* out);
const std::vector<Hostile>& hostile_table();

std::string repeat(std::string_view piece, size_t size);
// A piece again and again.
Make all(std::string piece, std::string before = "", std::string after = "");
// Pieces around keys that std::hash would put into one bucket.
Make colliding(std::string before_key, std::string after_key, std::string before = "",
               std::string after = "");
void encode_bert(const std::string& text);

}  // namespace spanforge
