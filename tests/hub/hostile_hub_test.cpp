// A hub that lies about lengths, hashes, places and names. Every file that is kept has its hash,
// and
// nothing is written or read outside the cache.
#include <gtest/gtest.h>

#include "hub/fixture.h"
#include "spanforge/io/file.h"
#include "support/testing.h"

namespace spanforge {
namespace {

using testing::expect_error;
using testing::HttpReply;
using testing::HttpRequest;
using testing::kCommit;

class HostileHubTest : public testing::HubFixture {};

TEST_F(HostileHubTest, RefusesAnotherRangeThanAskedFor) {
  storage_hook_ = [&](const HttpRequest& request) -> std::optional<HttpReply> {
    const std::string& body = files_["model.safetensors"];
    if (request.header("range").empty()) return HttpReply{200, {}, body, 1000};
    return HttpReply{206, {{"Content-Range", "bytes 5-299999/300000"}}, body.substr(5)};
  };
  const Error error =
      expect_error(ErrorCode::kNetwork, [&] { resolve_model("org/name", options_); });
  EXPECT_NE(error.reason().find("another range"), std::string::npos) << error.what();
}

TEST_F(HostileHubTest, DeletesAFileWithAWrongHash) {
  storage_hook_ = [&](const HttpRequest&) -> std::optional<HttpReply> {
    return HttpReply{200, {}, std::string(300'000, 'x')};
  };
  const Error error =
      expect_error(ErrorCode::kNetwork, [&] { resolve_model("org/name", options_); });
  EXPECT_NE(error.reason().find("hash"), std::string::npos) << error.what();
  EXPECT_FALSE(fs::exists(blob("model.safetensors")));
  EXPECT_FALSE(fs::exists(blob("model.safetensors").string() + ".incomplete"));
  storage_hook_ = nullptr;
  expect_whole(resolve_model("org/name", options_));
}

TEST_F(HostileHubTest, SmallFilesAreCheckedByGitsHash) {
  hook_ = [&](const HttpRequest& request) -> std::optional<HttpReply> {
    if (request.method != "GET" || !request.path.ends_with("vocab.txt")) return std::nullopt;
    return HttpReply{200, {{"X-Repo-Commit", kCommit}}, "[PAD]\n[UNX]\n"};
  };
  const Error error =
      expect_error(ErrorCode::kNetwork, [&] { resolve_model("org/name", options_); });
  EXPECT_NE(error.file().find("vocab.txt"), std::string::npos) << error.what();
}

TEST_F(HostileHubTest, ABodyLongerThanAnnouncedIsRefused) {
  storage_hook_ = [&](const HttpRequest&) -> std::optional<HttpReply> {
    return HttpReply{200, {}, files_["model.safetensors"] + "more"};
  };
  const Error error =
      expect_error(ErrorCode::kNetwork, [&] { resolve_model("org/name", options_); });
  EXPECT_NE(error.reason().find("more than"), std::string::npos) << error.what();
}

// Bodies with a wrong length, two lengths, or lengths in two ways. A file is kept only with its
// hash.
TEST_F(HostileHubTest, WrongLengthsDoNoHarm) {
  const std::string weights = files_["model.safetensors"];
  const std::string size = std::to_string(weights.size());
  const std::string chunk = "493e0\r\n" + weights + "\r\n0\r\n\r\n";  // 300,000 bytes
  const std::string chunked = "Transfer-Encoding: chunked\r\n";
  struct Row {
    const char* name;
    std::string headers, body;
    std::optional<bool> whole;  // nullopt: as the version of libcurl has it
  };
  const Row rows[] = {
      {"a negative chunk", chunked, "-1\r\n" + weights, false},
      {"a huge chunk", chunked, "ffffffffffffffff\r\n" + weights, false},
      {"a chunk's size of no end", chunked, std::string(5000, 'f') + "\r\n" + weights, false},
      {"a chunk that is no number", chunked, "zz\r\n" + weights, false},
      {"chunks that do not end", chunked, chunk.substr(0, chunk.size() - 20), false},
      {"chunks that are too few", chunked, "5\r\nwwwww\r\n0\r\n\r\n", false},
      {"chunks", chunked, chunk, true},
      {"a shorter length with chunks", chunked + "Content-Length: 3\r\n", chunk, true},
      {"a longer length with chunks", "Content-Length: 999999\r\n" + chunked, chunk, true},
      {"two lengths, the first right",
       "Content-Length: " + size + "\r\nContent-Length: 7\r\n",
       weights,
       {}},
      {"two lengths, the second right",
       "Content-Length: 7\r\nContent-Length: " + size + "\r\n",
       weights,
       {}},
      {"a negative length", "Content-Length: -1\r\n", weights, false},
      {"a length of no end", "Content-Length: 99999999999999999999999\r\n", weights, true},
  };
  options_.retries = 1;
  for (const Row& row : rows) {
    SCOPED_TRACE(row.name);
    fs::remove_all(options_.cache);
    storage_hook_ = [&](const HttpRequest&) -> std::optional<HttpReply> {
      HttpReply reply;
      reply.raw = "HTTP/1.1 200 OK\r\nConnection: close\r\n" + row.headers + "\r\n" + row.body;
      return reply;
    };
    bool whole = true;
    try {
      expect_whole(resolve_model("org/name", options_));
    } catch (const Error& error) {
      whole = false;
      EXPECT_EQ(error.code(), ErrorCode::kNetwork) << error.what();
      EXPECT_FALSE(fs::exists(blob("model.safetensors")));
    }
    EXPECT_EQ(whole, row.whole.value_or(whole));
    expect_nothing_else();
  }
}

TEST_F(HostileHubTest, RedirectsWithoutEndAreRefused) {
  hook_ = [](const HttpRequest& request) {
    return HttpReply{307, {{"Location", request.path + "x"}}, ""};
  };
  const Error error =
      expect_error(ErrorCode::kNetwork, [&] { resolve_model("org/name", options_); });
  EXPECT_NE(error.reason().find("redirects without end"), std::string::npos) << error.what();
  EXPECT_LE(server_.requests().size(), 12u);
}

TEST_F(HostileHubTest, StorageThatRedirectsWithoutEndIsRefused) {
  storage_hook_ = [&](const HttpRequest& request) -> std::optional<HttpReply> {
    return HttpReply{302, {{"Location", storage_.url() + request.path}}, ""};
  };
  const Error error =
      expect_error(ErrorCode::kNetwork, [&] { resolve_model("org/name", options_); });
  EXPECT_NE(error.reason().find("redirects without end"), std::string::npos) << error.what();
}

TEST_F(HostileHubTest, ARedirectToAFileOfThisMachineIsRefused) {
  for (const std::string target :
       {"file:///etc/passwd", "ftp://127.0.0.1/x", "gopher://127.0.0.1/"}) {
    SCOPED_TRACE(target);
    storage_hook_ = [&](const HttpRequest&) -> std::optional<HttpReply> {
      return HttpReply{302, {{"Location", target}}, ""};
    };
    const Error error =
        expect_error(ErrorCode::kNetwork, [&] { resolve_model("org/name", options_); });
    EXPECT_NE(error.reason().find("not an http or https"), std::string::npos) << error.what();
  }
}

TEST_F(HostileHubTest, AHubThatRedirectsToAFileIsRefused) {
  hook_ = [](const HttpRequest& request) -> std::optional<HttpReply> {
    if (request.method != "HEAD") return std::nullopt;
    return HttpReply{
        302,
        {{"Location", "file:///etc/passwd"}, {"ETag", "\"abc\""}, {"X-Repo-Commit", kCommit}},
        ""};
  };
  const Error error =
      expect_error(ErrorCode::kNetwork, [&] { resolve_model("org/name", options_); });
  EXPECT_NE(error.reason().find("not an http or https"), std::string::npos) << error.what();
}

TEST_F(HostileHubTest, AnEtagThatIsAPathIsRefused) {
  hook_ = [](const HttpRequest& request) -> std::optional<HttpReply> {
    if (request.method != "HEAD") return std::nullopt;
    return HttpReply{200, {{"ETag", "\"../../../evil\""}, {"X-Repo-Commit", kCommit}}, ""};
  };
  const Error error =
      expect_error(ErrorCode::kNetwork, [&] { resolve_model("org/name", options_); });
  EXPECT_NE(error.reason().find("ETag"), std::string::npos) << error.what();
}

TEST_F(HostileHubTest, ShardsThatLeaveTheRepositoryAreRefused) {
  files_.erase("model.safetensors");
  files_["model.safetensors.index.json"] = R"({"weight_map": {"a": "../../../evil"}})";
  const Error error =
      expect_error(ErrorCode::kBadModel, [&] { resolve_model("org/name", options_); });
  EXPECT_NE(error.file().find("index.json"), std::string::npos) << error.what();
}

// Names that mean another place to a shell, to a URL, to C or to HTTP.
const char* const kHostileNames[] = {"../evil",
                                     "..",
                                     ".",
                                     "/evil",
                                     "a/../../../../evil",
                                     "..\\\\evil",
                                     "%2e%2e/evil",
                                     "a\\u0000.safetensors",
                                     "a\\r\\nX-Evil: 1",
                                     "a\\u007f"};

TEST_F(HostileHubTest, HostileNamesInTheListingAreNotAskedFor) {
  for (const char* name : kHostileNames) files_[name] = "evil";
  resolve_model("org/name", options_);
  for (const HttpRequest& request : server_.requests()) {
    EXPECT_EQ(request.path.find("evil"), std::string::npos) << request.path;
    EXPECT_EQ(request.header("x-evil"), "");
  }
  for (const char* name : kHostileNames) files_.erase(name);
  expect_whole(repository() / "snapshots" / kCommit);
  expect_nothing_else();
}

TEST_F(HostileHubTest, HostileNamesOfShardsAreRefused) {
  files_.erase("model.safetensors");
  for (const std::string name : kHostileNames) {
    SCOPED_TRACE(name);
    fs::remove_all(options_.cache);
    files_["model.safetensors.index.json"] = R"({"weight_map": {"a": ")" + name + R"("}})";
    const Error error =
        expect_error(ErrorCode::kBadModel, [&] { resolve_model("org/name", options_); });
    EXPECT_NE(error.file().find("index.json"), std::string::npos) << error.what();
    EXPECT_NE(error.reason().find("plain name"), std::string::npos) << error.what();
    expect_nothing_else();
  }
}

// Percent signs are characters of the name: the request encodes them.
TEST_F(HostileHubTest, PercentSignsInANameMeanThemselves) {
  files_.erase("model.safetensors");
  files_["model.safetensors.index.json"] = R"({"weight_map": {"a": "%2e%2e%2fevil"}})";
  const Error error =
      expect_error(ErrorCode::kNetwork, [&] { resolve_model("org/name", options_); });
  EXPECT_NE(error.file().find("%252e%252e%252fevil"), std::string::npos) << error.what();
  expect_nothing_else();
}

}  // namespace
}  // namespace spanforge
