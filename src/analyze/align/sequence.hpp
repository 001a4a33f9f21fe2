/// \file
/// Longest common subsequences, nearly linear.
/// Method: common ends are taken off; windows of k keys that occur once on each side anchor the
/// rest (k = 12, 4, 1; their longest increasing chain); between anchors Myers' greedy algorithm
/// (1986) runs over windows of bounded length, so that cost stays linear however different the
/// sides are. Exact within one window; between windows the result is a good alignment, not provably
/// the longest.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <utility>
#include <vector>

#include "align/plan_view.hpp"

namespace neurolens::analyze {

using Pair = std::pair<std::uint32_t, std::uint32_t>;

/// Pairs of positions with equal keys, ascending on both sides.
[[nodiscard]] std::vector<Pair> common_subsequence(std::span<const Key> a, std::span<const Key> b);

/// The longest chain of `pairs` that ascends on both sides. Requires: ascending first members.
[[nodiscard]] std::vector<Pair> longest_chain(std::span<const Pair> pairs);

}  // namespace neurolens::analyze
