// planted shares SECONDS     four functions with 10, 20, 30 and 40 % of the time
// planted shapes SECONDS     inlining, recursion, a shared object, two threads
// planted windows SECONDS LETTERS   short pieces of work in a window of SECONDS per letter, under a
//                            bare kernel timer at 1 kHz, whose samples go nowhere, where it is `t`;
//                            prints when it starts, then of every 10 ms: window, start in it,
//                            duration, time lost to interrupts (ns)
// planted allocate PAIRS     that many malloc and free, ten calls deep; prints wall and processor
//                            seconds
// planted memory             a known script of allocations, 1,267 bytes leaked
// planted exit N             ends with status N; planted abort; planted cat: stdin to stdout
#include <linux/perf_event.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <thread>
#include <vector>

extern "C" std::uint64_t planted_in_library(std::uint64_t n);

namespace {

volatile std::uint64_t sink = 0;

// One loop, instantiated four times: the same instructions, so that time is as the counts.
template <int Tag>
__attribute__((noinline)) void planted(std::uint64_t n) {
  std::uint64_t x = n + Tag;
  for (std::uint64_t i = 0; i < n; ++i) {
    x = x * 6364136223846793005u + 1442695040888963407u;
    asm volatile("" : "+r"(x));
  }
  sink = sink + x;
}

double cpu_seconds() {
  timespec t{};
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
  return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_nsec) * 1e-9;
}

