#include "spanforge/serve/routes.h"

#include "spanforge/serve/message.h"

namespace spanforge::serve {
namespace {

constexpr Route kRoutes[] = {
    {"POST", "/v1/answer", Action::kAnswer, true, "Answer questions about texts"},
    {"POST", "/", Action::kHuggingFace, true, "Answer, in Hugging Face's schema"},
    {"POST", "/predict", Action::kHuggingFace, true, "Answer, in Hugging Face's schema"},
    {"POST", "/invocations", Action::kHuggingFace, true, "Answer, in Hugging Face's schema"},
    {"POST", "/models/{id}", Action::kHuggingFace, true, "Answer, in Hugging Face's schema"},
    {"GET", "/v1/models", Action::kListModels, true, "The models that are served"},
    {"GET", "/v1/models/{id}", Action::kShowModel, true, "One of them"},
    {"GET", "/metrics", Action::kMetrics, true, "Numbers for Prometheus"},
    {"GET", "/openapi.json", Action::kOpenApi, true, "This description"},
    {"GET", "/", Action::kPage, false, "What this is, for a person"},
    {"GET", "/health/live", Action::kLive, false, "The process runs"},
    {"GET", "/health/ready", Action::kReady, false, "Requests are taken"},
    {"GET", "/health", Action::kReady, false, "As /health/ready"},
    {"GET", "/ping", Action::kReady, false, "As /health/ready"},
    {"GET", "/v2/health/live", Action::kLive, false, "As /health/live"},
    {"GET", "/v2/health/ready", Action::kReady, false, "As /health/ready"},
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
