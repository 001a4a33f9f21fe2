#include "neurolens/analyze/fingerprint.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <unordered_map>

#include "align/plan_view.hpp"
#include "neurolens/analyze/roofline.hpp"
#include "neurolens/analyze/summary.hpp"
#include "neurolens/base/hash.hpp"
#include "neurolens/base/json.hpp"
#include "neurolens/base/random.hpp"

namespace neurolens::analyze {
namespace {

constexpr std::array<double, 5> kSketch{.05, .25, .5, .75, .95};
constexpr std::size_t kFewestForHalves = 8;

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
  for (const Key colour : colours) hash.update(fmt::format("{:016x}", colour));
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

std::vector<std::int64_t> settled_samples(const run::Run& run, std::size_t op) {
  std::vector<std::int64_t> kept;
  if (op >= run.samples.op_duration_ns.size() || run.samples.op_duration_ns[op].empty())
    return kept;
  const auto& rows = run.samples.iterations;
  std::size_t row = 0;
  for (std::size_t i = 0; i < rows.observed.size(); ++i) {
    if (rows.observed[i] == 0) continue;
    const auto value = run.samples.op_duration_ns[op][row++];
    if (rows.warmup[i] == 0 && rows.disturbed[i] == 0 && value != run::kMissing)
      kept.push_back(value);
  }
  return kept;
}

std::vector<double> sketch_of(const std::vector<std::int64_t>& samples) {
  const auto middle = median(samples);
  std::vector<double> sketch;
  if (!middle || !(*middle > 0)) return sketch;
  for (const double p : kSketch) sketch.push_back(*quantile(samples, p) / *middle);
  return sketch;
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
  NEUROLENS_ASSIGN(const auto summary, summarise(run));
  const PlanView view(run);
  std::vector<Key> work;
  std::vector<Key> types;
  for (const auto& op : run.ops) {
    work.push_back(work_key(op));
    types.push_back(hash_text(op.type));
  }
  const auto signatures = refine(view, work, types);
  const Roofline roof(run);
  Fingerprint out;
  out.graph_hash = graph_hash_of(view, work);
  out.ops.resize(run.ops.size());
  for (const auto& op : summary.ops) {
    const std::size_t i = op.op.index();
    OpFingerprint& f = out.ops[i];
    f.type = op.type;
    f.signature = signatures[i];
    f.vector[0] = op.share_ratio;
    if (op.flops && op.bytes && *op.bytes > 0)
      f.vector[1] = static_cast<double>(*op.flops) / static_cast<double>(*op.bytes);
    f.vector[2] = counter(run.ops[i], "occupancy_ratio");
    f.vector[3] = counter(run.ops[i], "warp_efficiency_ratio");
    f.vector[4] = counter(run.ops[i], "l2_hit_ratio");
    f.vector[5] = counter(run.ops[i], "dram_share_ratio");
    if (const auto point = roof.point(run.ops[i], op.time_ns)) f.vector[6] = point->roof_ratio;
    f.sketch = sketch_of(settled_samples(run, i));
  }
  return out;
}

double similarity(const Fingerprint& a, const Fingerprint& b) {
  std::unordered_map<std::uint64_t, std::vector<std::uint32_t>> places;
  for (std::uint32_t j = 0; j < b.ops.size(); ++j) places[b.ops[j].signature].push_back(j);
  std::unordered_map<std::uint64_t, std::size_t> used;
  const auto share = [](const OpFingerprint& op) { return op.vector[0].value_or(0); };
  double weight = 0;
  double sum = 0;
  double paired_b = 0;
  for (const auto& op : a.ops) {
    const auto found = places.find(op.signature);
    std::size_t& next = used[op.signature];
    if (found == places.end() || next >= found->second.size()) {
      weight += share(op);
      continue;
    }
    const auto& other = b.ops[found->second[next++]];
    const double w = std::max(share(op), share(other));
    paired_b += share(other);
    weight += w;
    sum += w * likeness(op, other);
  }
  double all_b = 0;
  for (const auto& op : b.ops) all_b += share(op);
  weight += std::max(0.0, all_b - paired_b);
  return weight > 0 ? std::clamp(sum / weight, 0.0, 1.0) : 1;
}

std::vector<double> null_similarities(const run::Run& run, int repeats, std::uint64_t seed) {
  const auto whole = take_fingerprint(run);
  if (!whole.ok()) return {};
  std::vector<std::vector<std::int64_t>> samples;
  std::size_t rows = 0;
  for (std::size_t op = 0; op < run.ops.size(); ++op) {
    samples.push_back(settled_samples(run, op));
    rows = std::max(rows, samples.back().size());
  }
  if (rows < kFewestForHalves) return {};
  Random random(seed, 13);
  std::vector<double> out;
  for (int r = 0; r < repeats; ++r) {
    std::vector<bool> first(rows);
    for (std::size_t i = 0; i < rows; ++i) first[i] = random.below(2) == 0;
    std::array<Fingerprint, 2> halves{*whole, *whole};
    std::array<double, 2> totals{0, 0};
    std::array<std::vector<double>, 2> times;
    for (std::size_t op = 0; op < samples.size(); ++op) {
      std::array<std::vector<std::int64_t>, 2> parts;
      for (std::size_t i = 0; i < samples[op].size(); ++i)
        parts[first[i] ? 0 : 1].push_back(samples[op][i]);
      for (std::size_t h = 0; h < 2; ++h) {
        times[h].push_back(median(parts[h]).value_or(0));
        totals[h] += times[h].back();
      }
    }
    for (std::size_t h = 0; h < 2; ++h) {
      for (std::size_t op = 0; op < samples.size(); ++op) {
        auto& vector = halves[h].ops[op].vector;
        const double before = vector[0].value_or(0);
        vector[0] = totals[h] > 0 ? times[h][op] / totals[h] : 0;
        // The achieved share of the roof moves against the time.
        if (vector[6] && *vector[0] > 0 && before > 0) *vector[6] *= before / *vector[0];
      }
    }
    out.push_back(similarity(halves[0], halves[1]));
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
