#pragma once
// Reads exports of annotation tools as rows. docs/data-forms.md describes their forms and units,
// and gives the sources.

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "spanforge/data/dataset.h"
#include "spanforge/data/offset_unit.h"
#include "spanforge/data/row_stream.h"

namespace spanforge {

// Whether the first object of a file is a task of Label Studio's JSON or JSON-MIN, or a row of
// doccano's JSON lines. Looks only at keys and kinds of values.
bool is_label_studio(const Json& item);
bool is_doccano(const Json& item);

// See stream_form() in forms.h.
void stream_label_studio(std::string_view text, const std::string& file, const ReadOptions& options,
                         const RowCallback& callback, std::vector<std::string>& notes,
                         const ReadCallback& on_read);
void stream_doccano(std::string_view text, const std::string& file, const ReadOptions& options,
                    const RowCallback& callback, std::vector<std::string>& notes,
                    const ReadCallback& on_read);

// The units that the tools may count in.
std::vector<OffsetUnit> label_studio_units();
std::vector<OffsetUnit> doccano_units();

// Reads {"start", "end", "text", "labels"} and the spellings of other versions; nullopt: no span.
std::optional<ToolSpan> span_of(const Json& value);

}  // namespace spanforge
