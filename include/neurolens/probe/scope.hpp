/// \file
/// Instrumentation macros and the types behind them.
/// Cost: a scope that is recorded costs two readings of the time-stamp counter and about 2 ns;
/// while recording is off, one predicted branch; with NEUROLENS_PROBE_DISABLED defined, nothing at
/// all. Precision: readings are not serialised against neighbouring instructions, so that durations
/// below about 20 ns blur into their surroundings. Threads: everything here may be used from any
/// thread, in signal handlers, during exceptions, and from libraries that are unloaded later.
#pragma once

#include <bit>
#include <cstdint>
#include <initializer_list>

#include "neurolens/probe/hot_path.hpp"

namespace neurolens::probe {

/// True while a session records; for leaving out work that only feeds the probe.
[[nodiscard]] NEUROLENS_PROBE_INLINE bool recording() noexcept {
  return hot::mode.load(std::memory_order_relaxed) != 0;
}

/// A scope: begins here, ends with the block, also when an exception leaves it.
class Scope {
 public:
  NEUROLENS_PROBE_INLINE explicit Scope(const Site& site) noexcept
      : mode_(hot::mode.load(std::memory_order_relaxed)) {
    if (mode_ != 0 && !hot::begin(site, mode_)) [[unlikely]]
      mode_ = 0;
  }
  NEUROLENS_PROBE_INLINE ~Scope() {
    if (mode_ != 0) hot::put(hot::kEnd, mode_);
  }
  Scope(const Scope&) = delete;
  Scope& operator=(const Scope&) = delete;

  /// Attaches a number to this scope. `name` should carry the unit: "bytes", "flops", "rows".
  /// Requires that no scope inside this one is still open.
  NEUROLENS_PROBE_INLINE Scope& value(const Site& name, std::int64_t number) noexcept {
    if (mode_ != 0) put_value(name, 0, static_cast<std::uint64_t>(number));
    return *this;
  }
  NEUROLENS_PROBE_INLINE Scope& value(const Site& name, double number) noexcept {
    if (mode_ != 0) put_value(name, 1, std::bit_cast<std::uint64_t>(number));
    return *this;
  }
  /// Attaches a shape, outermost dimension first; at most 255 dimensions.
  NEUROLENS_PROBE_INLINE Scope& shape(const Site& name,
                                      std::initializer_list<std::int64_t> dimensions) noexcept {
    if (mode_ == 0) return *this;
    std::uint64_t index = 0;
    for (const std::int64_t extent : dimensions) {
      put_value(name, 2 | index++ << 8 | dimensions.size() << 16,
                static_cast<std::uint64_t>(extent));
    }
    return *this;
  }

 private:
  NEUROLENS_PROBE_INLINE static void put_value(const Site& name, std::uint64_t detail,
                                               std::uint64_t bits) noexcept {
    hot::put_event(hot::kValue, code_of(name), detail, bits);
  }
  NEUROLENS_PROBE_INLINE static std::uint32_t code_of(const Site& site) noexcept {
    const std::uint32_t code = site.code.load(std::memory_order_relaxed);
    return code != 0 ? code : hot::register_site(site);
  }
  std::uint32_t mode_;
};

/// A site whose name is made at run time (an operator's name from a model, say). Copies the text;
/// equal text gives the same site. Costs a look-up: keep the handle, do not make one per event.
class NamedSite {
 public:
  NEUROLENS_PROBE_INLINE explicit NamedSite(const char* name, const char* category = "") noexcept
      : site_{name, "", 0, category} {
    hot::register_site(site_);
    site_.name = "";  // the text was copied and may go away
    site_.category = "";
  }
  NamedSite(const NamedSite& other) noexcept : site_{"", "", 0, "", {}} { copy(other); }
  NamedSite& operator=(const NamedSite& other) noexcept {
    copy(other);
    return *this;
  }
  operator const Site&() const noexcept { return site_; }  // NOLINT: stands in for a Site

 private:
  void copy(const NamedSite& other) noexcept {
    site_.code.store(other.site_.code.load(std::memory_order_relaxed), std::memory_order_relaxed);
  }
  Site site_;
};

/// A point in time on this thread.
void instant(const Site& site, std::int64_t value = 0) noexcept;
/// A quantity over time; one track per site.
void counter(const Site& site, std::int64_t value) noexcept;
void counter(const Site& site, double value) noexcept;
/// Marks the begin of frame or iteration `index` on this thread; it lasts until the next mark of
/// the same site. Iterations become the samples of a Run.
void mark(const Site& site, std::int64_t index) noexcept;
/// Names the calling thread; the text is copied.
void set_thread_name(const char* name) noexcept;

/// An arrow between scopes, across threads: begin inside the producing scope, end inside the
/// consuming one. `id` ties the ends together; unique_id() makes one.
enum class FlowPhase : std::uint8_t { begin, step, end };
void flow(const Site& site, FlowPhase phase, std::uint64_t id) noexcept;
/// A number that no other call in this process returned.
[[nodiscard]] std::uint64_t unique_id() noexcept;

/// Work that begins on one thread and may end on another: requests, coroutines, asynchronous I/O.
/// Move-only; ends once, at end() or destruction.
class AsyncSpan {
 public:
  AsyncSpan() noexcept = default;
  explicit AsyncSpan(const Site& site) noexcept;
  AsyncSpan(AsyncSpan&& other) noexcept : code_(other.code_), id_(other.id_) { other.code_ = 0; }
  NEUROLENS_PROBE_INLINE AsyncSpan& operator=(AsyncSpan&& other) noexcept {
    if (this != &other) {
      end();
      code_ = other.code_;
      id_ = other.id_;
      other.code_ = 0;
    }
    return *this;
  }
  NEUROLENS_PROBE_INLINE ~AsyncSpan() { end(); }
  void end() noexcept;

