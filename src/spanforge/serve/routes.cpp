#include "spanforge/serve/routes.h"

#include "spanforge/serve/message.h"

namespace spanforge::serve {
namespace {

constexpr Route kRoutes[] = {
    {"POST", "/v1/answer", Action::kAnswer, true, "Answer questions about texts"},
    {"POST", "/", Action::kHuggingFace, true, "Answer questions, in Hugging Face's schema"},
    {"POST", "/predict", Action::kHuggingFace, true, "Answer questions, in Hugging Face's schema"},
    {"POST", "/invocations", Action::kHuggingFace, true,
     "Answer questions, in Hugging Face's schema"},
    {"POST", "/models/{id}", Action::kHuggingFace, true,
     "Answer questions, in Hugging Face's schema"},
    {"GET", "/v1/models", Action::kListModels, true, "List the served models"},
    {"GET", "/v1/models/{id}", Action::kShowModel, true, "Describe one model"},
    {"GET", "/metrics", Action::kMetrics, true, "Metrics for Prometheus"},
    {"GET", "/openapi.json", Action::kOpenApi, true, "Describe all routes"},
    {"GET", "/", Action::kPage, false, "A page that explains the server"},
    {"GET", "/health/live", Action::kLive, false, "Report that the process runs"},
    {"GET", "/health/ready", Action::kReady, false, "Report whether requests are accepted"},
    {"GET", "/health", Action::kReady, false, "Same as /health/ready"},
    {"GET", "/ping", Action::kReady, false, "Same as /health/ready"},
    {"GET", "/v2/health/live", Action::kLive, false, "Same as /health/live"},
    {"GET", "/v2/health/ready", Action::kReady, false, "Same as /health/ready"},
};

}  // namespace

std::span<const Route> routes() { return kRoutes; }

Found find_route(std::string_view method, std::string_view path) {
  Found found;
  for (const Route& route : kRoutes) {
    const size_t brace = route.path.find('{');
    const bool matches = brace == std::string_view::npos
                             ? path == route.path
                             : path.size() > brace && path.starts_with(route.path.substr(0, brace));
    if (!matches) continue;
    found.label = route.path;
    if (!found.allow.empty()) found.allow += ", ";
    found.allow += route.method == "GET" ? "GET, HEAD" : route.method;
    if (method != route.method && !(method == "HEAD" && route.method == "GET")) continue;
    found.route = &route;
    if (brace != std::string_view::npos) found.id = decode_percent(path.substr(brace));
  }
  return found;
}

}  // namespace spanforge::serve
