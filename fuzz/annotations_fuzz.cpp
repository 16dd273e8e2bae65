// Any bytes as an export of an annotation tool: complete rows, or rows that say why they cannot be
// read, or an Error{kBadData}.
#include "spanforge/base/utf8.h"
#include "spanforge/data/forms.h"
#include "support.h"

namespace {

using namespace spanforge;

void stream(std::string_view text, SourceForm form, const ReadOptions& options) {
  std::vector<std::string> notes;
  try {
    stream_form(
        form, text, "fuzzed.json", options,
        [&](RowKind kind, Json& row, const std::string&) {
          fuzz::require(kind == RowKind::kRow && row.is_object());
          fuzz::require(!find_invalid_utf8(row.dump()));
          if (row.contains("error")) return;
          fuzz::require(row.contains("question") && row.contains("context") && row.contains("id"));
        },
        notes);
  } catch (const Error& error) {
    fuzz::require(error.code() == ErrorCode::kBadData && error.file() == "fuzzed.json");
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view text = fuzz::view_of(data, size);
  for (const SourceForm form : {SourceForm::kLabelStudio, SourceForm::kDoccano}) {
    stream(text, form, {});
    stream(text, form, {"", {{"question", "id"}, {"answer", "answer"}}});
  }
  try {
    read_dataset_text(text, "fuzzed.json");
  } catch (const Error& error) {
    fuzz::require(error.code() == ErrorCode::kBadData && error.file() == "fuzzed.json");
  }
  return 0;
}
