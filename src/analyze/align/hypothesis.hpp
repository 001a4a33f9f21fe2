/// \file
/// Pairings of atoms: ways to make one, and how much of both plans it preserves.
#pragma once

#include <cstdint>
#include <vector>

#include "align/plan_view.hpp"
#include "align/sequence.hpp"

namespace neurolens::analyze {

/// Which key of an atom is compared.
enum class AtomKey : std::uint8_t { exact, type, family };

/// Order in which atoms are walked through.
enum class WalkOrder : std::uint8_t { execution, dataflow };

/// Pairs atoms one to one; starts empty.
class Pairing {
 public:
  Pairing(const PlanView& a, const PlanView& b);

  /// Pairs atoms whose names, and then whose outputs' names, occur once on each side.
  void by_names();
  /// Pairs unpaired atoms by longest common subsequences between the pairs that are there.
  void by_order(WalkOrder order, AtomKey key);
  /// Pairs unpaired ops of equal family whose producers or consumers are paired, until nothing
  /// changes.
  void by_neighbours();

  /// Pairs of ops that share atoms, ascending, each once.
  [[nodiscard]] std::vector<Pair> links() const;
  /// Atoms paired, atoms paired exactly, and dataflow edges preserved, added up.
  [[nodiscard]] std::size_t score() const;
  /// A score that no pairing of these plans exceeds.
  [[nodiscard]] std::size_t bound() const;

 private:
  void match(std::uint32_t i, std::uint32_t j);
  void by_unique_key(Key Atom::*key);
  [[nodiscard]] bool preserved(std::uint32_t producer, std::uint32_t consumer) const;
  bool pair_along(const Lists& lists_a, const Lists& lists_b, std::uint32_t op);
  [[nodiscard]] bool op_free(const PlanView& view, const std::vector<std::uint32_t>& partner,
                             std::uint32_t op) const;

  const PlanView& a_;
  const PlanView& b_;
  std::vector<std::uint32_t> to_b_;  ///< Atom of a -> atom of b.
  std::vector<std::uint32_t> to_a_;
};

}  // namespace neurolens::analyze
