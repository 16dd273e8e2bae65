#include "versions.h"

#include <dnnl.h>
#include <zlib.h>

#if SPANFORGE_CURL
#include <curl/curl.h>
#endif
#include <fmt/core.h>
#include <openssl/crypto.h>
#include <unicode/uversion.h>

#include "output.h"
#include "spanforge/base/join.h"
#include "spanforge/commit.h"
#include "spanforge/parallel/connect.h"
#include "spanforge/version.h"

namespace spanforge::app {

std::string source_commit() { return SPANFORGE_COMMIT; }

std::vector<std::pair<std::string, std::string>> library_versions() {
  const dnnl_version_t* dnnl = dnnl_version();
  UVersionInfo icu;
  u_getVersion(icu);
  std::vector<std::pair<std::string, std::string>> versions = {
      {"oneDNN", fmt::format("{}.{}.{}", dnnl->major, dnnl->minor, dnnl->patch)},
      {"ICU", fmt::format("{}.{}", icu[0], icu[1])},
      {"OpenSSL", OpenSSL_version(OPENSSL_VERSION_STRING)},
      {"zlib", zlibVersion()}};
#if SPANFORGE_CURL
  versions.emplace_back("curl", curl_version_info(CURLVERSION_NOW)->version);
#endif
  if (!group_engine().empty()) versions.emplace_back("Gloo", group_engine());
  if (!rendezvous_client().empty()) versions.emplace_back("hiredis", rendezvous_client());
  return versions;
}

void print_version() {
  emit("spanforge {}\n", SPANFORGE_VERSION);
  if (!source_commit().empty()) emit("commit {}\n", source_commit());
  std::vector<std::string> libraries;
  for (const auto& [name, version] : library_versions()) libraries.push_back(name + " " + version);
  emit("with {}\n", join(libraries, ", "));
}

}  // namespace spanforge::app
