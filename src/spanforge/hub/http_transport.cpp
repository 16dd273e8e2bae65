#include "spanforge/base/error.h"
#include "spanforge/hub/http.h"
#include "spanforge/hub/transport.h"

namespace spanforge {
namespace {

HttpTransport& transport() {
  static auto* function = new HttpTransport;  // never destroyed: its owner may be gone by then
  return *function;
}

}  // namespace

void set_http_transport(HttpTransport function) { transport() = std::move(function); }

HttpClient::HttpClient(HubNetwork network) : network_(std::move(network)) {}

HttpClient::~HttpClient() = default;

HttpResponse HttpClient::perform(const std::string& url, const std::vector<std::string>& headers,
                                 double timeout_seconds, const HttpSink* sink) {
  if (!transport()) {
    throw Error(ErrorCode::kNetwork, quote_for_message(shown_url(url), 300),
                "cannot be fetched: this build has no HTTP client");
  }
  HttpResponse response;
  response.url = url;
  response.timeout_seconds = timeout_seconds;
  const HttpRequest request{.head = sink == nullptr,
                            .url = url,
                            .headers = headers,
                            .timeout_seconds = timeout_seconds,
                            .proxy = proxy_for(url, network_),
                            .ca_file = network_.ca_file,
                            .ca_directory = network_.ca_directory};
  if (!request.proxy.empty()) response.proxy = shown_url(request.proxy);
  const HttpSink none = [](const HttpResponse&, std::string_view) { return true; };
  transport()(request, response, sink != nullptr ? *sink : none);
  return response;
}

}  // namespace spanforge
