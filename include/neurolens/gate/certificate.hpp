/// \file
/// What `gate selftest` measured on this machine: how often live comparisons of a program with
/// itself were called changed, and how often a planted slow-down was found. Collected in sittings
/// that add up, so that 299 comparisons need not happen in one go.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "neurolens/base/result.hpp"

namespace neurolens::gate {

/// Verdicts on comparisons of one kind.
struct Tally {
  std::int64_t comparisons = 0;
  std::int64_t regressed = 0;
  std::int64_t improved = 0;
  std::int64_t inconclusive = 0;
  std::int64_t silenced = 0;  ///< Of the inconclusive ones: by their control.
  std::int64_t blocks = 0;    ///< Measured, over all comparisons.
  /// Comparisons whose calibrated spread asked for more blocks than are measured at most, those of
  /// them that were called regressed, and the most blocks that one of them asked for.
  std::int64_t out_of_reach = 0;
  std::int64_t out_of_reach_regressed = 0;
  std::int64_t most_needed = 0;
  friend bool operator==(const Tally&, const Tally&) = default;
};

/// How one program was measured in a sitting.
struct Setting {
  std::string kernel;
  std::string runner;        ///< "fresh" or "resident"; what calibration chose last.
  double spread_ratio = 0;   ///< Standard deviation of a block's log ratio.
  double process_ratio = 0;  ///< Of one process against another of the same program.
  std::int64_t needed = 0;   ///< Blocks that find the planted slow-down in 90 of 100.
  friend bool operator==(const Setting&, const Setting&) = default;
};

/// One run of `gate selftest`.
struct Sitting {
  std::string created_at;  ///< RFC 3339.
  std::uint64_t seed = 0;
  std::int64_t load = 0;  ///< Threads that kept the processors busy beside it.
  Tally null;             ///< A program with itself.
  Tally injected;         ///< The same with `inject_ratio` more work.
  std::vector<Setting> settings;
  friend bool operator==(const Sitting&, const Sitting&) = default;
};

/// All sittings on one kind of machine with one size of planted slow-down.
struct Certificate {
  std::string cpu_model;
  std::int64_t cores_logical = 0;
  double inject_ratio = 0.05;
  std::vector<Sitting> sittings;

  [[nodiscard]] Tally null() const;      ///< Sum over sittings.
  [[nodiscard]] Tally injected() const;  ///< Sum over sittings.
};

/// Largest rate that `hits` of `n` do not rule out at 95 % (Clopper and Pearson 1934); 1 for n = 0.
[[nodiscard]] double upper_bound(std::int64_t hits, std::int64_t n);

/// The document of `gate selftest`, see schema/certificate.schema.json.
[[nodiscard]] std::string to_json(const Certificate& certificate);
/// Errors: parse_error, invalid_document.
[[nodiscard]] Result<Certificate> parse_certificate(std::string_view text);

/// Adds the sittings of `other` that `certificate` does not have yet. Errors: not_comparable when
/// machine or planted slow-down differ.
[[nodiscard]] Status add(Certificate& certificate, const Certificate& other);

/// The findings in sentences, each ended by a line break.
[[nodiscard]] std::string describe(const Certificate& certificate);
/// One sentence for verdicts to quote, without line break; empty without comparisons.
[[nodiscard]] std::string quote(const Certificate& certificate);

}  // namespace neurolens::gate
