/// \file
/// Everything about a graph that does not change from run to run.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "neurolens/exec/flat.hpp"
#include "neurolens/exec/node.hpp"
#include "neurolens/exec/policy.hpp"
#include "neurolens/exec/topology.hpp"

namespace neurolens::exec::detail {

struct InputSlot {
  std::string name;
  const NodeOps* ops = nullptr;
  const void* node = nullptr;
};

struct Compiled {
  std::shared_ptr<const Topology> topology;
  // Flat graphs: one function.
  UniformCall uniform = nullptr;
  const void* object = nullptr;
  // Typed graphs: one record per task.
  std::vector<TaskRecord> records;
  std::vector<const NodeOps*> ops;
  std::size_t slot_bytes = 0;
  std::vector<std::uint32_t> owners;  ///< Tasks whose results need destruction.
  std::vector<InputSlot> inputs;
  std::shared_ptr<void> memory;  ///< Owns the nodes.

  std::unordered_map<std::uint32_t, std::string> names;
  std::vector<std::int32_t> priorities;  ///< Empty when all are 0.
  std::vector<Policy> policies;
  std::vector<std::uint32_t> policy_of;  ///< Index into policies, kNone; empty when there are none.
  std::size_t memory_bytes = 0;
  std::uint32_t graph_id = 0;
  bool has_coroutines = false;
  bool has_expansions = false;

  [[nodiscard]] std::string name(std::uint32_t task) const;
};

}  // namespace neurolens::exec::detail
