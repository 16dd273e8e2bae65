#include "spanforge/model/foreign_file.h"

#include <algorithm>
#include <cctype>

#include "spanforge/base/error.h"

namespace spanforge {

void refuse_foreign_file(std::string_view bytes, const std::string& place) {
  if (bytes.empty()) throw Error(ErrorCode::kBadModel, place, "the file is empty");
  if (bytes.starts_with("version https://git-lfs.github.com/spec/")) {
    throw Error(ErrorCode::kBadModel, place,
                "this is a Git LFS pointer, not the file itself; run \"git lfs pull\" in its "
                "repository or download the file again");
  }
  const size_t text = std::min(bytes.find_first_not_of(" \t\r\n"), bytes.size());
  std::string head(bytes.substr(text, 16));
  std::transform(head.begin(), head.end(), head.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  if (head.starts_with("<!doctype") || head.starts_with("<html")) {
    throw Error(ErrorCode::kBadModel, place,
                "this is a web page (HTML), probably an error page saved in the file's place; "
                "download the file again");
  }
}

}  // namespace spanforge
