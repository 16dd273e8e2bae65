#include "spanforge/hub/http.h"

#include <algorithm>

namespace spanforge {
namespace {

// no_proxy: "*", or hosts and domains with their subdomains. libcurl handles ranges of addresses.
bool is_asked_directly(const std::string& host, const std::string& no_proxy) {
  for (size_t start = 0; start < no_proxy.size();) {
    const size_t end = std::min(no_proxy.find_first_of(", ", start), no_proxy.size());
    std::string entry = in_lower_case(no_proxy.substr(start, end - start));
    start = end + 1;
    if (entry == "*") return true;
    entry.erase(0, std::min(entry.find_first_not_of("*."), entry.size()));
    if (!entry.empty() && (host == entry || host.ends_with("." + entry))) return true;
  }
  return false;
}

}  // namespace

const std::string* HttpResponse::header(const std::string& name) const {
  const auto it = headers.find(name);
  return it == headers.end() ? nullptr : &it->second;
}

bool HttpResponse::may_pass() const {
  return trouble == HttpTrouble::kNone || trouble == HttpTrouble::kTimeout ||
         trouble == HttpTrouble::kOther;
}

std::string proxy_for(const std::string& url, const HubNetwork& network) {
  if (is_asked_directly(url_host(url), network.no_proxy)) return {};
  return url.starts_with("https:") ? network.https_proxy : network.http_proxy;
}

HttpResponse HttpClient::head(const std::string& url, const std::vector<std::string>& headers,
                              double timeout_seconds) {
  return perform(url, headers, timeout_seconds, nullptr);
}

HttpResponse HttpClient::get(const std::string& url, const std::vector<std::string>& headers,
                             double timeout_seconds, const HttpSink& sink) {
  return perform(url, headers, timeout_seconds, &sink);
}

}  // namespace spanforge
