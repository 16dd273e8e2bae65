// Failures between a user and the hub: each line names the cause and the setting that helps.
#include <unistd.h>

#include <gtest/gtest.h>

#include "hub/fixture.h"
#include "hub/tls_server.h"
#include "spanforge/io/file.h"
#include "support/testing.h"

namespace spanforge {
namespace {

using testing::expect_error;
using testing::HttpReply;
using testing::HttpRequest;
using testing::kCommit;
using testing::StandInServer;

// Longer than any host name may be, so that no resolver is asked.
const std::string kNoHost = std::string(64, 'x') + ".invalid";

class ReachTest : public testing::HubFixture {
 protected:
  // The error contains all of these, is one line and shows no secret.
  std::string line(ErrorCode code, std::initializer_list<const char*> says) {
    const Error error = expect_error(code, [&] { resolve_model("org/name", options_); });
    const std::string text = error.what();
    for (const char* part : says)
      EXPECT_NE(text.find(part), std::string::npos) << part << ": " << text;
    EXPECT_EQ(text.find('\n'), std::string::npos);
    for (const char* secret : {"hf_secret", "s3cret"}) {
      EXPECT_EQ(text.find(secret), std::string::npos) << text;
    }
    return text;
  }
  void answer_all(HttpReply reply) {
    hook_ = [reply](const HttpRequest&) { return reply; };
  }
};

TEST_F(ReachTest, AnUnreachableHubNamesTheSettings) {
  options_.endpoint = "http://127.0.0.1:1";
  line(ErrorCode::kNetwork,
       {"http://127.0.0.1:1/", "no server accepts the connection", "org/name", "HF_ENDPOINT",
        "https://hf-mirror.com", "https_proxy", "HF_HUB_OFFLINE=1", "HF_HOME", "HF_HUB_CACHE",
        "HF_TOKEN", "download --help"});
  options_.endpoint = "http://" + kNoHost;
  line(ErrorCode::kNetwork, {kNoHost.c_str(), "DNS"});
}

TEST_F(ReachTest, AnEndpointWithAPasswordIsShownWithoutIt) {
  options_.endpoint = "http://someone:s3cret@127.0.0.1:1/hf";
  line(ErrorCode::kNetwork, {"http://127.0.0.1:1/hf/api"});
}

TEST_F(ReachTest, AServerWithoutTlsIsReported) {
  options_.endpoint.replace(0, 4, "https");
  line(ErrorCode::kNetwork, {"does not speak TLS", "http://"});
}

TEST_F(ReachTest, InvalidCertificatesAreExplained) {
  struct Row {
    const char* name;
    testing::TlsCertificate certificate;
    bool trusted;
    const char* says;
  };
  for (const Row& row : {Row{"unknown", {}, false, "SSL_CERT_FILE"},
                         Row{"over", {.first_day = -9, .last_day = -2}, true, "clock"},
                         Row{"not begun", {.first_day = 2, .last_day = 9}, true, "clock"},
                         Row{"another's", {.name = "DNS:login.corp"}, true, "another host's"}}) {
    SCOPED_TRACE(row.name);
    const testing::TlsServer server(row.certificate);
    write_file_atomic(cache_ / "ca.pem", server.pem());
    options_.network.ca_file = row.trusted ? (cache_ / "ca.pem").string() : "";
    options_.endpoint = server.url();
    line(ErrorCode::kNetwork, {"certificate", row.says, "HF_ENDPOINT"});
  }
  const testing::TlsServer server({});
  write_file_atomic(cache_ / "ca.pem", server.pem());
  options_.network.ca_file = cache_ / "ca.pem";
  options_.endpoint = server.url();
  line(ErrorCode::kNetwork, {"answers 404"});  // trusted and asked
  options_.network.ca_file = cache_ / "lost.pem";
  line(ErrorCode::kNetwork, {"no certificates to trust", "ca-certificates"});
}

TEST_F(ReachTest, ASilentServerIsReported) {
  options_.etag_timeout_seconds = 1;
  options_.retries = 0;
  hook_ = [](const HttpRequest&) -> std::optional<HttpReply> {
    ::sleep(4);
    return HttpReply{200, {}, "{}"};
  };
  line(ErrorCode::kNetwork, {"no answer within 1 s", "HF_HUB_ETAG_TIMEOUT"});
}

TEST_F(ReachTest, AMissingProxyIsNamed) {
  options_.network.http_proxy = "http://someone:s3cret@127.0.0.1:1";
  line(ErrorCode::kNetwork,
       {"the proxy http://127.0.0.1:1 accepts no connection", "http_proxy right?"});
  options_.network.http_proxy = "http://" + kNoHost + ":80";
  line(ErrorCode::kNetwork, {kNoHost.c_str(), "name of the proxy"});
  options_.network.no_proxy = "localhost, 127.0.0.1";
  expect_whole(resolve_model("org/name", options_));
}

TEST_F(ReachTest, AProxyAnswersInTheHubsPlace) {
  StandInServer proxy([this](const HttpRequest& request) {
    if (request.method == "CONNECT") return HttpReply{407, {{"Proxy-Authenticate", "Basic"}}, ""};
    return HttpReply{407, {{"Proxy-Authenticate", "Basic"}}, "who are you?"};
  });
  options_.network.http_proxy = options_.network.https_proxy = proxy.url();
  line(ErrorCode::kNetwork, {"407", "NAME:PASSWORD@HOST:PORT"});
  options_.endpoint = "https://hub.invalid";
  line(ErrorCode::kNetwork, {proxy.url().c_str(), "407", "NAME:PASSWORD@HOST:PORT", "%40"});
  for (const HttpRequest& request : proxy.requests()) {
    EXPECT_TRUE(request.method != "CONNECT" || request.header("authorization").empty());
  }
}

TEST_F(ReachTest, AProxyThatForbidsTheHostIsNamed) {
  StandInServer proxy([](const HttpRequest&) { return HttpReply{403, {}, "no"}; });
  options_.network.https_proxy = proxy.url();
  options_.endpoint = "https://hub.invalid";
  line(ErrorCode::kNetwork, {proxy.url().c_str(), "answers 403", "no_proxy"});
  options_.network.https_proxy.replace(0, 4, "https");
  line(ErrorCode::kNetwork, {"does not speak TLS", "http://", "https_proxy"});
}

TEST_F(ReachTest, AProxyThatWorksIsUsed) {
  StandInServer proxy([this](const HttpRequest& request) {
    HttpRequest inner = request;  // a proxy receives whole addresses
    for (const StandInServer* server : {&server_, &storage_}) {
      if (!inner.path.starts_with(server->url())) continue;
      inner.path = inner.path.substr(server->url().size());
      return server == &server_ ? answer_hub(inner) : answer_storage(inner);
    }
    return HttpReply{502, {}, ""};
  });
  options_.network.http_proxy = proxy.url();
  expect_whole(resolve_model("org/name", options_));
  EXPECT_TRUE(server_.requests().empty());
}

TEST_F(ReachTest, ALoginPageInTheHubsPlaceIsReported) {
  answer_all({200, {{"Content-Type", "text/html"}}, "\n<!DOCTYPE html><title>Wi-Fi</title>"});
  line(ErrorCode::kNetwork, {"a web page", "login page", "HF_ENDPOINT"});
  hook_ = nullptr;
  has_listing_ = false;
  hook_ = [](const HttpRequest& request) -> std::optional<HttpReply> {
    if (request.path.starts_with("/api")) return std::nullopt;
    return HttpReply{200, {{"ETag", "\"a\""}}, "<html>"};
  };
  line(ErrorCode::kNetwork, {"X-Repo-Commit", "login page"});
}

TEST_F(ReachTest, TheCacheIsUsedBehindALoginPage) {
  resolve_model("org/name", options_);
  std::string notice;
  options_.notice = [&](const std::string& text) { notice = text; };
  answer_all({200, {}, "<html>"});
  expect_whole(resolve_model("org/name", options_));
  EXPECT_NE(notice.find("a web page"), std::string::npos) << notice;
  answer_all({401, {}, ""});
  expect_whole(resolve_model("org/name", options_));
  EXPECT_NE(notice.find("using the cached"), std::string::npos) << notice;
}

TEST_F(ReachTest, FilesThatArriveAsSomethingElseAreDeleted) {
  for (const std::string body :
       {"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 9\n",
        "<html>blocked</html>"}) {
    hook_ = [&](const HttpRequest& request) -> std::optional<HttpReply> {
      if (!request.path.ends_with("/config.json")) return std::nullopt;
      return HttpReply{200, {{"ETag", "\"mirrors-own\""}, {"X-Repo-Commit", kCommit}}, body};
    };
    line(ErrorCode::kNetwork, {"config.json", body[0] == '<' ? "a web page" : "Git LFS pointer"});
    EXPECT_FALSE(fs::exists(repository() / "blobs" / "mirrors-own"));
  }
}

TEST_F(ReachTest, NoAccessSaysWhatToDo) {
  answer_all({403, {{"X-Error-Code", "GatedRepo"}}, ""});
  line(ErrorCode::kNetwork, {"gated", "ask for it at "});
  options_.token = "";
  line(ErrorCode::kNetwork, {"gated", "HF_TOKEN"});
  answer_all({401, {{"X-Error-Code", "RepoNotFound"}}, ""});
  line(ErrorCode::kNetwork, {"no public model org/name", "capitals", "HF_TOKEN"});
  options_.token = "hf_secret";
  options_.token_source = "/home/someone/token";
  answer_all({401, {{"X-Error-Message", "Invalid hf_secret"}}, ""});
  line(ErrorCode::kNetwork, {"the token of /home/someone/token is not valid"});
  answer_all({403, {{"Content-Type", "text/html"}}, "<html>"});
  line(ErrorCode::kNetwork, {"firewall", "HF_TOKEN"});
  answer_all({404, {{"X-Error-Code", "RepoNotFound"}}, ""});
  line(ErrorCode::kNetwork, {"404", "capitals", "is not a directory"});
}

TEST_F(ReachTest, ABusyHubIsAskedAgain) {
  int asked = 0;
  hook_ = [&](const HttpRequest&) -> std::optional<HttpReply> {
    if (++asked > 2) return std::nullopt;
    return HttpReply{429, {}, ""};
  };
  expect_whole(resolve_model("org/name", options_));
  fs::remove_all(options_.cache);
  answer_all({429, {}, ""});
  line(ErrorCode::kNetwork, {"429", "wait"});
  answer_all({502, {}, ""});
  line(ErrorCode::kNetwork, {"502", "out of service", "HF_ENDPOINT"});
}

TEST_F(ReachTest, TheTokenDoesNotFollowARedirectOfTheListing) {
  hook_ = [this](const HttpRequest& request) -> std::optional<HttpReply> {
    if (!request.path.starts_with("/api")) return std::nullopt;
    return HttpReply{302, {{"Location", storage_.url() + "/bytes/login"}}, ""};
  };
  storage_hook_ = [](const HttpRequest&) { return HttpReply{200, {}, "<html>"}; };
  line(ErrorCode::kNetwork, {"/bytes/login", "a web page"});
  for (const HttpRequest& request : storage_.requests()) {
    EXPECT_EQ(request.header("authorization"), "");
  }
}

TEST_F(ReachTest, ACacheOfPlainFilesIsUsedAndNotFetchedAgain) {
  const fs::path snapshot = resolve_model("org/name", options_);
  for (const auto& [name, body] : files_) {  // cp -rL, or a file system without links
    fs::remove(snapshot / name);
    write_file_atomic(snapshot / name, body);
  }
  fs::remove_all(repository() / "blobs");
  const size_t before = storage_.requests().size();
  options_.verify = true;
  EXPECT_EQ(resolve_model("org/name", options_), snapshot);
  EXPECT_EQ(storage_.requests().size(), before);
  options_.offline = true;
  EXPECT_EQ(resolve_model("org/name", options_), snapshot);
}

TEST_F(ReachTest, ACacheWithoutRefsIsUsedIfItHasOneSnapshot) {
  const fs::path snapshot = resolve_model("org/name", options_);
  fs::remove_all(repository() / "refs");
  options_.offline = true;
  EXPECT_EQ(resolve_model("org/name", options_), snapshot);
  fs::create_directories(repository() / "snapshots" / std::string(40, 'e'));
  line(ErrorCode::kCacheMiss, {"revision \"main\""});
}

TEST_F(ReachTest, LinksWithoutBlobsAreReported) {
  resolve_model("org/name", options_);
  fs::remove_all(repository() / "blobs");
  options_.offline = true;
  line(ErrorCode::kCacheMiss, {"config.json (it is a link", "copy the whole folder"});
}

TEST_F(ReachTest, ACacheOneFolderOffIsFound) {
  resolve_model("org/name", options_);
  const fs::path cache = options_.cache;
  options_.offline = true;
  options_.cache = cache / "hub";  // HF_HOME names the cache itself
  line(ErrorCode::kCacheMiss, {cache.c_str(), "HF_HUB_CACHE"});
  options_.cache = cache.parent_path();  // HF_HUB_CACHE names HF_HOME
  line(ErrorCode::kCacheMiss, {cache.c_str(), "HF_HUB_CACHE"});
}

TEST_F(ReachTest, ACacheThatCannotBeWrittenNamesTheSetting) {
  write_file_atomic(cache_ / "file", "x");
  options_.cache = cache_ / "file" / "hub";
  line(ErrorCode::kIo, {"file", "HF_HOME", "HF_HUB_CACHE"});
}

// If a hub breaks off in the middle of a new version, the old one can still be used offline.
TEST_F(ReachTest, AnUpdateThatFailsLeavesTheOldVersion) {
  const fs::path snapshot = resolve_model("org/name", options_);
  const std::string newer(40, 'd');
  hook_ = [&](const HttpRequest& request) -> std::optional<HttpReply> {
    if (!request.path.starts_with("/api")) return HttpReply{404, {}, ""};
    return HttpReply{
        200, {}, R"({"sha": ")" + newer + R"(", "siblings": [{"rfilename": "config.json"}]})"};
  };
  line(ErrorCode::kNetwork, {"config.json"});
  options_.offline = true;
  EXPECT_EQ(resolve_model("org/name", options_), snapshot);
}

}  // namespace
}  // namespace spanforge
