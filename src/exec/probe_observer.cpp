#include "neurolens/exec/probe_observer.hpp"

#include <deque>
#include <unordered_map>

#include "compiled.hpp"
#include "neurolens/probe/scope.hpp"

namespace neurolens::exec {
namespace {

// Open scopes of this thread: tasks that run graphs nest.
std::deque<probe::Scope>& open_scopes() {
  thread_local std::deque<probe::Scope> scopes;
  return scopes;
}

}  // namespace

struct ProbeObserver::Sites {
  probe::NamedSite unnamed{"task", "exec"};
  std::unordered_map<std::uint32_t, probe::NamedSite> named;
};

ProbeObserver::ProbeObserver(const CompiledGraph& graph) : sites_(std::make_unique<Sites>()) {
  for (const auto& [task, name] : graph.data()->names) {
    sites_->named.emplace(task, probe::NamedSite(name.c_str(), "exec"));
  }
}

ProbeObserver::~ProbeObserver() = default;

void ProbeObserver::begin(TaskId task, std::uint32_t, std::uint32_t, Nanoseconds) {
  const auto it = sites_->named.find(task.value);
  open_scopes().emplace_back(it != sites_->named.end() ? it->second : sites_->unnamed);
}

void ProbeObserver::end(TaskId, std::uint32_t, Outcome, Nanoseconds) {
  open_scopes().pop_back();
}

}  // namespace neurolens::exec
