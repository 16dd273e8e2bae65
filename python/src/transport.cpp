// Downloads of a build without libcurl go through Python's client: spanforge/_transport.py.

#include "spanforge/hub/transport.h"

#include <array>
#include <exception>
#include <utility>

#include <nanobind/nanobind.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include "bindings.h"

namespace nb = nanobind;

namespace spanforge::python {
namespace {

constexpr std::pair<const char*, HttpTrouble> kTroubles[] = {
    {"", HttpTrouble::kNone},
    {"name", HttpTrouble::kName},
    {"proxy name", HttpTrouble::kProxyName},
    {"proxy silent", HttpTrouble::kProxySilent},
    {"proxy refuses", HttpTrouble::kProxyRefuses},
    {"connect", HttpTrouble::kConnect},
    {"connect timeout", HttpTrouble::kConnectTimeout},
    {"tls", HttpTrouble::kTls},
    {"certificate", HttpTrouble::kCertificate},
    {"no certificates", HttpTrouble::kNoCertificates},
    {"timeout", HttpTrouble::kTimeout},
    {"other", HttpTrouble::kOther},
};

HttpTrouble trouble_of(const std::string& name) {
  for (const auto& [text, trouble] : kTroubles) {
    if (name == text) return trouble;
  }
  return HttpTrouble::kOther;
}

// What the Python function gets, and fills: one request and its response.
struct Exchange {
  const HttpRequest& request;
  HttpResponse& response;
  const HttpSink& sink;
  std::exception_ptr thrown;  // by the sink; not as an exception of Python's
};

void begin(Exchange& exchange, long status, const nb::dict& headers) {
  exchange.response.status = status;
  exchange.response.reached = true;
  for (const auto& [name, value] : headers) {
    exchange.response.headers[nb::cast<std::string>(name)] = nb::cast<std::string>(value);
  }
}

bool take(Exchange& exchange, const nb::bytes& piece) {
  try {
    return exchange.sink(exchange.response, {piece.c_str(), piece.size()});
  } catch (...) {
    exchange.thrown = std::current_exception();
    return false;
  }
}

void fail(Exchange& exchange, const std::string& trouble, const std::string& words,
          long proxy_status) {
  exchange.response.trouble = trouble_of(trouble);
  exchange.response.failure = words.empty() ? "failed" : words;
  exchange.response.proxy_status = proxy_status;
}

}  // namespace

void bind_transport(nb::module_& module) {
  nb::class_<Exchange>(module, "HttpExchange")
      .def_prop_ro("head", [](const Exchange& e) { return e.request.head; })
      .def_prop_ro("url", [](const Exchange& e) { return e.request.url; })
      .def_prop_ro("headers", [](const Exchange& e) { return e.request.headers; })
      .def_prop_ro("timeout_seconds", [](const Exchange& e) { return e.request.timeout_seconds; })
      .def_prop_ro("proxy", [](const Exchange& e) { return e.request.proxy; })
      .def_prop_ro("ca_file", [](const Exchange& e) { return e.request.ca_file; })
      .def_prop_ro("ca_directory", [](const Exchange& e) { return e.request.ca_directory; })
      .def("begin", begin)
      .def("take", take)
      .def("fail", fail);
  module.def("set_http_transport", [](nb::callable function) {
    // Never released: a download may end after the interpreter did.
    const nb::handle kept = function.release();
    set_http_transport([kept](const HttpRequest& request, HttpResponse& response,
                              const HttpSink& sink) {
      Exchange exchange{.request = request, .response = response, .sink = sink, .thrown = nullptr};
      const nb::gil_scoped_acquire locked;
      kept(nb::cast(&exchange, nb::rv_policy::reference));
      if (exchange.thrown) std::rethrow_exception(exchange.thrown);
    });
  });
}

}  // namespace spanforge::python
