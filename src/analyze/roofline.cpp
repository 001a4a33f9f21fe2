#include "neurolens/analyze/roofline.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <limits>

namespace neurolens::analyze {
namespace {

/// The element type that an op computes in: its first typed input's.
std::string_view compute_type(const run::Op& op) {
  for (const auto& input : op.inputs) {
    if (input.dtype)
      return *input.dtype == "u8" ? std::string_view("i8") : std::string_view(*input.dtype);
  }
  return "f32";
}

/// Half of a cache counts as usable: the rest is lost to conflicts, code and neighbours.
constexpr std::int64_t kUsableShare = 2;

}  // namespace

Roofline::Roofline(const run::Run& run)
    : run_(&run),
      threads_(std::max<std::int64_t>(1, run.software.threads.value_or(1))),
      usable_(!run.ceilings.empty()) {
  for (const auto& op : run.ops) weight_bytes_ += op.cost.weight_bytes.value_or(0);
  // Every op asks for the same few ceilings, so their names are looked up once.
  for (const auto& c : run.ceilings) {
    const std::string_view name = c.name;
    constexpr std::string_view kPrefix = "fma_";
    const auto end = name.starts_with(kPrefix) ? name.find('_', kPrefix.size()) : name.npos;
    if (end == name.npos) continue;
    const std::string dtype(name.substr(kPrefix.size(), end - kPrefix.size()));
    std::optional<double> best;
    for (const char* level : {"avx512", "avx2", "sse2", "generic"}) {
      const auto found = ceiling(fmt::format("fma_{}_{}", dtype, level));
      if (found && (!best || *found > *best)) best = found;
    }
    if (best) compute_.emplace(dtype, *best);
  }
  std::vector<run::Cache> caches = run.host.caches;
  std::sort(caches.begin(), caches.end(),
            [](const auto& a, const auto& b) { return a.level < b.level; });
  for (const auto& cache : caches) {
    if (cache.type == "instruction") continue;
    const std::int64_t usable =
        cache.size_bytes * std::min(threads_, cache.instances.value_or(1)) / kUsableShare;
    if (const auto rate = bandwidth(fmt::format("l{}", cache.level)))
      levels_.push_back({fmt::format("L{}", cache.level), *rate, usable});
  }
  if (const auto rate = bandwidth("dram"))
    levels_.push_back({"DRAM", *rate, std::numeric_limits<std::int64_t>::max()});
}

std::optional<double> Roofline::ceiling(const std::string& prefix) const {
  std::optional<double> one;
  std::optional<double> all;
  for (const auto& c : run_->ceilings) {
    if (c.name == prefix + "_1t") one = c.value;
    if (c.name == prefix + "_all") all = c.value;
  }
  if (threads_ == 1 || !all) return one;
  return one ? std::min(*one * static_cast<double>(threads_), *all) : *all;
}

std::optional<double> Roofline::compute(std::string_view dtype) const {
  std::optional<double> best;
  if (const auto found = compute_.find(dtype); found != compute_.end()) best = found->second;
  // Half types are computed in f32 where their own arithmetic is absent or slower (two cycles per
  // dot-product instruction on some processors).
  if (dtype == "f16" || dtype == "bf16") {
    const auto single = compute("f32");
    if (single && (!best || *single > *best)) return single;
  }
  return best;
}

std::optional<double> Roofline::bandwidth(std::string_view level) const {
  std::optional<double> best;
  for (const char* kind : {"triad", "read", "copy", "write"}) {
    const auto found = ceiling(fmt::format("{}_{}", kind, level));
    if (found && (!best || *found > *best)) best = found;
  }
  return best;
}

const Roofline::Memory* Roofline::level_for(std::int64_t bytes) const {
  for (const auto& level : levels_) {
    if (bytes <= level.usable_bytes) return &level;
  }
  return nullptr;
}

std::optional<Roofline::Memory> Roofline::memory(std::int64_t bytes) const {
  const auto* level = level_for(bytes);
  return level != nullptr ? std::optional(*level) : std::nullopt;
}

double Roofline::move_ns(std::int64_t bytes) const {
  double out = 0;
  std::int64_t left = bytes;
  for (const auto& level : levels_) {
    const std::int64_t here = std::min(left, level.usable_bytes);
    out += static_cast<double>(here) / level.bytes_per_second * 1e9;
    left -= here;
  }
  return out;
}

std::optional<RoofPoint> Roofline::point(const run::Op& op, double time_ns) const {
  const run::Cost& cost = op.cost;
  if (!usable_ || !(time_ns > 0) || !cost.matrix_flops || !cost.vector_flops ||
      !cost.activation_bytes)
    return {};
  const auto peak = compute(compute_type(op));
  const std::int64_t weights = cost.weight_bytes.value_or(0);
  const Memory* near = level_for(*cost.activation_bytes);
  const Memory* far = level_for(weight_bytes_);
  if (!peak || near == nullptr || far == nullptr) return {};

  const auto flops = static_cast<double>(*cost.matrix_flops + *cost.vector_flops);
  const double compute_ns = flops / *peak * 1e9;
  const double activation_ns = move_ns(*cost.activation_bytes);
  const double weight_ns = static_cast<double>(weights) / far->bytes_per_second * 1e9;
  const auto bytes = static_cast<double>(*cost.activation_bytes + weights);

  RoofPoint p;
  p.ideal_ns = std::max(compute_ns, activation_ns + weight_ns);
  p.roof_ratio = p.ideal_ns / time_ns;
  p.flops_per_second = flops / time_ns * 1e9;
  p.bytes_per_second = bytes / time_ns * 1e9;
  if (bytes > 0) p.intensity = flops / bytes;
  p.bound = compute_ns >= activation_ns + weight_ns ? "compute"
            : activation_ns >= weight_ns            ? near->level
                                                    : far->level;
  if (p.roof_ratio < 0.1 && time_ns < kOverheadNs) p.bound = "overhead";
  return p;
}

}  // namespace neurolens::analyze
