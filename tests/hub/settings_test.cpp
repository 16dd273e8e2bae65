// The hub's settings, as users write them.
#include <fstream>

#include <gtest/gtest.h>

#include "hub/environment.h"
#include "spanforge/hub/hub.h"
#include "spanforge/io/file.h"
#include "support/testing.h"

namespace spanforge {
namespace {

using testing::Environment;
using testing::expect_error;
using testing::TemporaryDirectory;

TEST(HubSettings, EndpointsMayHaveUsualSpellings) {
  Environment environment;
  struct Row {
    std::string written, endpoint;
  };
  for (const Row& row : {Row{"hf-mirror.com", "https://hf-mirror.com"},
                         Row{"hf-mirror.com/", "https://hf-mirror.com"},
                         Row{"https://hf-mirror.com//", "https://hf-mirror.com"},
                         Row{" https://hf-mirror.com\r\n", "https://hf-mirror.com"},
                         Row{"\"https://hf-mirror.com\"", "https://hf-mirror.com"},
                         Row{"https://hf-mirror.com'", "https://hf-mirror.com"},
                         Row{"\u201chttps://hf-mirror.com\u201d", "https://hf-mirror.com"},
                         Row{"https:/hf-mirror.com", "https://hf-mirror.com"},
                         Row{"127.0.0.1:8080", "https://127.0.0.1:8080"},
                         Row{"http://mirror:8080/hf/", "http://mirror:8080/hf"},
                         Row{"", "https://huggingface.co"}, Row{" ", "https://huggingface.co"}}) {
    SCOPED_TRACE(row.written);
    environment.set("HF_ENDPOINT", row.written);
    EXPECT_EQ(hub_options_from_environment().endpoint, row.endpoint);
  }
  environment.set("HF_ENDPOINT", "https://someone:secret@mirror/hf");
  EXPECT_EQ(shown_endpoint(hub_options_from_environment()), "https://mirror/hf");
}

TEST(HubSettings, MeaninglessValuesAreRefusedByName) {
  struct Row {
    const char *name, *value, *says;
  };
  for (const Row& row :
       {Row{"HF_ENDPOINT", "htps://hf-mirror.com", "hf-mirror.com"},
        Row{"HF_ENDPOINT", "https://", "not the address of a hub"},
        Row{"HF_ENDPOINT", "https://hf mirror.com", "not the address of a hub"},
        Row{"HF_ENDPOINT", "https://hf-mirror.com/?a=b", "not the address of a hub"},
        Row{"HF_TOKEN", "hf_a hf_b", "no token has"},
        Row{"HF_HUB_DOWNLOAD_TIMEOUT", "10s", "seconds"},
        Row{"HF_HUB_ETAG_TIMEOUT", "-1", "seconds"},
        Row{"https_proxy", "ftp://proxy:3128", "http://[NAME:PASSWORD@]HOST:PORT"},
        Row{"ALL_PROXY", "http://proxy:port", "HOST:PORT"}}) {
    SCOPED_TRACE(std::string(row.name) + "=" + row.value);
    Environment environment;
    environment.set(row.name, row.value);
    const Error error = expect_error(ErrorCode::kUsage, [] { hub_options_from_environment(); });
    EXPECT_EQ(error.place().text(), row.name);
    EXPECT_NE(error.reason().find(row.says), std::string::npos) << error.what();
  }
  Environment environment;
  environment.set("SSL_CERT_FILE", "/no/such/file.pem");
  const Error error = expect_error(ErrorCode::kIo, [] { hub_options_from_environment(); });
  EXPECT_NE(error.reason().find("SSL_CERT_FILE"), std::string::npos) << error.what();
}

TEST(HubSettings, TokensMayHaveUsualSpellingsAndAreNeverShown) {
  Environment environment;
  TemporaryDirectory directory;
  environment.set("HF_HOME", directory.path().string());
  for (const char* written : {"hf_secret", "hf_secret\n", "\"hf_secret\"\r\n", "Bearer hf_secret",
                              "Authorization: Bearer hf_secret", "hf_\r\nsecret"}) {
    SCOPED_TRACE(written);
    environment.set("HF_TOKEN", written);
    EXPECT_EQ(hub_options_from_environment().token, "hf_secret");
    EXPECT_EQ(hub_options_from_environment().token_source, "HF_TOKEN");
  }
  environment.set("HF_TOKEN", "hf_secret and more");
  Error error = expect_error(ErrorCode::kUsage, [] { hub_options_from_environment(); });
  EXPECT_EQ(std::string(error.what()).find("hf_secret"), std::string::npos) << error.what();
  environment.set("HF_TOKEN", "");
  std::ofstream(directory / "token") << "hf_one\n\nhf two\n";
  error = expect_error(ErrorCode::kUsage, [] { hub_options_from_environment(); });
  EXPECT_EQ(error.file(), (directory / "token").string());
  environment.set("HF_HUB_DISABLE_IMPLICIT_TOKEN", "1");
  EXPECT_EQ(hub_options_from_environment().token, "");
}

TEST(HubSettings, OfflineIsReadAsByHuggingFace) {
  Environment environment;
  for (const char* no : {"0", "false", "off", "no", "", " ", "n"}) {
    environment.set("HF_HUB_OFFLINE", no);
    EXPECT_FALSE(hub_options_from_environment().offline) << no;
  }
  for (const char* yes : {"1", "\"1\"", "yes ", "On", "true"}) {
    environment.set("HF_HUB_OFFLINE", yes);
    EXPECT_TRUE(hub_options_from_environment().offline) << yes;
  }
}

TEST(HubSettings, PathsAreExpandedAsByAShell) {
  Environment environment;
  environment.set("HOME", "/home/someone");
  struct Row {
    std::string written, cache;
  };
  for (const Row& row :
       {Row{"~/hf", "/home/someone/hf/hub"}, Row{"$HOME/hf", "/home/someone/hf/hub"},
        Row{"\"${HOME}/hf\"", "/home/someone/hf/hub"},
        Row{"/a$NO_SUCH_VARIABLE/b", "/a$NO_SUCH_VARIABLE/b/hub"}, Row{"/a${HOME", "/a${HOME/hub"},
        Row{"/a$", "/a$/hub"}, Row{"/data/hf ", "/data/hf/hub"}}) {
    SCOPED_TRACE(row.written);
    environment.set("HF_HOME", row.written);
    EXPECT_EQ(hub_options_from_environment().cache, row.cache);
  }
  environment.set("TRANSFORMERS_CACHE", "/old");
  EXPECT_EQ(hub_options_from_environment().cache, "/old");
  environment.set("HUGGINGFACE_HUB_CACHE", "/newer");
  EXPECT_EQ(hub_options_from_environment().cache, "/newer");
}

TEST(HubSettings, ProxiesHaveASchemeAndItsPort) {
  struct Row {
    std::string written, proxy;
  };
  for (const Row& row :
       {Row{"127.0.0.1:7890", "http://127.0.0.1:7890"}, Row{"http://proxy", "http://proxy:80"},
        Row{"http://proxy:3128/", "http://proxy:3128"},
        Row{" 'https://proxy'", "https://proxy:443"},
        Row{"socks5h://127.0.0.1:1080", "socks5h://127.0.0.1:1080"},
        Row{"socks://127.0.0.1:1080/", "socks5h://127.0.0.1:1080"},
        Row{"http://a:b@proxy:1", "http://a:b@proxy:1"}}) {
    SCOPED_TRACE(row.written);
    Environment environment;
    environment.set("HTTPS_PROXY", row.written);
    std::string proxy = hub_options_from_environment().network.https_proxy;
    if (proxy.ends_with('/')) proxy.pop_back();
    EXPECT_EQ(proxy, row.proxy);
    EXPECT_EQ(hub_options_from_environment().network.http_proxy, "");
  }
  Environment environment;
  environment.set("all_proxy", "http://all:1");
  environment.set("HTTP_PROXY", "http://plain:1");
  environment.set("no_proxy", "localhost,.corp");
  const HubNetwork network = hub_options_from_environment().network;
  EXPECT_EQ(network.https_proxy.substr(0, 12), "http://all:1");
  EXPECT_EQ(network.http_proxy.substr(0, 14), "http://plain:1");
  EXPECT_EQ(network.no_proxy, "localhost,.corp");
}

TEST(HubSettings, TimeoutsAndCertificates) {
  Environment environment;
  TemporaryDirectory directory;
  std::ofstream(directory / "ca.pem") << "x";
  EXPECT_EQ(hub_options_from_environment().timeout_seconds, 10);
  environment.set("HF_HUB_DOWNLOAD_TIMEOUT", "30");
  environment.set("HF_HUB_ETAG_TIMEOUT", "0");
  environment.set("SSL_CERT_FILE", (directory / "ca.pem").string());
  environment.set("HF_HUB_DISABLE_PROGRESS_BARS", "1");
  HubOptions options = hub_options_from_environment();
  EXPECT_EQ(options.timeout_seconds, 30);
  EXPECT_EQ(options.etag_timeout_seconds, 10);
  EXPECT_EQ(options.network.ca_file, (directory / "ca.pem").string());
  EXPECT_FALSE(options.show_progress);
  environment.set("SSL_CERT_FILE", "");
  environment.set("REQUESTS_CA_BUNDLE", directory.path().string());
  options = hub_options_from_environment();
  EXPECT_EQ(options.network.ca_directory, directory.path().string());
  EXPECT_EQ(options.network.ca_file, "");
}

TEST(HubId, AddressesOfPagesAreIds) {
  struct Row {
    std::string address, repository, revision;
  };
  for (const Row& row :
       {Row{"https://huggingface.co/bert-base-chinese", "bert-base-chinese", "main"},
        Row{"https://huggingface.co/org/name/", "org/name", "main"},
        Row{"https://huggingface.co/org/name/tree/v2", "org/name", "v2"},
        Row{"https://huggingface.co/org/name/blob/main/config.json", "org/name", "main"},
        Row{"https://hf-mirror.com/org/name/resolve/main/a/b.json?download=true", "org/name",
            "main"},
        Row{"huggingface.co/org/name", "org/name", "main"},
        Row{"hf.co/org/name#usage", "org/name", "main"},
        Row{"http://mirror:8080/hf/org/name", "org/name", "main"},
        Row{" org/name \n", "org/name", "main"}}) {
    SCOPED_TRACE(row.address);
    const HubId id = parse_hub_id(row.address, "http://mirror:8080/hf");
    EXPECT_EQ(id.repository, row.repository);
    EXPECT_EQ(id.revision, row.revision);
    EXPECT_EQ(is_hub_address(row.address, "http://mirror:8080/hf"), row.address[1] != 'o');
  }
  for (const char* none : {"https://huggingface.co", "https://huggingface.co/datasets/squad",
                           "https://huggingface.co/spaces/a/b", "https://example.com/org/name",
                           "https://huggingface.co/a/b/c", "hf://org/name"}) {
    SCOPED_TRACE(none);
    expect_error(ErrorCode::kUsage, [&] { parse_hub_id(none); });
  }
}

}  // namespace
}  // namespace spanforge
