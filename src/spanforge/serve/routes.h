#pragma once
// What: the table of routes. Dispatch, the field Allow, the labels of log and metrics, and
//   /openapi.json use it.

#include <span>
#include <string>
#include <string_view>

#include "spanforge/serve/limits.h"

namespace spanforge::serve {

enum class Action {
  kAnswer,
  kHuggingFace,
  kListModels,
  kShowModel,
  kLive,
  kReady,
  kMetrics,
  kOpenApi,
  kPage,
};

struct Route {
  std::string_view method;  // GET (also for HEAD) or POST
  std::string_view path;    // "/v1/models/{id}": the id is the whole rest, with slashes
  Action action;
  bool needs_token;
  std::string_view summary;
};
std::span<const Route> routes();

struct Found {
  const Route* route = nullptr;  // nullptr: no route has this path and method
  std::string_view label;        // for log and metrics: the path's template; "" if it is unknown
  std::string id;                // the part of the path for {id}
  std::string allow;             // the methods of a known path
};
Found find_route(std::string_view method, std::string_view path);

std::string openapi_json(const Limits& limits, std::string_view version);

}  // namespace spanforge::serve
