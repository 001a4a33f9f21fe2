/// \file
/// profile(): a callable that measures itself.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

#include "neurolens/probe/memory.hpp"
#include "neurolens/probe/statistics.hpp"

namespace neurolens::probe {

struct ProfileOptions {
  /// Track each call's peak memory too (this thread's allocations). About 60 ns per allocation, and
  /// 100 ns per call; no effect where memory is not interposed, see memory.hpp.
  bool memory = false;
};

/// What profile() returns: calls the function and adds time (and memory) to its entry, also when
/// the function leaves by an exception. Threads: as safe as the function itself.
template <class Function>
class Profiled {
 public:
  Profiled(Entry& entry, Function function, ProfileOptions options)
      : entry_(&entry), function_(std::move(function)), options_(options) {}

  template <class... Args>
  decltype(auto) operator()(Args&&... args) {
    const Recorder recorder(*entry_, options_.memory);
    return std::invoke(function_, std::forward<Args>(args)...);
  }
  template <class... Args>
  decltype(auto) operator()(Args&&... args) const {
    const Recorder recorder(*entry_, options_.memory);
    return std::invoke(function_, std::forward<Args>(args)...);
  }
  [[nodiscard]] Statistics statistics() const { return entry_->statistics(); }

 private:
  class Recorder {
   public:
    Recorder(Entry& entry, bool memory) : entry_(entry) {
      if (memory) tracker_.emplace();
    }
    ~Recorder() {
      const Nanoseconds duration = timer_.elapsed();
      const auto use = tracker_ ? tracker_->use() : std::nullopt;  // before the entry allocates
      entry_.add(duration);
      if (use) entry_.add_memory(use->peak);
    }
    Recorder(const Recorder&) = delete;
    Recorder& operator=(const Recorder&) = delete;

   private:
    Entry& entry_;
    std::optional<MemoryTracker> tracker_;
    Timer timer_;
  };
  Entry* entry_;
  Function function_;
  ProfileOptions options_;
};

/// `auto solve = profile("solve", [](const Grid& g) { ... });` Every call adds to entry "solve".
template <class Function>
[[nodiscard]] Profiled<std::decay_t<Function>> profile(std::string_view name, Function&& function,
                                                       ProfileOptions options = {},
                                                       Registry& registry = default_registry()) {
  return {registry.entry(name), std::forward<Function>(function), options};
}

}  // namespace neurolens::probe
