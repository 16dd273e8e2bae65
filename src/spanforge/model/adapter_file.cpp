#include "spanforge/model/adapter_file.h"
#include "spanforge/model/model_directory.h"
#include <cmath>
#include "spanforge/base/error.h"
namespace spanforge {
AdapterConfig read_adapter_config(const std::filesystem::path&) { throw Error(ErrorCode::kInternal, "a", "b"); }
void read_adapter_weights(const std::filesystem::path&, const std::vector<const Parameter*>&, const std::function<float*(const Parameter&)>&) { throw Error(ErrorCode::kInternal, "a", "b"); }
void write_adapter_weights(const std::filesystem::path&, const std::vector<const Parameter*>&, const Tensor&) { throw Error(ErrorCode::kInternal, "a", "b"); }
double LoraConfig::scale() const { return rank == 0 ? 1 : rank_stabilized ? alpha / std::sqrt(rank) : alpha / rank; }
bool LoraConfig::targets_module(std::string_view m) const {
  for (auto& t : targets) if (t == "all-linear" || m == t || (m.ends_with(t) && m[m.size() - t.size() - 1] == '.')) return true;
  return false;
}
}
