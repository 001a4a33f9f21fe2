// 100 million scopes into a file without loss, then read back and counted.
// hundred_million [SCOPES] [FILE]; one line of JSON.
#include <fmt/format.h>

#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <string>

#include "neurolens/probe/scope.hpp"
#include "neurolens/probe/session.hpp"
#include "neurolens/probe/trace.hpp"

namespace probe = neurolens::probe;

int main(int argc, char** argv) {
  const std::int64_t scopes = argc > 1 ? std::atoll(argv[1]) : 100'000'000;
  probe::SessionOptions options;
  options.path = argc > 2 ? argv[2] : "hundred_million.nlp";
  if (const auto started = probe::start(options); !started.ok()) {
    fmt::print(stderr, "{}\n", started.error().text());
    return 3;
  }
  const auto begin = std::chrono::steady_clock::now();
  for (std::int64_t i = 0; i < scopes; ++i) {
    NEUROLENS_SCOPE("work");
  }
  const auto recorded = std::chrono::steady_clock::now();
  const auto report = probe::stop();
  if (!report.ok()) {
    fmt::print(stderr, "{}\n", report.error().text());
    return 3;
  }
  const auto stopped = std::chrono::steady_clock::now();
  std::int64_t begins = 0, ends = 0;
  const auto info = probe::visit_trace(options.path, [&](const probe::TraceEvent& e) {
    begins += e.kind == probe::EventKind::begin ? 1 : 0;
    ends += e.kind == probe::EventKind::end ? 1 : 0;
  });
  const auto read = std::chrono::steady_clock::now();
  const bool whole =
      info.ok() && begins == scopes && ends == scopes && report->lost == 0 && !info->damaged;
  const auto seconds = [](auto a, auto b) { return std::chrono::duration<double>(b - a).count(); };
  fmt::print(
      "{{\"scopes\": {}, \"ns_per_scope\": {:.2f}, \"finish_s\": {:.3f}, \"file_bytes\": {}, "
      "\"stalls\": {}, \"stalled_ms\": {:.1f}, \"lost\": {}, \"read_s\": {:.2f}, \"whole\": {}}}\n",
      scopes, seconds(begin, recorded) * 1e9 / static_cast<double>(scopes),
      seconds(recorded, stopped), report->written.count, report->stalls,
      static_cast<double>(report->stalled.count) / 1e6, report->lost, seconds(stopped, read),
      whole);
  std::filesystem::remove(options.path);
  return whole ? 0 : 1;
}
