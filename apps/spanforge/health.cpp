#include "command.h"
#include "common.h"
#include "output.h"
#include "spanforge/serve/probe.h"

namespace spanforge::app {

int run_health(const Arguments& arguments) {
  serve::ProbeTarget target;
  int32_t port = target.port;
  OptionTable table;
  table({"host", "the server's address", ""}, target.host);
  table({"port", "the server's port", "1..65535"}, port);
  table.add_switch({"tls", "the server has a certificate; it is not checked", ""}, target.tls);
  table({"timeout", "seconds to connect, and without an answer", "> 0"}, target.seconds);
  if (!table.parse(arguments)) return 0;
  target.port = static_cast<uint16_t>(port);
  serve::probe(target);
  print("ready\n");
  return 0;
}

}  // namespace spanforge::app
