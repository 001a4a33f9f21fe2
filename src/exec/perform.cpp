// The general way to run a task: policies, observers, times, other places to run. Nothing here is
// touched by a run that asks for none of it.
#include <fmt/format.h>

#include <algorithm>

#include "checkpoint_key.hpp"
#include "engine.hpp"
#include "neurolens/exec/checkpoint.hpp"
#include "neurolens/exec/observer.hpp"
#include "run_core.hpp"

namespace neurolens::exec::detail {
namespace {

constexpr std::int64_t kReportPeriodNs = 100'000'000;

}  // namespace

Outcome RunCore::perform(Worker& me, std::uint32_t task) {
  if ((task & kTicket) != 0) return call_element(me, task & ~kTicket);
  note(me);
  if ((control_->attention.load(std::memory_order_relaxed) & Control::State::kCancelRun) != 0) {
    return Outcome::cancelled;
  }
  const Policy* const wanted = policy(task);
  if (wanted == nullptr) return call(me, 0);
  return perform_policy(me, *wanted, policy_states_[compiled_->policy_of[task]]);
}

Outcome RunCore::call_here(TaskContext& context) noexcept {
  if (compiled_->uniform != nullptr) return compiled_->uniform(compiled_->object, context);
  const TaskRecord& record = compiled_->records[context.task_];
  return record.call(record.node, context);
}

Outcome RunCore::call(Worker& me, std::int64_t deadline_ns) {
  TaskContext& context = me.context;
  const std::uint32_t task = context.task_;
  const bool timed = options_.record_times || options_.observer != nullptr;
  const std::int64_t begin = timed ? monotonic_ns() : 0;
  if (options_.observer != nullptr) {
    options_.observer->begin(TaskId{task}, me.index, context.attempt_, Nanoseconds{begin});
  }
  context.deadline_ns_ = deadline_ns;
  if (options_.record_times) {  // before the call: a suspended task may be continued elsewhere
    TaskTimes& t = times[task];
    if (t.calls++ == 0) t.begin = Nanoseconds{begin - start_ns_};
    t.worker = me.index;
  }
  me.busy.store(1, std::memory_order_relaxed);
  const Outcome outcome =
      remote_ != nullptr ? remote_->call(*this, context, deadline_ns) : call_here(context);
  me.busy.store(0, std::memory_order_relaxed);
  context.deadline_ns_ = 0;
  if (!timed) return outcome;
  const std::int64_t end = monotonic_ns();
  if (options_.record_times && (outcome != Outcome::suspended || reactor_ != nullptr)) {
    times[task].busy += Nanoseconds{end - begin};
    times[task].end = Nanoseconds{end - start_ns_};
  }
  if (options_.observer != nullptr) {
    options_.observer->end(TaskId{task}, me.index, outcome, Nanoseconds{end});
  }
  return outcome;
}

Outcome RunCore::perform_policy(Worker& me, const Policy& policy, PolicyState& state) {
  TaskContext& context = me.context;
  const std::uint32_t task = context.task_;
  if (state.attempt == 0 && policy.code_version && options_.checkpoint != nullptr &&
      restore_result(policy, state, task)) {
    return Outcome::done;
  }
  if (!policy.tokens.empty() && !state.holds) {
    // Once queued the task belongs to whoever releases the token: nothing may be touched after
    // that.
    if (!tokens_.acquire(task, policy.tokens, policy.priority)) return Outcome::suspended;
    state.holds = true;
  }
  if (!state.in_flight) {
    ++state.attempt;
    state.deadline_ns = policy.deadline ? monotonic_ns() + policy.deadline->count : 0;
    if (state.attempt > 1) forget_error(task);
  }
  const bool late_already =
      state.in_flight && state.deadline_ns != 0 && monotonic_ns() >= state.deadline_ns;
  context.attempt_ = state.attempt;
  Outcome outcome = Outcome::timed_out;
  if (late_already) {
    abandon_coroutine(me, task);
  } else {
    outcome = call(me, state.deadline_ns);
  }
  context.attempt_ = 1;
  if (outcome == Outcome::suspended) {
    if (!state.in_flight && state.deadline_ns != 0) retry_at(state.deadline_ns, task | kTicket);
    state.in_flight = true;
    return outcome;
  }
  state.in_flight = false;
  const bool late = state.deadline_ns != 0 && monotonic_ns() >= state.deadline_ns;
  if (late && (outcome == Outcome::done || outcome == Outcome::failed || late_already)) {
    if (outcome == Outcome::done && compiled_->uniform == nullptr &&
        compiled_->ops[task]->destroy_result != nullptr) {
      compiled_->ops[task]->destroy_result(compiled_->records[task].node, slots_.get());
    }
    TaskError error;
    error.error.code = Errc::timed_out;
    error.error.message =
        fmt::format("It ran longer than its deadline of {:.6g} s.", policy.deadline->count * 1e-9);
    error.attempts = state.attempt;
    outcome = record_error(task, std::move(error), Outcome::timed_out);
  }
  const bool bad = outcome == Outcome::failed || outcome == Outcome::timed_out;
  if (bad && state.attempt <= policy.retry.times && !cancel_requested(task) &&
      (!policy.retry.only_if || policy.retry.only_if(*error(task)))) {
    Random random(options_.seed ^ 0xB0FFull, (std::uint64_t{state.attempt} << 32) | task);
    const Nanoseconds wait = backoff(policy.retry, state.attempt, random.uniform());
    release_tokens(me, policy, state);
    retry_at(monotonic_ns() + wait.count, task);  // the task is no longer ours after this
    return Outcome::suspended;
  }
  if (outcome == Outcome::done && !state.key.empty()) save_result(state, task);
  release_tokens(me, policy, state);
  return outcome;
}

void RunCore::retry_at(std::int64_t at_ns, std::uint32_t timer) {
  if (!timers_.add(at_ns, timer)) return;
  if (!shared_) return;
  pool_->timer_at.store(timers_.next(), std::memory_order_seq_cst);
  pool_->idle.published();  // a sleeper must look at the clock earlier than it planned
}

void RunCore::release_tokens(Worker& me, const Policy& policy, PolicyState& state) {
  if (!state.holds) return;
  state.holds = false;
  std::vector<std::uint32_t> granted;
  tokens_.release(policy.tokens, granted);
  for (const std::uint32_t task : granted) {
    policy_states_[compiled_->policy_of[task]].holds = true;
    make_ready(me, task);
  }
}

void RunCore::abandon_coroutine(Worker& me, std::uint32_t task) {
  if (compiled_->uniform != nullptr || compiled_->ops[task]->abandon == nullptr) return;
  const std::uint32_t present = me.context.task_;
  me.context.task_ = task;
  compiled_->ops[task]->abandon(compiled_->records[task].node, me.context);
  me.context.task_ = present;
}

void RunCore::abandon(Worker& me, std::uint32_t task) {
  abandon_coroutine(me, task);
  if (const Policy* const wanted = policy(task)) {
    PolicyState& state = policy_states_[compiled_->policy_of[task]];
    state.in_flight = false;
    release_tokens(me, *wanted, state);
  }
}

// Due timers, and waiting tasks that were cancelled.
void RunCore::poll(Worker& me) {
  if (const std::int64_t next = timers_.next(); next != kNever && next <= monotonic_ns()) {
    std::vector<std::uint32_t> due;
    timers_.take_due(monotonic_ns(), due);
    for (const std::uint32_t timer : due) {
      if ((timer & kTicket) == 0) {
        make_ready(me, timer);
        continue;
      }
      // The deadline of a suspended coroutine; it may be long over.
      const std::uint32_t task = timer & ~kTicket;
      const PolicyState& state = policy_states_[compiled_->policy_of[task]];
      if (!state.in_flight || state.deadline_ns > monotonic_ns() || reactor_ == nullptr) continue;
      std::vector<std::uint32_t> taken;
      reactor_->take_if([&](std::uint32_t t) { return t == task; }, taken);
      if (!taken.empty()) make_ready(me, task);
    }
    if (shared_) pool_->timer_at.store(timers_.next(), std::memory_order_seq_cst);
  }
  if (cancels_pending()) cancel_waiting(me);
}

void RunCore::cancel_waiting(Worker& me) {
  cancels_seen_.store(control_->version.load(std::memory_order_seq_cst), std::memory_order_seq_cst);
  std::vector<std::uint32_t> taken;
  std::function<bool(std::uint32_t)> chosen = [](std::uint32_t) { return true; };
  if ((control_->attention.load(std::memory_order_seq_cst) & Control::State::kCancelRun) == 0) {
    const std::lock_guard lock(control_->mutex);
    chosen = [cancelled = control_->cancelled](std::uint32_t t) { return cancelled.contains(t); };
  }
  timers_.take_if(chosen, taken);
  if (shared_) pool_->timer_at.store(timers_.next(), std::memory_order_seq_cst);
  tokens_.take_if(chosen, taken);
  if (reactor_ != nullptr) reactor_->take_if(chosen, taken);
  for (const std::uint32_t task : taken) {
    if ((task & kTicket) == 0) settle(me, task, Outcome::cancelled);
  }
}

// Looks at what cannot call us: the caller's cancel token, the run's deadline; and reports
// progress.
void RunCore::note(Worker& me) {
  const bool expired = run_deadline_ns_ != 0 && monotonic_ns() >= run_deadline_ns_;
  if (options_.attention.cancelled() || expired) {
    const std::uint32_t before =
        control_->attention.fetch_or(Control::State::kCancelRun, std::memory_order_seq_cst);
    if ((before & Control::State::kCancelRun) == 0) wake();
  }
  if (me.index != 0 || options_.attention.progress == nullptr) return;
  const std::int64_t now = monotonic_ns();
  if (now - reported_ns_ < kReportPeriodNs) return;
  reported_ns_ = now;
  const RunProgress where = progress();
  options_.attention.report("tasks",
                            static_cast<double>(where.ended) / static_cast<double>(where.tasks));
}

bool RunCore::restore_result(const Policy& policy, PolicyState& state, std::uint32_t task) {
  state.key = checkpoint_key(*this, task, *policy.code_version);
  const std::optional<std::string> kept = options_.checkpoint->find(state.key);
  return kept && compiled_->ops[task]->decode(compiled_->records[task].node, slots_.get(), *kept);
}

void RunCore::save_result(PolicyState& state, std::uint32_t task) {
  std::string bytes;
  compiled_->ops[task]->encode(compiled_->records[task].node, slots_.get(), bytes);
  options_.checkpoint->keep(state.key, bytes);
}

// --- fan-out at run time ---------------------------------------------------------------------

void RunCore::start_expansion(TaskContext& context, std::uint32_t count, void* object,
                              Expansion::Element element) {
  if (in_child_) {  // a worker process has one thread
    for (std::uint32_t i = 0; i < count; ++i) element(object, i, context);
    return;
  }
  auto expansion = std::make_unique<Expansion>();
  expansion->task = context.task_;
  expansion->count = count;
  expansion->element = element;
  expansion->object = object;
  expansion->left.store(count, std::memory_order_relaxed);
  std::uint32_t ticket = 0;
  {
    const std::lock_guard lock(expansions_mutex_);
    ticket = static_cast<std::uint32_t>(expansions_.size());
    expansions_.push_back(std::move(expansion));
  }
  Worker* const me = worker_of(context);
  const std::uint32_t helpers =
      shared_ ? std::min(count, static_cast<std::uint32_t>(pool_->workers.size())) : 1;
  for (std::uint32_t i = 0; i < helpers; ++i) make_ready(*me, ticket | kTicket);
}

Outcome RunCore::call_element(Worker& me, std::uint32_t ticket) {
  Expansion* expansion = nullptr;
  {
    const std::lock_guard lock(expansions_mutex_);
    expansion = expansions_[ticket].get();
  }
  // A ticket may be left over when all elements are taken: the counters live until the run ends,
  // the object does not.
  std::uint32_t finished_here = 0;
  me.context.task_ = expansion->task;
  for (;;) {
    const std::uint32_t index = expansion->next.fetch_add(1, std::memory_order_relaxed);
    if (index >= expansion->count) break;
    expansion->element(expansion->object, index, me.context);
    ++finished_here;
  }
  if (finished_here > 0 &&
      expansion->left.fetch_sub(finished_here, std::memory_order_acq_rel) == finished_here) {
    make_ready(me, expansion->task);  // its second call gathers what the elements left
  }
  return Outcome::suspended;
}

void RunCore::pretend_ended(std::uint32_t task, EndState state) noexcept {
  if (narrow_ != nullptr) {
    narrow_[task] =
        state == EndState::done
            ? std::uint8_t{1}
            : static_cast<std::uint8_t>(kPoison<std::uint8_t> | static_cast<std::uint8_t>(state));
  } else {
    wide_[task] =
        state == EndState::done ? 1u : kPoison<std::uint32_t> | static_cast<std::uint32_t>(state);
  }
}

void RunCore::become_child() {
  in_child_ = true;
  [[maybe_unused]] Errors* const inherited = errors_.release();  // may be locked for ever
  errors_ = std::make_unique<Errors>();
  control_ = &own_control_.state();  // cancellation reaches a worker process as a signal
  control_->attention.store(0, std::memory_order_relaxed);
}

Outcome RunCore::call_in_child(std::uint32_t task, std::uint32_t attempt,
                               std::int64_t deadline_ns) {
  TaskContext context;
  context.slots_ = slots_.get();
  context.run_ = this;
  context.task_ = task;
  context.attempt_ = attempt;
  context.deadline_ns_ = deadline_ns;
  Outcome outcome = call_here(context);
  while (outcome == Outcome::suspended) outcome = call_here(context);  // a fan-out gathers
  return outcome;
}

Worker* RunCore::worker_of(const TaskContext& context) const noexcept {
  return shared_ ? pool_->workers[context.worker_].get() : alone_;
}

// --- errors ----------------------------------------------------------------------------------

Outcome RunCore::record_error(std::uint32_t task, TaskError error, Outcome outcome) noexcept {
  try {
    error.error.where = compiled_->name(task);
    const std::lock_guard lock(errors_->mutex);
    errors_->map.insert_or_assign(task, std::move(error));
  } catch (...) {  // out of memory: the end state still says that the task failed
  }
  return outcome;
}

void RunCore::forget_error(std::uint32_t task) noexcept {
  const std::lock_guard lock(errors_->mutex);
  errors_->map.erase(task);
}

void RunCore::prefix_error(std::uint32_t task, const std::string& text) noexcept {
  const std::lock_guard lock(errors_->mutex);
  if (const auto it = errors_->map.find(task); it != errors_->map.end())
    it->second.error.message.insert(0, text);
}

RunProgress RunCore::progress() const {
  RunProgress p;
  p.tasks = compiled_->topology->tasks();
  for (const auto& worker : pool_->workers) {
    p.ended += worker->ended.load(std::memory_order_relaxed);
    p.running += worker->busy.load(std::memory_order_relaxed);
    if (!shared_) break;
  }
  p.ended = std::min(p.ended, p.tasks);
  p.left = p.tasks - p.ended;
  p.elapsed = Nanoseconds{monotonic_ns() - start_ns_};
  if (p.ended > 0) {
    p.estimate_left = Nanoseconds{static_cast<std::int64_t>(static_cast<double>(p.elapsed.count) /
                                                            static_cast<double>(p.ended) *
                                                            static_cast<double>(p.left))};
  }
  return p;
}

}  // namespace neurolens::exec::detail
