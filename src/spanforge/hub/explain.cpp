#include "spanforge/hub/explain.h"

#include <algorithm>
#include <cctype>

#include <fmt/core.h>

#include "spanforge/base/error.h"

namespace spanforge {
namespace {

bool contains(std::string_view text, std::string_view part) {
  return text.find(part) != std::string_view::npos;
}

const char* proxy_variable(const HttpResponse& response) {
  return response.url.starts_with("https:") ? "https_proxy" : "http_proxy";
}

std::string explain_tls(const HttpResponse& response) {
  const bool through_tls_proxy = response.proxy.starts_with("https://");
  if (through_tls_proxy && contains(response.failure, "wrong version")) {
    return fmt::format(
        "the proxy {} does not speak TLS; most proxies are named by http://, also in "
        "https_proxy",
        response.proxy);
  }
  if (contains(response.failure, "wrong version") ||
      contains(response.failure, "unknown protocol") ||
      contains(response.failure, "packet length")) {
    return fmt::format(
        "{} does not speak TLS here ({}); an HF_ENDPOINT without TLS begins with "
        "http://",
        url_host(response.url), response.failure);
  }
  return fmt::format("the TLS connection broke off ({}); a firewall may cause that",
                     response.failure);
}

std::string explain_certificate(const HttpResponse& response) {
  const std::string& words = response.failure;
  if (contains(words, "not yet valid") || contains(words, "expired")) {
    return fmt::format(
        "its TLS certificate is not valid today ({}); is this machine's clock right?", words);
  }
  if (contains(words, "does not match") || contains(words, "alternative certificate subject")) {
    return fmt::format(
        "its TLS certificate is another host's ({}); a login page or a firewall may "
        "answer in its place",
        words);
  }
  return fmt::format(
      "its TLS certificate is not trusted ({}); if a company's firewall reads TLS, set "
      "SSL_CERT_FILE to a file with its certificate; the usual certificates are in "
      "the package ca-certificates",
      words);
}

std::string explain_proxy_answer(const std::string& proxy, long status) {
  if (status == 407) {
    return fmt::format(
        "the proxy {} asks for a name and a password (407); set "
        "https_proxy=http://NAME:PASSWORD@HOST:PORT, with %40 for @ in either",
        proxy);
  }
  return fmt::format(
      "the proxy {} answers {} to the request for a connection; no_proxy lists hosts "
      "that do not need it",
      proxy, status);
}

// The hub's own text about its answer, if there is one.
std::string words_of(const HttpResponse& response, const std::string& token) {
  const std::string* words = response.header("x-error-message");
  if (words == nullptr || (!token.empty() && contains(*words, token))) return "";
  return fmt::format(" ({})", quote_for_message(*words, 200));
}

std::string explain_no_access(const HttpResponse& response, const HubId& id,
                              const HubOptions& options) {
  const std::string* code = response.header("x-error-code");
  const std::string page = fmt::format("{}/{}", shown_url(options.endpoint), id.repository);
  const std::string begin =
      fmt::format("answers {}{}: ", response.status, words_of(response, options.token));
  if (code != nullptr && *code == "GatedRepo") {
    return begin + (options.token.empty()
                        ? fmt::format("{} is gated; ask for access at {}, and set HF_TOKEN to a "
                                      "token of that account",
                                      id.repository, page)
                        : fmt::format("{} is gated, and the token of {} has no access; ask for it "
                                      "at {}",
                                      id.repository, options.token_source, page));
  }
  const std::string* type = response.header("content-type");
  if (response.status == 403 && code == nullptr && type != nullptr &&
      type->starts_with("text/html")) {
    return begin +
           "with a web page; a firewall or proxy may answer in the hub's place, or the "
           "repository needs a token (HF_TOKEN)";
  }
  if (options.token.empty()) {
    return begin + fmt::format(
                       "there is no public model {} (is the name right, capitals included?); "
                       "a private or gated one needs a token: set HF_TOKEN to one that may "
                       "read it",
                       id.repository);
  }
  return begin + fmt::format(
                     "the token of {} is not valid or may not read {}, or there is no such "
                     "model; set HF_TOKEN to another token",
                     options.token_source.empty() ? "HF_TOKEN" : options.token_source,
                     id.repository);
}

}  // namespace

const std::string_view kReachAdvice =
    "HF_ENDPOINT names a mirror (https://hf-mirror.com), https_proxy a proxy; a cache copied from "
    "another machine also works: HF_HOME or HF_HUB_CACHE names its place, and with "
    "HF_HUB_OFFLINE=1 "
    "no hub is asked; HF_TOKEN opens private models; see spanforge download --help";

std::string explain_unreachable(const HttpResponse& response) {
  const std::string words = response.failure.empty() ? "" : fmt::format(" ({})", response.failure);
  const std::string through =
      response.proxy.empty() ? "" : fmt::format(", asked through the proxy {}", response.proxy);
  switch (response.trouble) {
    case HttpTrouble::kNone: break;
    case HttpTrouble::kName:
      return fmt::format("cannot be reached: the name {} is not known on this machine (DNS)",
                         url_host(response.url));
    case HttpTrouble::kProxyName:
      return fmt::format(
          "cannot be reached: the name of the proxy {} is not known on this machine; is {} "
          "right?",
          response.proxy, proxy_variable(response));
    case HttpTrouble::kProxySilent:
      return fmt::format(
          "cannot be reached: the proxy {} accepts no connection or makes none{}; is "
          "{} right?",
          response.proxy, words, proxy_variable(response));
    case HttpTrouble::kProxyRefuses:
      return "cannot be reached: " + explain_proxy_answer(response.proxy, response.proxy_status);
    case HttpTrouble::kConnect:
      return "cannot be reached: no server accepts the connection" + words;
    case HttpTrouble::kConnectTimeout:
      return fmt::format("cannot be reached: no connection within {:g} s{}; a firewall may drop it",
                         response.timeout_seconds, through);
    case HttpTrouble::kTls: return "cannot be reached: " + explain_tls(response) + through;
    case HttpTrouble::kCertificate:
      return "cannot be reached: " + explain_certificate(response) + through;
    case HttpTrouble::kNoCertificates:
      return fmt::format(
          "cannot be reached: this machine has no certificates to trust{}; install the "
          "package ca-certificates, or set SSL_CERT_FILE to a file of them",
          words);
    case HttpTrouble::kTimeout:
      return fmt::format(
          "cannot be reached: no answer within {:g} s{}; HF_HUB_ETAG_TIMEOUT and "
          "HF_HUB_DOWNLOAD_TIMEOUT allow more",
          response.timeout_seconds, through);
    case HttpTrouble::kOther: return "cannot be reached" + words + through;
  }
  if (response.status == 429) {
    return "answers 429: too many requests from this machine; wait some minutes";
  }
  return fmt::format("answers {}{}: it is out of service, or a proxy or firewall is",
                     response.status, through);
}

std::string explain_status(const HttpResponse& response, const HubId& id,
                           const HubOptions& options) {
  const std::string* code = response.header("x-error-code");
  if (response.status == 401 || response.status == 403) {
    return explain_no_access(response, id, options);
  }
  if (response.status == 407) return explain_proxy_answer(response.proxy, response.status);
  if (response.status == 404 && code != nullptr && *code == "RevisionNotFound") {
    return fmt::format("answers 404: {} has no revision \"{}\"", id.repository, id.revision);
  }
  if (response.status == 404) {
    return fmt::format(
        "answers 404: there is no repository or file of that name; is it right, "
        "capitals included? A private one needs a token (HF_TOKEN{})",
        options.token.empty() ? "" : " holds one");
  }
  return fmt::format("answers {}{}", response.status, words_of(response, options.token));
}

}  // namespace spanforge
