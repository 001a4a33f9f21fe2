/// \file
/// From places in modules to a profile: names once, stacks as a tree.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <tuple>
#include <unordered_map>
#include <utility>
#include <vector>

#include "adapters/record/address_space.hpp"
#include "neurolens/capture/sampled_profile.hpp"

namespace neurolens::capture::record_detail {

/// Names of kernel addresses, from /proc/kallsyms; empty when the kernel hides them.
class KernelSymbols {
 public:
  [[nodiscard]] std::string name(std::uint64_t address);

 private:
  void read();
  bool read_ = false;
  std::vector<std::pair<std::uint64_t, std::string>> symbols_;
};

/// Functions and modules, each once.
class NameTable {
 public:
  NameTable(std::vector<SampledModule>& modules, std::vector<SampledFunction>& functions)
      : modules_(modules), functions_(functions) {}
  ModuleId module(const std::string& path, const std::string& build_id);
  FunctionId function(const std::string& name, ModuleId module, const std::string& file,
                      bool kernel);
  /// Learns what the vectors hold already.
  void restore();
  struct Named {
    FunctionId function;
    std::uint32_t line = 0;
    bool inlined = false;
  };
  /// The function at a place and the calls inlined there, innermost first.
  const std::vector<Named>& names_of(const Place& place);

 private:
  std::vector<SampledModule>& modules_;
  std::vector<SampledFunction>& functions_;
  std::map<std::string, ModuleId> module_ids_;
  std::map<std::pair<std::uint32_t, std::string>, FunctionId> function_ids_;
  std::map<std::pair<const ElfModule*, std::uint64_t>, std::vector<Named>> named_;
};

class ProfileBuilder {
 public:
  ProfileBuilder() : names_(profile_.modules, profile_.functions) {}
  void add(const PerfSample& sample, const std::vector<Place>& user_frames);
  void name_thread(std::uint32_t pid, std::uint32_t tid, const std::string& name);
  SampledProfile& profile() { return profile_; }

 private:
  SampledThreadId thread(std::uint32_t pid, std::uint32_t tid);
  NodeId node(std::int64_t parent, FunctionId function, bool inlined);

  SampledProfile profile_;
  NameTable names_;
  KernelSymbols kernel_;
  std::unordered_map<std::uint32_t, std::string> names_by_tid_;
  std::unordered_map<std::uint32_t, SampledThreadId> thread_ids_;
  std::map<std::tuple<std::int64_t, std::uint32_t, bool>, NodeId> node_ids_;
};

}  // namespace neurolens::capture::record_detail
