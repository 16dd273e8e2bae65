#pragma once
// The environment variables that the hub reads, for tests.

#include <cstdlib>
#include <string>

namespace spanforge::testing {

// Sets variables for one test and restores them.
class Environment {
 public:
  Environment() { clear(); }
  ~Environment() { clear(); }
  void set(const std::string& name, const std::string& value) {
    ::setenv(name.c_str(), value.c_str(), 1);
  }
  void clear() {
    for (const char* name : {"HF_HUB_CACHE",
                             "HUGGINGFACE_HUB_CACHE",
                             "TRANSFORMERS_CACHE",
                             "HF_HOME",
                             "XDG_CACHE_HOME",
                             "HF_ENDPOINT",
                             "HF_TOKEN",
                             "HUGGING_FACE_HUB_TOKEN",
                             "HF_TOKEN_PATH",
                             "HF_HUB_OFFLINE",
                             "TRANSFORMERS_OFFLINE",
                             "HF_HUB_DISABLE_IMPLICIT_TOKEN",
                             "HF_HUB_DOWNLOAD_TIMEOUT",
                             "HF_HUB_ETAG_TIMEOUT",
                             "HF_HUB_DISABLE_PROGRESS_BARS",
                             "http_proxy",
                             "HTTP_PROXY",
                             "https_proxy",
                             "HTTPS_PROXY",
                             "all_proxy",
                             "ALL_PROXY",
                             "no_proxy",
                             "NO_PROXY",
                             "REQUESTS_CA_BUNDLE",
                             "CURL_CA_BUNDLE",
                             "SSL_CERT_FILE",
                             "SSL_CERT_DIR"}) {
      ::unsetenv(name);
    }
  }
};

}  // namespace spanforge::testing
