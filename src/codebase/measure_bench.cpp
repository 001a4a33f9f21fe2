// Throughput of one core on warm bytes. NEUROLENS_BENCH_FILES names files or directories, separated
// by
// ':'; without it the room's own sources are read.
#include <benchmark/benchmark.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include "neurolens/base/text.hpp"
#include "neurolens/codebase/measure.hpp"

namespace neurolens::codebase {
namespace {

struct Loaded {
  std::string bytes;
  LanguageId language;
};

std::vector<Loaded> load(std::size_t limit_bytes) {
  const char* named = std::getenv("NEUROLENS_BENCH_FILES");
  const std::string roots = named != nullptr ? named : ".";
  std::vector<Loaded> files;
  std::size_t total = 0;
  for (const std::string_view root : split(roots, ':')) {
    for (const auto& entry : std::filesystem::recursive_directory_iterator(std::string(root))) {
      if (!entry.is_regular_file() || total > limit_bytes) continue;
      const auto found = identify(entry.path().string(), "");
      if (!found) continue;
      std::ifstream in(entry.path(), std::ios::binary);
      files.push_back({std::string(std::istreambuf_iterator<char>(in), {}), found->language});
      total += files.back().bytes.size();
    }
  }
  return files;
}

void measure_all(benchmark::State& state, bool functions) {
  const std::vector<Loaded> files = load(std::size_t{64} << 20);
  std::size_t bytes = 0;
  std::uint64_t lines = 0;
  for (auto _ : state) {
    for (const Loaded& file : files) {
      const Measured m = measure(file.bytes, file.language, {functions, std::uint64_t{64} << 20});
      lines += m.lines.total;
      bytes += file.bytes.size();
    }
  }
  benchmark::DoNotOptimize(lines);
  state.SetBytesProcessed(static_cast<std::int64_t>(bytes));
}

void BM_Lines(benchmark::State& state) {
  measure_all(state, false);
}
void BM_LinesAndFunctions(benchmark::State& state) {
  measure_all(state, true);
}
BENCHMARK(BM_Lines)->Unit(benchmark::kMillisecond);
BENCHMARK(BM_LinesAndFunctions)->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace neurolens::codebase
