#pragma once
// A hub with one repository, org/name, on this machine: a server that lists its files, and a second
// one that stores the large files. Tests change the files, or replace replies.
#include <cstdlib>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>

#include <gtest/gtest.h>

#include "hub/stand_in_server.h"
#include "spanforge/base/hash.h"
#include "spanforge/hub/hub.h"
#include "spanforge/io/file.h"
#include "support/testing.h"

namespace spanforge::testing {

inline const std::string kCommit(40, 'c');

// Files over 1 KB are "large": served by a second host, by SHA-256.
class HubFixture : public ::testing::Test {
 protected:
  HubFixture()
      : storage_([this](const HttpRequest& request) { return answer_storage(request); }),
        server_([this](const HttpRequest& request) { return answer_hub(request); }) {
    ::setenv("no_proxy", "127.0.0.1", 1);
    files_["config.json"] = R"({"model_type": "bert"})";
    files_["vocab.txt"] = "[PAD]\n[UNK]\n";
    files_["tokenizer_config.json"] = "{}";
    files_["model.safetensors"] = std::string(300'000, 'w');
    options_.cache = cache_ / "hub";
    options_.endpoint = server_.url();
    options_.token = "hf_secret";
    options_.timeout_seconds = 5;
    options_.retry_wait_seconds = 0.001;
  }

  static bool is_large(const std::string& body) { return body.size() > 1000; }
  static std::string etag_of(const std::string& body) {
    return is_large(body)
               ? sha256_hex(body)
               : sha1_hex("blob " + std::to_string(body.size()) + std::string(1, '\0') + body);
  }

  HttpReply answer_hub(const HttpRequest& request) {
    if (hook_) {
      if (const auto reply = hook_(request)) return *reply;
    }
    if (request.path == "/api/models/org/name/revision/main" && has_listing_) {
      std::string body = R"({"sha": ")" + kCommit + R"(", "siblings": [)";
      for (const auto& [name, content] : files_) {
        if (body.back() != '[') body += ", ";
        body += R"({"rfilename": ")" + name + R"("})";
      }
      return {200, {}, body + "]}"};
    }
    const std::string prefix = "/org/name/resolve/main/";
    if (!request.path.starts_with(prefix)) return {404, {}, "no such page"};
    const auto file = files_.find(request.path.substr(prefix.size()));
    if (file == files_.end()) {
      return {404, {{"X-Error-Code", "EntryNotFound"}, {"X-Repo-Commit", kCommit}}, ""};
    }
    const std::string& body = file->second;
    if (!is_large(body)) {
      return {200, {{"ETag", '"' + etag_of(body) + '"'}, {"X-Repo-Commit", kCommit}}, body};
    }
    return {302,
            {{"X-Linked-Etag", '"' + etag_of(body) + '"'},
             {"X-Linked-Size", std::to_string(body.size())},
             {"X-Repo-Commit", kCommit},
             {"ETag", "\"something-else\""},
             {"Location", storage_.url() + "/bytes/" + file->first}},
            ""};
  }

  HttpReply answer_storage(const HttpRequest& request) {
    if (storage_hook_) {
      if (const auto reply = storage_hook_(request)) return *reply;
    }
    const std::string& body = files_.at(request.path.substr(std::string("/bytes/").size()));
    const std::string range = request.header("range");
    if (range.empty()) return {200, {}, body};
    const size_t from = std::stoul(range.substr(range.find('=') + 1));
    return {
        206,
        {{"Content-Range", "bytes " + std::to_string(from) + "-" + std::to_string(body.size() - 1) +
                               "/" + std::to_string(body.size())}},
        body.substr(from)};
  }

  fs::path repository() const { return options_.cache / "models--org--name"; }
  fs::path blob(const std::string& name) { return repository() / "blobs" / etag_of(files_[name]); }

  void expect_whole(const fs::path& snapshot) {
    EXPECT_EQ(snapshot, repository() / "snapshots" / kCommit);
    for (const auto& [name, body] : files_) {
      EXPECT_EQ(read_file(snapshot / name), body) << name;
      EXPECT_EQ(fs::read_symlink(snapshot / name), fs::path("../../blobs") / etag_of(body)) << name;
    }
    EXPECT_EQ(read_file(repository() / "refs" / "main"), kCommit);
    for (const auto& entry : fs::directory_iterator(repository() / "blobs")) {
      EXPECT_FALSE(entry.path().string().ends_with(".incomplete")) << entry.path();
    }
  }

  // The cache has exactly blobs with these files' hashes, links to them, refs and locks.
  void expect_nothing_else() {
    std::set<std::string> etags;
    for (const auto& [name, body] : files_) etags.insert(etag_of(body));
    for (const auto& entry : fs::recursive_directory_iterator(cache_.path())) {
      if (entry.is_directory()) continue;
      const fs::path path = entry.path().lexically_relative(options_.cache);
      SCOPED_TRACE(path);
      const std::string name = path.filename();
      if (path.parent_path() == "models--org--name/blobs") {
        if (name.ends_with(".incomplete")) continue;
        EXPECT_EQ(etag_of(read_file(entry.path())), name);
      } else if (entry.is_symlink()) {
        EXPECT_EQ(path.parent_path(), "models--org--name/snapshots/" + kCommit);
        EXPECT_EQ(files_.count(name), 1u);
      } else {
        EXPECT_TRUE(path == "models--org--name/refs/main" ||
                    path.parent_path() == ".locks/models--org--name");
      }
    }
  }

  using Hook = std::function<std::optional<HttpReply>(const HttpRequest&)>;
  TemporaryDirectory cache_;
  HubOptions options_;
  std::map<std::string, std::string> files_;
  bool has_listing_ = true;
  Hook hook_, storage_hook_;
  StandInServer storage_, server_;
};

}  // namespace spanforge::testing
