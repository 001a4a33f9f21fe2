#include "neurolens/probe/statistics.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <cstdio>
#include <functional>
#include <map>
#include <mutex>

#include "neurolens/base/json.hpp"

namespace neurolens::probe {
namespace {

constexpr std::size_t kKept = 512;
constexpr int kSubBits = 6;  // buckets per octave: 64
constexpr std::size_t kBuckets = (std::size_t{64} - kSubBits) << kSubBits;

std::size_t bucket_of(std::uint64_t ns) noexcept {
  if (ns < (1u << kSubBits)) return ns;
  const int octave = std::bit_width(ns) - 1 - kSubBits;
  return (static_cast<std::size_t>(octave) << kSubBits) + (ns >> octave);
}
/// The middle of a bucket.
double value_of(std::size_t bucket) noexcept {
  if (bucket < (1u << kSubBits)) return static_cast<double>(bucket);
  const int octave = static_cast<int>(bucket >> kSubBits) - 1;
  const std::size_t mantissa = (bucket & ((1u << kSubBits) - 1)) | (1u << kSubBits);
  return std::ldexp(static_cast<double>(mantissa) + 0.5, octave);
}

void store_min(std::atomic<std::int64_t>& target, std::int64_t value) noexcept {
  std::int64_t seen = target.load(std::memory_order_relaxed);
  while (value < seen && !target.compare_exchange_weak(seen, value, std::memory_order_relaxed)) {
  }
}
void store_max(std::atomic<std::int64_t>& target, std::int64_t value) noexcept {
  std::int64_t seen = target.load(std::memory_order_relaxed);
  while (value > seen && !target.compare_exchange_weak(seen, value, std::memory_order_relaxed)) {
  }
}

std::size_t shard_of_thread() noexcept {
  static std::atomic<std::size_t> next{0};
  thread_local const std::size_t mine = next.fetch_add(1, std::memory_order_relaxed);
  return mine;
}

/// Linear interpolation between order statistics (type 7 of Hyndman and Fan, 1996).
double quantile(const std::vector<std::int64_t>& sorted, double p) {
  const double at = p * static_cast<double>(sorted.size() - 1);
  const auto low = static_cast<std::size_t>(at);
  const std::size_t high = std::min(low + 1, sorted.size() - 1);
  const double part = at - static_cast<double>(low);
  return static_cast<double>(sorted[low]) * (1 - part) + static_cast<double>(sorted[high]) * part;
}

double quantile(const std::vector<std::uint64_t>& buckets, std::uint64_t count, double p) {
  const auto rank = static_cast<std::uint64_t>(p * static_cast<double>(count - 1));
  std::uint64_t seen = 0;
  for (std::size_t b = 0; b < buckets.size(); ++b) {
    seen += buckets[b];
    if (seen > rank) return value_of(b);
  }
  return 0;
}

std::string human_time(double ns) {
  static constexpr std::array kUnits = {std::pair{1e9, "s"}, std::pair{1e6, "ms"},
                                        std::pair{1e3, "us"}};
  char text[32];
  for (const auto& [scale, unit] : kUnits) {
    if (ns < scale) continue;
    std::snprintf(text, sizeof text, "%.3g %s", ns / scale, unit);
    return text;
  }
  std::snprintf(text, sizeof text, "%.3g ns", ns);
  return text;
}

std::string human_bytes(const std::optional<Bytes>& bytes) {
  if (!bytes) return "-";
  static constexpr std::array kUnits = {std::pair{1073741824.0, "GiB"}, std::pair{1048576.0, "MiB"},
                                        std::pair{1024.0, "KiB"}};
  const auto n = static_cast<double>(bytes->count);
  char text[32];
  for (const auto& [scale, unit] : kUnits) {
    if (n < scale) continue;
    std::snprintf(text, sizeof text, "%.3g %s", n / scale, unit);
    return text;
  }
  std::snprintf(text, sizeof text, "%.0f B", n);
  return text;
}

}  // namespace

struct alignas(64) Entry::Shard {
  std::atomic<std::uint64_t> count{0};
  std::atomic<std::int64_t> total{0};
  std::atomic<std::int64_t> min{INT64_MAX};
  std::atomic<std::int64_t> max{0};
  std::array<std::atomic<std::int64_t>, kKept> kept{};  // value + 1; 0: not written yet
  std::array<std::atomic<std::uint32_t>, kBuckets> buckets{};
};

Entry::Entry(std::string name) : name_(std::move(name)) {}

Entry::~Entry() {
  for (auto& shard : shards_) delete shard.load(std::memory_order_relaxed);
}

Entry::Shard& Entry::shard() noexcept {
  std::atomic<Shard*>& slot = shards_[shard_of_thread() % kShards];
  Shard* shard = slot.load(std::memory_order_acquire);
  if (shard != nullptr) return *shard;
  auto* fresh = new Shard;  // running out of memory here ends the program, as it does anywhere
  if (slot.compare_exchange_strong(shard, fresh, std::memory_order_acq_rel)) return *fresh;
  delete fresh;
  return *shard;
}

void Entry::add(Nanoseconds duration) noexcept {
  const std::int64_t ns = std::max<std::int64_t>(0, duration.count);
  Shard& s = shard();
  const std::uint64_t index = s.count.fetch_add(1, std::memory_order_relaxed);
  s.total.fetch_add(ns, std::memory_order_relaxed);
  store_min(s.min, ns);
  store_max(s.max, ns);
  if (index < kKept) s.kept[index].store(ns + 1, std::memory_order_relaxed);
  s.buckets[bucket_of(static_cast<std::uint64_t>(ns))].fetch_add(1, std::memory_order_relaxed);
}

void Entry::add_memory(Bytes peak) noexcept {
  memory_count_.fetch_add(1, std::memory_order_relaxed);
  memory_total_.fetch_add(peak.count, std::memory_order_relaxed);
  store_max(memory_peak_, peak.count);
}

Statistics Entry::statistics() const {
  Statistics result;
  result.name = name_;
  std::vector<std::int64_t> kept;
  std::vector<std::uint64_t> buckets(kBuckets);
  result.min = Nanoseconds{INT64_MAX};
  for (const auto& slot : shards_) {
    const Shard* s = slot.load(std::memory_order_acquire);
    if (s == nullptr) continue;
    const std::uint64_t count = s->count.load(std::memory_order_relaxed);
    result.count += count;
    result.exact_percentiles = result.exact_percentiles && count <= kKept;
    result.total.count += s->total.load(std::memory_order_relaxed);
    result.min.count = std::min(result.min.count, s->min.load(std::memory_order_relaxed));
    result.max.count = std::max(result.max.count, s->max.load(std::memory_order_relaxed));
    for (std::size_t i = 0; i < std::min<std::uint64_t>(count, kKept); ++i) {
      const std::int64_t value = s->kept[i].load(std::memory_order_relaxed);
      if (value != 0) kept.push_back(value - 1);
    }
    for (std::size_t b = 0; b < kBuckets; ++b)
      buckets[b] += s->buckets[b].load(std::memory_order_relaxed);
  }
  if (result.count == 0) {
    result.min = {};
    return result;
  }
  result.mean_ns = static_cast<double>(result.total.count) / static_cast<double>(result.count);
  if (result.exact_percentiles && !kept.empty()) {
    std::sort(kept.begin(), kept.end());
    result.median_ns = quantile(kept, 0.5);
    result.p95_ns = quantile(kept, 0.95);
    result.p99_ns = quantile(kept, 0.99);
  } else {
    std::uint64_t in_buckets = 0;
    for (const std::uint64_t n : buckets) in_buckets += n;
    const auto bounded = [&](double p) {
      return std::clamp(quantile(buckets, std::max<std::uint64_t>(in_buckets, 1), p),
                        static_cast<double>(result.min.count),
                        static_cast<double>(result.max.count));
    };
    result.median_ns = bounded(0.5);
    result.p95_ns = bounded(0.95);
    result.p99_ns = bounded(0.99);
  }
  if (const std::uint64_t tracked = memory_count_.load(std::memory_order_relaxed); tracked > 0) {
    result.memory_mean =
        Bytes{memory_total_.load(std::memory_order_relaxed) / static_cast<std::int64_t>(tracked)};
    result.memory_peak = Bytes{memory_peak_.load(std::memory_order_relaxed)};
  }
  return result;
}

void Entry::reset() noexcept {
  for (auto& slot : shards_) {
    Shard* s = slot.load(std::memory_order_acquire);
    if (s == nullptr) continue;
    s->count.store(0, std::memory_order_relaxed);
    s->total.store(0, std::memory_order_relaxed);
    s->min.store(INT64_MAX, std::memory_order_relaxed);
    s->max.store(0, std::memory_order_relaxed);
    for (auto& k : s->kept) k.store(0, std::memory_order_relaxed);
    for (auto& b : s->buckets) b.store(0, std::memory_order_relaxed);
  }
  memory_count_.store(0, std::memory_order_relaxed);
  memory_total_.store(0, std::memory_order_relaxed);
  memory_peak_.store(0, std::memory_order_relaxed);
}

struct Registry::Table {
  mutable std::mutex mutex;
  std::map<std::string, std::unique_ptr<Entry>, std::less<>> entries;
};

Registry::Registry() : table_(std::make_unique<Table>()) {}
Registry::~Registry() = default;

Entry& Registry::entry(std::string_view name) {
  const std::lock_guard lock(table_->mutex);
  const auto found = table_->entries.find(name);
  if (found != table_->entries.end()) return *found->second;
  auto fresh = std::make_unique<Entry>(std::string(name));
  return *table_->entries.emplace(std::string(name), std::move(fresh)).first->second;
}

std::vector<Statistics> Registry::statistics() const {
  std::vector<Statistics> all;
  {
    const std::lock_guard lock(table_->mutex);
    for (const auto& [name, entry] : table_->entries) {
      Statistics s = entry->statistics();
      if (s.count > 0) all.push_back(std::move(s));
    }
  }
  std::stable_sort(all.begin(), all.end(),
                   [](const Statistics& a, const Statistics& b) { return a.total > b.total; });
  return all;
}

std::string Registry::report() const {
  const std::vector<Statistics> all = statistics();
  if (all.empty()) return "Nothing has been timed yet.\n";
  std::vector<std::array<std::string, 11>> rows{
      {"name", "count", "total", "mean", "median", "p95", "p99", "min", "max", "memory", "peak"}};
  for (const Statistics& s : all) {
    rows.push_back({s.name, std::to_string(s.count), human_time(static_cast<double>(s.total.count)),
                    human_time(s.mean_ns), human_time(s.median_ns), human_time(s.p95_ns),
                    human_time(s.p99_ns), human_time(static_cast<double>(s.min.count)),
                    human_time(static_cast<double>(s.max.count)), human_bytes(s.memory_mean),
                    human_bytes(s.memory_peak)});
  }
  std::array<std::size_t, 11> width{};
  for (const auto& row : rows) {
    for (std::size_t c = 0; c < row.size(); ++c) width[c] = std::max(width[c], row[c].size());
  }
  std::string text;
  for (const auto& row : rows) {
    for (std::size_t c = 0; c < row.size(); ++c) {
      const std::string pad(width[c] - row[c].size(), ' ');
      text += c == 0 ? row[c] + pad : "  " + pad + row[c];
    }
    text += '\n';
  }
  return text;
}

std::string Registry::json() const {
  json::Writer out;
  out.begin_object().key("statistics").begin_array();
  for (const Statistics& s : statistics()) {
    out.begin_object();
    out.member("name", s.name).member("count", s.count).member("total_ns", s.total);
    out.member("mean_ns", s.mean_ns).member("median_ns", s.median_ns);
    out.member("p95_ns", s.p95_ns).member("p99_ns", s.p99_ns);
    out.member("min_ns", s.min).member("max_ns", s.max);
    out.member("exact_percentiles", s.exact_percentiles);
    out.member("memory_mean_bytes", s.memory_mean).member("memory_peak_bytes", s.memory_peak);
    out.end_object();
  }
  out.end_array().end_object();
  return std::move(out).take();
}

void Registry::reset() {
  const std::lock_guard lock(table_->mutex);
  for (auto& [name, entry] : table_->entries) entry->reset();
}

Registry& default_registry() {
  static Registry* registry = new Registry;  // threads may still record while statics are destroyed
  return *registry;
}

}  // namespace neurolens::probe
