#pragma once
// Fetches single files of one repository at one revision. Internal to hub/.

#include <optional>
#include <set>
#include <string>
#include <vector>

#include "spanforge/hub/cache.h"
#include "spanforge/hub/http.h"
#include "spanforge/hub/hub.h"

namespace spanforge {

// The hub could not be reached, or is out of service: the cache may be used instead.
struct HubUnreachable {
  std::string url, reason;  // reason: "cannot be reached: ...", "answers 503: ..."
};

class HubDownloader {
 public:
  HubDownloader(const HubId& id, const HubOptions& options);

  // Asks for the commit and the list of files. A plain mirror has no list; then each file is asked
  // for. Throws HubUnreachable, Error{kNetwork}.
  void open();
  // Call it when all files are fetched: remembers the revision's commit for use without a hub.
  void finish();
  const std::string& commit() const { return commit_; }

  // The repository's files; nullopt: the server has no list.
  const std::optional<std::set<std::string>>& files() const { return files_; }
  // Puts the file into the snapshot if it is not there. false: the repository does not have it.
  bool fetch(const std::string& file);
  void require(const std::string& file);

 private:
  struct Remote {  // the answer to HEAD for a file
    std::string url, etag;
    std::optional<uint64_t> size;
  };

  std::string file_url(const std::string& file) const;
  std::vector<std::string> headers_for(const std::string& url) const;
  [[noreturn]] void fail(const std::string& place, const std::string& what) const;
  [[noreturn]] void fail_status(const std::string& url, const HttpResponse& response) const;
  bool retries(const HttpResponse& response, int& attempt) const;
  HttpResponse head_with_retries(const std::string& url);
  void read_listing(const std::string& body, const std::string& url);
  std::optional<Remote> find_remote(const std::string& file);
  Remote describe(const std::string& url, const HttpResponse& response);
  void set_commit(const std::string& url, const HttpResponse& response);
  void download(const std::string& file, const Remote& remote);
  HttpResponse transfer(const std::string& file, const Remote& remote, const std::string& partial);
  void verify(const std::string& partial, const std::string& file, const Remote& remote) const;
  void wait_before_retry(int attempt) const;

  HubId id_;
  const HubOptions& options_;
  HttpClient http_;
  HubCache cache_;
  std::string commit_;
  std::optional<std::set<std::string>> files_;
};

}  // namespace spanforge
