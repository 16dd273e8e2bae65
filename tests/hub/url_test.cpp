#include "spanforge/hub/url.h"

#include <gtest/gtest.h>

#include "spanforge/base/error.h"

namespace spanforge {
namespace {

TEST(Url, RelativeAddressesAreResolvedAsBrowsersDo) {
  struct Row {
    std::string base, location, url;
  };
  for (const Row& row : {
           Row{"http://h/a/b?q", "c", "http://h/a/c"},
           Row{"http://h/a/b?q", "/c/../d?e#f", "http://h/d?e#f"},
           Row{"http://h/a/b", "../../../c/./d/", "http://h/c/d/"},
           Row{"http://h", "c", "http://h/c"},
           Row{"http://h/a/b?q", "?r", "http://h/a/b?r"},
           Row{"http://h/a/b?q", "#f", "http://h/a/b?q#f"},
           Row{"http://h/a", "//other:81/b", "http://other:81/b"},
           Row{"http://h/a", "HTTPS://Other.Org/B", "https://other.org/B"},
           Row{"http://h/a", "/b:c@d", "http://h/b:c@d"},
           Row{"http://[::1]:8/a", "/b", "http://[::1]:8/b"},
       }) {
    SCOPED_TRACE(row.base + " and " + row.location);
    EXPECT_EQ(resolve_url(row.base, row.location), row.url);
  }
}

TEST(Url, WhatIsNoHttpAddressIsRefused) {
  for (const std::string location :
       {"ftp://h/a", "file:///etc/passwd", "http://", "http:///a", "http://h h/", "http://h:port/",
        "http://h:65536/", "http://h\\@evil/", "http://h\r\nX: y", "//", "javascript:alert(1)",
        "http://a b@h/", "http://h%2f@/", "http://[::1/", "a b"}) {
    SCOPED_TRACE(location);
    EXPECT_THROW(resolve_url("http://h/a", location), Error);
  }
  EXPECT_THROW(resolve_url("https://h/a", "http://h/b"), Error);  // not encrypted
  EXPECT_THROW(url_origin("h/a"), Error);
}

TEST(Url, TheOriginIsSchemeHostAndPort) {
  EXPECT_EQ(url_origin("https://me:pw@Hub.Org/a?b"), "https://hub.org:443");
  EXPECT_EQ(url_origin("http://hub.org:8080"), "http://hub.org:8080");
  // A name that only looks like the hub's.
  EXPECT_EQ(url_origin("https://hub.org@evil.org/"), "https://evil.org:443");
  EXPECT_EQ(url_origin("https://evil.org/https://hub.org"), "https://evil.org:443");
  EXPECT_EQ(url_origin("https://evil.org?@hub.org"), "https://evil.org:443");
  EXPECT_EQ(url_origin("https://evil.org#@hub.org"), "https://evil.org:443");
  EXPECT_EQ(url_host("http://[FE80::1]:8/"), "[fe80::1]");
}

TEST(Url, AHubHasNoQuery) {
  EXPECT_TRUE(is_plain_http_url("https://hub.org:1/mirror"));
  for (const std::string url :
       {"https://hub.org?a", "https://hub.org#a", "socks5://hub.org", "hub.org", ""}) {
    EXPECT_FALSE(is_plain_http_url(url)) << url;
  }
}

TEST(Url, AProxyHasAPort) {
  EXPECT_EQ(normal_proxy("proxy"), "http://proxy:80");
  EXPECT_EQ(normal_proxy("https://me:pw@proxy/"), "https://me:pw@proxy:443");
  EXPECT_EQ(normal_proxy("socks://proxy:9"), "socks5h://proxy:9");
  EXPECT_EQ(normal_proxy("ftp://proxy"), std::nullopt);
}

}  // namespace
}  // namespace spanforge
