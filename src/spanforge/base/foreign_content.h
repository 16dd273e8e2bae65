#pragma once
// Recognizes, by the first bytes, two kinds of content that a failed download leaves in a file: a
// Git LFS pointer and a web page. Every reader of downloaded files calls this.

#include <optional>
#include <string>
#include <string_view>

#include "spanforge/base/error.h"

namespace spanforge {

// Whether the text begins with `lower`, ignoring the case of ASCII letters. REQUIRES: no capital in
// `lower`.
bool starts_with_any_case(std::string_view text, std::string_view lower);

enum class ForeignContent { kLfsPointer, kWebPage };

// head: the first bytes of a file. nullopt: it is neither.
std::optional<ForeignContent> find_foreign_content(std::string_view head);

std::string_view foreign_content_name(ForeignContent content);  // "a Git LFS pointer"
// What to do: "not the file itself: run ...".
std::string_view foreign_content_advice(ForeignContent content);

// Throws Error{code, place} with name and advice if `head` is one of them.
void refuse_foreign_content(std::string_view head, const std::string& place, ErrorCode code);

}  // namespace spanforge
