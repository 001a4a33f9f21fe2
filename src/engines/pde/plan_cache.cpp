#include "neurolens/engines/pde/plan_cache.hpp"

#include <fmt/format.h>

#include "neurolens/base/text.hpp"

namespace neurolens::pde {
namespace {

std::string key_of(const Grid& grid, const Boundary& boundary, double c, int order) {
  std::string key = fmt::format("{} {} {}", grid.text(), order, shortest(c));
  for (std::size_t a = 0; a < static_cast<std::size_t>(grid.dimensions); ++a) {
    key += fmt::format(" {}", shortest(grid.upper[a] - grid.lower[a]));
    for (const FaceCondition& f : boundary.face[a]) {
      key += fmt::format(" {}", to_string(f.kind));
      if (f.kind == ConditionKind::robin)
        key += fmt::format(":{}:{}", shortest(f.alpha), shortest(f.beta));
    }
  }
  // Plans check the grid they are given, so its place counts too.
  for (std::size_t a = 0; a < 3; ++a) key += fmt::format(" {}", shortest(grid.lower[a]));
  return key;
}

}  // namespace

Result<std::shared_ptr<const PoissonPlan>> PlanCache::get(const Grid& grid,
                                                          const Boundary& boundary, double c,
                                                          int order) {
  const std::string key = key_of(grid, boundary, c, order);
  {
    const std::lock_guard lock(mutex_);
    if (const auto found = index_.find(key); found != index_.end()) {
      ++statistics_.hits;
      entries_.splice(entries_.begin(), entries_, found->second);
      return found->second->plan;
    }
    ++statistics_.misses;
  }
  NEUROLENS_ASSIGN(auto plan, PoissonPlan::make(grid, boundary, c, order));
  const std::lock_guard lock(mutex_);
  const Bytes bytes = plan->bytes();
  if (bytes > capacity_ || index_.contains(key)) return plan;
  entries_.push_front({key, plan, bytes});
  index_[key] = entries_.begin();
  statistics_.bytes += bytes;
  while (statistics_.bytes > capacity_) {
    statistics_.bytes -= entries_.back().bytes;
    index_.erase(entries_.back().key);
    entries_.pop_back();
    ++statistics_.evictions;
  }
  return plan;
}

PlanCache::Statistics PlanCache::statistics() const {
  const std::lock_guard lock(mutex_);
  Statistics s = statistics_;
  s.plans = entries_.size();
  return s;
}

void PlanCache::clear() {
  const std::lock_guard lock(mutex_);
  entries_.clear();
  index_.clear();
  statistics_.bytes = Bytes{0};
}

}  // namespace neurolens::pde
