// Any text: a configuration or an error; what was read has cells within the bound.
#include <cstdint>
#include <cstdlib>

#include "neurolens/bench/cells.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace neurolens;
  const auto config =
      bench::parse_config(std::string_view(reinterpret_cast<const char*>(data), size), "m.yaml");
  if (!config.ok()) {
    if (config.error().message.empty()) std::abort();
    return 0;
  }
  const auto cells = bench::expand(*config);
  if (cells.ok() && (cells->empty() || cells->size() > bench::kMostCells)) std::abort();
  (void)bench::content_hash(*config);
  return 0;
}
