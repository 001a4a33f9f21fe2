/// \file
/// Plans kept for repeated solves, found by content: grid, boundary kinds and coefficients, c and
/// order.
#pragma once

#include <cstdint>
#include <list>
#include <memory>
#include <mutex>
#include <string>
#include <unordered_map>

#include "neurolens/engines/pde/poisson.hpp"

namespace neurolens::pde {

/// A bounded cache of PoissonPlans, the least recently used leaving first. Thread-safe.
class PlanCache {
 public:
  /// `capacity` bounds the plans' bytes; a plan larger than that is made but not kept.
  explicit PlanCache(Bytes capacity = Bytes{std::int64_t{256} << 20}) : capacity_(capacity) {}

  /// The plan for these arguments, made when absent. Errors: as PoissonPlan::make; failures are not
  /// kept.
  [[nodiscard]] Result<std::shared_ptr<const PoissonPlan>> get(const Grid& grid,
                                                               const Boundary& boundary, double c,
                                                               int order);

  struct Statistics {
    std::uint64_t hits = 0, misses = 0, evictions = 0;
    std::size_t plans = 0;
    Bytes bytes;
  };
  [[nodiscard]] Statistics statistics() const;
  void clear();

 private:
  struct Entry {
    std::string key;
    std::shared_ptr<const PoissonPlan> plan;
    Bytes bytes;  ///< When it came: tables for single precision may be added to a plan later.
  };
  Bytes capacity_;
  mutable std::mutex mutex_;
  std::list<Entry> entries_;  // most recent first
  std::unordered_map<std::string, std::list<Entry>::iterator> index_;
  Statistics statistics_;
};

}  // namespace neurolens::pde
