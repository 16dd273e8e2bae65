#pragma once
// Files that stand where a model file should but are something else: what a failed or incomplete
// download leaves behind. Recognised by their first bytes, for a message that says what to do.

#include <string>
#include <string_view>

namespace spanforge {

// Error{kBadModel, place} when `bytes` begins like a Git LFS pointer or a web page, or is empty.
void refuse_foreign_file(std::string_view bytes, const std::string& place);

}  // namespace spanforge
