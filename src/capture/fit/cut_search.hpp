/// \file
/// Where to cut next, and what the cuts say. Pure: the caller measures.
///
/// Prefix k computes the first k nodes; its latency P(k) grows with k. A gap [a, b) between
/// neighbouring measured prefixes takes P(b) - P(a). The search always looks into the gap that
/// takes the most time and splits off the node that is believed to be the heaviest there, until the
/// wanted number of nodes stand alone: O(wanted * log n) prefixes when the beliefs are of no use, 2
/// * wanted when they are right.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <vector>

namespace neurolens::capture {

class CutSearch {
 public:
  /// `belief_ns` per node, in the order of prefixes: any guess >= 0. `wanted` nodes shall stand
  /// alone.
  CutSearch(std::vector<double> belief_ns, std::size_t wanted);

  /// The next prefix to measure, in [1, n]; nullopt when the search is over.
  [[nodiscard]] std::optional<std::size_t> next() const;
  /// Files the latency of a prefix; prefix 0 is a call that computes nothing. A second value
  /// replaces the first.
  void set(std::size_t prefix, double latency_ns);
  /// The measured prefixes around `prefix`.
  [[nodiscard]] std::vector<std::size_t> neighbours(std::size_t prefix) const;
  [[nodiscard]] const std::map<std::size_t, double>& measured() const { return latency_; }

 private:
  std::vector<double> belief_;
  std::size_t wanted_;
  std::map<std::size_t, double> latency_;
};

/// Time of each gap with its interval.
struct GapTime {
  std::size_t begin = 0;  ///< Nodes [begin, end).
  std::size_t end = 0;
  double time_ns = 0;
  double low_ns = 0;
  double high_ns = 0;
};

/// `prefixes` ascending; `rounds[r][i]` the latency of prefixes[i] in round r (all measured close
/// in time). Medians over rounds, made non-decreasing; 95 % percentile bootstrap over rounds. Gap i
/// reaches from prefixes[i] to prefixes[i + 1]. Requires at least one round and two prefixes.
[[nodiscard]] std::vector<GapTime> gap_times(const std::vector<std::size_t>& prefixes,
                                             const std::vector<std::vector<double>>& rounds,
                                             std::uint64_t seed);

}  // namespace neurolens::capture
