
#include "command.h"
#include "common.h"
#include "output.h"
#include "spanforge/hub/hub.h"

namespace spanforge::app {

int run_download(const Arguments& arguments) {
  std::vector<std::string> ids;
  bool json = false;
  OptionTable table;
  table.add_switch(kJsonOption, json);
  table.positional("ID", "a model of the hub: org/name[@revision], or its page's address", ids, 1,
                   1);
  if (!table.parse(arguments)) return 0;
  parse_hub_id(ids[0], hub_options_from_environment().endpoint);
  const std::string directory = resolve_and_verify_model(ids[0]).path.string();
  if (json) return print_json({{"id", ids[0]}, {"path", directory}}), 0;
  print(directory + "\n");
  return 0;
}

}  // namespace spanforge::app
