#include <fcntl.h>
#include <unistd.h>

#include <charconv>
#include <string>

#include "neurolens/base/text.hpp"
#include "neurolens/capture/host.hpp"

namespace neurolens::capture {
namespace {

std::optional<Bytes> field(std::string_view status, std::string_view key) {
  const auto at = status.find(key);
  if (at == std::string_view::npos) return std::nullopt;
  const auto digits = trim(status.substr(at + key.size(), 32));
  std::int64_t kib = 0;
  if (std::from_chars(digits.data(), digits.data() + digits.size(), kib).ec != std::errc()) {
    return std::nullopt;
  }
  return Bytes{kib << 10};
}

}  // namespace

ProcessMemory process_memory() {
  const auto status = system_files().read("/proc/self/status");
  if (!status.ok()) return {};
  return {field(status.value(), "VmRSS:"), field(status.value(), "VmHWM:")};
}

bool reset_peak_memory() {
  const int file = open("/proc/self/clear_refs", O_WRONLY | O_CLOEXEC);
  if (file < 0) return false;
  const bool done = write(file, "5", 1) == 1;
  close(file);
  return done;
}

}  // namespace neurolens::capture
