#pragma once
// The table of routes: dispatch, 405's Allow, the log's and metrics' labels and /openapi.json go
// over its rows.

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
  std::string_view method;  // GET (and so HEAD) or POST
  std::string_view path;    // "/v1/models/{id}": the id is all that follows, also slashes
  Action action;
  bool needs_token;
  std::string_view summary;
};
std::span<const Route> routes();

struct Found {
  const Route* route = nullptr;  // nullptr: no such path, or another method
  std::string_view label;        // of log and metrics: the path's template, "" where it is unknown
  std::string id;                // what stands in the place of {id}
  std::string allow;             // the methods of a known path
};
Found find_route(std::string_view method, std::string_view path);

std::string openapi_json(const Limits& limits, std::string_view version);

}  // namespace spanforge::serve
