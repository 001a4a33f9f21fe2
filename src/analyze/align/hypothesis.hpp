/// \file
/// Pairings of atoms: ways to make one, and how much of both plans it preserves.
#pragma once

#include <array>
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
  Pairing(const Pairing&) = delete;
  Pairing& operator=(const Pairing&) = delete;

  /// Pairs atoms whose names, and then whose outputs' names, occur once on each side.
  void by_names();
  /// Pairs unpaired atoms by longest common subsequences between the pairs that are there.
  void by_order(WalkOrder order, AtomKey key);
  /// Pairs unpaired ops of equal family whose producers or consumers are paired, until nothing
  /// changes.
  void by_neighbours();

  /// Exchanges partners of atoms of equal family where that preserves more of both plans: branches
  /// that run side by side come in any order, and their ops look alike.
  void by_exchange();

  /// Pairs of ops that share atoms, ascending, each once.
  [[nodiscard]] std::vector<Pair> links() const;
  /// Atoms paired, atoms paired exactly, and dataflow edges preserved, added up.
  [[nodiscard]] std::size_t score() const;
  /// A score that no pairing of these plans exceeds.
  [[nodiscard]] std::size_t bound() const;

 private:
  void match(std::uint32_t i, std::uint32_t j);
  void by_unique_key(Key Atom::*key);
  /// One plan and the partners of its atoms; the other one's index is 1 - side.
  struct Side {
    const PlanView* view;
    std::vector<std::uint32_t> to;
  };
  [[nodiscard]] bool reads(const PlanView& view, const std::vector<std::uint32_t>& partner,
                           std::uint32_t reader, std::uint32_t writer) const;
  /// Does the dataflow edge of `side` exist between the partners?
  [[nodiscard]] bool preserved(int side, std::uint32_t producer, std::uint32_t consumer) const;
  [[nodiscard]] std::size_t preserved_edges(int side) const;
  [[nodiscard]] std::size_t pair_score(std::uint32_t i, std::uint32_t j) const;
  /// What the ops of these atoms (kNone: none) preserve, as score() counts it.
  [[nodiscard]] std::size_t around(const std::array<std::uint32_t, 4>& atoms) const;
  /// The partner of an op of one atom reads other shapes.
  [[nodiscard]] bool reads_otherwise(int side, std::uint32_t op) const;
  [[nodiscard]] bool named_alike(int side, std::uint32_t own, std::uint32_t partner) const;
  bool exchange(int side, std::uint32_t i, std::uint32_t j);
  bool exchange_towards(int side, std::uint32_t op, const Lists& lists, std::uint32_t anchor);
  bool pair_along(const Lists& lists_a, const Lists& lists_b, std::uint32_t op);
  [[nodiscard]] bool op_free(const PlanView& view, const std::vector<std::uint32_t>& partner,
                             std::uint32_t op) const;

  const PlanView& a_;
  const PlanView& b_;
  std::array<Side, 2> sides_;
  std::vector<std::uint32_t>& to_b_;  ///< Atom of a -> atom of b: sides_[0].to.
  std::vector<std::uint32_t>& to_a_;
};

}  // namespace neurolens::analyze
