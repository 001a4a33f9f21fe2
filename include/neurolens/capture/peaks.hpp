/// \file
/// The ceilings of this machine, measured, not looked up: arithmetic rates per SIMD level and type,
/// memory bandwidth per level, for one thread and for all.
///
/// Method: arithmetic is a loop over independent multiply-add chains held in registers, enough to
/// cover the latency of every port. Bandwidth is read, write, copy and triad (a = b + s c) over f64
/// arrays that fill half of a cache level or at least four times the last one; bytes are counted as
/// in STREAM (McCalpin 1995): what the program names, without the read that a store to a new line
/// causes. Each figure is the median over rounds, with the smallest and largest as its spread. The
/// clock is measured right after each round by a chain of dependent multiplications, for 512-bit
/// arithmetic with such arithmetic beside it.
/// Expect 1-3 % spread on a quiet machine, more on a shared one. AMX tiles are not measured.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "neurolens/base/file_system.hpp"
#include "neurolens/base/progress.hpp"
#include "neurolens/base/result.hpp"
#include "neurolens/base/units.hpp"
#include "neurolens/run/types.hpp"

namespace neurolens::capture {

/// One measured ceiling. `name` is "fma_f32_avx512_1t", "triad_l2_1t", "read_dram_all": kind, type
/// or level, SIMD level for arithmetic, and threads ("1t" or "all").
struct Peak {
  std::string name;
  std::string unit;  ///< "flops_per_second", "ops_per_second" (integer) or "bytes_per_second".
  double value = 0;  ///< Median over rounds.
  double low = 0;    ///< Smallest round.
  double high = 0;   ///< Largest round.
  std::int64_t threads = 1;
  std::int64_t clock_hz = 0;           ///< Measured beside it.
  std::int64_t working_set_bytes = 0;  ///< Of one thread; 0 for arithmetic.
};

/// All ceilings of one machine.
struct Peaks {
  std::string cpu_model;
  std::int64_t threads = 1;  ///< What "all" means.
  std::string created_at;    ///< RFC 3339.
  std::vector<Peak> peaks;
  /// nullptr when not measured.
  [[nodiscard]] const Peak* find(std::string_view name) const;
};

/// How long to measure.
struct PeaksOptions {
  /// Rounds per figure, >= 3. More rounds narrow the median, not the spread.
  int rounds = 7;
  /// Length of one round of one figure in milliseconds, >= 1.
  int round_ms = 20;
  /// Threads of the "all" figures; 0: as many as the process may use.
  int threads = 0;
  /// Most memory for the arrays of one figure, > 0; empty: a quarter of the machine's. Below four
  /// times the last cache, the DRAM figures are those of a cache.
  std::optional<Bytes> most_memory = {};
  /// Only ceilings whose name holds this ("fma", "dram", "triad_l2"); empty: all.
  std::string only = {};
};

/// Measures. Takes (figures x rounds x round_ms), about 35 s by default; keep the machine idle.
/// Errors: cancelled, out_of_memory, not_found when `only` leaves nothing.
[[nodiscard]] Result<Peaks> measure_peaks(const run::Host& host, const PeaksOptions& options,
                                          const Attention& attention);

/// The document of `neurolens peaks`, see schema/peaks.schema.json.
[[nodiscard]] std::string to_json(const Peaks& peaks);
/// Errors: parse_error, missing_key, wrong_type.
[[nodiscard]] Result<Peaks> peaks_from_json(std::string_view text);

/// Where the figures of this machine are kept between commands: below $XDG_CACHE_HOME/neurolens (or
/// ~/.cache/neurolens), named after the processor and the number of its cores.
[[nodiscard]] std::string peaks_cache_path(const run::Host& host);

/// The peaks as ceilings of a Run.
[[nodiscard]] std::vector<run::Ceiling> ceilings_of(const Peaks& peaks);

}  // namespace neurolens::capture
