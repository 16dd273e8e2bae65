#pragma once
// Explains in one line why a request to the hub failed, and which setting helps. Internal to hub/.

#include <optional>
#include <string>
#include <string_view>

#include "spanforge/hub/http.h"
#include "spanforge/hub/hub.h"

namespace spanforge {

// The settings that help if the hub cannot be reached; the end of such a line.
extern const std::string_view kReachAdvice;

// For an incomplete answer (response.trouble), or a temporary error (429, 5xx).
std::string explain_unreachable(const HttpResponse& response);

// For an answer of 400 or more.
std::string explain_status(const HttpResponse& response, const HubId& id,
                           const HubOptions& options);

}  // namespace spanforge
