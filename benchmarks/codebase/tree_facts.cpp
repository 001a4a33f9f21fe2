// clang-format off
// tree_facts inventory ROOT [WORKERS [lines]]   JSON of the inventory; "lines" leaves functions out
// tree_facts functions ROOT [WORKERS]           every function, the most complex first: path, lines, name,
//                                               cyclomatic, cognitive, nesting, parameters
// tree_facts time ROOT WORKERS REPEATS [lines]  seconds and MB/s of each repeat, and the peak memory
// tree_facts imports ROOT [COMPILE_COMMANDS]    "from line to kind exact" of every import in the tree
// tree_facts cache ROOT FILE [WORKERS]          one run with a cache: files opened, files from the cache,
//                                               seconds, peak memory
// clang-format on
#include <sys/resource.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <string>

#include "neurolens/codebase/deps.hpp"
#include "neurolens/codebase/inventory.hpp"

namespace nc = neurolens::codebase;

namespace {

int fail(const neurolens::Error& error) {
  std::fprintf(stderr, "%s\n", error.text().c_str());
  return 1;
}

nc::InventoryRequest request_for(const std::string& root, const char* workers, bool lines) {
  nc::InventoryRequest request;
  request.root = root;
  request.workers = workers != nullptr ? static_cast<unsigned>(std::atoi(workers)) : 0;
  request.functions = !lines;
  return request;
}

int time_tree(const std::string& root, const char* workers, int repeats, bool lines) {
  for (int i = 0; i < repeats; ++i) {
    const auto start = std::chrono::steady_clock::now();
    const auto made = nc::take_inventory(request_for(root, workers, lines));
    const double seconds =
        std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
    if (!made.ok()) return fail(made.error());
    rusage usage{};
    ::getrusage(RUSAGE_SELF, &usage);
    std::printf("%.3f s  %.1f MB/s  %zu files  %llu bytes  peak %ld KiB\n", seconds,
                static_cast<double>(made->bytes_read) / seconds / 1e6, made->files.size(),
                static_cast<unsigned long long>(made->bytes_read), usage.ru_maxrss);
  }
  return 0;
}

int print_imports(const std::string& root, const char* commands) {
  nc::DepsRequest request;
  request.root = root;
  request.level = nc::DepsLevel::file;
  request.history_commits = 0;
  if (commands != nullptr) request.compile_commands = commands;
  const auto made = nc::find_dependencies(request);
  if (!made.ok()) return fail(made.error());
  for (const nc::FileEdge& e : made->edges) {
    std::printf("%s\t%u\t%s\t%s\t%d\n", made->files[e.from].path.c_str(), e.line,
                made->files[e.to].path.c_str(), std::string(nc::to_string(e.kind)).c_str(),
                e.exact ? 1 : 0);
  }
  return 0;
}

// Every function of every file, the most complex first.
int print_functions(const std::string& root, const char* workers) {
  nc::InventoryRequest request = request_for(root, workers, false);
  request.top = std::size_t{1} << 40;
  const auto made = nc::take_inventory(request);
  if (!made.ok()) return fail(made.error());
  for (const nc::RankedFunction& f : made->top) {
    const nc::FunctionMetrics& m = f.metrics;
    std::printf("%s\t%u\t%u\t%s\t%u\t%u\t%u\t%u\n", f.path.c_str(), m.first_line, m.last_line,
                m.name.c_str(), m.cyclomatic, m.cognitive, m.nesting, m.parameters);
  }
  return 0;
}

int run_cache(const std::string& root, const char* file, const char* workers) {
  nc::InventoryRequest request = request_for(root, workers, false);
  request.cache = file;
  const auto start = std::chrono::steady_clock::now();
  const auto made = nc::take_inventory(request);
  const double seconds =
      std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  if (!made.ok()) return fail(made.error());
  rusage usage{};
  ::getrusage(RUSAGE_SELF, &usage);
  std::printf("files %zu  opened %llu  from cache %llu  %.3f s  peak %ld KiB\n", made->files.size(),
              static_cast<unsigned long long>(made->files_read),
              static_cast<unsigned long long>(made->files_cached), seconds, usage.ru_maxrss);
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  const std::string what = argc > 2 ? argv[1] : "";
  const auto word = [&](int i) { return argc > i ? argv[i] : nullptr; };
  if (what == "inventory") {
    const auto made = nc::take_inventory(request_for(argv[2], word(3), word(4) != nullptr));
    if (!made.ok()) return fail(made.error());
    std::fputs(nc::inventory_json(*made).c_str(), stdout);
    return 0;
  }
  if (what == "time" && argc > 4)
    return time_tree(argv[2], argv[3], std::atoi(argv[4]), word(5) != nullptr);
  if (what == "functions") return print_functions(argv[2], word(3));
  if (what == "imports") return print_imports(argv[2], word(3));
  if (what == "cache" && argc > 3) return run_cache(argv[2], argv[3], word(4));
  std::fputs("usage: see the head of tree_facts.cpp\n", stderr);
  return 2;
}
