#include "spanforge/hub/download.h"

#include <fcntl.h>

#include <algorithm>
#include <charconv>
#include <chrono>
#include <thread>

#include <fmt/core.h>

#include "spanforge/base/error.h"
#include "spanforge/base/foreign_content.h"
#include "spanforge/base/json.h"
#include "spanforge/hub/explain.h"
#include "spanforge/io/descriptor.h"
#include "spanforge/io/file.h"

namespace spanforge {
namespace {

constexpr int kMaxRedirects = 10;

bool is_redirect(long status) {
  return status == 301 || status == 302 || status == 303 || status == 307 || status == 308;
}

std::optional<uint64_t> parse_number(const std::string* text) {
  if (text == nullptr) return std::nullopt;
  uint64_t value = 0;
  const auto [end, error] = std::from_chars(text->data(), text->data() + text->size(), value);
  if (error != std::errc() || end != text->data() + text->size()) return std::nullopt;
  return value;
}

// An entity tag becomes a file's name, so it must not contain parts of a path.
std::string clean_etag(std::string etag) {
  if (etag.starts_with("W/")) etag.erase(0, 2);
  if (etag.size() >= 2 && etag.front() == '"' && etag.back() == '"') {
    etag = etag.substr(1, etag.size() - 2);
  }
  const bool safe = !etag.empty() && etag.size() <= 128 && etag[0] != '.' &&
                    etag.find_first_not_of(
                        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
                        "0123456789._-") == std::string::npos;
  return safe ? etag : "";
}

// The ending of a file that is being fetched. It is kept if the connection breaks.
uint64_t partial_size(const std::string& path) { return regular_file_size(path).value_or(0); }

// Its first bytes, for foreign_content.h.
std::string partial_head(const std::string& path) {
  std::string head(200, '\0');
  head.resize(Descriptor(path, O_RDONLY).read(head.data(), head.size()));
  return head;
}

}  // namespace

HubDownloader::HubDownloader(const HubId& id, const HubOptions& options)
    : id_(id), options_(options), http_(options.network), cache_(options.cache, id.repository) {}

std::string HubDownloader::file_url(const std::string& file) const {
  return fmt::format("{}/{}/resolve/{}/{}", options_.endpoint,
                     encode_url_part(id_.repository, true), encode_url_part(id_.revision, false),
                     encode_url_part(file, true));
}

std::vector<std::string> HubDownloader::headers_for(const std::string& url) const {
  std::vector<std::string> headers = {"Accept-Encoding: identity"};
  if (!options_.token.empty() && url_origin(url) == url_origin(options_.endpoint)) {
    headers.push_back("Authorization: Bearer " + options_.token);
  }
  return headers;
}

void HubDownloader::fail(const std::string& place, const std::string& what) const {
  throw Error(ErrorCode::kNetwork, quote_for_message(shown_url(place), 300), what);
}

void HubDownloader::fail_status(const std::string& url, const HttpResponse& response) const {
  fail(url, explain_status(response, id_, options_));
}

void HubDownloader::wait_before_retry(int attempt) const {
  const double seconds = options_.retry_wait_seconds * static_cast<double>(1 << attempt);
  std::this_thread::sleep_for(std::chrono::duration<double>(seconds));
}

// Returns whether to ask again, after waiting. Throws HubUnreachable if there were enough retries,
// or a retry cannot help.
bool HubDownloader::retries(const HttpResponse& response, int& attempt) const {
  const bool broken = !response.failure.empty() || response.status >= 500 || response.status == 429;
  if (!broken) return false;
  if (!response.may_pass() || attempt >= options_.retries) {
    throw HubUnreachable{response.url, explain_unreachable(response)};
  }
  wait_before_retry(attempt++);
  return true;
}

HttpResponse HubDownloader::head_with_retries(const std::string& url) {
  std::string at = url;
  for (int attempt = 0, redirects = 0;;) {
    const HttpResponse response = http_.head(at, headers_for(at), options_.etag_timeout_seconds);
    if (retries(response, attempt)) continue;
    // Follows only relative redirects (a renamed repository). An absolute one names the place of
    // the bytes, which is not the hub.
    const std::string* location = response.header("location");
    if (!is_redirect(response.status) || location == nullptr || !location->starts_with('/') ||
        location->starts_with("//")) {
      return response;
    }
    if (++redirects > kMaxRedirects) fail(url, "redirects without end");
    at = resolve_url(at, *location);
  }
}

void HubDownloader::open() {
  constexpr size_t kMaxListing = size_t{64} << 20;
  std::string url =
      fmt::format("{}/api/models/{}/revision/{}", options_.endpoint,
                  encode_url_part(id_.repository, true), encode_url_part(id_.revision, false));
  std::string body;
  const HttpSink keep = [&](const HttpResponse&, std::string_view piece) {
    body += piece;
    return body.size() <= kMaxListing;
  };
  for (int attempt = 0, redirects = 0;;) {
    body.clear();
    const HttpResponse response =
        http_.get(url, headers_for(url), options_.etag_timeout_seconds, keep);
    if (retries(response, attempt)) continue;
    const std::string* location = response.header("location");
    if (is_redirect(response.status) && location != nullptr) {
      if (++redirects > kMaxRedirects) fail(url, "redirects without end");
      url = resolve_url(url, *location);
      continue;
    }
    if (response.status == 200) return read_listing(body, url);
    // A mirror may have no listing. Then config.json shows whether the repository exists.
    const std::string* code = response.header("x-error-code");
    if (response.status != 404 || code != nullptr) fail_status(url, response);
    if (!fetch("config.json") && !fetch("adapter_config.json")) fail_status(url, response);
    return;
  }
}

void HubDownloader::read_listing(const std::string& body, const std::string& url) {
  if (const auto foreign = find_foreign_content(body)) {
    fail(url,
         fmt::format("answers with {} instead of a list of files; a login page or a firewall may "
                     "answer in its place, or HF_ENDPOINT does not name a hub",
                     foreign_content_name(*foreign)));
  }
  const Json json = parse_json(body, shown_url(url), ErrorCode::kNetwork);
  const Json *sha = json.find("sha"), *siblings = json.find("siblings");
  const bool sound = sha != nullptr && sha->is_string() && is_commit_hash(sha->as_string()) &&
                     siblings != nullptr && siblings->is_array();
  if (!sound) fail(url, "answers with something other than a description of a repository");
  commit_ = sha->as_string();
  files_.emplace();
  for (const Json& file : *siblings) {
    const Json* name = file.find("rfilename");
    if (name != nullptr && name->is_string()) files_->insert(name->as_string());
  }
}

void HubDownloader::finish() { cache_.remember_commit(id_.revision, commit_); }

void HubDownloader::set_commit(const std::string& url, const HttpResponse& response) {
  const std::string* commit = response.header("x-repo-commit");
  if (commit == nullptr || !is_commit_hash(*commit)) {
    fail(url,
         "answers without the commit (X-Repo-Commit), so it is not a model hub; a login page or a "
         "firewall may answer in its place, or HF_ENDPOINT does not name a hub");
  }
  if (commit_.empty()) commit_ = *commit;
  if (*commit != commit_) {
    fail(url,
         fmt::format("the revision \"{}\" changed while it was fetched; run again", id_.revision));
  }
}

HubDownloader::Remote HubDownloader::describe(const std::string& url,
                                              const HttpResponse& response) {
  set_commit(url, response);
  const std::string* etag = response.header("x-linked-etag");
  if (etag == nullptr) etag = response.header("etag");
  Remote remote;
  remote.etag = etag == nullptr ? "" : clean_etag(*etag);
  if (remote.etag.empty()) fail(url, "answers without a usable ETag, so it is not a model hub");
  remote.size = parse_number(response.header("x-linked-size"));
  if (const std::string* location = response.header("location"); is_redirect(response.status)) {
    if (location == nullptr) fail(url, "redirects to nowhere");
    remote.url = resolve_url(response.url, *location);
  } else {
    remote.url = response.url;
    if (!remote.size) remote.size = parse_number(response.header("content-length"));
  }
  return remote;
}

std::optional<HubDownloader::Remote> HubDownloader::find_remote(const std::string& file) {
  const std::string url = file_url(file);
  const HttpResponse response = head_with_retries(url);
  if (response.status == 200 || is_redirect(response.status)) return describe(url, response);
  const std::string* code = response.header("x-error-code");
  const bool no_entry = response.status == 404 && (code == nullptr || *code == "EntryNotFound");
  if (!no_entry) fail_status(url, response);
  if (const std::string* commit = response.header("x-repo-commit");
      commit != nullptr && is_commit_hash(*commit)) {
    cache_.mark_absent(*commit, file);
  }
  return std::nullopt;
}

bool HubDownloader::fetch(const std::string& file) {
  if (files_ && files_->count(file) == 0) return false;
  const auto is_here = [&] { return !commit_.empty() && cache_.has_file(commit_, file); };
  if (is_here() && (!options_.verify || is_sound(cache_.blob_of(commit_, file)) == true))
    return true;
  const auto remote = find_remote(file);
  if (!remote) return false;
  if (is_here() && !options_.verify) return true;
  const Descriptor lock = cache_.lock(remote->etag);
  const fs::path blob = cache_.blob(remote->etag);
  if (is_here() && hash_like(remote->etag, cache_.blob_of(commit_, file)) == remote->etag) {
    return true;  // a plain file, in a copy of a cache without links
  }
  const bool keep = fs::exists(blob) && (!options_.verify || is_sound(blob, remote->size) != false);
  if (!keep) download(file, *remote);
  cache_.link(commit_, file, remote->etag);
  return true;
}

void HubDownloader::require(const std::string& file) {
  if (!fetch(file)) fail(file_url(file), fmt::format("{} has no {}", id_.repository, file));
}

void HubDownloader::download(const std::string& file, const Remote& remote) {
  const fs::path blob = cache_.blob(remote.etag);
  spanforge::create_directories(blob.parent_path());
  const std::string partial = blob.string() + ".incomplete";
  std::error_code error;
  const fs::space_info space = fs::space(blob.parent_path(), error);
  if (!error && remote.size &&
      space.available < *remote.size - std::min(*remote.size, partial_size(partial))) {
    throw Error(
        ErrorCode::kIo, blob.parent_path().string(),
        fmt::format("has {} bytes free, but {} needs {}", space.available, file, *remote.size));
  }
  for (int attempt = 0;;) {
    const uint64_t before = partial_size(partial);
    const HttpResponse response = transfer(file, remote, partial);
    const uint64_t after = partial_size(partial);
    const bool whole = response.failure.empty() && response.status < 300 &&
                       (!remote.size || after == *remote.size);
    if (whole) break;
    const bool refused = response.reached && response.status >= 400 && response.status < 500 &&
                         response.status != 429;
    if (refused) fail_status(remote.url, response);
    if (remote.size && after > *remote.size) {
      fs::remove(partial, error);
      fail(remote.url, fmt::format("sends more than the announced {} bytes", *remote.size));
    }
    if (after > before) attempt = 0;  // after progress, the count starts again
    if (attempt >= options_.retries) {
      fail(remote.url,
           fmt::format("broke off at byte {} of {} ({}); run again to continue", after,
                       remote.size ? std::to_string(*remote.size) : "unknown",
                       response.failure.empty() ? fmt::format("status {}", response.status)
                                                : response.failure));
    }
    wait_before_retry(attempt++);
  }
  verify(partial, file, remote);
  fs::rename(partial, blob, error);
  if (error) throw Error(ErrorCode::kIo, blob.string(), "cannot be renamed: " + error.message());
}

HttpResponse HubDownloader::transfer(const std::string& file, const Remote& remote,
                                     const std::string& partial) {
  const Descriptor out(partial, O_WRONLY | O_CREAT | O_APPEND | O_NOFOLLOW);
  uint64_t done = partial_size(partial);
  const uint64_t asked_from = done;
  if (remote.size && done == *remote.size) {  // it is whole and only needs its name
    HttpResponse whole;
    whole.status = 206;
    return whole;
  }
  if (remote.size && done > *remote.size) {
    out.truncate();
    done = 0;
  }
  const auto tell = [&] {
    if (options_.progress) options_.progress(file, done, remote.size.value_or(0));
  };
  tell();
  std::string url = remote.url;
  for (int redirects = 0;;) {
    std::vector<std::string> headers = headers_for(url);
    if (done > 0) headers.push_back(fmt::format("Range: bytes={}-", done));
    std::string wrong_range;
    bool first = true;
    const HttpSink keep = [&](const HttpResponse& answer, std::string_view piece) {
      if (answer.status != 200 && answer.status != 206) return true;  // an error page
      if (first && answer.status == 200 && done > 0) {                // the server starts again
        out.truncate();
        done = 0;
      }
      if (first && answer.status == 206) {
        const std::string* range = answer.header("content-range");
        if (range == nullptr || !range->starts_with(fmt::format("bytes {}-", done))) {
          wrong_range = range == nullptr ? "none" : *range;
          return false;
        }
      }
      first = false;
      out.write(piece);
      done += piece.size();
      tell();
      return !remote.size || done <= *remote.size;
    };
    HttpResponse response = http_.get(url, headers, options_.timeout_seconds, keep);
    if (!wrong_range.empty()) {
      fail(url, fmt::format("was asked to continue at byte {}, but answers with another range ({})",
                            asked_from, quote_for_message(wrong_range)));
    }
    if (response.status == 416 && done > 0) {  // the local bytes do not belong to this file
      out.truncate();
      done = 0;
      if (++redirects > kMaxRedirects) fail(remote.url, "refuses every range");
      continue;
    }
    const std::string* location = response.header("location");
    if (is_redirect(response.status) && location != nullptr) {
      if (++redirects > kMaxRedirects) fail(remote.url, "redirects without end");
      url = resolve_url(url, *location);
      continue;
    }
    if (response.failure.empty() && response.status < 300) out.sync();
    return response;
  }
}

void HubDownloader::verify(const std::string& partial, const std::string& file,
                           const Remote& remote) const {
  const auto found = hash_like(remote.etag, partial);
  if (found && *found == remote.etag) return;
  const auto foreign = find_foreign_content(partial_head(partial));
  if (!found && !foreign) return;  // the mirror has its own tags: only the size could be checked
  std::error_code ignored;
  fs::remove(partial, ignored);
  if (foreign) {
    fail(remote.url,
         fmt::format("{} arrived as {} and was deleted; the mirror (HF_ENDPOINT), a proxy or a "
                     "firewall does not deliver the file",
                     file, foreign_content_name(*foreign)));
  }
  fail(remote.url, fmt::format("{} arrived with the hash {} instead of {} and was deleted; "
                               "run again",
                               file, *found, remote.etag));
}

}  // namespace spanforge
