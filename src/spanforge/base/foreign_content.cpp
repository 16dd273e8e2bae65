#include "spanforge/base/foreign_content.h"

#include <algorithm>

#include <fmt/core.h>

namespace spanforge {

bool starts_with_any_case(std::string_view text, std::string_view lower) {
  return text.size() >= lower.size() &&
         std::equal(lower.begin(), lower.end(), text.begin(), [](char wanted, char found) {
           return wanted == (found >= 'A' && found <= 'Z' ? found - 'A' + 'a' : found);
         });
}

std::optional<ForeignContent> find_foreign_content(std::string_view head) {
  if (head.starts_with("\xEF\xBB\xBF")) head.remove_prefix(3);
  head.remove_prefix(std::min(head.find_first_not_of(" \t\r\n"), head.size()));
  if (head.starts_with("version https://git-lfs")) return ForeignContent::kLfsPointer;
  for (const std::string_view tag : {"<!doctype html", "<html"}) {
    if (starts_with_any_case(head, tag)) return ForeignContent::kWebPage;
  }
  return std::nullopt;
}

std::string_view foreign_content_name(ForeignContent content) {
  return content == ForeignContent::kLfsPointer ? "a Git LFS pointer" : "a web page";
}

std::string_view foreign_content_advice(ForeignContent content) {
  if (content == ForeignContent::kLfsPointer) {
    return "not the file itself: run \"git lfs pull\" in its repository, or download the file "
           "again";
  }
  return "probably an error page saved in the file's place: download the file again";
}

void refuse_foreign_content(std::string_view head, const std::string& place, ErrorCode code) {
  const auto content = find_foreign_content(head);
  if (!content) return;
  throw Error(
      code, place,
      fmt::format("is {}, {}", foreign_content_name(*content), foreign_content_advice(*content)));
}

}  // namespace spanforge
