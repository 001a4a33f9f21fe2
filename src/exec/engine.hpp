/// \file
/// The inner loops. Kept together and free of everything that a succeeding task does not need.
#pragma once

#include <atomic>

#include "run_core.hpp"

namespace neurolens::exec::detail {

template <class Cell>
inline constexpr Cell kPoison = static_cast<Cell>(Cell{1} << (sizeof(Cell) * 8 - 1));

/// The three ways to call a task, cheapest first.
struct UniformTasks {
  static constexpr bool kGeneral = false;
  UniformCall function;
  const void* object;
  explicit UniformTasks(const Compiled& c) : function(c.uniform), object(c.object) {}
  Outcome operator()(RunCore&, Worker&, TaskContext& context, std::uint32_t) const {
    return function(object, context);
  }
};
struct RecordTasks {
  static constexpr bool kGeneral = false;
  const TaskRecord* records;
  explicit RecordTasks(const Compiled& c) : records(c.records.data()) {}
  Outcome operator()(RunCore&, Worker&, TaskContext& context, std::uint32_t task) const {
    return records[task].call(records[task].node, context);
  }
};
struct GeneralTasks {  // policies, observers, times, worker processes
  static constexpr bool kGeneral = true;
  explicit GeneralTasks(const Compiled&) {}
  Outcome operator()(RunCore& run, Worker& me, TaskContext&, std::uint32_t task) const {
    return run.perform(me, task);
  }
};

struct Engine {
  template <class Cell>
  static Cell* cells(RunCore& run) {
    if constexpr (sizeof(Cell) == 1) {
      return run.narrow_.get();
    } else {
      return run.wide_.get();
    }
  }
  static std::atomic<std::uint32_t>& attention(RunCore& run) { return run.control_->attention; }

  /// One dependency of a task has ended well. True when it was the last; `cell` is then its value.
  template <bool kShared, class Cell>
  static bool count_down(Cell& slot, Cell& value) {
    constexpr Cell kCount = static_cast<Cell>(~kPoison<Cell>);
    if constexpr (kShared) {
      std::atomic_ref<Cell> cell(slot);
      value = cell.load(std::memory_order_acquire);
      if ((value & kCount) == 1) return true;  // nobody else can be counting this cell any more
      value = cell.fetch_sub(1, std::memory_order_acq_rel);
      return (value & kCount) == 1;
    } else {
      value = slot;
      if ((value & kCount) == 1) return true;
      slot = static_cast<Cell>(value - 1);
      return false;
    }
  }

  template <bool kShared, class Cell, class Tasks>
  static void loop(RunCore& run, Worker& me, std::uint32_t task) {
    const Compiled& compiled = *run.compiled_;
    const Tasks tasks(compiled);
    const std::uint32_t* const offsets =
        compiled.topology->offsets().empty() ? nullptr : compiled.topology->offsets().data();
    const std::uint32_t* const successors = compiled.topology->successors().data();
    const std::uint32_t* const links = !Tasks::kGeneral && !compiled.topology->links().empty()
                                           ? compiled.topology->links().data()
                                           : nullptr;
    Cell* const cells_of = cells<Cell>(run);
    const std::atomic<std::uint32_t>& watch = attention(run);
    TaskContext& context = me.context;

    for (;;) {
      if (task == kNone) {
        task = acquire<kShared, Tasks::kGeneral>(run, me);
        if (task == kNone) return;
      }
      if (watch.load(std::memory_order_relaxed) != 0 && !run.admit(me, task)) [[unlikely]] {
        task = kNone;
        continue;
      }
      context.task_ = task;
      const Outcome outcome = tasks(run, me, context, task);
      if (outcome != Outcome::done) [[unlikely]] {
        run.settle(me, task, outcome);
        task = kNone;
        continue;
      }
      me.count_ended();
      if (offsets == nullptr) {
        task = kNone;
        continue;
      }
      if (links != nullptr && links[task] != kNone) {  // nobody else waits for it, or it for others
        task = links[task];
        continue;
      }
      const std::uint32_t begin = offsets[task];
      std::uint32_t next = kNone;
      bool published = false;
      // From the least to the most urgent: the last one found runs here and now.
      for (std::uint32_t e = offsets[task + 1]; e-- > begin;) {
        const std::uint32_t id = successors[e] & ~Topology::kOnly;
        if ((successors[e] & Topology::kOnly) == 0) {
          Cell value;
          if (!count_down<kShared>(cells_of[id], value)) continue;
          if ((value & kPoison<Cell>) != 0) [[unlikely]] {
            run.settle(me, id, Outcome::skipped);
            continue;
          }
        }
        if constexpr (Tasks::kGeneral) {
          if (!compiled.priorities.empty() && compiled.priorities[id] != 0) {
            run.make_ready(me, id);
            continue;
          }
        }
        if (next != kNone) {
          if constexpr (kShared) {
            me.deque.push(next);
            published = true;
          } else {
            me.stack.push_back(next);
          }
          // By the time it is its turn, whom it readies has come from far memory.
          __builtin_prefetch(successors + offsets[next]);
        }
        next = id;
      }
      if constexpr (Tasks::kGeneral) {
        if (next != kNone && !run.prioritised_.empty()) {  // something may be more urgent
          run.make_ready(me, next);
          next = kNone;
        }
      }
      if constexpr (kShared) {
        if (published) run.pool_->idle.published();
      }
      task = next;
    }
  }

 private:
  template <bool kShared, bool kGeneral>
  static std::uint32_t acquire(RunCore& run, Worker& me) {
    if constexpr (kGeneral) {
      return kShared ? run.find_work(me, false) : run.find_alone(me);
    } else if constexpr (kShared) {
      std::uint32_t task = me.deque.pop();
      if (task != kNone) return task;
      if (const std::uint32_t i = me.range.take(); i != kNone) {
        const std::span<const std::uint32_t> roots = run.compiled_->topology->roots();
        return roots.empty() ? i : roots[i];
      }
      return run.find_work(me, false);
    } else {
      if (!me.stack.empty()) {
        const std::uint32_t task = me.stack.back();
        me.stack.pop_back();
        return task;
      }
      if (me.next_root < me.end_root) {
        const std::span<const std::uint32_t> roots = run.compiled_->topology->roots();
        const std::uint32_t i = me.next_root++;
        return roots.empty() ? i : roots[i];
      }
      return run.find_alone(me);
    }
  }
};

}  // namespace neurolens::exec::detail
