/// \file
/// A plan as the aligner sees it: pieces (graph nodes) with keys, and the dataflow between ops.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "neurolens/run/types.hpp"

namespace neurolens::analyze {

using Key = std::uint64_t;  ///< Hash of a text or of several keys; 0: none.
inline constexpr std::uint32_t kNone = 0xffffffffu;

/// Mixes `value` into `seed` (the finaliser of SplitMix64, Steele, Lea, Flood 2014).
[[nodiscard]] Key mix(Key seed, Key value);
/// FNV-1a, mixed; never 0.
[[nodiscard]] Key hash_text(std::string_view text);
/// The kind of work that a type names, without its variants: "FusedConv", "QLinearConv" and "Conv"
/// are one family.
[[nodiscard]] Key family_of(std::string_view type);

/// Lists of indices per op, stored one after the other.
struct Lists {
  std::vector<std::uint32_t> begin;  ///< Size: number of ops + 1.
  std::vector<std::uint32_t> items;
  [[nodiscard]] const std::uint32_t* first(std::uint32_t i) const {
    return items.data() + begin[i];
  }
  [[nodiscard]] const std::uint32_t* last(std::uint32_t i) const {
    return items.data() + begin[i + 1];
  }
};

/// Who reads whose outputs, by the names of tensors.
struct Links {
  Lists producers;  ///< Ops whose outputs an op reads, in the order of its inputs.
  Lists consumers;  ///< The reverse.
};
[[nodiscard]] Links links_of(const run::Run& run);

struct Atom {
  std::uint32_t op = 0;
  bool last = false;  ///< Produces the op's outputs.
  Key name = 0;       ///< Of the original node; 0 when it has none.
  Key output = 0;     ///< Name of the op's first output, for the last atom.
  Key family = 0;
  Key type = 0;
  Key inputs = 0;  ///< Shapes that an op of one atom reads; 0 for others.
  Key exact = 0;   ///< Type, and for an op of one atom also dtypes, shapes and attributes.
  Key result = 0;  ///< Dtypes and shapes of the op's outputs, at its last atom.
};

struct PlanView : Links {
  std::vector<Atom> atoms;  ///< In plan order.
  std::vector<std::uint32_t> first_atom;
  std::vector<std::uint32_t> order;  ///< Ops in an order that only the dataflow decides.
  std::vector<Key> type;             ///< Of the op itself.
  std::vector<bool> has_origin;      ///< Original nodes are known.
  Key content = 0;                   ///< Of everything above: breaks ties between sides.

  explicit PlanView(const run::Run& run);
  [[nodiscard]] std::uint32_t ops() const { return static_cast<std::uint32_t>(type.size()); }

 private:
  void take_atoms(const run::Run& run);
  void sort_by_dataflow();
};

}  // namespace neurolens::analyze
