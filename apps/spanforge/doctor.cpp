#include <sstream>

#include <fmt/core.h>

#include "command.h"
#include "common.h"
#include "machine.h"
#include "output.h"
#include "spanforge/base/join.h"
#include "spanforge/base/threads.h"
#include "spanforge/hub/hub.h"
#include "spanforge/ops/gemm.h"
#include "spanforge/version.h"
#include "versions.h"

namespace spanforge::app {
namespace {

// The features of the processor that decide speed here.
std::vector<std::string> cpu_features() {
  std::vector<std::string> found;
  std::istringstream flags(proc_value("/proc/cpuinfo", "flags") + " " +
                           proc_value("/proc/cpuinfo", "Features"));
  for (std::string flag; flags >> flag;) {
    for (const char* wanted : {"avx2", "fma", "avx512f", "avx512_vnni", "avx512_bf16", "amx_tile",
                               "amx_bf16", "amx_int8", "asimd", "sve", "bf16", "i8mm"}) {
      if (flag == wanted) found.push_back(flag);
    }
  }
  return found;
}

}  // namespace

int run_doctor(const Arguments& arguments) {
  bool json = false;
  OptionTable table;
  table.add_switch(kJsonOption, json);
  if (!table.parse(arguments)) return 0;
  const HubOptions hub = hub_options_from_environment();
  Json libraries = Json::object();
  for (const auto& [name, version] : library_versions()) libraries[name] = version;
  const Json report = {{"version", SPANFORGE_VERSION},
                       {"commit", source_commit()},
                       {"cpu", proc_value("/proc/cpuinfo", "model name")},
                       {"cpu_features", cpu_features()},
                       {"instruction_set", ops::instruction_set()},
                       {"bf16_is_fast", ops::bf16_is_fast()},
                       {"threads", set_thread_count(0)},
                       {"memory_mb", memory_megabytes("MemTotal")},
                       {"memory_available_mb", memory_megabytes("MemAvailable")},
                       {"hub_cache", hub.cache.string()},
                       {"hub_endpoint", shown_endpoint(hub)},
                       {"hub_offline", hub.offline},
                       {"hub_token", hub.token.empty() ? "none" : hub.token_source},
                       {"libraries", libraries}};
  if (json) return print_json(report), 0;
  for (const auto& [key, value] : report.items()) {
    std::vector<std::string> parts;
    if (value.is_array()) {
      parts = value.get<std::vector<std::string>>();
    } else if (value.is_object()) {
      for (const auto& [name, item] : value.items()) parts.push_back(name + " " + item.as_string());
    } else {
      parts.push_back(python_str(value));
    }
    emit("{:<20} {}\n", key, join(parts, ", "));
  }
  return 0;
}

}  // namespace spanforge::app
