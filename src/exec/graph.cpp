#include "neurolens/exec/graph.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <unordered_map>

#include "compiled.hpp"
#include "run_core.hpp"

namespace neurolens::exec {
namespace detail {
namespace {

// Bump allocation in blocks: nodes lie next to each other in the order of adding.
class Arena {
 public:
  void* allocate(std::size_t size, std::size_t align) {
    std::size_t at = (used_ + align - 1) / align * align;
    if (blocks_.empty() || at + size > capacity_) {
      capacity_ = std::max<std::size_t>(kBlock, size + align);
      blocks_.push_back(
          std::make_unique<std::max_align_t[]>(capacity_ / sizeof(std::max_align_t) + 1));
      bytes_ += capacity_;
      at = 0;
    }
    used_ = at + size;
    return reinterpret_cast<std::byte*>(blocks_.back().get()) + at;
  }
  [[nodiscard]] std::size_t bytes() const { return bytes_; }

 private:
  static constexpr std::size_t kBlock = 256 * 1024;
  std::vector<std::unique_ptr<std::max_align_t[]>> blocks_;
  std::size_t capacity_ = 0;
  std::size_t used_ = 0;
  std::size_t bytes_ = 0;
};

// Owns the nodes of a graph, compiled or not.
struct Nodes {
  Arena arena;
  std::vector<std::pair<const NodeOps*, void*>> to_destroy;
  ~Nodes() {
    for (const auto& [ops, node] : to_destroy) ops->destroy_node(node);
  }
};

std::uint32_t next_graph_id() {
  static std::atomic<std::uint32_t> next{1};
  return next.fetch_add(1, std::memory_order_relaxed);
}

}  // namespace

struct Builder::State {
  std::uint32_t id = next_graph_id();
  std::shared_ptr<Nodes> nodes = std::make_shared<Nodes>();
  std::unique_ptr<Compiled> compiled = std::make_unique<Compiled>();
  std::vector<Edge> edges;
  std::vector<std::uint32_t*> readers;
  std::vector<std::string> scopes;
  std::unordered_map<std::string, std::uint32_t> by_name;
  Status error;

