// Eight processes add Runs at once and are killed at random; what was acknowledged must be there.
#include <fmt/format.h>
#include <poll.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <set>
#include <vector>

#include "make_run.hpp"
#include "neurolens/base/clock.hpp"
#include "neurolens/base/random.hpp"
#include "neurolens/store/store.hpp"

namespace {

using namespace neurolens;

constexpr std::uint32_t kWriters = 8;

run::Run sample(std::uint64_t seed) {
  run::Run run =
      test_support::make_run({.ops = 20, .iterations = 40, .seed = seed, .timeline = false});
  run.created_at =
      to_rfc3339(Nanoseconds{(1'700'000'000 + static_cast<std::int64_t>(seed)) * 1'000'000'000});
  return run;
}

struct Writer {
  pid_t process = -1;
  int reader = -1;
  std::set<std::uint32_t> acknowledged;
};

[[noreturn]] void write_runs(const std::string& folder, std::uint32_t writer, std::uint32_t each,
                             const std::set<std::uint32_t>& done, int pipe_end) {
  auto store = store::Store::open(system_files(), folder);
  for (std::uint32_t i = 0; i < each && store.ok(); ++i) {
    if (done.contains(i)) continue;
    const auto added = store->add(sample(writer * 1'000'000 + i), {});
    if (!added.ok()) {
      fmt::print(stderr, "{}\n", added.error().text());
      _exit(1);
    }
    if (write(pipe_end, &i, sizeof i) != sizeof i) _exit(2);
  }
  if (!store.ok()) fmt::print(stderr, "{}\n", store.error().text());
  _exit(store.ok() ? 0 : 3);
}

void start(Writer& w, const std::string& folder, std::uint32_t number, std::uint32_t each) {
  int ends[2];
  if (pipe(ends) != 0) std::exit(2);
  w.process = fork();
  if (w.process == 0) {
    close(ends[0]);
    write_runs(folder, number, each, w.acknowledged, ends[1]);
  }
  close(ends[1]);
  w.reader = ends[0];
}

/// Takes what the writer acknowledged so far; false at the end of its pipe.
bool drain(Writer& w) {
  std::uint32_t number = 0;
  pollfd ready{w.reader, POLLIN, 0};
  while (poll(&ready, 1, 0) > 0) {
    if (read(w.reader, &number, sizeof number) != sizeof number) return false;
    w.acknowledged.insert(number);
  }
  return true;
}

/// Waits for a writer that ended or was killed. True when it ended well.
bool bury(Writer& w) {
  int status = 0;
  waitpid(w.process, &status, 0);
  while (drain(w)) {
  }
  close(w.reader);
  w.process = -1;
  return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

}  // namespace

int main(int argc, char** argv) {
  const auto each = static_cast<std::uint32_t>(argc > 1 ? std::atoi(argv[1]) : 1000);
  const std::string folder = argc > 2 ? argv[2] : "store_writers.tmp";
  std::filesystem::remove_all(folder);
  { const auto made = store::Store::open(system_files(), folder); }
  const Nanoseconds begin = system_clock().now();
  std::vector<Writer> writers(kWriters);
  Random random(1);
  int kills = 0;
  bool failed = false;
  for (bool open = true; open;) {
    open = false;
    usleep(static_cast<useconds_t>(random.below(60'000)));
    const std::size_t victim = random.below(kWriters);
    for (std::uint32_t i = 0; i < kWriters; ++i) {
      Writer& w = writers[i];
      const bool ended = w.process > 0 && !drain(w);
      if (w.process > 0 && !ended && i == victim && w.acknowledged.size() < each) {
        kill(w.process, SIGKILL);
        ++kills;
        bury(w);
      } else if (ended && !bury(w)) {
        failed = true;
      }
      if (w.acknowledged.size() >= each && w.process < 0) continue;
      open = true;
      if (w.process < 0) start(w, folder, i, each);
    }
  }
  const double seconds = static_cast<double>((system_clock().now() - begin).count) * 1e-9;
  auto store = store::Store::open(system_files(), folder);
  const auto entries = store->list();
  std::set<std::string> present;
  for (const auto& entry : *entries) present.insert(entry.run_id);
  std::size_t acknowledged = 0;
  std::size_t lost = 0;
  for (std::uint32_t i = 0; i < kWriters; ++i) {
    for (const auto n : writers[i].acknowledged) {
      ++acknowledged;
      lost += present.contains(sample(i * 1'000'000 + n).run_id) ? 0U : 1U;
    }
  }
  const auto report = store->verify();
  std::size_t torn = 0;
  for (const auto& fault : report->faults) torn += fault.find("manifest") != std::string::npos;
  const std::string grown = store->dump_index().value();
  const bool rebuilt = store->rebuild_index().ok();
  const bool equal = rebuilt && store->dump_index().value() == grown;
  fmt::print("{} writers, {} Runs each, {} kills, {:.1f} s ({:.2f} ms per Run in all)\n", kWriters,
             each, kills, seconds, 1e3 * seconds / static_cast<double>(acknowledged));
  fmt::print("acknowledged {}, lost {}, damaged objects {}, torn lines {}\n", acknowledged, lost,
             report->faults.size() - torn, torn);
  fmt::print("index made anew {} the one that grew\n", equal ? "equals" : "DIFFERS FROM");
  std::filesystem::remove_all(folder);
  return lost == 0 && report->faults.size() == torn && equal && !failed ? 0 : 1;
}
