#include "waiting.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <set>

#include "neurolens/base/text.hpp"

namespace neurolens::exec {

Nanoseconds backoff(const Retry& retry, std::uint32_t attempt, double draw) {
  const double scale = std::pow(std::max(1.0, retry.factor), attempt > 0 ? attempt - 1.0 : 0.0);
  double wait = std::min(static_cast<double>(retry.delay.count) * scale,
                         static_cast<double>(retry.most_delay.count));
  wait *= 1.0 + std::clamp(retry.jitter, 0.0, 1.0) * (2.0 * draw - 1.0);
  wait = std::min(wait, static_cast<double>(retry.most_delay.count));
  return Nanoseconds{static_cast<std::int64_t>(std::max(0.0, wait))};
}

namespace detail {

bool Timers::add(std::int64_t at_ns, std::uint32_t task) {
  const std::lock_guard lock(mutex_);
  heap_.emplace(at_ns, task);
  const bool first = at_ns < next_.load(std::memory_order_relaxed);
  next_.store(heap_.top().first, std::memory_order_seq_cst);
  return first;
}

void Timers::take_due(std::int64_t now_ns, std::vector<std::uint32_t>& out) {
  const std::lock_guard lock(mutex_);
  while (!heap_.empty() && heap_.top().first <= now_ns) {
    out.push_back(heap_.top().second);
    heap_.pop();
  }
  next_.store(heap_.empty() ? kNever : heap_.top().first, std::memory_order_seq_cst);
}

void Timers::take_if(const std::function<bool(std::uint32_t)>& chosen,
                     std::vector<std::uint32_t>& out) {
  const std::lock_guard lock(mutex_);
  decltype(heap_) kept;
  for (; !heap_.empty(); heap_.pop()) {
    if (chosen(heap_.top().second)) {
      out.push_back(heap_.top().second);
    } else {
      kept.push(heap_.top());
    }
  }
  heap_ = std::move(kept);
  next_.store(heap_.empty() ? kNever : heap_.top().first, std::memory_order_seq_cst);
}

void Timers::clear() {
  const std::lock_guard lock(mutex_);
  heap_ = {};
  next_.store(kNever, std::memory_order_seq_cst);
}

void TokenBank::set_capacities(const std::map<std::string, std::uint64_t>& capacities) {
  const std::lock_guard lock(mutex_);
  capacity_ = {capacities.begin(), capacities.end()};
  free_ = capacity_;
  line_.clear();
}

Status TokenBank::check(const std::vector<TokenDemand>& demand) const {
  const std::lock_guard lock(mutex_);
  std::set<std::string_view> seen;
  for (const TokenDemand& d : demand) {
    const auto it = capacity_.find(d.name);
    if (it == capacity_.end()) {
      std::vector<std::string> known;
      for (const auto& [name, amount] : capacity_) known.push_back(name);
      return Error{Errc::not_found,
                   fmt::format("The token \"{}\" is not declared; list it with its capacity in the "
                               "run's tokens.{}",
                               d.name, did_you_mean(d.name, known)),
                   {}};
    }
    if (d.amount > it->second) {
      return Error{Errc::out_of_range,
                   fmt::format("It needs {} of the token \"{}\", but there are only {} in all.",
                               d.amount, d.name, it->second),
                   {}};
    }
    if (!seen.insert(d.name).second) {
      return Error{
          Errc::duplicate_name, fmt::format("The token \"{}\" is asked for twice.", d.name), {}};
    }
  }
  return {};
}

bool TokenBank::fits(const std::vector<TokenDemand>& demand) const {
  return std::all_of(demand.begin(), demand.end(),
                     [&](const TokenDemand& d) { return free_.find(d.name)->second >= d.amount; });
}

void TokenBank::take(const std::vector<TokenDemand>& demand) {
  for (const TokenDemand& d : demand) free_.find(d.name)->second -= d.amount;
}

bool TokenBank::acquire(std::uint32_t task, const std::vector<TokenDemand>& demand,
                        std::int32_t priority) {
  const std::lock_guard lock(mutex_);
  // Nobody is overtaken by a task that wants the same token.
  const auto wanted_by = [&](const Waiter& w) {
    return w.priority >= priority &&
           std::any_of(demand.begin(), demand.end(), [&](const TokenDemand& d) {
             return std::any_of(w.demand->begin(), w.demand->end(),
                                [&](const TokenDemand& o) { return o.name == d.name; });
           });
  };
  if (fits(demand) && std::none_of(line_.begin(), line_.end(), wanted_by)) {
    take(demand);
    return true;
  }
  const auto place = std::find_if(line_.begin(), line_.end(),
                                  [&](const Waiter& w) { return w.priority < priority; });
  line_.insert(place, {task, priority, &demand});
  return false;
}

void TokenBank::release(const std::vector<TokenDemand>& demand,
                        std::vector<std::uint32_t>& granted) {
  const std::lock_guard lock(mutex_);
  for (const TokenDemand& d : demand) free_.find(d.name)->second += d.amount;
  std::set<std::string_view> reserved;  // tokens that somebody further ahead waits for
  for (std::size_t i = 0; i < line_.size();) {
    const auto& wanted = *line_[i].demand;
    const bool blocked = std::any_of(wanted.begin(), wanted.end(), [&](const TokenDemand& d) {
      return reserved.contains(d.name);
    });
    if (!blocked && fits(wanted)) {
      take(wanted);
      granted.push_back(line_[i].task);
      line_.erase(line_.begin() + static_cast<std::ptrdiff_t>(i));
      continue;
    }
    for (const TokenDemand& d : wanted) reserved.insert(d.name);
    if (reserved.size() == capacity_.size()) break;
    ++i;
  }
}

void TokenBank::take_if(const std::function<bool(std::uint32_t)>& chosen,
                        std::vector<std::uint32_t>& out) {
  const std::lock_guard lock(mutex_);
  std::erase_if(line_, [&](const Waiter& w) {
    if (!chosen(w.task)) return false;
    out.push_back(w.task);
    return true;
  });
}

void PriorityQueue::push(std::uint32_t task, std::int32_t priority) {
  const std::lock_guard lock(mutex_);
  heap_.push({priority, order_++, task});
  size_.store(heap_.size(), std::memory_order_seq_cst);
}

std::uint32_t PriorityQueue::pop(bool urgent) {
  if (empty()) return kNone;
  const std::lock_guard lock(mutex_);
  if (heap_.empty() || (urgent && heap_.top().priority < 0)) return kNone;
  const std::uint32_t task = heap_.top().task;
  heap_.pop();
  size_.store(heap_.size(), std::memory_order_seq_cst);
  return task;
}

void PriorityQueue::clear() {
  const std::lock_guard lock(mutex_);
  heap_ = {};
  order_ = 0;
  size_.store(0, std::memory_order_seq_cst);
}

}  // namespace detail
}  // namespace neurolens::exec
