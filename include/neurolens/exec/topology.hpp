/// \file
/// The compiled form of a graph: who waits for whom, in compressed sparse rows. Immutable.
/// Cost: 4 bytes per task (8 in a graph of chains), 4 per dependency, and one or four per task for
/// the counters; a graph without dependencies costs nothing. Compiling is O(tasks + dependencies),
/// without recursion.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <vector>

#include "neurolens/base/result.hpp"
#include "neurolens/exec/task.hpp"

namespace neurolens::exec {

/// What a dependent does when the task it waits for did not end `done`.
enum class EdgeRule : std::uint8_t {
  skip,        ///< It is skipped.
  run_anyway,  ///< It runs all the same (with a fallback value, or knowing of the failure).
};

/// `to` starts after `from` has ended.
struct Edge {
  std::uint32_t from = 0;
  std::uint32_t to = 0;
  EdgeRule rule = EdgeRule::skip;
};

/// Name of a task for messages.
using NameOf = std::function<std::string(std::uint32_t)>;

/// Dependencies of `tasks()` tasks. Safe to share between threads and runs.
class Topology {
 public:
  /// Successors with this bit have no other predecessor.
  static constexpr std::uint32_t kOnly = 0x8000'0000;
  static constexpr std::uint32_t kNoLink = 0xFFFF'FFFF;

  /// Errors: out_of_range   an edge names a task that does not exist, or too many tasks;
  ///         bad_request    the edges form a cycle; the message prints it, task by task.
  /// `name_of` may be empty: tasks are then named by number.
  [[nodiscard]] static Result<Topology> compile(std::uint32_t tasks, std::span<const Edge> edges,
                                                const NameOf& name_of = {});

  [[nodiscard]] std::uint32_t tasks() const noexcept { return tasks_; }
  [[nodiscard]] std::size_t edges() const noexcept { return successors_.size(); }
  /// Row limits (tasks + 1 of them); empty when there are no edges.
  [[nodiscard]] std::span<const std::uint32_t> offsets() const noexcept { return offsets_; }
  /// Successors, the one with the longest way to the end of the graph first in each row; mask
  /// kOnly.
  [[nodiscard]] std::span<const std::uint32_t> successors() const noexcept { return successors_; }
  /// Rule of each edge, parallel to successors(); empty when all are `skip`.
  [[nodiscard]] std::span<const EdgeRule> rules() const noexcept { return rules_; }
  /// Tasks that wait for nothing; empty means all of them (no edges).
  [[nodiscard]] std::span<const std::uint32_t> roots() const noexcept { return roots_; }
  /// Dependencies of each task: one of the two is filled, by the largest value; none without edges.
  [[nodiscard]] std::span<const std::uint8_t> narrow_counts() const noexcept { return narrow_; }
  [[nodiscard]] std::span<const std::uint32_t> wide_counts() const noexcept { return wide_; }
  /// The successor of each task that has one only, which waits for nothing else; kNoLink for other
  /// tasks. Kept (4 bytes per task) when at least half of the tasks have such a link, empty
  /// otherwise: along a chain this spares every task one of two loads that wait for each other.
  [[nodiscard]] std::span<const std::uint32_t> links() const noexcept { return links_; }
  /// Tasks on the longest path.
  [[nodiscard]] std::uint32_t depth() const noexcept { return depth_; }
  /// Memory held.
  [[nodiscard]] std::size_t bytes() const noexcept;
  /// The direct predecessors of one task with their rules, in order of task. O(tasks + edges).
  [[nodiscard]] std::vector<Edge> predecessors(std::uint32_t task) const;

 private:
  void find_links();

  std::uint32_t tasks_ = 0;
  std::uint32_t depth_ = 0;
  std::vector<std::uint32_t> offsets_;
  std::vector<std::uint32_t> successors_;
  std::vector<EdgeRule> rules_;
  std::vector<std::uint32_t> roots_;
  std::vector<std::uint32_t> links_;
  std::vector<std::uint8_t> narrow_;
  std::vector<std::uint32_t> wide_;
};

}  // namespace neurolens::exec
