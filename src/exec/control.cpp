#include "neurolens/exec/control.hpp"

#include <condition_variable>
#include <thread>

#include "neurolens/exec/run.hpp"
#include "run_core.hpp"

namespace neurolens::exec {

Control::Control() : state_(std::make_unique<State>()) {}
Control::~Control() = default;

void Control::cancel() {
  state_->attention.fetch_or(State::kCancelRun, std::memory_order_seq_cst);
  state_->attention.notify_all();
  const std::lock_guard lock(state_->mutex);
  if (state_->run != nullptr) state_->run->wake();
}

void Control::cancel(TaskId task) {
  const std::lock_guard lock(state_->mutex);
  state_->cancelled.insert(task.value);
  state_->version.fetch_add(1, std::memory_order_seq_cst);
  state_->attention.fetch_or(State::kCancelTasks, std::memory_order_seq_cst);
  if (state_->run != nullptr) state_->run->wake();
}

void Control::pause() {
  state_->attention.fetch_or(State::kPaused, std::memory_order_seq_cst);
}

void Control::resume() {
  state_->attention.fetch_and(~State::kPaused, std::memory_order_seq_cst);
  state_->attention.notify_all();
}

RunProgress Control::progress() const {
  const std::lock_guard lock(state_->mutex);
  return state_->run != nullptr ? state_->run->progress() : RunProgress{};
}

void Control::reset() {
  const std::lock_guard lock(state_->mutex);
  state_->attention.store(0, std::memory_order_seq_cst);
  state_->cancelled.clear();
}

struct Running::State {
  Control own;
  Control* control = nullptr;
  std::mutex mutex;
  std::condition_variable changed;
  std::optional<Status> result;
  std::thread thread;
};

Running::Running(Run& run, Executor& executor, RunOptions options)
    : state_(std::make_unique<State>()) {
  if (options.control == nullptr) options.control = &state_->own;
  state_->control = options.control;
  state_->thread =
      std::thread([state = state_.get(), &run, &executor, options = std::move(options)] {
        Status status = run.run(executor, options);
        const std::lock_guard lock(state->mutex);
        state->result = std::move(status);
        state->changed.notify_all();
      });
}

Running::~Running() {
  state_->thread.join();
}

std::optional<Status> Running::wait(Nanoseconds patience) {
  std::unique_lock lock(state_->mutex);
  state_->changed.wait_for(lock, std::chrono::nanoseconds(patience.count),
                           [&] { return state_->result.has_value(); });
  return state_->result;
}

Status Running::wait() {
  std::unique_lock lock(state_->mutex);
  state_->changed.wait(lock, [&] { return state_->result.has_value(); });
  return *state_->result;
}

Control& Running::control() noexcept {
  return *state_->control;
}

}  // namespace neurolens::exec
