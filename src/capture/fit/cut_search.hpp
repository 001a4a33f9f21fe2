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

}  // namespace neurolens::capture
