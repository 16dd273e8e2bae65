#pragma once
// What stands in a file's place after a failed or incomplete download: a pointer of Git LFS, or a
// web page. The first bytes tell. Every reader of files that are downloaded asks here.

#include <optional>
#include <string>
#include <string_view>

#include "spanforge/base/error.h"

namespace spanforge {

// Whether the text begins with `lower`, ASCII letters in any case. REQUIRES: no capital in `lower`.
bool starts_with_any_case(std::string_view text, std::string_view lower);

enum class ForeignContent { kLfsPointer, kWebPage };

// nullopt: `head`, the first bytes of a file, begins like neither.
std::optional<ForeignContent> find_foreign_content(std::string_view head);

std::string_view foreign_content_name(ForeignContent content);  // "a Git LFS pointer"
// "not the file itself: run ...": what to do.
std::string_view foreign_content_advice(ForeignContent content);

// Throws Error{code, place} that says what `head` is and what to do; returns where it is neither.
void refuse_foreign_content(std::string_view head, const std::string& place, ErrorCode code);

}  // namespace spanforge
