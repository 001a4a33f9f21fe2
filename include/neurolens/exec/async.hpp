/// \file
/// Tasks that wait without holding a worker: C++20 coroutines that return Async<T>.
/// In Mode::async one thread runs all of them and overlaps their waiting (epoll, timers). In the
/// other modes a coroutine task holds its worker while it waits; values and errors are the same.
#pragma once

#include <coroutine>
#include <cstdint>
#include <exception>
#include <optional>
#include <utility>

#include "neurolens/base/units.hpp"

namespace neurolens::exec {

namespace detail {

/// What a suspended coroutine waits for.
struct Wait {
  enum class Kind : std::uint8_t { nothing, instant, readable, writable };
  Kind kind = Kind::nothing;
  int fd = -1;
  std::int64_t until_ns = 0;  ///< Monotonic.
};

/// Shared by a task's coroutine and those it awaits: whom to resume, and when.
struct AsyncFrame {
  std::coroutine_handle<> current;
  Wait wait;
};

/// What the promises of all coroutine types share.
struct PromiseBase {
  AsyncFrame* frame = nullptr;
  std::coroutine_handle<> parent;
  std::exception_ptr error;

  struct Final {
    [[nodiscard]] bool await_ready() const noexcept { return false; }
    template <class P>
    std::coroutine_handle<> await_suspend(std::coroutine_handle<P> handle) const noexcept {
      PromiseBase& promise = handle.promise();
      if (!promise.parent) return std::noop_coroutine();
      promise.frame->current = promise.parent;
      return promise.parent;
    }
    void await_resume() const noexcept {}
  };
  [[nodiscard]] std::suspend_always initial_suspend() const noexcept { return {}; }
  [[nodiscard]] Final final_suspend() const noexcept { return {}; }
  void unhandled_exception() noexcept { error = std::current_exception(); }
};

/// Promise of an Async<T>.
template <class T>
struct Promise : PromiseBase {
  std::optional<T> value;
  template <class U>
  void return_value(U&& v) {
    value.emplace(std::forward<U>(v));
  }
  T take() {
    if (error) std::rethrow_exception(error);
    return std::move(*value);
  }
};
/// Promise of an Async<void>.
template <>
struct Promise<void> : PromiseBase {
  void return_void() noexcept {}
  void take() const {
    if (error) std::rethrow_exception(error);
  }
};

/// The monotonic instant `duration` from now, in nanoseconds.
[[nodiscard]] std::int64_t instant_after(Nanoseconds duration) noexcept;

/// Suspends the awaiting coroutine until `wait` is over.
struct WaitFor {
  Wait wait;
  [[nodiscard]] bool await_ready() const noexcept { return false; }
  template <class P>
  void await_suspend(std::coroutine_handle<P> handle) const noexcept {
    AsyncFrame& frame = *handle.promise().frame;
    frame.current = handle;
    frame.wait = wait;
  }
  void await_resume() const noexcept {}
};

}  // namespace detail

/// A coroutine that will yield a T. Begins when awaited, or when its task runs. Move-only.
template <class T>
class [[nodiscard]] Async {
 public:
  using value_type = T;
  struct promise_type : detail::Promise<T> {
    Async get_return_object() {
      return Async(std::coroutine_handle<promise_type>::from_promise(*this));
    }
  };

  Async(Async&& other) noexcept : handle_(std::exchange(other.handle_, {})) {}
  Async& operator=(Async&& other) noexcept {
    std::swap(handle_, other.handle_);
    return *this;
  }
  ~Async() {
    if (handle_) handle_.destroy();
  }

  // Awaiting another coroutine from a coroutine.
  [[nodiscard]] bool await_ready() const noexcept { return false; }
  template <class P>
  std::coroutine_handle<> await_suspend(std::coroutine_handle<P> parent) noexcept {
    handle_.promise().parent = parent;
    handle_.promise().frame = parent.promise().frame;
    handle_.promise().frame->current = handle_;
    return handle_;
  }
  T await_resume() { return handle_.promise().take(); }

  // For the engine.
  void begin(detail::AsyncFrame& frame) {
    handle_.promise().frame = &frame;
    frame.current = handle_;
  }
  [[nodiscard]] bool done() const noexcept { return handle_.done(); }

 private:
  explicit Async(std::coroutine_handle<promise_type> handle) : handle_(handle) {}
  std::coroutine_handle<promise_type> handle_;
};

/// co_await sleep_for(d): continues after at least `duration`.
[[nodiscard]] inline detail::WaitFor sleep_for(Nanoseconds duration) {
  return {{detail::Wait::Kind::instant, -1, detail::instant_after(duration)}};
}
/// co_await readable(fd): continues when reading would not block (data, end of file, error).
/// The descriptor must stay open meanwhile and be awaited by one coroutine at a time.
[[nodiscard]] inline detail::WaitFor readable(int fd) {
  return {{detail::Wait::Kind::readable, fd, 0}};
}
/// co_await writable(fd): continues when writing would not block.
[[nodiscard]] inline detail::WaitFor writable(int fd) {
  return {{detail::Wait::Kind::writable, fd, 0}};
}
/// co_await yield_now(): lets other ready tasks go first.
[[nodiscard]] inline detail::WaitFor yield_now() {
  return {{detail::Wait::Kind::instant, -1, 0}};
}

}  // namespace neurolens::exec
