/// \file
/// How long work reports where it is and learns that it should stop. Libraries never print; the
/// command line draws what arrives here.
#pragma once

#include <atomic>
#include <optional>
#include <string_view>

namespace neurolens {

/// Receives progress. Calls may come from any thread, but not at the same time.
class Progress {
 public:
  virtual ~Progress() = default;
  /// `phase` names the step ("warm-up"); `fraction` in [0, 1] of that step, nullopt when not known.
  virtual void update(std::string_view phase, std::optional<double> fraction) = 0;
};

/// A flag that asks work to stop. Setting it is async-signal-safe; it is never cleared.
class CancelToken {
 public:
  void cancel() noexcept { cancelled_.store(true, std::memory_order_relaxed); }
  [[nodiscard]] bool cancelled() const noexcept {
    return cancelled_.load(std::memory_order_relaxed);
  }

 private:
  std::atomic<bool> cancelled_{false};
  static_assert(std::atomic<bool>::is_always_lock_free);
};

/// What every long operation takes. Both may be null: silent, not cancellable. Not owned.
struct Attention {
  Progress* progress = nullptr;
  const CancelToken* cancel = nullptr;

  void report(std::string_view phase, std::optional<double> fraction = {}) const {
    if (progress != nullptr) progress->update(phase, fraction);
  }
  [[nodiscard]] bool cancelled() const noexcept { return cancel != nullptr && cancel->cancelled(); }
};

}  // namespace neurolens
