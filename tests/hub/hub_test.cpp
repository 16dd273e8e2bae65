#include "spanforge/hub/hub.h"

#include <cstdlib>
#include <fstream>

#include <gtest/gtest.h>

#include "hub/environment.h"
#include "hub/fixture.h"
#include "spanforge/io/file.h"
#include "support/testing.h"

namespace spanforge {
namespace {

using testing::Environment;
using testing::expect_error;
using testing::HttpReply;
using testing::HttpRequest;
using testing::kCommit;
using testing::TemporaryDirectory;

class HubTest : public testing::HubFixture {};

// The list of files is enough: no weights are downloaded.
TEST_F(HubTest, AnotherFrameworksWeightsAreNamed) {
  files_["tf_model.h5"] = std::string(2000, 't');
  files_.erase("model.safetensors");
  const Error error =
      expect_error(ErrorCode::kBadModel, [&] { resolve_model("org/name", options_); });
  EXPECT_EQ(error.place().text(), "org/name");
  EXPECT_NE(error.reason().find("tf_model.h5, TensorFlow weights"), std::string::npos)
      << error.what();
}

TEST_F(HubTest, FetchesWhatAModelNeedsIntoTheCache) {
  files_["README.md"] = "not needed";
  const fs::path snapshot = resolve_model("org/name", options_);
  EXPECT_FALSE(fs::exists(snapshot / "README.md"));
  files_.erase("README.md");
  expect_whole(snapshot);
  EXPECT_EQ(server_.count("HEAD", "tokenizer.json"), 0u) << "the listing says it is not there";
}

// Its base, which adapter_config.json names, is another repository; the caller fetches it.
TEST_F(HubTest, AnAdaptersRepositoryNeedsNoWholeModel) {
  for (const bool has_listing : {true, false}) {
    SCOPED_TRACE(has_listing ? "listing" : "no listing");
    has_listing_ = has_listing;
    options_.cache = cache_ / (has_listing ? "listing" : "none");
    files_ = {{"adapter_config.json", R"({"peft_type": "LORA"})"},
              {"adapter_model.safetensors", std::string(3000, 'a')},
              {"README.md", "not needed"},
              {"vocab.txt", "[PAD]\n"}};
    const fs::path snapshot = resolve_model("org/name", options_);
    EXPECT_EQ(read_file(snapshot / "adapter_model.safetensors"),
              files_["adapter_model.safetensors"]);
    EXPECT_TRUE(fs::exists(snapshot / "adapter_config.json"));
    EXPECT_TRUE(fs::exists(snapshot / "vocab.txt"));
    EXPECT_FALSE(fs::exists(snapshot / "README.md"));
    options_.offline = true;
    EXPECT_EQ(resolve_model("org/name", options_), snapshot);
    fs::remove(snapshot / "adapter_model.safetensors");
    const Error error =
        expect_error(ErrorCode::kCacheMiss, [&] { resolve_model("org/name", options_); });
    EXPECT_NE(error.reason().find("adapter_model.safetensors"), std::string::npos) << error.what();
    options_.offline = false;
  }
}

TEST_F(HubTest, AWholeModelNextToAnAdapterIsAWholeModel) {
  files_["adapter_config.json"] = "{}";
  files_["adapter_model.safetensors"] = "a";
  const fs::path snapshot = resolve_model("org/name", options_);
  EXPECT_TRUE(fs::exists(snapshot / "model.safetensors"));
  EXPECT_FALSE(fs::exists(snapshot / "adapter_model.safetensors"));
}

// The most used RoBERTa checkpoint has no tokenizer.json. One of its two files is not enough.
TEST_F(HubTest, FetchesTheFilesOfATokenizerOfTwo) {
  files_.erase("vocab.txt");
  files_["vocab.json"] = R"({"<s>": 0, "</s>": 1})";
  files_["merges.txt"] = "#version: 0.2\n";
  const fs::path snapshot = resolve_model("org/name", options_);
  expect_whole(snapshot);
  options_.offline = true;
  EXPECT_EQ(resolve_model("org/name", options_), snapshot);
  fs::remove(snapshot / "merges.txt");
  const Error error =
      expect_error(ErrorCode::kCacheMiss, [&] { resolve_model("org/name", options_); });
  EXPECT_NE(error.reason().find("vocab.json with merges.txt"), std::string::npos) << error.what();
}

TEST_F(HubTest, AsksFileByFileWithoutAListing) {
  has_listing_ = false;
  expect_whole(resolve_model("org/name", options_));
  EXPECT_TRUE(fs::exists(repository() / ".no_exist" / kCommit / "tokenizer.json"));
}

TEST_F(HubTest, FetchesNothingTwice) {
  resolve_model("org/name", options_);
  const size_t before = storage_.requests().size();
  expect_whole(resolve_model("org/name@main", options_));
  EXPECT_EQ(storage_.requests().size(), before);
  EXPECT_EQ(server_.count("GET", "/resolve/"), 3u);
}

TEST_F(HubTest, ACommitInTheCacheNeedsNoServer) {
  resolve_model("org/name", options_);
  const size_t before = server_.requests().size();
  expect_whole(resolve_model("org/name@" + kCommit, options_));
  EXPECT_EQ(server_.requests().size(), before);
}

TEST_F(HubTest, ContinuesADownloadThatBrokeOff) {
  int cuts = 0;
  storage_hook_ = [&](const HttpRequest& request) -> std::optional<HttpReply> {
    if (++cuts > 2) return std::nullopt;
    EXPECT_EQ(request.header("range").empty(), cuts == 1);
    const std::string& body = files_["model.safetensors"];
    if (cuts == 1) return HttpReply{200, {}, body, 100'000};
    return HttpReply{
        206, {{"Content-Range", "bytes 100000-299999/300000"}}, body.substr(100'000), 50'000};
  };
  expect_whole(resolve_model("org/name", options_));
  EXPECT_EQ(storage_.requests().at(2).header("range"), "bytes=150000-");
}

TEST_F(HubTest, ContinuesADownloadOfAnEarlierProcess) {
  fs::create_directories(blob("model.safetensors").parent_path());
  std::ofstream(blob("model.safetensors").string() + ".incomplete")
      << files_["model.safetensors"].substr(0, 1234);
  expect_whole(resolve_model("org/name", options_));
  EXPECT_EQ(storage_.requests().at(0).header("range"), "bytes=1234-");
}

TEST_F(HubTest, StartsAgainWhenTheServerIgnoresTheRange) {
  storage_hook_ = [&](const HttpRequest&) -> std::optional<HttpReply> {
    return HttpReply{200,
                     {},
                     files_["model.safetensors"],
                     storage_.requests().size() == 1 ? std::optional<size_t>(1000) : std::nullopt};
  };
  expect_whole(resolve_model("org/name", options_));
}

TEST_F(HubTest, GivesUpOnAServerThatAlwaysBreaksOff) {
  storage_hook_ = [&](const HttpRequest&) -> std::optional<HttpReply> {
    return HttpReply{503, {}, "later"};
  };
  const Error error =
      expect_error(ErrorCode::kNetwork, [&] { resolve_model("org/name", options_); });
  EXPECT_NE(error.reason().find("run again to continue"), std::string::npos) << error.what();
  EXPECT_EQ(storage_.requests().size(), 5u);
}

TEST_F(HubTest, TheTokenGoesToTheHubOnly) {
  resolve_model("org/name", options_);
  for (const HttpRequest& request : server_.requests()) {
    EXPECT_EQ(request.header("authorization"), "Bearer hf_secret") << request.path;
  }
  ASSERT_FALSE(storage_.requests().empty());
  for (const HttpRequest& request : storage_.requests()) {
    EXPECT_EQ(request.header("authorization"), "") << request.path;
  }
}

TEST_F(HubTest, NoAccessIsExplained) {
  hook_ = [](const HttpRequest&) { return HttpReply{401, {{"X-Error-Code", "RepoNotFound"}}, ""}; };
  options_.token = "";
  const Error error =
      expect_error(ErrorCode::kNetwork, [&] { resolve_model("org/name", options_); });
  EXPECT_NE(error.reason().find("401"), std::string::npos) << error.what();
  EXPECT_NE(error.reason().find("HF_TOKEN"), std::string::npos) << error.what();
}

TEST_F(HubTest, AnUnknownRevisionIsNamed) {
  hook_ = [](const HttpRequest&) {
    return HttpReply{404, {{"X-Error-Code", "RevisionNotFound"}}, ""};
  };
  const Error error =
      expect_error(ErrorCode::kNetwork, [&] { resolve_model("org/name@v9", options_); });
  EXPECT_NE(error.reason().find("v9"), std::string::npos) << error.what();
}

TEST_F(HubTest, ARenamedRepositoryIsFollowed) {
  hook_ = [](const HttpRequest& request) -> std::optional<HttpReply> {
    for (const std::string prefix : {"/api/models/old/name/", "/old/name/"}) {
      if (!request.path.starts_with(prefix)) continue;
      const std::string rest = request.path.substr(prefix.size());
      const std::string to = prefix.starts_with("/api") ? "/api/models/org/name/" : "/org/name/";
      return HttpReply{307, {{"Location", to + rest}}, ""};
    }
    return std::nullopt;
  };
  const fs::path snapshot = resolve_model("old/name", options_);
  EXPECT_EQ(read_file(snapshot / "model.safetensors"), files_["model.safetensors"]);
}

TEST_F(HubTest, ShardsAreFetchedWithTheirIndex) {
  files_.erase("model.safetensors");
  files_["model-1-of-2.safetensors"] = std::string(2000, '1');
  files_["model-2-of-2.safetensors"] = std::string(3000, '2');
  files_["model.safetensors.index.json"] =
      R"({"weight_map": {"a": "model-1-of-2.safetensors", "b": "model-2-of-2.safetensors"}})";
  expect_whole(resolve_model("org/name", options_));
}

TEST_F(HubTest, UsesPytorchWeightsIfThereAreNoOthers) {
  files_["pytorch_model.bin"] = files_["model.safetensors"];
  files_.erase("model.safetensors");
  expect_whole(resolve_model("org/name", options_));
}

TEST_F(HubTest, OfflineUsesTheCacheAndAsksNoServer) {
  resolve_model("org/name", options_);
  const size_t before = server_.requests().size();
  options_.offline = true;
  expect_whole(resolve_model("org/name", options_));
  EXPECT_EQ(server_.requests().size(), before);
}

TEST_F(HubTest, OfflineWithoutACacheSaysWhatIsMissing) {
  options_.offline = true;
  Error error = expect_error(ErrorCode::kCacheMiss, [&] { resolve_model("org/name", options_); });
  EXPECT_EQ(error.place().text(), "org/name");
  options_.offline = false;
  resolve_model("org/name", options_);
  fs::remove(blob("model.safetensors"));
  options_.offline = true;
  error = expect_error(ErrorCode::kCacheMiss, [&] { resolve_model("org/name", options_); });
  EXPECT_NE(error.reason().find("model.safetensors"), std::string::npos) << error.what();
}

TEST_F(HubTest, DamagedFilesOfTheCacheAreFetchedAgain) {
  options_.verify = true;
  resolve_model("org/name", options_);
  const size_t before = server_.requests().size();
  expect_whole(resolve_model("org/name@" + kCommit, options_));
  EXPECT_EQ(server_.requests().size(), before) << "sound files are not asked for";
  for (const std::string name : {"model.safetensors", "config.json"}) {
    for (const uintmax_t left : {uintmax_t{0}, uintmax_t{10}, fs::file_size(blob(name))}) {
      SCOPED_TRACE(name + " " + std::to_string(left));
      fs::resize_file(blob(name), left);
      if (left > 10) std::fstream(blob(name)) << "X";  // keeps the size
      resolve_model("org/name", options_);
      EXPECT_EQ(read_file(repository() / "snapshots" / kCommit / name), files_[name]);
    }
  }
  expect_nothing_else();
}

// If tags are not hashes, only the size can be compared.
TEST_F(HubTest, DamagedFilesOfAMirrorAreFetchedAgainIfTheSizeDiffers) {
  options_.verify = true;
  hook_ = [&](const HttpRequest& request) -> std::optional<HttpReply> {
    if (!request.path.ends_with("/vocab.txt")) return std::nullopt;
    return HttpReply{200, {{"ETag", "\"tag\""}, {"X-Repo-Commit", kCommit}}, files_["vocab.txt"]};
  };
  const fs::path vocabulary = resolve_model("org/name", options_) / "vocab.txt";
  fs::resize_file(repository() / "blobs" / "tag", 3);
  resolve_model("org/name", options_);
  EXPECT_EQ(read_file(vocabulary), files_["vocab.txt"]);
  const size_t before = server_.count("GET", "vocab.txt");
  resolve_model("org/name", options_);
  EXPECT_EQ(server_.count("GET", "vocab.txt"), before);
}

TEST_F(HubTest, WithoutAHubDamagedFilesOfTheCacheAreNamed) {
  resolve_model("org/name", options_);
  options_.verify = true;
  const fs::path damaged = blob("model.safetensors");
  fs::resize_file(damaged, 100);
  options_.endpoint = "http://127.0.0.1:1";
  Error error = expect_error(ErrorCode::kNetwork, [&] { resolve_model("org/name", options_); });
  EXPECT_NE(error.reason().find("delete " + damaged.string()), std::string::npos) << error.what();
  options_.offline = true;
  error = expect_error(ErrorCode::kCacheMiss, [&] { resolve_model("org/name", options_); });
  EXPECT_NE(error.reason().find("delete " + damaged.string()), std::string::npos) << error.what();
  EXPECT_EQ(fs::file_size(damaged), 100u) << "nothing is touched without a hub";
  fs::remove(damaged);
  options_.offline = false;
  options_.endpoint = server_.url();
  expect_whole(resolve_model("org/name", options_));
}

TEST_F(HubTest, AnUnreachableHubIsReplacedByTheCacheWithANotice) {
  resolve_model("org/name", options_);
  options_.endpoint = "http://127.0.0.1:1";
  std::string notice;
  options_.notice = [&](const std::string& line) { notice = line; };
  expect_whole(resolve_model("org/name", options_));
  EXPECT_NE(notice.find("cannot be reached"), std::string::npos);
  fs::remove_all(options_.cache);
  expect_error(ErrorCode::kNetwork, [&] { resolve_model("org/name", options_); });
}

TEST_F(HubTest, ProgressEndsAtTheWholeSize) {
  uint64_t last = 0, total = 0;
  options_.progress = [&](const std::string& file, uint64_t done, uint64_t all) {
    if (file != "model.safetensors") return;
    EXPECT_GE(done, last);
    last = done;
    total = all;
  };
  resolve_model("org/name", options_);
  EXPECT_EQ(last, 300'000u);
  EXPECT_EQ(total, 300'000u);
}

TEST_F(HubTest, ADirectoryIsReturnedUnchanged) {
  EXPECT_EQ(resolve_model(cache_.path().string(), options_), cache_.path());
  std::ofstream(cache_ / "file") << "x";
  expect_error(ErrorCode::kIo, [&] { resolve_model((cache_ / "file").string(), options_); });
  EXPECT_TRUE(server_.requests().empty());
}

TEST(HubId, SplitsTheRevision) {
  EXPECT_EQ(parse_hub_id("org/name").revision, "main");
  EXPECT_EQ(parse_hub_id("name").repository, "name");
  const HubId id = parse_hub_id("org/na.me-1_2@refs/pr/3");
  EXPECT_EQ(id.repository, "org/na.me-1_2");
  EXPECT_EQ(id.revision, "refs/pr/3");
}

TEST(HubId, RefusesOtherTexts) {
  for (const char* bad : {"",     "a/b/c",       "/a",           "a/",   "../x",   "a/..",   "a--b",
                          ".a",   "a.",          "-a",           "a b",  "a@",     "a@../b", "a@/x",
                          "a@x/", "./out/model", "/no/such/dir", "a\nb", "a@b\\c", "文/x"}) {
    SCOPED_TRACE(bad);
    expect_error(ErrorCode::kUsage, [&] { parse_hub_id(bad); });
  }
}

TEST(HubEnvironment, FindsTheCacheLikeHuggingFace) {
  Environment environment;
  environment.clear();
  ::setenv("HOME", "/home/someone", 1);
  EXPECT_EQ(hub_options_from_environment().cache, "/home/someone/.cache/huggingface/hub");
  environment.set("XDG_CACHE_HOME", "/xdg");
  EXPECT_EQ(hub_options_from_environment().cache, "/xdg/huggingface/hub");
  environment.set("HF_HOME", "/hf");
  EXPECT_EQ(hub_options_from_environment().cache, "/hf/hub");
  environment.set("HF_HUB_CACHE", "~/models");
  EXPECT_EQ(hub_options_from_environment().cache, "/home/someone/models");
}

TEST(HubEnvironment, ReadsTokenEndpointAndOffline) {
  TemporaryDirectory directory;
  Environment environment;
  environment.clear();
  environment.set("HF_HOME", directory.path().string());
  EXPECT_EQ(hub_options_from_environment().token, "");
  std::ofstream(directory / "token") << "from_file\n";
  EXPECT_EQ(hub_options_from_environment().token, "from_file");
  environment.set("HUGGING_FACE_HUB_TOKEN", "older");
  EXPECT_EQ(hub_options_from_environment().token, "older");
  environment.set("HF_TOKEN", " newer ");
  environment.set("HF_ENDPOINT", "http://mirror/");
  EXPECT_EQ(hub_options_from_environment().token, "newer");
  EXPECT_EQ(hub_options_from_environment().endpoint, "http://mirror");
  for (const char* yes : {"1", "on", "YES", "True"}) {
    environment.set("HF_HUB_OFFLINE", yes);
    EXPECT_TRUE(hub_options_from_environment().offline) << yes;
  }
  environment.set("HF_HUB_OFFLINE", "0");
  environment.set("TRANSFORMERS_OFFLINE", "1");
  EXPECT_FALSE(hub_options_from_environment().offline) << "the first that is set decides";
  environment.set("HF_HUB_OFFLINE", "");
  EXPECT_TRUE(hub_options_from_environment().offline);
  environment.set("HF_TOKEN", "a\r\nX-Evil: 1");
  expect_error(ErrorCode::kUsage, [] { hub_options_from_environment(); });
}

}  // namespace
}  // namespace spanforge
