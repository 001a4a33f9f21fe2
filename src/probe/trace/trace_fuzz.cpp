// Any bytes as a trace file: the reader answers or refuses, and what it hands out is consistent.
#include <sys/mman.h>
#include <unistd.h>

#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <string>

#include "core/format.hpp"
#include "neurolens/probe/trace.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace neurolens::probe;
  static const int fd = memfd_create("trace", 0);
  static const std::string path = "/proc/self/fd/" + std::to_string(fd);
  if (ftruncate(fd, 0) != 0) return 0;
  // Sums would stop the fuzzer at the first block: they are put right.
  std::string bytes(reinterpret_cast<const char*>(data), size);
  if (size >= sizeof kMagic) std::memcpy(bytes.data(), kMagic, sizeof kMagic);
  std::size_t at = sizeof(FileHeader);
  while (at + sizeof(BlockHeader) <= bytes.size()) {
    BlockHeader header;
    std::memcpy(&header, bytes.data() + at, sizeof header);
    at += sizeof header;
    if (header.bytes > bytes.size() - at) break;
    header.sum =
        checksum(bytes.data() + at, header.bytes) + static_cast<std::uint32_t>(header.type);
    std::memcpy(bytes.data() + at - sizeof header, &header, sizeof header);
    at += header.bytes;
  }
  if (pwrite(fd, bytes.data(), bytes.size(), 0) < 0) return 0;
  const auto trace = read_trace(path);
  if (!trace.ok()) return 0;
  for (const TraceEvent& e : trace->events) {
    if (e.thread.index() >= trace->info.threads.size()) std::abort();
    if (e.kind != EventKind::end && e.kind != EventKind::stall &&
        e.site.index() >= trace->info.sites.size()) {
      std::abort();
    }
  }
  for (const Span& s : spans_of(*trace)) {
    if (s.end < s.begin && !s.cut) std::abort();
  }
  return 0;
}
