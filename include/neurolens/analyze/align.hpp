/// \file
/// Which executed ops of two Runs do the same work, through renaming, inserted and removed ops,
/// fusion, other optimisation levels and other precisions.
///
/// Method: every op is taken apart into the graph nodes it stands for (its `original_nodes`; itself
/// where none are known). The pieces of both sides are paired under several hypotheses - equal
/// names; equal order of (type, shape, attributes); equal order of types; each in execution order
/// and in an order that depends on the dataflow alone - and the one that preserves most types,
/// shapes and dataflow edges wins. Names that mean something else on the other side therefore lose
/// against structure. What stays unpaired is paired along edges from paired neighbours. Ops that
/// share pieces form groups: connected components of the pairing.
/// Expected: precision and recall of op pairs above .98 where truth is known; see align_test.cpp.
/// Known limit: among equal neighbours of equal shape (Relu after Relu) which one was removed is
/// not knowable.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "neurolens/run/types.hpp"

namespace neurolens::analyze {

/// How a group's two sides relate.
enum class GroupKind : std::uint8_t {
  matched,    ///< One op on each side.
  merged,     ///< Several of the baseline became one of the candidate.
  split,      ///< One of the baseline became several.
  regrouped,  ///< Several on both sides.
  added,      ///< Only in the candidate.
  removed,    ///< Only in the baseline.
};
/// "matched", "merged", "split", "regrouped", "added", "removed".
[[nodiscard]] std::string_view to_string(GroupKind kind) noexcept;

/// Ops that do the same work; one side may be empty. Indices ascend.
struct OpGroup {
  GroupKind kind = GroupKind::matched;
  std::vector<run::OpId> baseline;
  std::vector<run::OpId> candidate;
};

/// One pair of ops that share work.
struct OpLink {
  run::OpId baseline;
  run::OpId candidate;
  friend auto operator<=>(const OpLink&, const OpLink&) = default;
};

/// The alignment of two plans. Every op of either side is in exactly one group.
struct Alignment {
  std::vector<OpGroup> groups;  ///< In the order of the baseline, added ones at their end.
  std::vector<OpLink> links;    ///< Ascending, each once.
  std::string method;           ///< "names" or "structure": the hypothesis that won.
};

/// Aligns the plans of two Runs. Exchanging the arguments exchanges the sides of the result and
/// changes nothing else. Pure; O(n log n) time in practice and about 200 bytes an op.
[[nodiscard]] Alignment align(const run::Run& baseline, const run::Run& candidate);

}  // namespace neurolens::analyze
