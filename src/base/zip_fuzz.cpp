// Any bytes: an archive or an error, within the limits; what was read can be written and read
// again.
#include <cstdint>
#include <cstdlib>

#include "neurolens/base/zip.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace neurolens;
  ZipLimits limits;
  limits.most_bytes = Bytes{1 << 22};
  const auto members =
      zip_read(std::string_view(reinterpret_cast<const char*>(data), size), limits);
  if (!members.ok()) return 0;
  const auto again = zip_write(*members);
  if (!again.ok()) std::abort();
  ZipLimits loose;
  loose.most_ratio = 1e9;
  const auto back = zip_read(*again, loose);
  if (!back.ok() || back->size() != members->size()) std::abort();
  for (std::size_t i = 0; i < back->size(); ++i) {
    if ((*back)[i].bytes != (*members)[i].bytes) std::abort();
  }
  return 0;
}
