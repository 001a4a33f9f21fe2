/// \file
/// Facts about this machine and this process, read from /proc, /sys and the processor itself.
/// What the system does not tell stays empty; nothing is guessed. Reading takes about a
/// millisecond.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "neurolens/base/file_system.hpp"
#include "neurolens/base/units.hpp"
#include "neurolens/run/types.hpp"

namespace neurolens::capture {

/// Read-only facts about this machine: what a Run records, and what adapters need to know besides.
struct Host {
  run::Host facts;
  std::string dependency_directory;  ///< Where scripts/setup puts backends; may not exist.
};

/// Where the facts come from. `root` is put in front of /proc, /sys and /etc: tests point it at a
/// folder.
struct HostSources {
  std::string root;
};

/// Reads the facts. Never fails: unreadable facts are empty.
/// Threads: safe to call concurrently.
[[nodiscard]] Host read_host(const HostSources& sources = {}, FileSystem& files = system_files());

/// ${NEUROLENS_DEPS}, or ${XDG_CACHE_HOME:-~/.cache}/neurolens.
[[nodiscard]] std::string dependency_directory();

/// Memory of this process.
struct ProcessMemory {
  std::optional<Bytes> resident;       ///< Now.
  std::optional<Bytes> peak_resident;  ///< Since the start of the process, or the last reset.
};
[[nodiscard]] ProcessMemory process_memory();
/// Makes the peak start again from the present size. False where the system does not allow it.
bool reset_peak_memory();

}  // namespace neurolens::capture
