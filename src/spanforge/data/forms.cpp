#include "spanforge/data/forms.h"

namespace spanforge {

SourceForm recognise_form(std::string_view, const std::filesystem::path&) { return SourceForm::kJson; }

void stream_form(SourceForm, std::string_view, const std::filesystem::path&, const ReadOptions&,
                 const RowCallback&, std::vector<std::string>&) {}

}  // namespace spanforge
