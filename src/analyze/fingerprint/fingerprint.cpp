#include "neurolens/analyze/fingerprint.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <numeric>

#include "align/plan_view.hpp"
#include "neurolens/analyze/roofline.hpp"
#include "neurolens/analyze/statistics.hpp"
#include "neurolens/base/hash.hpp"
#include "neurolens/base/json.hpp"
#include "neurolens/base/random.hpp"
#include "neurolens/run/work.hpp"

namespace neurolens::analyze {
namespace {

constexpr std::array<double, 5> kSketch{.05, .25, .5, .75, .95};
constexpr std::size_t kFewestForHalves = 8;
/// Ops times repeats of the null distribution, and the repeats that any Run gets.
constexpr std::size_t kMostHalvedOps = 2'000'000;
constexpr int kFewestRepeats = 20;

Key tensor_key(Key seed, const run::Tensor& tensor) {
  seed = mix(seed, tensor.dtype ? hash_text(*tensor.dtype) : 1);
  if (!tensor.shape) return mix(seed, 2);
  for (const auto dim : *tensor.shape) seed = mix(seed, static_cast<Key>(dim));
  return mix(seed, 3);
}

Key work_key(const run::Op& op) {
  Key key = mix(hash_text(op.type), hash_text(op.domain.value_or("")));
  for (const auto& tensor : op.inputs) key = tensor_key(key, tensor);
  key = mix(key, 4);
  for (const auto& tensor : op.outputs) key = tensor_key(key, tensor);
  return mix(key, op.attributes_hash ? hash_text(*op.attributes_hash) : 5);
}

/// One colour per op: its own and those of its neighbours. Readers count as a multiset, writers in
/// the order of the slots.
std::vector<Key> refine(const PlanView& view, const std::vector<Key>& own,
                        const std::vector<Key>& neighbours) {
  std::vector<Key> next(own.size());
  for (std::uint32_t op = 0; op < view.ops(); ++op) {
    Key key = own[op];
    for (const auto* p = view.producers.first(op); p != view.producers.last(op); ++p)
      key = mix(key, neighbours[*p]);
    Key readers = 0;
    for (const auto* c = view.consumers.first(op); c != view.consumers.last(op); ++c)
      readers += mix(7, neighbours[*c]);
    next[op] = mix(key, readers);
  }
  return next;
}

/// Colours that know everything before an op and everything after it, by one sweep each way.
std::string graph_hash_of(const PlanView& view, const std::vector<Key>& work) {
  std::vector<Key> before = work;
  for (const auto op : view.order) {
    for (const auto* p = view.producers.first(op); p != view.producers.last(op); ++p)
      before[op] = mix(before[op], before[*p]);
  }
  std::vector<Key> after = work;
  for (auto at = view.order.rbegin(); at != view.order.rend(); ++at) {
    Key readers = 0;
    for (const auto* c = view.consumers.first(*at); c != view.consumers.last(*at); ++c)
      readers += mix(9, after[*c]);
    after[*at] = mix(after[*at], readers);
  }
  std::vector<Key> colours(work.size());
  for (std::size_t i = 0; i < work.size(); ++i) colours[i] = mix(before[i], after[i]);
  std::sort(colours.begin(), colours.end());
  Sha256 hash;
  for (const Key colour : colours) {
    std::array<char, 16> digits;
    for (std::size_t i = 0; i < digits.size(); ++i)
      digits[i] = "0123456789abcdef"[colour >> (60 - 4 * i) & 15];
    hash.update({digits.data(), digits.size()});
  }
  return hash.finish();
}

/// Mean of a counter over an op's kernels, weighted by their time; nullopt when one lacks it.
std::optional<double> counter(const run::Op& op, const char* name) {
  double sum = 0;
  double weight = 0;
  for (const auto& kernel : op.kernels) {
    const auto found = kernel.counters.find(name);
    if (found == kernel.counters.end() || !found->second || !kernel.time_ns) return {};
    sum += *found->second * static_cast<double>(*kernel.time_ns);
    weight += static_cast<double>(*kernel.time_ns);
  }
  return weight > 0 ? std::optional(sum / weight) : std::nullopt;
}

/// Rows of the ops' columns that count.
std::vector<std::uint32_t> settled_rows(const run::Run& run) {
  const auto& rows = run.samples.iterations;
  std::vector<std::uint32_t> settled;
  std::uint32_t row = 0;
  for (std::size_t i = 0; i < rows.observed.size(); ++i) {
    if (rows.observed[i] == 0) continue;
    if (rows.warmup[i] == 0 && rows.disturbed[i] == 0) settled.push_back(row);
    ++row;
  }
  return settled;
}

void settled_samples(const run::Run& run, std::size_t op, const std::vector<std::uint32_t>& rows,
                     std::vector<std::int64_t>& kept) {
  kept.clear();
  if (op >= run.samples.op_duration_ns.size()) return;
  const run::Column& column = run.samples.op_duration_ns[op];
  if (column.empty()) return;
  for (const auto row : rows) {
    if (column[row] != run::kMissing) kept.push_back(column[row]);
  }
}

/// Sorts `samples`.
std::vector<double> sketch_of(std::vector<std::int64_t>& samples) {
  std::sort(samples.begin(), samples.end());
  const auto middle = quantile_of_sorted(samples, 0.5);
  std::vector<double> sketch;
  if (!middle || !(*middle > 0)) return sketch;
  sketch.reserve(kSketch.size());
  for (const double p : kSketch) sketch.push_back(*quantile_of_sorted(samples, p) / *middle);
  return sketch;
}

/// Per op the Run's own estimate, else the median of its settled samples, else 0: as summarise()
/// has them, without its texts and its ranking.
std::vector<double> op_times(const run::Run& run, const std::vector<std::uint32_t>& rows) {
  std::vector<double> times;
  times.reserve(run.ops.size());
  std::vector<std::int64_t> samples;
  for (std::size_t i = 0; i < run.ops.size(); ++i) {
    if (run.ops[i].estimate) {
      times.push_back(static_cast<double>(run.ops[i].estimate->time_ns));
      continue;
    }
    settled_samples(run, i, rows, samples);
    times.push_back(median(samples).value_or(0));
  }
  return times;
}

/// FLOPs per minimum byte; nullopt when unknown.
std::optional<double> intensity_of(const run::Cost& cost) {
  const auto flops = run::flops_of(cost);
  const auto bytes = run::bytes_of(cost);
  if (!flops || !bytes || *bytes <= 0) return {};
  return static_cast<double>(*flops) / static_cast<double>(*bytes);
}

/// 1 for equal entries, falling with their ratio; over the entries that both sides have.
double likeness(const OpFingerprint& a, const OpFingerprint& b) {
  double sum = 0;
  int count = 0;
  for (std::size_t i = 0; i < a.vector.size(); ++i) {
    if (!a.vector[i] || !b.vector[i]) continue;
    const double x = std::abs(*a.vector[i]);
    const double y = std::abs(*b.vector[i]);
    sum += std::max(x, y) > 0 ? std::min(x, y) / std::max(x, y) : 1;
    ++count;
  }
  return count > 0 ? sum / count : 1;
}

}  // namespace

Result<Fingerprint> take_fingerprint(const run::Run& run) {
  const auto rows = settled_rows(run);
  const std::vector<double> times = op_times(run, rows);
  const double total = std::accumulate(times.begin(), times.end(), 0.0);
  if (!(total > 0))
    return Error{Errc::too_few_samples, "The Run holds no time of any op; measure longer.", ""};
  const PlanView view(run);
  std::vector<Key> work;
  std::vector<Key> types;
  work.reserve(run.ops.size());
  types.reserve(run.ops.size());
  for (const auto& op : run.ops) {
    work.push_back(work_key(op));
    types.push_back(hash_text(op.type));
  }
  const auto signatures = refine(view, work, types);
  const Roofline roof(run);
  Fingerprint out;
  out.graph_hash = graph_hash_of(view, work);
  out.ops.resize(run.ops.size());
  std::vector<std::int64_t> samples;
  for (std::size_t i = 0; i < run.ops.size(); ++i) {
    const run::Op& op = run.ops[i];
    OpFingerprint& f = out.ops[i];
    f.type = op.type;
    f.signature = signatures[i];
    f.vector[0] = times[i] / total;
    f.vector[1] = intensity_of(op.cost);
    f.vector[2] = counter(op, "occupancy_ratio");
    f.vector[3] = counter(op, "warp_efficiency_ratio");
    f.vector[4] = counter(op, "l2_hit_ratio");
    f.vector[5] = counter(op, "dram_share_ratio");
    if (const auto point = roof.point(op, times[i])) f.vector[6] = point->roof_ratio;
    settled_samples(run, i, rows, samples);
    f.sketch = sketch_of(samples);
  }
  return out;
}

double similarity(const Fingerprint& a, const Fingerprint& b) {
  const auto by_signature = [](const Fingerprint& f) {
    std::vector<std::pair<std::uint64_t, std::uint32_t>> places;
    places.reserve(f.ops.size());
    for (std::uint32_t i = 0; i < f.ops.size(); ++i) places.emplace_back(f.ops[i].signature, i);
    std::sort(places.begin(), places.end());
    return places;
  };
  const auto left = by_signature(a);
  const auto right = by_signature(b);
  std::vector<std::uint32_t> partner(a.ops.size(), kNone);
  for (std::size_t i = 0, j = 0; i < left.size() && j < right.size();) {
    if (left[i].first == right[j].first) {
      partner[left[i++].second] = right[j++].second;
    } else {
      ++(left[i].first < right[j].first ? i : j);
    }
  }
  const auto share = [](const OpFingerprint& op) { return op.vector[0].value_or(0); };
  double weight = 0;
  double sum = 0;
  double paired_b = 0;
  for (std::size_t i = 0; i < a.ops.size(); ++i) {
    if (partner[i] == kNone) {
      weight += share(a.ops[i]);
      continue;
    }
    const auto& other = b.ops[partner[i]];
    const double w = std::max(share(a.ops[i]), share(other));
    paired_b += share(other);
    weight += w;
    sum += w * likeness(a.ops[i], other);
  }
  double all_b = 0;
  for (const auto& op : b.ops) all_b += share(op);
  weight += std::max(0.0, all_b - paired_b);
  return weight > 0 ? std::clamp(sum / weight, 0.0, 1.0) : 1;
}

std::vector<double> null_similarities(const run::Run& run, int repeats, std::uint64_t seed) {
  const auto whole = take_fingerprint(run);
  if (!whole.ok()) return {};
  const auto settled = settled_rows(run);
  std::vector<std::vector<std::int64_t>> samples(run.ops.size());
  std::size_t rows = 0;
  for (std::size_t op = 0; op < run.ops.size(); ++op) {
    settled_samples(run, op, settled, samples[op]);
    rows = std::max(rows, samples[op].size());
  }
  if (rows < kFewestForHalves) return {};
  const auto affordable =
      static_cast<int>(kMostHalvedOps / std::max<std::size_t>(1, samples.size()));
  repeats = std::min(repeats, std::max(kFewestRepeats, affordable));
  Random random(seed, 13);
  std::vector<double> out;
  for (int r = 0; r < repeats; ++r) {
    std::vector<bool> first(rows);
    for (std::size_t i = 0; i < rows; ++i) first[i] = random.below(2) == 0;
    std::array<double, 2> totals{0, 0};
    std::array<std::vector<double>, 2> times;
    std::array<std::vector<std::int64_t>, 2> parts;
    for (std::size_t op = 0; op < samples.size(); ++op) {
      for (auto& part : parts) part.clear();
      for (std::size_t i = 0; i < samples[op].size(); ++i)
        parts[first[i] ? 0 : 1].push_back(samples[op][i]);
      for (std::size_t h = 0; h < 2; ++h) {
        std::sort(parts[h].begin(), parts[h].end());
        times[h].push_back(quantile_of_sorted(parts[h], 0.5).value_or(0));
        totals[h] += times[h].back();
      }
    }
    // Halves of one Run pair op by op, so nothing has to be looked up.
    double weight = 0;
    double sum = 0;
    std::array<OpFingerprint, 2> halves;
    for (std::size_t op = 0; op < samples.size(); ++op) {
      for (std::size_t h = 0; h < 2; ++h) {
        auto& vector = halves[h].vector;
        vector = whole->ops[op].vector;
        const double before = vector[0].value_or(0);
        vector[0] = totals[h] > 0 ? times[h][op] / totals[h] : 0;
        // The achieved share of the roof moves against the time.
        if (vector[6] && *vector[0] > 0 && before > 0) *vector[6] *= before / *vector[0];
      }
      const double w = std::max(*halves[0].vector[0], *halves[1].vector[0]);
      weight += w;
      sum += w * likeness(halves[0], halves[1]);
    }
    out.push_back(weight > 0 ? std::clamp(sum / weight, 0.0, 1.0) : 1);
  }
  std::sort(out.begin(), out.end());
  return out;
}

std::string to_json(const Fingerprint& fingerprint, const run::Run& run,
                    const std::vector<double>& null) {
  json::Writer w({2});
  w.begin_object().member("version", "1.0.0").member("run_id", run.run_id);
  w.member("workload", run.workload.name).member("graph_hash", fingerprint.graph_hash);
  w.key("entries").begin_array();
  for (const auto entry : kFingerprintEntries) w.value(entry);
  w.end_array().key("ops").begin_array();
  for (const auto& op : fingerprint.ops) {
    w.begin_object().member("type", op.type);
    w.member("signature", fmt::format("{:016x}", op.signature)).key("vector").begin_array();
    for (const auto& entry : op.vector) w.value(entry);
    w.end_array().key("mask").begin_array();
    for (const auto& entry : op.vector) w.value(entry.has_value());
    w.end_array().key("sketch").numbers(op.sketch).end_object();
  }
  w.end_array().key("null_similarities").numbers(null).end_object();
  return std::move(w).take() + "\n";
}

}  // namespace neurolens::analyze
