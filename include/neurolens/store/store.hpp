/// \file
/// Keeps Runs and returns them; interprets nothing.
///
/// Layout of a store's folder:
///   objects/ab/abcd....run.json.zst   each Run once, named after the SHA-256 of its JSON text
///   manifest                          what happened, in order; append-only; the source of truth
///   index.sqlite                      what the manifest says, made searchable; rebuilt from it at
///   any time
/// An addition is acknowledged after its object and its line in the manifest are durable. Several
/// processes may add at once, and any of them may be killed at any point: a line that was torn is
/// skipped and reported by verify(); an index that lags behind catches up when the store is opened
/// or asked. Threads: one Store per thread. All paths are below the folder that was opened.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "neurolens/base/file_system.hpp"
#include "neurolens/base/result.hpp"
#include "neurolens/base/units.hpp"
#include "neurolens/run/types.hpp"

namespace neurolens::store {

/// Time of one op, for trends.
struct OpTime {
  std::string name;
  double time_ns = 0;
};

/// The figures of a Run that lists, trends and baselines need without opening it. Whoever adds a
/// Run supplies them; what was not collected stays empty.
struct Headline {
  std::optional<double> latency_ns;  ///< Median unobserved iteration.
  std::optional<double> throughput_per_second;
  std::optional<double> accelerator_utilisation_ratio;
  std::optional<double> accelerator_peak_bytes;
  std::optional<double> host_peak_bytes;
  std::vector<OpTime> ops;  ///< Slowest first; the store keeps kMostOps of them.
};
inline constexpr std::size_t kMostOps = 64;

/// One Run in the store, as lists show it.
struct Entry {
  std::string run_id;
  std::string hash;  ///< SHA-256 of the JSON text; names the object.
  std::string created_at;
  std::string added_at;
  std::string workload;
  std::string host;  ///< Processor model and number of cores.
  std::string backend;
  std::optional<std::string> provider;
  std::optional<std::string> precision;
  std::optional<std::int64_t> threads;
  std::optional<std::string> optimisation;
  std::optional<std::int64_t> batch_size;
  std::string status;  ///< "complete" or "partial".
  std::map<std::string, std::string> tags;
  std::int64_t size_bytes = 0;  ///< Of the object.
  Headline headline;            ///< Without ops in lists.
};

/// Order of a list.
enum class Sort : std::uint8_t { newest, oldest, fastest, slowest };

/// Which Runs; every field that is set must match.
struct Filter {
  std::optional<std::string> backend;
  std::optional<std::string> model;  ///< Name of the workload; '*' and '?' are wildcards.
  std::optional<std::string> precision;
  std::optional<std::string> host;  ///< Likewise.
  std::map<std::string, std::string> tags;
  std::optional<std::string> since;  ///< RFC 3339 or its beginning: "2026-01".
  std::optional<std::string> until;
  std::optional<std::int64_t> limit;
  Sort sort = Sort::newest;
};

/// A name that stands for a Run. One name can stand for several: one of each series (workload, host
/// class and settings), so that "main" is the baseline of every model that has one.
struct Baseline {
  std::string name;
  std::string set_at;
  Entry entry;
};

/// One point of a trend.
struct Point {
  std::string run_id;
  std::string created_at;
  double value = 0;
};

/// The times of one op over the Runs of a history.
struct OpSeries {
  std::string name;
  std::vector<std::size_t> runs;  ///< Positions in OpHistory::runs, ascending.
  std::vector<double> time_ns;    ///< Of the same length.
};

/// Every op that the store kept of the Runs of a history.
struct OpHistory {
  std::vector<Point> runs;  ///< Oldest first; the value is the latency in ns, 0 where unknown.
  std::vector<OpSeries> ops;
};

/// What verify() looked at and found.
struct VerifyReport {
  std::int64_t runs = 0;
  std::int64_t bytes = 0;
  /// Sentences that name the file and what is wrong with it. The rest stays usable.
  std::vector<std::string> faults;
};

/// What may go. A Run goes when every rule that is set lets it go; baselines stay.
struct Retention {
  std::optional<std::int64_t> keep_newest;  ///< Per workload, host and settings; >= 1.
  std::optional<Nanoseconds> older_than;    ///< Age beyond which a Run may go.
};

/// What collect() removed.
struct CollectReport {
  std::int64_t runs = 0;
  std::int64_t objects = 0;
  std::int64_t bytes = 0;
};

/// An open store. Errors of every call besides those named: io_error, no_space, permission_denied.
class Store {
 public:
  /// Opens the folder; makes it when `create`. Errors: not_found when absent and not `create`.
  [[nodiscard]] static Result<Store> open(FileSystem& files, const std::string& folder,
                                          bool create = true);
  Store(Store&&) noexcept;
  Store& operator=(Store&&) noexcept;
  ~Store();

  /// Keeps a Run. Adding one whose run_id is here already changes nothing and returns its entry.
  /// Errors: invalid_document when the Run breaks a rule; duplicate_name when the run_id is here
  /// with other content.
  [[nodiscard]] Result<Entry> add(const run::Run& run, const Headline& headline);
  /// O(log n + answer).
  [[nodiscard]] Result<std::vector<Entry>> list(const Filter& filter = {});
  /// The Run that `name` stands for: "@latest", "@baseline:NAME", or any unique beginning of its
  /// run_id. A baseline of several series is chosen by `like`: the one of that Run's series.
  /// Errors: not_found (close names are suggested), bad_request when several begin like that, or
  /// stand for that and `like` does not decide.
  [[nodiscard]] Result<Entry> resolve(std::string_view name, const run::Run* like = nullptr);
  /// Reads a Run and checks its hash. Errors: data_corrupt, not_found.
  [[nodiscard]] Result<run::Run> load(const Entry& entry);
  /// Marks a Run as removed; its object stays until collect(). Errors: not_found; bad_request for a
  /// baseline.
  Status remove(const std::string& run_id);

  /// Lets `name` stand for a Run among the Runs of its series; a name that is in use there moves.
  /// Errors: not_found, bad_request for
  /// an empty name or one with '@' or a control character.
  Status set_baseline(const std::string& name, const std::string& run_id);
  [[nodiscard]] Result<std::vector<Baseline>> baselines();

  /// Values of "latency" (ns), "throughput" (per second) or "op:NAME" (ns) over the Runs that
  /// match, oldest first; Runs without the value are left out. Errors: unknown_metric.
  [[nodiscard]] Result<std::vector<Point>> history(const Filter& filter, const std::string& metric);

  /// All ops at once, by name. O(Runs x ops).
  [[nodiscard]] Result<OpHistory> op_history(const Filter& filter);

  /// Reads every object and checks every hash and every line of the manifest.
  [[nodiscard]] Result<VerifyReport> verify();
  /// Removes what the policy lets go, then every object that no Run needs. `now` is a wall-clock
  /// instant.
  [[nodiscard]] Result<CollectReport> collect(const Retention& policy, Nanoseconds now);
  /// Makes the index anew from the manifest.
  Status rebuild_index();
  /// Every row of the index as text, in a fixed order: equal stores, equal texts.
  [[nodiscard]] Result<std::string> dump_index();

 private:
  struct State;
  explicit Store(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

/// True when both belong to one series: same workload, host class (processor and cores), backend,
/// provider, precision, threads, optimisation and batch size.
[[nodiscard]] bool same_series(const Entry& entry, const run::Run& run);

/// ${NEUROLENS_STORE}, or ${XDG_DATA_HOME:-~/.local/share}/neurolens.
[[nodiscard]] std::string default_folder();

}  // namespace neurolens::store
