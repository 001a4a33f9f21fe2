#include "adapters/record/profile_builder.hpp"

#include <algorithm>
#include <fstream>

namespace neurolens::capture::record_detail {

void KernelSymbols::read() {
  read_ = true;
  std::ifstream in("/proc/kallsyms");
  std::string line;
  while (std::getline(in, line)) {
    unsigned long long address = 0;
    char type = 0;
    int name_at = 0;
    if (std::sscanf(line.c_str(), "%llx %c %n", &address, &type, &name_at) != 2 || address == 0)
      continue;
    if (type != 't' && type != 'T' && type != 'w' && type != 'W') continue;
    std::string name = line.substr(static_cast<std::size_t>(name_at));
    if (const auto tab = name.find('\t'); tab != std::string::npos) name.resize(tab);
    symbols_.emplace_back(address, std::move(name));
  }
  std::sort(symbols_.begin(), symbols_.end());
}

std::string KernelSymbols::name(std::uint64_t address) {
  if (!read_) read();
  auto after = std::upper_bound(symbols_.begin(), symbols_.end(), address,
                                [](std::uint64_t a, const auto& s) { return a < s.first; });
  return after == symbols_.begin() ? "[kernel]" : (after - 1)->second;
}

ModuleId NameTable::module(const std::string& path, const std::string& build_id) {
  const auto [at, fresh] = module_ids_.try_emplace(path, modules_.size());
  if (fresh) modules_.push_back({path, build_id});
  return at->second;
}

FunctionId NameTable::function(const std::string& name, ModuleId module, const std::string& file,
                               bool kernel) {
  const auto [at, fresh] = function_ids_.try_emplace({module.value, name}, functions_.size());
  if (fresh) functions_.push_back({name, module, file, kernel});
  return at->second;
}

void NameTable::restore() {
  for (std::size_t i = 0; i < modules_.size(); ++i)
    module_ids_.emplace(modules_[i].path, ModuleId(i));
  for (std::size_t i = 0; i < functions_.size(); ++i) {
    function_ids_.emplace(std::pair{functions_[i].module.value, functions_[i].name}, FunctionId(i));
  }
}

const std::vector<NameTable::Named>& NameTable::names_of(const Place& place) {
  const auto [at, fresh] =
      named_.try_emplace({place.module, place.module == nullptr ? 0 : place.address});
  if (!fresh) return at->second;
  if (place.module == nullptr) {
    const ModuleId unknown = module("[unknown]", "");
    at->second.push_back({function("[unknown]", unknown, "", false), 0, false});
    return at->second;
  }
  const ModuleId id = module(place.module->path(), place.module->build_id());
  for (const SymbolFrame& f : place.module->symbolize(place.address)) {
    at->second.push_back({function(f.function, id, f.file, false), f.line, f.inlined});
  }
  return at->second;
}

void ProfileBuilder::name_thread(std::uint32_t pid, std::uint32_t tid, const std::string& name) {
  names_by_tid_[tid] = name;
  if (const auto at = thread_ids_.find(tid); at != thread_ids_.end()) {
    profile_.threads[at->second.index()].name = name;
    profile_.threads[at->second.index()].process_id = pid;
  }
}

SampledThreadId ProfileBuilder::thread(std::uint32_t pid, std::uint32_t tid) {
  const auto [at, fresh] = thread_ids_.try_emplace(tid, profile_.threads.size());
  if (fresh) {
    auto name = names_by_tid_.find(tid);
    if (name == names_by_tid_.end()) name = names_by_tid_.find(pid);
    profile_.threads.push_back({pid, tid, name == names_by_tid_.end() ? "" : name->second});
  }
  return at->second;
}

NodeId ProfileBuilder::node(std::int64_t parent, FunctionId function, bool inlined) {
  const auto [at, fresh] =
      node_ids_.try_emplace({parent, function.value, inlined}, profile_.nodes.size());
  if (fresh) profile_.nodes.push_back({parent, function, inlined});
  return at->second;
}

void ProfileBuilder::add(const PerfSample& sample, const std::vector<Place>& user_frames) {
  std::int64_t parent = -1;
  NodeId leaf;
  std::uint32_t line = 0;
  const auto push = [&](FunctionId function, bool inlined, std::uint32_t at_line) {
    leaf = node(parent, function, inlined);
    parent = static_cast<std::int64_t>(leaf.value);
    line = at_line;
  };
  for (std::size_t i = user_frames.size(); i-- > 0;) {
    const auto& names = names_.names_of(user_frames[i]);
    for (std::size_t k = names.size(); k-- > 0;)
      push(names[k].function, names[k].inlined, names[k].line);
  }
  if (!sample.kernel_chain.empty()) {
    const ModuleId module = names_.module("[kernel]", "");
    for (std::size_t i = sample.kernel_chain.size(); i-- > 0;) {
      push(names_.function(kernel_.name(sample.kernel_chain[i]), module, "", true), false, 0);
    }
  }
  if (parent < 0)
    push(names_.function("[unknown]", names_.module("[unknown]", ""), "", false), false, 0);
  Sample s;
  s.time = Nanoseconds{static_cast<std::int64_t>(sample.time)};
  s.thread = thread(sample.pid, sample.tid);
  s.node = leaf;
  s.line = line;
  s.weight = static_cast<std::int64_t>(sample.period);
  profile_.samples.push_back(s);
}

}  // namespace neurolens::capture::record_detail