__attribute__((noinline)) void one_round() {
  planted<10>(10'000);
  planted<20>(20'000);
  planted<30>(30'000);
  planted<40>(40'000);
}

inline __attribute__((always_inline)) void inlined_inner(std::uint64_t n) {
  std::uint64_t x = n;
  for (std::uint64_t i = 0; i < n; ++i) {
    x = x * 3 + 1;
    asm volatile("" : "+r"(x));
  }
  sink = sink + x;
}
inline __attribute__((always_inline)) void inlined_outer(std::uint64_t n) {
  inlined_inner(n);
}
__attribute__((noinline)) void holds_inlined(std::uint64_t n) {
  inlined_outer(n);
}

__attribute__((noinline)) std::uint64_t recursive(int depth, std::uint64_t n) {
  if (depth == 0) {
    planted<1>(n);
    return 1;
  }
  const std::uint64_t below = recursive(depth - 1, n);
  asm volatile("" ::: "memory");
  return below + 1;
}

void shapes(double seconds) {
  while (cpu_seconds() < seconds) {
    holds_inlined(50'000);
    sink = sink + recursive(20, 50'000);
    sink = sink + planted_in_library(50'000);
  }
}

__attribute__((noinline)) void* planted_leak() {
  void* p = std::malloc(1234);
  asm volatile("" : : "r"(p) : "memory");
  return p;
}
__attribute__((noinline)) void planted_churn() {
  for (int i = 0; i < 1000; ++i) {
    void* p = std::malloc(100);
    asm volatile("" : : "r"(p) : "memory");
    std::free(p);
  }
}

void keep(void* p) {
  asm volatile("" : : "r"(p) : "memory");
}
__attribute__((noinline)) void churn_below(int depth, std::int64_t pairs) {
  if (depth > 0) {
    churn_below(depth - 1, pairs);
    asm volatile("" ::: "memory");  // no tail call: the stack is as deep as it looks
    return;
  }
  for (std::int64_t i = 0; i < pairs; ++i) {
    void* p = std::malloc(64 + static_cast<std::size_t>(i) % 64);
    asm volatile("" : : "r"(p) : "memory");
    std::free(p);
  }
}
/// Four allocations, 10 + 1,000 + 500 + 5,000 bytes, one alive at a time.
__attribute__((noinline)) void planted_realloc() {
  void* p = std::malloc(10);
  for (const std::size_t bytes : {1000u, 500u, 5000u}) {
    keep(p);
    p = std::realloc(p, bytes);
  }
  keep(p);
  std::free(p);
}
/// 640 + 1,000 + 70 bytes, together alive.
__attribute__((noinline)) void planted_c_aligned() {
  void* a = std::aligned_alloc(64, 640);
  void* b = nullptr;
  if (posix_memalign(&b, 256, 1000) != 0) std::abort();
  void* c = std::calloc(10, 7);
  for (void* p : {a, b, c}) keep(p);
  for (void* p : {a, b, c}) std::free(p);
}
struct alignas(128) Wide {
  char bytes[384];
};
/// 384 + 5 x 384 + 33 bytes through operator new, aligned and not; the 33 leak.
__attribute__((noinline)) void planted_new() {
  auto* one = new Wide;
  auto* five = new Wide[5];
  keep(one);
  keep(five);
  delete one;
  delete[] five;
  keep(new char[33]);
}
/// A block that another thread frees: 4 workers, 500 blocks of 16 to 115 bytes each.
__attribute__((noinline)) void* planted_job(int i) {
  return std::malloc(16 + static_cast<std::size_t>(i) % 100);
}
void planted_pool() {
  constexpr int kWorkers = 4, kJobs = 2000;
  static void* blocks[kJobs];
  std::atomic<int> next{0};
  std::vector<std::thread> workers;
  for (int w = 0; w < kWorkers; ++w) {
    workers.emplace_back([&] {
      for (int i = next.fetch_add(1); i < kJobs; i = next.fetch_add(1)) blocks[i] = planted_job(i);
    });
  }
  for (auto& w : workers) w.join();
  workers.clear();
  next = 0;
  for (int w = 0; w < kWorkers; ++w) {
    workers.emplace_back([&] {
      for (int i = next.fetch_add(1); i < kJobs; i = next.fetch_add(1)) std::free(blocks[i]);
    });
  }
  for (auto& w : workers) w.join();
}

/// What sampling costs before anything is recorded: the interrupts. Off at first.
int bare_timer() {
  perf_event_attr attr;
  std::memset(&attr, 0, sizeof attr);
  attr.size = sizeof attr;
  attr.type = PERF_TYPE_SOFTWARE;
  attr.config = PERF_COUNT_SW_CPU_CLOCK;
  attr.freq = 1;
  attr.sample_freq = 1000;
  attr.sample_type = PERF_SAMPLE_IP;
  attr.exclude_kernel = 1;
  attr.disabled = 1;
  return static_cast<int>(syscall(SYS_perf_event_open, &attr, getpid(), -1, -1, 0));
}

std::int64_t now_ns() {
  timespec t{};
  clock_gettime(CLOCK_MONOTONIC, &t);
  return t.tv_sec * 1'000'000'000 + t.tv_nsec;
}

/// Pieces of work of about ten microseconds, added up over ten milliseconds.
struct Group {
  std::int64_t start_ns;
  std::int64_t total_ns;
  std::int64_t lost_ns;  ///< What the pieces took above their median: interrupts and what follows.
};

Group one_group(std::int64_t begin, std::vector<std::int64_t>& pieces) {
  pieces.clear();
  const std::int64_t start = now_ns();
  std::int64_t t = start;
  while (t - start < 10'000'000) {
    planted<1>(6'000);
    const std::int64_t end = now_ns();
    pieces.push_back(end - t);
    t = end;
  }
  const auto middle = pieces.begin() + static_cast<std::ptrdiff_t>(pieces.size() / 2);
  std::nth_element(pieces.begin(), middle, pieces.end());
  const std::int64_t total = t - start;
  return {start - begin, total, total - *middle * static_cast<std::int64_t>(pieces.size())};
}

int windows(double seconds, const char* letters) {
  const int timer = std::strchr(letters, 't') != nullptr ? bare_timer() : -1;
  if (std::strchr(letters, 't') != nullptr && timer < 0) return 3;
  const auto length = static_cast<std::int64_t>(seconds * 1e9);
  const std::size_t count = std::strlen(letters);
  std::vector<Group> groups;
  groups.reserve(count * static_cast<std::size_t>(seconds * 110));
  std::vector<std::int64_t> pieces;
  const std::int64_t begin = now_ns();
  std::printf("%lld\n", static_cast<long long>(begin));
  std::fflush(stdout);
  bool timed = false;
  for (;;) {
    const auto window = static_cast<std::size_t>((now_ns() - begin) / length);
    if (window >= count) break;
    if (timed != (letters[window] == 't')) {
      timed = !timed;
      ioctl(timer, timed ? PERF_EVENT_IOC_ENABLE : PERF_EVENT_IOC_DISABLE, 0);
    }
    groups.push_back(one_group(begin, pieces));
  }
  for (const Group& group : groups) {
    std::printf("%lld %lld %lld %lld\n", static_cast<long long>(group.start_ns / length),
                static_cast<long long>(group.start_ns % length),
                static_cast<long long>(group.total_ns), static_cast<long long>(group.lost_ns));
  }
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  const char* what = argc > 1 ? argv[1] : "";
  const double seconds = argc > 2 ? std::atof(argv[2]) : 1;
  if (std::strcmp(what, "shares") == 0) {
    while (cpu_seconds() < seconds) one_round();
  } else if (std::strcmp(what, "windows") == 0 && argc > 3) {
    return windows(seconds, argv[3]);
  } else if (std::strcmp(what, "allocate") == 0) {
    const std::int64_t begin = now_ns();
    churn_below(10, static_cast<std::int64_t>(seconds));
    std::printf("%.6f %.6f\n", static_cast<double>(now_ns() - begin) * 1e-9, cpu_seconds());
  } else if (std::strcmp(what, "shapes") == 0) {
    std::thread second([seconds] { shapes(seconds); });
    shapes(seconds);
    second.join();
  } else if (std::strcmp(what, "memory") == 0) {
    planted_churn();
    static_cast<void>(planted_leak());
    planted_realloc();
    planted_c_aligned();
    planted_new();
    planted_pool();
  } else if (std::strcmp(what, "exit") == 0) {
    return static_cast<int>(seconds);
  } else if (std::strcmp(what, "abort") == 0) {
    std::abort();
  } else if (std::strcmp(what, "cat") == 0) {
    for (int c = std::getchar(); c != EOF; c = std::getchar()) std::putchar(c);
  }
  return 0;
}
