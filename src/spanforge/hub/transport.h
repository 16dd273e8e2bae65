#pragma once
// How a build without libcurl (SPANFORGE_CURL=OFF, the Python wheel) reaches a hub: the process
// that spanforge is part of brings a client, such as Python's. Whom to ask, with which token, what
// a redirect means and what is written where stays with hub/.

#include <functional>
#include <string>
#include <vector>

#include "spanforge/hub/http.h"

namespace spanforge {

struct HttpRequest {
  bool head = false;  // else GET
  std::string url;
  std::vector<std::string> headers;   // "Name: value"
  double timeout_seconds = 0;         // to connect, and without a byte arriving
  std::string proxy;                  // "": none; the client must not look for one itself
  std::string ca_file, ca_directory;  // "": the system's certificates
};

// Fills status, headers (names in lower case), reached, failure and trouble, follows no redirect,
// and gives the body of a GET to `sink` until that returns false. An exception ends the download.
using HttpTransport =
    std::function<void(const HttpRequest& request, HttpResponse& response, const HttpSink& sink)>;

// Before the first download. Without a transport every request throws Error{kNetwork}.
void set_http_transport(HttpTransport transport);

}  // namespace spanforge
