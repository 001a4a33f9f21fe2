/// \file
/// What a process has mapped where, and unwinding through it.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "adapters/record/elf_module.hpp"
#include "adapters/record/perf_events.hpp"

namespace neurolens::capture::record_detail {

/// Every file seen, once.
class ModuleTable {
 public:
  /// `path` as the kernel tells it: a file, "[vdso]", "//anon", "/memfd:... (deleted)".
  ElfModule* get(const std::string& path);

 private:
  std::unordered_map<std::string, std::unique_ptr<ElfModule>> modules_;
};

/// A place in a module; module nullptr: nobody knows.
struct Place {
  ElfModule* module = nullptr;
  std::uint64_t address = 0;  ///< Of the file; the raw address without a module.
};

class AddressSpace {
 public:
  void map(std::uint64_t start, std::uint64_t length, std::uint64_t offset, ElfModule* module);
  /// From the text of /proc/PID/maps.
  void read_maps(const std::string& text, ModuleTable& modules);
  void clear() { mappings_.clear(); }
  [[nodiscard]] Place find(std::uint64_t address) const;

 private:
  struct Mapping {
    std::uint64_t end = 0, offset = 0;
    ElfModule* module = nullptr;
  };
  std::map<std::uint64_t, Mapping> mappings_;
};

struct Unwound {
  std::vector<Place> frames;  ///< Innermost first; callers' addresses point into the call.
  bool complete = false;      ///< Reached the outermost frame.
};

/// Walks a sample's copied stack by the modules' tables.
[[nodiscard]] Unwound unwind(const PerfSample& sample, const AddressSpace& space);

}  // namespace neurolens::capture::record_detail
