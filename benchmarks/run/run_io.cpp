// How fast a Run is read, written and checked, and how much memory that takes; see METHOD.md.
//
//   run_io table              MB/s at 1,000 ops x 1,000 iterations, peers in the same run
//   run_io memory [SAMPLES]   one read of SAMPLES samples (default 10 million): time and memory
#include <fmt/format.h>
#include <simdjson.h>
#include <sys/resource.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <functional>
#include <string>
#include <vector>

#include "make_run.hpp"
#include "neurolens/base/file_system.hpp"
#include "neurolens/run/run.hpp"

namespace {

using namespace neurolens;

double seconds_of(const std::function<void()>& work) {
  const auto begin = std::chrono::steady_clock::now();
  work();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
}

/// Median of `rounds` interleaved timings per candidate, in order.
std::vector<double> medians(const std::vector<std::function<void()>>& candidates, int rounds) {
  std::vector<std::vector<double>> times(candidates.size());
  for (int round = 0; round < rounds; ++round) {
    for (std::size_t i = 0; i < candidates.size(); ++i)
      times[i].push_back(seconds_of(candidates[i]));
  }
  std::vector<double> out;
  for (auto& column : times) {
    std::sort(column.begin(), column.end());
    out.push_back(column[column.size() / 2]);
  }
  return out;
}

void require(bool condition, const char* what) {
  if (condition) return;
  fmt::print(stderr, "run_io: {} failed\n", what);
  std::exit(1);
}

/// `ops` columns of `iterations` observed iterations each.
run::Run make_samples(std::size_t ops, std::size_t iterations) {
  return test_support::make_run({.ops = ops, .iterations = 2 * iterations, .warmup = 0});
}

void print_row(const char* what, double seconds, double megabytes, double base) {
  fmt::print("{:<34} {:>9.2f} ms {:>9.1f} MB/s {:>8.2f}x\n", what, seconds * 1e3,
             megabytes / seconds, seconds / base);
}

void print_peers(const std::string& file, double megabytes, double base) {
  const std::string python = "/usr/bin/python3 -W ignore ";
  const std::string schema = std::string(NEUROLENS_SOURCE_DIR) + "/schema/run.schema.json";
  const std::pair<const char*, std::string> peers[] = {
      {"python3 json.load", fmt::format("-c \"import json; json.load(open('{}'))\"", file)},
      {"python3 -m json.tool", fmt::format("-m json.tool '{}' /dev/null", file)},
      {"python3-jsonschema",
       fmt::format("-c \"import json; from jsonschema import Draft202012Validator as V; "
                   "assert V(json.load(open('{}'))).is_valid(json.load(open('{}')))\"",
                   schema, file)}};
  for (const auto& [name, arguments] : peers) {
    int status = 0;
    const double seconds = seconds_of([&] { status = std::system((python + arguments).c_str()); });
    if (status != 0) {
      fmt::print("{:<34} not run here\n", name);
    } else {
      print_row(name, seconds, megabytes, base);
    }
  }
}

int table(const std::string& folder) {
  const run::Run run = make_samples(1000, 1000);
  const std::string text = run::to_json(run);
  const double megabytes = static_cast<double>(text.size()) * 1e-6;
  const simdjson::padded_string padded(text);
  simdjson::dom::parser parser;
  const auto times =
      medians({[&] { require(run::read(text).ok(), "read"); },
               [&] { require(run::check(text)->valid(), "check"); },
               [&] { require(run::validate(run).valid(), "validate"); },
               [&] { require(!run::to_json(run).empty(), "write"); },
               [&] { require(run::content_hash(run).size() == 64, "hash"); },
               [&] { require(parser.parse(padded).error() == simdjson::SUCCESS, "simdjson"); }},
              15);
  fmt::print("1,000 ops x 1,000 observed iterations: {:.2f} MB of text; x = time / read\n\n",
             megabytes);
  const char* names[] = {"read (checks everything)",
                         "check",
                         "validate a value in memory",
                         "write to text",
                         "content hash",
                         "simdjson: parse to a tree"};
  for (std::size_t i = 0; i < times.size(); ++i) print_row(names[i], times[i], megabytes, times[0]);
  const std::string file = folder + "/run_io.json";
  require(system_files().write_atomic(file, text).ok(), "write_atomic");
  print_peers(file, megabytes, times[0]);
  return system_files().remove(file).ok() ? 0 : 1;
}

double peak_megabytes() {
  rusage usage{};
  ::getrusage(RUSAGE_SELF, &usage);
  return static_cast<double>(usage.ru_maxrss) * 1024e-6;
}

int generate(const std::string& path, std::size_t samples) {
  const run::Run run = make_samples(1000, samples / 1000);
  const double seconds =
      seconds_of([&] { require(run::write_file(system_files(), path, run).ok(), "write_file"); });
  fmt::print("written in {:.2f} s\n", seconds);
  return 0;
}

/// In a fresh process, so that the peak is that of reading.
int read_one(const std::string& path) {
  const double before = peak_megabytes();
  std::size_t samples = 0;
  const double seconds = seconds_of([&] {
    const auto run = run::read_file(system_files(), path);
    require(run.ok(), "read_file");
    for (const auto& column : run->samples.op_duration_ns) samples += column.size();
  });
  const double data = static_cast<double>(samples) * 8e-6;
  const double used = peak_megabytes() - before;
  fmt::print("{} samples: read in {:.2f} s, {:.0f} MB of data, {:.0f} MB of memory, {:.2f}x\n",
             samples, seconds, data, used, used / data);
  return 0;
}

int memory(const char* self, const std::string& folder, const std::string& samples) {
  const std::string file = folder + "/run_io_memory.json";
  const auto again = [&](const std::string& rest) {
    return std::system(fmt::format("'{}' {}", self, rest).c_str());
  };
  require(again(fmt::format("generate '{}' {}", file, samples)) == 0, "generate");
  const int status = again(fmt::format("read '{}'", file));
  require(system_files().remove(file).ok(), "remove");
  return status == 0 ? 0 : 1;
}

}  // namespace

int main(int argc, char** argv) {
  const std::string mode = argc > 1 ? argv[1] : "table";
  const char* temporary = std::getenv("TMPDIR");
  const std::string folder = temporary != nullptr ? temporary : "/tmp";
  if (mode == "table") return table(folder);
  if (mode == "generate" && argc > 3) return generate(argv[2], std::stoul(argv[3]));
  if (mode == "read" && argc > 2) return read_one(argv[2]);
  if (mode == "memory") return memory(argv[0], folder, argc > 2 ? argv[2] : "10000000");
  fmt::print(stderr, "usage: run_io [table | memory [SAMPLES]]\n");
  return 2;
}
