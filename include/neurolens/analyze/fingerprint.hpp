/// \file
/// What a Run looks like to a machine: per op a signature of its work and a vector of how it
/// performed, and for the whole a hash of the graph without names.
///
/// Method: an op's signature is a hash of its type, shapes, dtypes and attributes and of the types
/// of the ops it reads from and feeds; names and positions are not in it, so renaming changes
/// nothing, and an inserted op only changes its neighbours. The graph hash refines such colours
/// until all of the dataflow has taken part (Weisfeiler and Leman 1968) and hashes their multiset.
/// The similarity of two fingerprints pairs ops of equal signature, in plan order where several are
/// equal; a pair is as similar as the collected entries of both vectors, and counts with the larger
/// of its two shares of time. Entries that one side lacks are left out, never taken as 0.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "neurolens/base/result.hpp"
#include "neurolens/run/types.hpp"

namespace neurolens::analyze {

/// Entries of an op's vector, in this order; nullopt: not collected.
inline constexpr std::array<std::string_view, 7> kFingerprintEntries{
    "share_ratio",  "intensity_flops_per_byte", "occupancy_ratio",    "warp_efficiency_ratio",
    "l2_hit_ratio", "dram_share_ratio",         "roof_achieved_ratio"};

/// One op.
struct OpFingerprint {
  std::string type;
  std::uint64_t signature = 0;
  std::array<std::optional<double>, 7> vector;
  /// Quantiles of the op's time relative to their median at .05, .25, .5, .75, .95: the shape of
  /// the distribution. Empty when there are no samples.
  std::vector<double> sketch;
};

/// A Run's fingerprint.
struct Fingerprint {
  std::string graph_hash;  ///< SHA-256, no names in it.
  std::vector<OpFingerprint> ops;
};

/// Takes the fingerprint. Achieved roof needs ceilings in the Run (`profile --peaks`).
/// Errors: too_few_samples when no op has a time. Pure.
[[nodiscard]] Result<Fingerprint> take_fingerprint(const run::Run& run);

/// In [0, 1]; 1 for equal fingerprints, 0 when no op has a counterpart. Symmetric.
[[nodiscard]] double similarity(const Fingerprint& a, const Fingerprint& b);

/// Similarities of the Run's own random halves to each other, ascending: what chance alone does.
/// Empty when there are fewer than 8 settled observed iterations. `repeats` in [1, 10,000]; beyond
/// 2,000,000 / ops there are fewer, though never below 20.
[[nodiscard]] std::vector<double> null_similarities(const run::Run& run, int repeats = 100,
                                                    std::uint64_t seed = 1);

/// The document of `neurolens fingerprint`, see schema/fingerprint.schema.json.
[[nodiscard]] std::string to_json(const Fingerprint& fingerprint, const run::Run& run,
                                  const std::vector<double>& null);

}  // namespace neurolens::analyze
