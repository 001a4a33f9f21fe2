#include "truth.hpp"

#include <algorithm>
#include <cstdint>
#include <vector>

#include "adapters/onnxruntime/feeds.hpp"
#include "adapters/onnxruntime/measure.hpp"
#include "fit/order_statistics.hpp"
#include "measure/visit.hpp"
#include "neurolens/base/clock.hpp"
#include "neurolens/base/random.hpp"

namespace neurolens::capture::true_cost {
namespace {

constexpr int kWarmup = 3;
constexpr int kRounds = 4;
constexpr std::size_t kFewestBatches = 8;
constexpr std::size_t kMostBatches = 40;
constexpr std::int64_t kEnoughNs = 1'500'000'000;

struct Bench {
  ort::RuntimeSession session;
  ort::PreparedFeeds feeds;
  Visit visit;
};

Result<Bench> open(const std::shared_ptr<const ort::Library>& library, const std::string& model) {
  ort::SessionSettings settings;
  settings.optimisation = OptLevel::none;
  NEUROLENS_ASSIGN(auto session, ort::RuntimeSession::create_from(library, model, settings));
  NEUROLENS_ASSIGN(auto feeds, ort::prepare_feeds(library, session, nullptr, CaptureRequest{}));
  double latency = 0;
  for (int i = 0; i < kWarmup; ++i) {
    NEUROLENS_ASSIGN(const auto timing, session.run(feeds.set));
    latency = static_cast<double>(timing.duration.count);
  }
  return Bench{std::move(session), std::move(feeds), visit_for(latency)};
}

Result<double> take_turn(Bench& bench) {
  std::vector<double> times;
  for (int i = -bench.visit.settle; i < bench.visit.timed; ++i) {
    NEUROLENS_ASSIGN(const auto timing, bench.session.run(bench.feeds.set));
    if (i >= 0) times.push_back(static_cast<double>(timing.duration.count));
  }
  return median_of(times);
}

int count_of(const Case& one, const std::string& kind) {
  return static_cast<int>(std::count_if(one.parts.begin(), one.parts.end(),
                                        [&](const Part& p) { return kind == p.kind; }));
}

/// The parts of `one` with `count` more of `kind`, spread over the places where it stands, or
/// over the whole when there is only one: a part beside its like finds other caches.
std::vector<Part> longer(const Case& one, const std::string& kind, int count) {
  const auto is = [&](const Part& p) { return kind == p.kind; };
  const int total = count_of(one, kind);
  std::vector<Part> out;
  if (total == 1) {
    const Part single = *std::find_if(one.parts.begin(), one.parts.end(), is);
    const int places = static_cast<int>(one.parts.size());
    for (int i = 0, added = 0; i < places; ++i) {
      out.push_back(one.parts[static_cast<std::size_t>(i)]);
      for (; added < count * (i + 1) / places; ++added) out.push_back(single);
    }
    return out;
  }
  int added = 0;
  int seen = 0;
  for (const auto& part : one.parts) {
    out.push_back(part);
    if (!is(part)) continue;
    ++seen;
    for (; added < count * seen / total; ++added) out.push_back(part);
  }
  return out;
}

/// The parts of `one` without `count` of `kind`, spread over the places where it stands.
std::vector<Part> shorter(const Case& one, const std::string& kind, int count) {
  const int total = count_of(one, kind);
  std::vector<Part> out;
  int left_out = 0;
  int seen = 0;
  for (const auto& part : one.parts) {
    if (kind == part.kind && left_out < count * ++seen / total) {
      ++left_out;
    } else {
      out.push_back(part);
    }
  }
  return out;
}

/// Graphs with more and with less of one kind: their times lie on both sides of the case's own.
struct Lever {
  int more = 0;
  int less = 0;
};

/// As many less as more where there are as many. Half of them stay: one that has lost all of
/// its like finds other caches than in place.
Lever lever_of(const Case& one, const std::string& kind) {
  const int total = count_of(one, kind);
  if (total == 1) return {one.more, 1};
  const int both = std::min(one.more, std::max(1, total / 2));
  return {both, both};
}

/// Median over batches with its interval; the error is what the batches differ by.
PartTruth middle_of(const std::vector<double>& slopes) {
  const auto interval = median_interval(slopes);
  return {std::max(interval.median, 0.0),
          (interval.high.value_or(interval.median) - interval.low.value_or(interval.median)) / 2};
}

}  // namespace

Result<Truth> truth_of(const std::shared_ptr<const ort::Library>& library, const Case& one,
                       std::uint64_t seed) {
  std::vector<std::string> kinds;
  for (const auto& part : one.parts) kinds.emplace_back(part.kind);
  std::sort(kinds.begin(), kinds.end());
  kinds.erase(std::unique(kinds.begin(), kinds.end()), kinds.end());
  std::vector<std::string> models{encode(chain(one.dims, one.parts))};
  std::vector<Lever> levers;
  for (const auto& kind : kinds) {
    const Lever lever = levers.emplace_back(lever_of(one, kind));
    models.push_back(encode(chain(one.dims, longer(one, kind, lever.more))));
    models.push_back(encode(chain(one.dims, shorter(one, kind, lever.less))));
  }
  std::vector<std::vector<double>> slopes(kinds.size());
  std::vector<std::vector<char>> ballast;  // so that memory lies elsewhere in the next batch
  Random random(seed);
  std::vector<double> latencies;
  const Nanoseconds start = system_clock().now();
  while (slopes[0].size() < kMostBatches) {
    const bool enough = (system_clock().now() - start).count > kEnoughNs;
    if (slopes[0].size() >= kFewestBatches && enough) break;
    std::vector<Bench> benches;
    for (const auto& model : models) {
      ballast.emplace_back(64 + random.below(std::uint64_t{1} << 14));
      NEUROLENS_ASSIGN(auto bench, open(library, model));
      benches.push_back(std::move(bench));
    }
    std::vector<std::vector<double>> times(benches.size());
    for (int round = 0; round < kRounds; ++round) {
      for (std::size_t i = 0; i < benches.size(); ++i) {
        NEUROLENS_ASSIGN(const double time, take_turn(benches[i]));
        times[i].push_back(time);
      }
    }
    const double base = median_of(times[0]);
    latencies.push_back(base);
    for (std::size_t i = 0; i < kinds.size(); ++i) {
      const double with = median_of(times[2 * i + 1]);
      const double without = median_of(times[2 * i + 2]);
      slopes[i].push_back((with - without) / (levers[i].more + levers[i].less));
    }
  }
  Truth out;
  out.latency_ns = middle_of(latencies).ns;
  for (std::size_t i = 0; i < kinds.size(); ++i) out.parts[kinds[i]] = middle_of(slopes[i]);
  return out;
}

}  // namespace neurolens::capture::true_cost
