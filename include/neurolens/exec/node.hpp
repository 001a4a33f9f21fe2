/// \file
/// The contract between task wrappers, which templates in graph.hpp make, and the engine. Users of
/// the library do not need it. Results live in one block of memory per run; each wrapper knows the
/// offsets of its own result and of those it reads.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "neurolens/exec/task.hpp"

namespace neurolens::exec::detail {

/// Calls the function with its arguments and stores the result. Must not throw.
using NodeCall = Outcome (*)(const void* node, TaskContext& context);

/// The hot part of a task.
struct TaskRecord {
  NodeCall call = nullptr;
  const void* node = nullptr;
};

/// The cold part: one table per type of wrapper.
struct NodeOps {
  /// Ends the life of the wrapper itself; nullptr when there is nothing to do.
  void (*destroy_node)(void* node) = nullptr;
  /// Ends the life of the result, if it is alive; nullptr when there is nothing to do.
  void (*destroy_result)(const void* node, std::byte* slots) = nullptr;
  /// Appends the result as bytes, and makes it from bytes. nullptr when the type has no Codec.
  void (*encode)(const void* node, const std::byte* slots, std::string& out) = nullptr;
  bool (*decode)(const void* node, std::byte* slots, std::string_view bytes) = nullptr;
  /// Counts the function as done with its arguments, where the call happened in another process.
  void (*release)(const void* node, std::byte* slots) = nullptr;
  /// Appends the tasks whose results the function reads, in the order of its parameters.
  void (*reads)(const void* node, std::vector<std::uint32_t>& tasks) = nullptr;
  /// Appends the inputs the function reads (indices into the graph's list).
  void (*reads_inputs)(const void* node, std::vector<std::uint32_t>& inputs) = nullptr;
  /// Drops a coroutine in flight; nullptr when the function is none.
  void (*abandon)(const void* node, TaskContext& context) = nullptr;
  /// Name of the result's type, for messages.
  const char* type_name = "";
};

}  // namespace neurolens::exec::detail
