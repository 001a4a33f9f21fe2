#include "neurolens/bench/matrix.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <map>

#include "folder.hpp"

namespace neurolens::bench {
namespace {

/// Two-sided 95 % quantiles of Student's t for 1, 2, ... degrees of freedom; beyond the table the
/// last one is a little too wide.
constexpr std::array<double, 30> kStudent = {
    12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228,
    2.201,  2.179, 2.160, 2.145, 2.131, 2.120, 2.110, 2.101, 2.093, 2.086,
    2.080,  2.074, 2.069, 2.064, 2.060, 2.056, 2.052, 2.048, 2.045, 2.042};

class Matrix {
 public:
  Matrix(const Config& config, const std::vector<Cell>& cells, Workshop& workshop,
         const MatrixOptions& options, Folder folder, Clock& clock)
      : config_(config),
        cells_(cells),
        workshop_(workshop),
        options_(options),
        folder_(std::move(folder)),
        clock_(clock),
        spent_(cells.size()) {
    result_.bench_id = folder_.bench_id();
    result_.cells.resize(cells.size());
  }

  Result<MatrixResult> run() {
    NEUROLENS_TRY(recall());
    for (std::int64_t round = 0; round < config_.repeats.most; ++round) {
      for (const std::size_t c : order_of_round(cells_.size(), config_.seed, round)) {
        if (!due(c, round)) continue;
        if (options_.attention.cancelled()) result_.cancelled = true;
        if (result_.cancelled) return std::move(result_);
        NEUROLENS_TRY(launch(c, round));
      }
    }
    return std::move(result_);
  }

 private:
  /// What earlier executions of this folder did.
  Status recall() {
    std::map<std::string, std::size_t> by_key;
    for (std::size_t c = 0; c < cells_.size(); ++c) by_key[cells_[c].key] = c;
    NEUROLENS_ASSIGN(const auto kept, workshop_.kept(result_.bench_id));
    for (const auto& [key, launch] : kept) {
      if (const auto it = by_key.find(key); it != by_key.end())
        result_.cells[it->second].launches.push_back(launch);
    }
    for (auto& cell : result_.cells) {
      std::sort(cell.launches.begin(), cell.launches.end(),
                [](const Launch& a, const Launch& b) { return a.repeat < b.repeat; });
    }
    NEUROLENS_ASSIGN(const auto failures, folder_.failures());
    for (const auto& [key, error] : failures) {
      if (const auto it = by_key.find(key); it != by_key.end())
        result_.cells[it->second].failure = error;
    }
    return {};
  }

  [[nodiscard]] bool settled(const CellOutcome& cell) const {
    const Repeats& r = config_.repeats;
    const auto count = static_cast<std::int64_t>(cell.launches.size());
    if (cell.failure || count >= r.most) return true;
    if (count < r.least || !r.interval_ratio) return false;
    const auto latency = latency_of(cell.launches);
    return latency && latency->low_ns &&
           *latency->high_ns - *latency->low_ns <= *r.interval_ratio * latency->value_ns;
  }

  [[nodiscard]] bool due(std::size_t c, std::int64_t round) const {
    const CellOutcome& cell = result_.cells[c];
    const auto same = [&](const Launch& l) { return l.repeat == round; };
    return !settled(cell) && std::none_of(cell.launches.begin(), cell.launches.end(), same);
  }

  /// Launches that the cell still needs, if its stopping rule does not end it earlier.
  [[nodiscard]] std::int64_t missing(const CellOutcome& cell) const {
    if (settled(cell)) return 0;
    const auto count = static_cast<std::int64_t>(cell.launches.size());
    return std::max<std::int64_t>(1, config_.repeats.least - count);
  }

  Step step(std::size_t c) const {
    Step s;
    s.cell = cells_[c].key;
    double sum = 0;
    double launches = 0;
    for (const auto& spent : spent_) {
      sum += spent.sum_ns;
      launches += spent.launches;
    }
    double left = 0;
    for (std::size_t i = 0; i < cells_.size(); ++i) {
      const auto open = missing(result_.cells[i]);
      s.done += result_.cells[i].launches.size();
      s.total += result_.cells[i].launches.size() + static_cast<std::size_t>(open);
      const double each =
          spent_[i].launches > 0 ? spent_[i].sum_ns / spent_[i].launches : sum / launches;
      if (open > 0) left += each * static_cast<double>(open);
    }
    if (launches > 0) s.left = Nanoseconds{static_cast<std::int64_t>(left)};
    return s;
  }

  Status launch(std::size_t c, std::int64_t round) {
    if (options_.on_step) options_.on_step(step(c));
    const Nanoseconds begin = clock_.now();
    auto measured = measure(c);
    if (options_.attention.cancelled()) {
      result_.cancelled = true;  // what was cut short is no launch like the others
      return {};
    }
    if (!measured.ok()) {
      result_.cells[c].failure = measured.error();
      return folder_.add_failure(cells_[c].key, measured.error());
    }
    measured->tags[kBenchTag] = config_.name;
    measured->tags[kBenchIdTag] = result_.bench_id;
    measured->tags[kCellTag] = cells_[c].key;
    measured->tags[kRepeatTag] = std::to_string(round);
    NEUROLENS_ASSIGN(Launch kept, workshop_.keep(*measured));
    kept.repeat = round;
    result_.cells[c].launches.push_back(std::move(kept));
    spent_[c].sum_ns += static_cast<double>((clock_.now() - begin).count);
    spent_[c].launches += 1;
    return {};
  }

  Result<run::Run> measure(std::size_t c) {
    NEUROLENS_ASSIGN(const std::string path, workshop_.model_file(config_, cells_[c]));
    auto request = request_for(config_, cells_[c], path);
    request.attention = options_.attention;
    return config_.models[cells_[c].model].workload ? workshop_.measure_engine(request)
                                                    : workshop_.measure(request);
  }

  struct Spent {
    double sum_ns = 0;
    double launches = 0;
  };
  const Config& config_;
  const std::vector<Cell>& cells_;
  Workshop& workshop_;
  const MatrixOptions& options_;
  Folder folder_;
  Clock& clock_;
  std::vector<Spent> spent_;
  MatrixResult result_;
};

}  // namespace

Result<MatrixResult> run_matrix(const Config& config, const std::vector<Cell>& cells,
                                Workshop& workshop, const MatrixOptions& options, FileSystem& files,
                                Clock& clock) {
  NEUROLENS_ASSIGN(Folder folder, Folder::open(files, options.folder, config, options.resume));
  return Matrix(config, cells, workshop, options, std::move(folder), clock).run();
}

std::optional<Latency> latency_of(const std::vector<Launch>& launches) {
  std::vector<double> logs;
  for (const auto& launch : launches) {
    if (launch.latency_ns && *launch.latency_ns > 0) logs.push_back(std::log(*launch.latency_ns));
  }
  if (logs.empty()) return std::nullopt;
  const auto n = static_cast<double>(logs.size());
  double mean = 0;
  for (const double x : logs) mean += x / n;
  Latency latency{std::exp(mean), {}, {}};
  if (logs.size() < 2) return latency;
  double squares = 0;
  for (const double x : logs) squares += (x - mean) * (x - mean);
  const double t = kStudent[std::min(logs.size() - 2, kStudent.size() - 1)];
  const double half = t * std::sqrt(squares / (n - 1) / n);
  latency.low_ns = std::exp(mean - half);
  latency.high_ns = std::exp(mean + half);
  return latency;
}

}  // namespace neurolens::bench
