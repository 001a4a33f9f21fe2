/// \file
/// What every source of measurements looks like. Adding one means adding a folder under
/// src/capture/adapters and a line in src/capture/builtin.cpp; nothing else changes.
#pragma once

#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "neurolens/base/result.hpp"

namespace neurolens::run {
struct Run;
}
namespace neurolens::capture {

struct CaptureRequest;  // what to measure: capture/request.hpp
struct Host;            // read-only facts about this machine: capture/host.hpp

/// Can the adapter work here? If not, `reason` is a sentence the user can act on, such as
/// "perf_event_paranoid is 3; needs <= 2". Empty when usable.
struct Availability {
  bool usable = false;
  std::string reason;
  std::string version;   ///< Of the tool behind the adapter; empty when there is none or not known.
  std::string location;  ///< Library or program that would be used; empty when not applicable.
};

/// One measurement. The caller invokes start, stop, drain: in this order, once each, one thread.
class Session {
 public:
  virtual ~Session() = default;
  /// REQUIRED. Begins measuring; on error nothing was started. An adapter that runs the workload
  /// itself (a model under a backend) does so here and returns when the measurement is over.
  virtual Status start() = 0;
  /// REQUIRED. Ends measuring. Must not wait for I/O: it sits inside the measured region.
  virtual Status stop() = 0;
  /// REQUIRED. Hands over the record, including how many events were lost. Caller owns it.
  virtual Result<run::Run> drain() = 0;
  /// OPTIONAL. Cost of one start/stop pair to the workload; nullopt means "not measured".
  [[nodiscard]] virtual std::optional<std::chrono::nanoseconds> overhead() const { return {}; }
};

/// Turns one tool into Sessions. Immutable, hence safe to share between threads.
class Adapter {
 public:
  virtual ~Adapter() = default;
  /// Unique key, [a-z0-9_]+; also the value of `--adapter`.
  [[nodiscard]] virtual std::string_view name() const noexcept = 0;
  /// Cheap, has no lasting side effects, never fails: "no" is an answer, not an error.
  [[nodiscard]] virtual Availability probe(const Host& host) const = 0;
  /// The same for a request, which may name a library of its own. Default: probe(host).
  [[nodiscard]] virtual Availability probe(const Host& host, const CaptureRequest& request) const;
  /// Errors: unavailable (same sentence as probe), bad_request, and those of the model.
  [[nodiscard]] virtual Result<std::unique_ptr<Session>> open(
      const CaptureRequest& request) const = 0;
};

/// Owns adapters. A plain value, so every test builds its own.
class AdapterRegistry {
 public:
  /// Errors: duplicate_name; bad_request for a name outside [a-z0-9_]+.
  Status add(std::unique_ptr<const Adapter> adapter);
  /// nullptr when absent; otherwise valid as long as the registry.
  [[nodiscard]] const Adapter* find(std::string_view name) const noexcept;
  /// In the order of adding; valid as long as the registry.
  [[nodiscard]] std::vector<const Adapter*> all() const;

 private:
  std::vector<std::unique_ptr<const Adapter>> adapters_;
};

/// Adds every adapter of this build. Those whose tool is absent are there, and say so.
Status add_builtin(AdapterRegistry& registry);

}  // namespace neurolens::capture
