// libneurolens_memory.so: what `neurolens record --memory` preloads.
// NEUROLENS_MEMORY_OUT names the file prefix; each process writes PREFIX.PID when it ends.
// Format, one record a line: "total ALLOCATIONS RELEASES BYTES LIVE_BYTES PEAK_BYTES", then
// "stack ALLOCATIONS BYTES LIVE_BLOCKS LIVE_BYTES PEAK_BYTES ADDRESS..." innermost first, then
// "maps", the text of /proc/self/maps, "end".
#include <fcntl.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>

#include "memory/track.hpp"

namespace {

constexpr long kMostStacksPerS = 1'000'000;  // about a tenth of the thread's time

__attribute__((constructor)) void begin() {
  if (std::getenv("NEUROLENS_MEMORY_OUT") == nullptr) return;
  const char* rate = std::getenv("NEUROLENS_MEMORY_STACKS_PER_S");
  const long most = rate != nullptr ? std::strtol(rate, nullptr, 10) : kMostStacksPerS;
  neurolens::probe::memory::track_process(
      static_cast<std::uint32_t>(most > 0 ? most : kMostStacksPerS));
}

__attribute__((destructor)) void finish() {
  const char* prefix = std::getenv("NEUROLENS_MEMORY_OUT");
  if (prefix == nullptr) return;
  char path[4200];
  std::snprintf(path, sizeof path, "%s.%d", prefix, static_cast<int>(getpid()));
  const int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
  if (fd < 0) return;
  neurolens::probe::memory::dump(fd);
  close(fd);
}

}  // namespace