  void fail(Error e) {
    if (error.ok()) error = std::move(e);
  }
  [[nodiscard]] std::string path(const std::string& name) const {
    std::string text;
    for (const std::string& scope : scopes) text += scope + "/";
    return text + name;
  }
};

Builder::Builder() : state_(std::make_unique<State>()) {}
Builder::~Builder() = default;
Builder::Builder(Builder&&) noexcept = default;
Builder& Builder::operator=(Builder&&) noexcept = default;

std::uint32_t Builder::id() const {
  return state_->id;
}

void* Builder::allocate(std::size_t size, std::size_t align) {
  return state_->nodes->arena.allocate(size, align);
}

std::uint32_t Builder::allocate_slot(std::size_t size, std::size_t align) {
  std::size_t& bytes = state_->compiled->slot_bytes;
  const std::size_t at = (bytes + align - 1) / align * align;
  if (at + size > 0xFFFF'FFFFu) {
    state_->fail({Errc::too_large, "The results of a graph need more than 4 GiB of slots.", {}});
    return 0;
  }
  bytes = at + size;
  return static_cast<std::uint32_t>(at);
}

std::uint32_t Builder::add_task(TaskRecord record, const NodeOps& ops, std::uint32_t* readers,
                                TaskSpec spec) {
  Compiled& c = *state_->compiled;
  const auto task = static_cast<std::uint32_t>(c.records.size());
  c.records.push_back(record);
  c.ops.push_back(&ops);
  state_->readers.push_back(readers);
  if (ops.destroy_result != nullptr) c.owners.push_back(task);
  if (ops.destroy_node != nullptr) {
    state_->nodes->to_destroy.emplace_back(&ops, const_cast<void*>(record.node));
  }
  if (!spec.name.empty() || !state_->scopes.empty()) {
    std::string path = state_->path(spec.name.empty() ? fmt::format("#{}", task) : spec.name);
    const auto [it, fresh] = state_->by_name.emplace(path, task);
    if (!fresh) {
      state_->fail({Errc::duplicate_name,
                    fmt::format("Task #{} and task #{} are both called \"{}\"; rename one of them.",
                                it->second, task, path),
                    {}});
    }
    c.names.emplace(task, std::move(path));
  }
  if (!spec.policy.trivial()) {
    if (spec.policy.priority != 0) {
      c.priorities.resize(task + std::size_t{1}, 0);
      c.priorities[task] = spec.policy.priority;
    }
    c.policy_of.resize(task + std::size_t{1}, kNone);
    c.policy_of[task] = static_cast<std::uint32_t>(c.policies.size());
    c.policies.push_back(std::move(spec.policy));
  }
  return task;
}

std::uint32_t Builder::add_input(std::string name, const NodeOps& ops, const void* node) {
  std::vector<InputSlot>& inputs = state_->compiled->inputs;
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    if (inputs[i].name != name) continue;
    state_->fail({Errc::duplicate_name,
                  fmt::format("Input #{} and input #{} are both called \"{}\"; rename one of them.",
                              i, inputs.size(), name),
                  {}});
  }
  inputs.push_back({std::move(name), &ops, node});
  return static_cast<std::uint32_t>(inputs.size() - 1);
}

void Builder::add_edge(std::uint32_t from, std::uint32_t to, EdgeRule rule) {
  state_->edges.push_back({from, to, rule});
}

void Builder::add_reader(std::uint32_t task) {
  if (task < state_->readers.size() && state_->readers[task] != nullptr) ++*state_->readers[task];
}

void Builder::check_graph(std::uint32_t graph, std::uint32_t adding) {
  if (graph == state_->id) return;
  state_->fail(
      {Errc::bad_request,
       fmt::format("Task #{} depends on a handle of another graph; a handle can be used in the "
                   "graph that made it only.",
                   adding),
       {}});
}

void Builder::set_coroutine() {
  state_->compiled->has_coroutines = true;
}
void Builder::set_expansion() {
  state_->compiled->has_expansions = true;
}
void Builder::push_scope(const std::string& name) {
  state_->scopes.push_back(name);
}
void Builder::pop_scope() {
  state_->scopes.pop_back();
}

Result<std::shared_ptr<const Compiled>> Builder::compile() {
  NEUROLENS_TRY(state_->error);
  Compiled& c = *state_->compiled;
  if (!c.priorities.empty()) c.priorities.resize(c.records.size(), 0);
  if (!c.policy_of.empty()) c.policy_of.resize(c.records.size(), kNone);
  NEUROLENS_ASSIGN(Topology topology,
                   Topology::compile(static_cast<std::uint32_t>(c.records.size()), state_->edges,
                                     [&](std::uint32_t t) { return c.name(t); }));
  for (std::uint32_t* readers : state_->readers) {  // what nobody reads is kept
    if (readers != nullptr && *readers == 0) *readers = 1;
  }
  c.topology = std::make_shared<const Topology>(std::move(topology));
  c.memory_bytes = state_->nodes->arena.bytes() + c.records.capacity() * sizeof(TaskRecord) +
                   c.ops.capacity() * sizeof(NodeOps*) + c.owners.capacity() * 4 +
                   c.priorities.capacity() * 4 + c.policy_of.capacity() * 4;
  c.graph_id = state_->id;
  c.memory = std::move(state_->nodes);  // closures live exactly as long as the compiled graph
  return std::shared_ptr<const Compiled>(std::move(state_->compiled));
}

CorePtr make_graph_core(std::shared_ptr<const Compiled> compiled) {
  return CorePtr(new RunCore(std::move(compiled)));
}
std::byte* slots_of(const RunCore& core) noexcept {
  return core.slots();
}
void mark_input(RunCore& core, std::uint32_t input) noexcept {
  core.inputs_set()[input] = 1;
}
std::uint32_t graph_of(const RunCore& core) noexcept {
  return core.compiled().graph_id;
}

void start_expansion(TaskContext& context, std::uint32_t count, void* object,
                     void (*element)(void*, std::uint32_t, TaskContext&)) {
  Access::run(context)->start_expansion(context, count, object, element);
}

Outcome report_element(TaskContext& context, std::uint32_t element,
                       std::exception_ptr error) noexcept {
  try {
    std::rethrow_exception(std::move(error));
  } catch (...) {
    const Outcome outcome = report_exception(context);
    Access::run(context)->prefix_error(context.task().value, fmt::format("Element {}: ", element));
    return outcome;
  }
}

Outcome report_condition(TaskContext& context) noexcept {
  TaskError error;
  error.error.code = Errc::check_failed;
  error.error.message = "its condition was false";
  return Access::run(context)->record_error(context.task().value, std::move(error),
                                            Outcome::skipped);
}

}  // namespace detail

const Topology& CompiledGraph::topology() const {
  return *data_->topology;
}
std::string CompiledGraph::name(TaskId task) const {
  return data_->name(task.value);
}
std::size_t CompiledGraph::bytes() const {
  return data_->memory_bytes + data_->topology->bytes() + data_->slot_bytes;
}

Error GraphRun::missing(TaskId task) const {
  if (state(task) != EndState::done) return {Errc::task_failed, explain(task) + ".", {}};
  return {
      Errc::not_found,
      fmt::format("The result of {} was freed after its last reader; call Graph::keep to hold it.",
                  name(task)),
      {}};
}

}  // namespace neurolens::exec
