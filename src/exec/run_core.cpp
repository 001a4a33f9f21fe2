#include "run_core.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <ctime>
#include <thread>

#include "checkpoint_key.hpp"
#include "engine.hpp"
#include "modes.hpp"

namespace neurolens::exec::detail {
namespace {

thread_local const Executor::Pool* this_threads_pool = nullptr;

template <class Cell, class Tasks>
auto pick(bool shared) {
  return shared ? &Engine::loop<true, Cell, Tasks> : &Engine::loop<false, Cell, Tasks>;
}

}  // namespace

std::int64_t monotonic_ns() noexcept {
  timespec now{};
  clock_gettime(CLOCK_MONOTONIC, &now);
  return std::int64_t{now.tv_sec} * 1'000'000'000 + now.tv_nsec;
}

RunCore::RunCore(std::shared_ptr<const Compiled> compiled) : compiled_(std::move(compiled)) {
  const Topology& topology = *compiled_->topology;
  if (topology.wide_counts().empty()) {
    narrow_ = std::make_unique_for_overwrite<std::uint8_t[]>(topology.tasks());
  } else {
    wide_ = std::make_unique_for_overwrite<std::uint32_t[]>(topology.tasks());
  }
  if (compiled_->slot_bytes > 0) slots_ = std::make_unique<std::byte[]>(compiled_->slot_bytes);
  inputs_set_.assign(compiled_->inputs.size(), 0);
  policy_states_.resize(compiled_->policies.size());
}

RunCore::~RunCore() {
  drop_results();
  for (const InputSlot& input : compiled_->inputs) {
    if (input.ops->destroy_result != nullptr) input.ops->destroy_result(input.node, slots_.get());
  }
}

void RunCore::drop_results() {
  for (const std::uint32_t task : compiled_->owners) {
    compiled_->ops[task]->destroy_result(compiled_->records[task].node, slots_.get());
  }
}

const Policy* RunCore::policy(std::uint32_t task) const noexcept {
  if (compiled_->policy_of.empty()) return nullptr;
  const std::uint32_t index = compiled_->policy_of[task];
  return index == kNone ? nullptr : &compiled_->policies[index];
}

Status RunCore::check(const RunOptions& options, std::uint32_t workers) {
  (void)workers;
  if (options.deterministic && options.fail_fast) {
    return Error{Errc::bad_request,
                 "`fail_fast` lets timing decide which tasks run, which `deterministic` rules out; "
                 "choose one of them.",
                 {}};
  }
  for (std::size_t i = 0; i < compiled_->inputs.size(); ++i) {
    if (inputs_set_[i] == 0) {
      return Error{Errc::bad_request,
                   fmt::format("The input \"{}\" has no value; set it before the run.",
                               compiled_->inputs[i].name),
                   {}};
    }
  }
  tokens_.set_capacities(options.tokens);
  for (std::uint32_t t = 0; t < compiled_->policy_of.size(); ++t) {
    if (const Policy* p = policy(t)) {
      if (Status ok = tokens_.check(p->tokens); !ok.ok()) {
        return std::move(ok).error().at(compiled_->name(t));
      }
      if (p->code_version && options.checkpoint != nullptr) {
        NEUROLENS_TRY(check_checkpoint(*compiled_, t));
      }
    }
  }
  if (options.mode == Mode::processes) NEUROLENS_TRY(check_processes(*compiled_));
  return {};
}

void RunCore::reset() {
  drop_results();
  const Topology& topology = *compiled_->topology;
  if (wide_ != nullptr) {
    std::memcpy(wide_.get(), topology.wide_counts().data(), topology.wide_counts().size_bytes());
  } else if (topology.narrow_counts().empty()) {
    std::memset(narrow_.get(), 0, topology.tasks());
  } else {
    std::memcpy(narrow_.get(), topology.narrow_counts().data(), topology.tasks());
  }
  times.clear();
  if (options_.record_times) times.assign(topology.tasks(), TaskTimes{});
  errors_->map.clear();
  causes_.clear();
  causes_built_ = false;
  timers_.clear();
  prioritised_.clear();
  policy_states_.assign(policy_states_.size(), PolicyState{});
  coroutines.clear();
  expansions_.clear();
  for (auto& count : not_done_) count.store(0, std::memory_order_relaxed);
  caller_parked_.store(false, std::memory_order_relaxed);
  reported_ns_ = 0;
  remaining_.store(topology.tasks(), std::memory_order_relaxed);
}

void RunCore::choose_loop() {
  const bool wide = wide_ != nullptr;
  if (general_) {
    loop_ = wide ? pick<std::uint32_t, GeneralTasks>(shared_)
                 : pick<std::uint8_t, GeneralTasks>(shared_);
  } else if (compiled_->uniform != nullptr) {
    loop_ = wide ? pick<std::uint32_t, UniformTasks>(shared_)
                 : pick<std::uint8_t, UniformTasks>(shared_);
  } else {
    loop_ =
        wide ? pick<std::uint32_t, RecordTasks>(shared_) : pick<std::uint8_t, RecordTasks>(shared_);
  }
}

Status RunCore::run(Executor& executor, const RunOptions& options) {
  Executor::Pool& pool = executor.pool();
  const bool nested = this_threads_pool == &pool;
  std::unique_lock<std::mutex> turn(pool.run_mutex, std::defer_lock);
  if (!nested) turn.lock();

  NEUROLENS_TRY(check(options, executor.workers()));
  options_ = options;
  control_ = &(options.control != nullptr ? *options.control : own_control_).state();
  if (options.control == nullptr) own_control_.reset();
  pool_ = &pool;
  const bool many = options.mode == Mode::threads || options.mode == Mode::processes;
  shared_ = many && !nested && executor.workers() > 1;
  general_ = options.record_times || options.observer != nullptr || options.deadline ||
             options.attention.progress != nullptr || options.attention.cancel != nullptr ||
             options.mode == Mode::processes || options.mode == Mode::async ||
             !compiled_->policies.empty() || compiled_->has_expansions;
  reset();
  const std::uint32_t workers = shared_ ? executor.workers() : 1;
  if (options.mode == Mode::processes) {
    NEUROLENS_ASSIGN(remote_, make_processes(*this, workers));
  }
  if (options.mode == Mode::async) {
    NEUROLENS_ASSIGN(reactor_, make_reactor());
  }
  if (shared_) NEUROLENS_TRY(pool.start_threads());
  if (options.deterministic) std::fegetenv(&caller_fenv_);
  choose_loop();

  start_ns_ = monotonic_ns();
  run_deadline_ns_ = options.deadline ? start_ns_ + options.deadline->count : 0;
  {
    const std::lock_guard lock(control_->mutex);
    control_->run = this;
    cancels_seen_.store(control_->version.load(std::memory_order_relaxed),
                        std::memory_order_relaxed);
  }
  const Executor::Pool* const outer = this_threads_pool;
  this_threads_pool = &pool;
  if (compiled_->topology->tasks() > 0) {
    if (shared_) {
      run_shared(pool);
    } else if (nested) {
      Worker me;
      run_alone(me);
    } else {
      run_alone(*pool.workers[0]);
    }
  }
  this_threads_pool = outer;
  {
    const std::lock_guard lock(control_->mutex);
    control_->run = nullptr;
  }
  finish_report(Nanoseconds{monotonic_ns() - start_ns_}, workers);
  remote_.reset();
  reactor_.reset();
  finished_once_ = true;
  return {};
}

void RunCore::begin_worker(Worker& me) {
  me.context.slots_ = slots_.get();
  me.context.run_ = this;
  me.context.worker_ = me.index;
  me.context.attempt_ = 1;
  me.context.deadline_ns_ = 0;
  if (options_.deterministic && me.index != 0) std::fesetenv(&caller_fenv_);
}

void RunCore::run_alone(Worker& me) {
  const Topology& topology = *compiled_->topology;
  me.ended.store(0, std::memory_order_relaxed);
  me.flushed = 0;
  me.stack.clear();
  me.next_root = 0;
  me.end_root = topology.roots().empty() ? topology.tasks()
                                         : static_cast<std::uint32_t>(topology.roots().size());
  begin_worker(me);
  alone_ = &me;
  for (std::uint32_t i = 0; !compiled_->priorities.empty() && i < me.end_root; ++i) {
    const std::uint32_t root = topology.roots().empty() ? i : topology.roots()[i];
    if (compiled_->priorities[root] != 0) prioritised_.push(root, compiled_->priorities[root]);
  }
  loop_(*this, me, kNone);
}

void RunCore::run_shared(Executor::Pool& pool) {
  const Topology& topology = *compiled_->topology;
  const std::uint32_t roots = topology.roots().empty()
                                  ? topology.tasks()
                                  : static_cast<std::uint32_t>(topology.roots().size());
  const auto count = static_cast<std::uint32_t>(pool.workers.size());
  std::uint32_t begin = 0;
  for (std::uint32_t w = 0; w < count; ++w) {
    const auto end = static_cast<std::uint32_t>(std::uint64_t{roots} * (w + 1) / count);
    Worker& worker = *pool.workers[w];
    worker.range.assign(begin, end);
    worker.ended.store(0, std::memory_order_relaxed);
    worker.flushed = 0;
    begin = end;
  }
  for (std::uint32_t i = 0; !compiled_->priorities.empty() && i < roots; ++i) {
    const std::uint32_t root = topology.roots().empty() ? i : topology.roots()[i];
    if (compiled_->priorities[root] != 0) prioritised_.push(root, compiled_->priorities[root]);
  }
  pool.timer_at.store(kNever, std::memory_order_relaxed);
  Worker& me = *pool.workers[0];
  begin_worker(me);
  pool.open_run(*this);
  loop_(*this, me, kNone);
  pool.close_run();
  // Tickets of fan-outs may be left over; no thread is in the run, so all deques are ours.
  for (const auto& worker : pool.workers) {
    while (worker->deque.pop() != kNone) {
    }
  }
}

void RunCore::help(Worker& me, bool searching) {
  this_threads_pool = pool_;
  begin_worker(me);
  const std::uint32_t first = find_work(me, searching);
  if (first != kNone) loop_(*this, me, first);
}

void RunCore::make_ready(Worker& me, std::uint32_t task) {
  if ((task & kTicket) == 0 && !compiled_->priorities.empty() && compiled_->priorities[task] != 0) {
    prioritised_.push(task, compiled_->priorities[task]);
  } else if (shared_) {
    me.deque.push(task);
  } else {
    me.stack.push_back(task);
  }
  if (shared_) pool_->idle.published();
}

bool RunCore::admit(Worker& me, std::uint32_t task) {
  if ((task & kTicket) != 0) return true;
  std::uint32_t attention = control_->attention.load(std::memory_order_acquire);
  while ((attention & Control::State::kPaused) != 0 &&
         (attention & Control::State::kCancelRun) == 0) {
    if (options_.attention.cancel != nullptr || options_.deadline) {
      std::this_thread::sleep_for(std::chrono::milliseconds(5));
      note(me);
    } else {
      control_->attention.wait(attention, std::memory_order_acquire);
    }
    attention = control_->attention.load(std::memory_order_acquire);
  }
  bool cancelled = (attention & Control::State::kCancelRun) != 0;
  if (!cancelled && (attention & Control::State::kCancelTasks) != 0) {
    const std::lock_guard lock(control_->mutex);
    cancelled = control_->cancelled.contains(task);
  }
  if (cancelled) settle(me, task, Outcome::cancelled);
  return !cancelled;
}

template <class Cell>
void RunCore::settle_cells(Worker& me, std::uint32_t first, EndState first_state, Cell* cells) {
  const Topology& topology = *compiled_->topology;
  const bool cancelled_run =
      (control_->attention.load(std::memory_order_relaxed) & Control::State::kCancelRun) != 0;
  std::vector<std::pair<std::uint32_t, EndState>> work{{first, first_state}};
  while (!work.empty()) {
    const auto [task, state] = work.back();
    work.pop_back();
    if (state != EndState::done) {
      std::atomic_ref<Cell>(cells[task])
          .store(static_cast<Cell>(kPoison<Cell> | static_cast<Cell>(state)),
                 std::memory_order_relaxed);
      not_done_[static_cast<std::size_t>(state)].fetch_add(1, std::memory_order_relaxed);
    }
    me.count_ended();
    if (topology.offsets().empty()) continue;
    for (std::uint32_t e = topology.offsets()[task]; e < topology.offsets()[task + 1]; ++e) {
      const std::uint32_t id = topology.successors()[e] & ~Topology::kOnly;
      const EdgeRule rule = topology.rules().empty() ? EdgeRule::skip : topology.rules()[e];
      if (state != EndState::done && rule == EdgeRule::skip) {
        std::atomic_ref<Cell>(cells[id]).fetch_or(kPoison<Cell>, std::memory_order_acq_rel);
      }
      Cell value;
      if (!Engine::count_down<true>(cells[id], value)) continue;
      if ((value & kPoison<Cell>) != 0) {
        work.emplace_back(id, cancelled_run ? EndState::cancelled : EndState::skipped);
      } else {
        make_ready(me, id);
      }
    }
  }
}

void RunCore::settle(Worker& me, std::uint32_t task, Outcome outcome) {
  if (outcome == Outcome::suspended) return;
  if (outcome == Outcome::failed && cancel_requested(task)) outcome = Outcome::cancelled;
  const auto state = static_cast<EndState>(outcome);
  if (state != EndState::done) abandon(me, task);
  if (options_.fail_fast && (state == EndState::failed || state == EndState::timed_out)) {
    control_->attention.fetch_or(Control::State::kCancelRun, std::memory_order_seq_cst);
    wake();
  }
  if (narrow_ != nullptr) {
    settle_cells(me, task, state, narrow_.get());
  } else {
    settle_cells(me, task, state, wide_.get());
  }
}

bool RunCore::cancel_requested(std::uint32_t task) const noexcept {
  const std::uint32_t attention = control_->attention.load(std::memory_order_relaxed);
  if ((attention & Control::State::kCancelRun) != 0) return true;
  if (options_.attention.cancelled()) return true;
  if (run_deadline_ns_ != 0 && monotonic_ns() >= run_deadline_ns_) return true;
  if ((attention & Control::State::kCancelTasks) == 0) return false;
  const std::lock_guard lock(control_->mutex);
  return control_->cancelled.contains(task);
}

void RunCore::wake() noexcept {
  if (pool_ == nullptr) return;
  pool_->idle.tell(Idle<>::kEverybody);
  if (reactor_ != nullptr) reactor_->wake();
}

}  // namespace neurolens::exec::detail
