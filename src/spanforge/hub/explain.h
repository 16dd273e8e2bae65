#pragma once
// Why a request to the hub came to nothing, in words for one line, and which setting helps.
// Internal to hub/.

#include <optional>
#include <string>
#include <string_view>

#include "spanforge/hub/http.h"
#include "spanforge/hub/hub.h"

namespace spanforge {

// The settings that help where the hub cannot be reached; the end of such a line.
extern const std::string_view kReachAdvice;

// There is no whole answer (response.trouble), or one that speaks of the moment (429, 5xx).
std::string explain_unreachable(const HttpResponse& response);

// An answer of 400 and more: who has no access to what, and why.
std::string explain_status(const HttpResponse& response, const HubId& id,
                           const HubOptions& options);

}  // namespace spanforge
