#include <cxxabi.h>

#include <cstdlib>
#include <exception>
#include <memory>
#include <new>
#include <typeinfo>

#include "run_core.hpp"

namespace neurolens::exec {
namespace detail {
namespace {

std::string readable(const char* mangled) {
  int status = 0;
  const std::unique_ptr<char, decltype(&std::free)> text(
      abi::__cxa_demangle(mangled, nullptr, nullptr, &status), &std::free);
  return status == 0 ? text.get() : mangled;
}

}  // namespace

Outcome report_exception(TaskContext& context) noexcept {
  TaskError found;
  found.error.code = Errc::task_failed;
  found.attempts = context.attempt();
  try {
    throw;
  } catch (const Error& error) {
    found.error = error;
  } catch (const std::bad_alloc& exception) {
    found.error.code = Errc::out_of_memory;
    found.error.message = exception.what();
    found.type = readable(typeid(exception).name());
  } catch (const std::exception& exception) {
    found.error.message = exception.what();
    found.type = readable(typeid(exception).name());
  } catch (const std::string& text) {
    found.error.message = text;
    found.type = "std::string";
  } catch (const char* text) {
    found.error.message = text;
    found.type = "const char*";
  } catch (...) {
    const std::type_info* const type = abi::__cxa_current_exception_type();
    found.type = type != nullptr ? readable(type->name()) : "foreign exception";
    found.error.message = "An object of this type was thrown; it carries no message.";
  }
  return Access::run(context)->record_error(context.task().value, std::move(found),
                                            Outcome::failed);
}

Outcome report_error(TaskContext& context, Error error) noexcept {
  TaskError found;
  found.error = std::move(error);
  found.attempts = context.attempt();
  const Outcome outcome = context.skip_ ? Outcome::skipped : Outcome::failed;
  context.skip_ = false;
  return Access::run(context)->record_error(context.task().value, std::move(found), outcome);
}

EndState state_of(const TaskContext& context, std::uint32_t task) noexcept {
  return Access::run(context)->state(task);
}

const TaskError* error_of(const TaskContext& context, std::uint32_t task) noexcept {
  return Access::run(context)->error(task);
}

}  // namespace detail

bool TaskContext::cancelled() const noexcept {
  if (run_ == nullptr) return false;
  if (deadline_ns_ != 0 && detail::monotonic_ns() >= deadline_ns_) return true;
  return run_->cancel_requested(task_);
}

std::optional<Nanoseconds> TaskContext::time_left() const noexcept {
  if (deadline_ns_ == 0) return {};
  return Nanoseconds{deadline_ns_ - detail::monotonic_ns()};
}

Error TaskContext::skip(std::string why) noexcept {
  skip_ = true;
  return {Errc::check_failed, std::move(why), {}};
}

Random TaskContext::random() const noexcept {
  return Random(run_->seed(), task_);
}

std::string_view to_string(EndState state) noexcept {
  switch (state) {
    case EndState::done:
      return "done";
    case EndState::failed:
      return "failed";
    case EndState::skipped:
      return "skipped";
    case EndState::cancelled:
      return "cancelled";
    case EndState::timed_out:
      return "timed_out";
  }
  return "unknown";
}

std::string_view to_string(Mode mode) noexcept {
  switch (mode) {
    case Mode::threads:
      return "threads";
    case Mode::processes:
      return "processes";
    case Mode::async:
      return "async";
    case Mode::serial:
      return "serial";
  }
  return "unknown";
}

}  // namespace neurolens::exec
