#pragma once
// Declares, checks and applies the options of `serve`.

#include <string>
#include <vector>

#include "options.h"
#include "served_models.h"
#include "spanforge/serve/http_server.h"
#include "spanforge/serve/limits.h"
#include "spanforge/serve/message.h"

namespace spanforge::app {

struct ServeOptions {
  std::vector<std::string> models, allowed_hosts, cors_origins;
  serve::Listening listening{"127.0.0.1", 8080, "", "", false};
  int32_t port = 8080;
  std::string token_file;
  int64_t memory_bytes = 0;
  double drain_delay = 0;
  bool insecure = false, verify = false;
  AutoBool bf16 = AutoBool::kFalse;
  int32_t threads = 0;
  serve::Limits limits;
  double answer_seconds = 30, drain_seconds = 30;
  double header_seconds = 10, body_seconds = 30, idle_seconds = 60, write_seconds = 30;
};

void declare(OptionTable& table, ServeOptions& o);
// Sets the fields that follow from others. Errors: Error{kUsage} if options contradict each other.
void settle(const OptionTable& table, ServeOptions& o);
// Errors: Error{kUsage} if other machines can reach the address and nothing protects it; those of
//   reading the token's file.
serve::Access make_access(const ServeOptions& o);
// Raises the soft limit of open files to what the connections need. Errors: Error{kUsage} if the
// hard limit is lower.
void allow_open_files(const ServeOptions& o);
serve::Milliseconds milliseconds(double seconds);

}  // namespace spanforge::app