 private:
  std::uint32_t code_ = 0;
  std::uint64_t id_ = 0;
};

}  // namespace neurolens::probe

#define NEUROLENS_PROBE_JOIN_INNER(a, b) a##b
#define NEUROLENS_PROBE_JOIN(a, b) NEUROLENS_PROBE_JOIN_INNER(a, b)
#define NEUROLENS_PROBE_SITE(variable, name)           \
  static constinit ::neurolens::probe::Site variable { \
    name, __FILE__, __LINE__, ""                       \
  }

#ifndef NEUROLENS_PROBE_DISABLED

/// Times the rest of the block under `name`, a string literal.
#define NEUROLENS_SCOPE(name)                                                        \
  NEUROLENS_PROBE_SITE(NEUROLENS_PROBE_JOIN(neurolens_site_, __LINE__), name);       \
  const ::neurolens::probe::Scope NEUROLENS_PROBE_JOIN(neurolens_scope_, __LINE__) { \
    NEUROLENS_PROBE_JOIN(neurolens_site_, __LINE__)                                  \
  }
/// The same under a variable, for NEUROLENS_VALUE and NEUROLENS_SHAPE.
#define NEUROLENS_NAMED_SCOPE(variable, name)                                  \
  NEUROLENS_PROBE_SITE(NEUROLENS_PROBE_JOIN(neurolens_site_, __LINE__), name); \
  ::neurolens::probe::Scope variable {                                         \
    NEUROLENS_PROBE_JOIN(neurolens_site_, __LINE__)                            \
  }
/// Times the rest of the block under the function's name.
#define NEUROLENS_FUNCTION() NEUROLENS_SCOPE(__func__)
#define NEUROLENS_PROBE_CALL(name, call)               \
  do {                                                 \
    if (::neurolens::probe::recording()) {             \
      NEUROLENS_PROBE_SITE(neurolens_call_site, name); \
      call;                                            \
    }                                                  \
  } while (false)
/// Attaches `number` to the scope variable under `name`; evaluated only while recording.
#define NEUROLENS_VALUE(variable, name, number) \
  NEUROLENS_PROBE_CALL(name, (variable).value(neurolens_call_site, number))
/// NEUROLENS_SHAPE(scope, "shape", 1, 3, 224, 224)
#define NEUROLENS_SHAPE(variable, name, ...) \
  NEUROLENS_PROBE_CALL(name, (variable).shape(neurolens_call_site, {__VA_ARGS__}))
#define NEUROLENS_INSTANT(name) \
  NEUROLENS_PROBE_CALL(name, ::neurolens::probe::instant(neurolens_call_site))
#define NEUROLENS_COUNTER(name, number) \
  NEUROLENS_PROBE_CALL(name, ::neurolens::probe::counter(neurolens_call_site, number))
#define NEUROLENS_ITERATION(name, index) \
  NEUROLENS_PROBE_CALL(name, ::neurolens::probe::mark(neurolens_call_site, index))
#define NEUROLENS_FLOW_BEGIN(name, id)                                     \
  NEUROLENS_PROBE_CALL(name, ::neurolens::probe::flow(neurolens_call_site, \
                                                      ::neurolens::probe::FlowPhase::begin, id))
#define NEUROLENS_FLOW_STEP(name, id)                                      \
  NEUROLENS_PROBE_CALL(name, ::neurolens::probe::flow(neurolens_call_site, \
                                                      ::neurolens::probe::FlowPhase::step, id))
#define NEUROLENS_FLOW_END(name, id) \
  NEUROLENS_PROBE_CALL(              \
      name, ::neurolens::probe::flow(neurolens_call_site, ::neurolens::probe::FlowPhase::end, id))
#define NEUROLENS_THREAD_NAME(name) ::neurolens::probe::set_thread_name(name)

#else

#define NEUROLENS_SCOPE(name) static_cast<void>(0)
#define NEUROLENS_NAMED_SCOPE(variable, name) static_cast<void>(0)
#define NEUROLENS_FUNCTION() static_cast<void>(0)
#define NEUROLENS_VALUE(variable, name, number) static_cast<void>(0)
#define NEUROLENS_SHAPE(variable, name, ...) static_cast<void>(0)
#define NEUROLENS_INSTANT(name) static_cast<void>(0)
#define NEUROLENS_COUNTER(name, number) static_cast<void>(0)
#define NEUROLENS_ITERATION(name, index) static_cast<void>(0)
#define NEUROLENS_FLOW_BEGIN(name, id) static_cast<void>(0)
#define NEUROLENS_FLOW_STEP(name, id) static_cast<void>(0)
#define NEUROLENS_FLOW_END(name, id) static_cast<void>(0)
#define NEUROLENS_THREAD_NAME(name) static_cast<void>(0)

#endif
