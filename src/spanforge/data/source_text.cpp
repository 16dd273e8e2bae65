#include "spanforge/data/source_text.h"

namespace spanforge {

SourceText read_source_text(std::string_view bytes, const std::filesystem::path&, const std::string&) {
  if (bytes.starts_with("\xEF\xBB\xBF")) bytes.remove_prefix(3);
  return {bytes, "", "UTF-8"};
}

}  // namespace spanforge
