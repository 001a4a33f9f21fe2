#include "neurolens/probe/session.hpp"

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <map>
#include <set>
#include <sstream>
#include <stdexcept>
#include <thread>

#include "neurolens/probe/c_api.h"
#include "neurolens/probe/scope.hpp"
#include "neurolens/probe/trace.hpp"

#if defined(__SANITIZE_THREAD__)
#define NEUROLENS_UNDER_TSAN
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define NEUROLENS_UNDER_TSAN
#endif
#endif
#ifdef NEUROLENS_UNDER_TSAN
// A forked child that records starts its own writer; the sanitizer would end it for that.
extern "C" const char* __tsan_default_options() {
  return "die_after_fork=0";
}
#endif

namespace neurolens::probe {
namespace {

class SessionTest : public ::testing::Test {
 protected:
  SessionTest() {
    char name[] = "/tmp/neurolens_probe_XXXXXX";
    folder_ = mkdtemp(name);
  }
  ~SessionTest() override {
    static_cast<void>(stop());
    std::filesystem::remove_all(folder_);
  }
  [[nodiscard]] std::string file(const char* name = "trace.nlp") const {
    return folder_ + "/" + name;
  }
  [[nodiscard]] SessionOptions options(Keep keep = Keep::everything) const {
    SessionOptions o;
    o.path = file();
    o.keep = keep;
    return o;
  }
  Trace finish() {
    auto report = stop();
    EXPECT_TRUE(report.ok());
    report_ = std::move(report).value_or({});
    auto trace = read_trace(file());
    EXPECT_TRUE(trace.ok()) << trace.error();
    return std::move(trace).value_or({});
  }
  SessionReport report_;
  std::string folder_;
};

std::string name_of(const Trace& t, SiteId site) {
  return t.info.sites[site.index()].name;
}

std::map<std::string, int> count_spans(const Trace& trace) {
  std::map<std::string, int> counts;
  for (const Span& s : spans_of(trace)) ++counts[name_of(trace, s.site)];
  return counts;
}

TEST_F(SessionTest, NestedScopesKeepTheirOrderNamesAndTimes) {
  ASSERT_TRUE(start(options()).ok());
  {
    NEUROLENS_SCOPE("outer");
    for (int i = 0; i < 3; ++i) {
      NEUROLENS_SCOPE("inner");
      usleep(1000);
    }
  }
  const Trace trace = finish();
  const auto spans = spans_of(trace);
  ASSERT_EQ(spans.size(), 4u);
  EXPECT_EQ(name_of(trace, spans[0].site), "outer");
  EXPECT_EQ(spans[0].parent, -1);
  std::int64_t inner = 0;
  for (std::size_t i = 1; i < 4; ++i) {
    EXPECT_EQ(name_of(trace, spans[i].site), "inner");
    EXPECT_EQ(spans[i].parent, 0);
    EXPECT_EQ(spans[i].depth, 1u);
    EXPECT_GE((spans[i].end - spans[i].begin).count, 1'000'000);
    inner += (spans[i].end - spans[i].begin).count;
  }
  EXPECT_EQ(spans[0].own.count, (spans[0].end - spans[0].begin).count - inner);
  EXPECT_TRUE(trace.info.complete);
  EXPECT_FALSE(trace.info.damaged);
  EXPECT_EQ(report_.events, 8u);
  EXPECT_EQ(trace.info.events, 8u);
  EXPECT_EQ(trace.info.lost, 0u);
  EXPECT_TRUE(trace.info.sites[spans[0].site.index()].file.ends_with("session_test.cpp"));
}

TEST_F(SessionTest, TimesAgreeWithTheMonotonicClock) {
  for (const RecordClock clock : {RecordClock::automatic, RecordClock::system}) {
    SessionOptions o = options();
    o.clock = clock;
    timespec a{}, b{};
    ASSERT_TRUE(start(o).ok());
    clock_gettime(CLOCK_MONOTONIC, &a);
    {
      NEUROLENS_SCOPE("slept");
      clock_gettime(CLOCK_MONOTONIC, &a);
      usleep(50'000);
      clock_gettime(CLOCK_MONOTONIC, &b);
    }
    const Trace trace = finish();
    const auto spans = spans_of(trace);
    ASSERT_EQ(spans.size(), 1u);
    const double truth =
        static_cast<double>((b.tv_sec - a.tv_sec) * 1'000'000'000 + b.tv_nsec - a.tv_nsec);
    // The scope encloses both readings; a descheduling in between could only make it longer.
    EXPECT_GE(static_cast<double>((spans[0].end - spans[0].begin).count), truth * 0.9999 - 200);
    EXPECT_LE(static_cast<double>((spans[0].end - spans[0].begin).count), truth * 1.05 + 5e6);
  }
}

TEST_F(SessionTest, NothingIsRecordedWhileOff) {
  { NEUROLENS_SCOPE("before"); }
  ASSERT_TRUE(start(options()).ok());
  { NEUROLENS_SCOPE("during"); }
  const Trace trace = finish();
  { NEUROLENS_SCOPE("after"); }
  EXPECT_EQ(count_spans(trace), (std::map<std::string, int>{{"during", 1}}));
}

TEST_F(SessionTest, EveryKindOfEventComesBack) {
  ASSERT_TRUE(start(options()).ok());
  const std::uint64_t id = unique_id();
  {
    NEUROLENS_NAMED_SCOPE(scope, "op");
    NEUROLENS_VALUE(scope, "bytes", std::int64_t{-5});
    NEUROLENS_VALUE(scope, "load_ratio", 0.25);
    NEUROLENS_SHAPE(scope, "shape", 1, 3, 224, 224);
    NEUROLENS_FLOW_BEGIN("hand over", id);
  }
  NEUROLENS_ITERATION("step", 7);
  NEUROLENS_COUNTER("queue", std::int64_t{3});
  NEUROLENS_INSTANT("here");
  AsyncSpan span{NamedSite("request")};
  std::thread([&span] {
    NEUROLENS_THREAD_NAME("the consumer with a long name");
    AsyncSpan mine = std::move(span);
  }).join();
  const Trace trace = finish();
  std::map<EventKind, std::vector<TraceEvent>> by_kind;
  for (const TraceEvent& e : trace.events) by_kind[e.kind].push_back(e);
  ASSERT_EQ(by_kind[EventKind::value].size(), 6u);
  EXPECT_EQ(by_kind[EventKind::value][0].integer(), -5);
  EXPECT_EQ(name_of(trace, by_kind[EventKind::value][0].site), "bytes");
  EXPECT_EQ(by_kind[EventKind::value][1].type, ValueType::real);
  EXPECT_EQ(by_kind[EventKind::value][1].real(), 0.25);
  EXPECT_EQ(by_kind[EventKind::value][4].dimension, 2);
  EXPECT_EQ(by_kind[EventKind::value][4].dimensions, 4);
  EXPECT_EQ(by_kind[EventKind::value][4].integer(), 224);
  ASSERT_EQ(by_kind[EventKind::flow].size(), 1u);
  EXPECT_EQ(by_kind[EventKind::flow][0].value, id);
  ASSERT_EQ(by_kind[EventKind::mark].size(), 1u);
  EXPECT_EQ(by_kind[EventKind::mark][0].integer(), 7);
  ASSERT_EQ(by_kind[EventKind::counter].size(), 1u);
  ASSERT_EQ(by_kind[EventKind::instant].size(), 1u);
  ASSERT_EQ(by_kind[EventKind::async_begin].size(), 1u);
  ASSERT_EQ(by_kind[EventKind::async_end].size(), 1u);
  EXPECT_EQ(by_kind[EventKind::async_begin][0].value, by_kind[EventKind::async_end][0].value);
  EXPECT_NE(by_kind[EventKind::async_begin][0].thread, by_kind[EventKind::async_end][0].thread);
  EXPECT_EQ(name_of(trace, by_kind[EventKind::async_end][0].site), "request");
  const ThreadId consumer = by_kind[EventKind::async_end][0].thread;
  EXPECT_EQ(trace.info.threads[consumer.index()].name, "the consumer with a long name");
}

// 64 threads that begin and end all the time; run under the thread sanitizer in CI.
TEST_F(SessionTest, ManyShortThreadsLoseNothing) {
  SessionOptions o = options();
  o.memory = Bytes{1 << 20};  // 16 chunks: fewer than threads
  o.flush_every = Nanoseconds{2'000'000};
  ASSERT_TRUE(start(o).ok());
  constexpr int kRounds = 6, kThreads = 64, kScopes = 3000;
  for (int round = 0; round < kRounds; ++round) {
    std::vector<std::thread> threads;
    for (int t = 0; t < kThreads; ++t) {
      threads.emplace_back([] {
        for (int i = 0; i < kScopes; ++i) {
          NEUROLENS_SCOPE("a");
          NEUROLENS_SCOPE("b");
        }
      });
    }
    for (auto& t : threads) t.join();
  }
  const Trace trace = finish();
  const auto counts = count_spans(trace);
  EXPECT_EQ(counts.at("a"), kRounds * kThreads * kScopes);
  EXPECT_EQ(counts.at("b"), kRounds * kThreads * kScopes);
  EXPECT_EQ(trace.info.lost, 0u);
  EXPECT_EQ(trace.info.threads.size(), static_cast<std::size_t>(kRounds * kThreads));
}

TEST_F(SessionTest, StartsAndStopsUnderThreadsThatRecord) {
  std::atomic<bool> done{false};
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&done] {
      while (!done.load(std::memory_order_relaxed)) {
        NEUROLENS_NAMED_SCOPE(scope, "busy");
        NEUROLENS_VALUE(scope, "n", std::int64_t{1});
      }
    });
  }
  for (int i = 0; i < 40; ++i) {
    SessionOptions o = options(i % 2 == 0 ? Keep::everything : Keep::newest);
    o.memory = Bytes{1 << 20};
    ASSERT_TRUE(start(o).ok());
    usleep(500);
    const auto report = stop();
    ASSERT_TRUE(report.ok()) << report.error();
    const auto trace = read_trace(o.path);
    ASSERT_TRUE(trace.ok());
    EXPECT_EQ(trace->info.events, report->events);
    EXPECT_FALSE(trace->info.damaged);
    for (const TraceEvent& e : trace->events) {
      if (e.kind == EventKind::begin) {
        ASSERT_EQ(name_of(*trace, e.site), "busy");
      }
    }
  }
  done = true;
  for (auto& t : threads) t.join();
}

TEST_F(SessionTest, RingKeepsTheNewestAndCountsTheRestExactly) {
  SessionOptions o = options(Keep::newest);
  o.memory = Bytes{256 << 10};
  ASSERT_TRUE(start(o).ok());
  constexpr std::uint64_t kScopes = 100'000;
  for (std::uint64_t i = 0; i < kScopes; ++i) {
    NEUROLENS_SCOPE("tick");
  }
  { NEUROLENS_SCOPE("last"); }
  const Trace trace = finish();
  EXPECT_EQ(trace.info.lost, 0u);
  EXPECT_GT(trace.info.overwritten, 0u);
  EXPECT_EQ(trace.info.events + trace.info.overwritten, 2 * (kScopes + 1));
  const auto spans = spans_of(trace);
  ASSERT_FALSE(spans.empty());
  EXPECT_EQ(name_of(trace, spans.back().site), "last");
}

TEST_F(SessionTest, RingCountsWhatFindsNoRoom) {
  SessionOptions o = options(Keep::newest);
  o.memory = Bytes{256 << 10};  // four chunks: four threads at a time
  ASSERT_TRUE(start(o).ok());
  constexpr int kThreads = 6;
  std::atomic<int> begun{0};
  std::atomic<bool> go_on{false};
  std::vector<std::thread> threads;
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([&] {
      NEUROLENS_INSTANT("once");
      ++begun;
      while (!go_on) usleep(100);
    });
  }
  while (begun != kThreads) usleep(100);
  go_on = true;
  for (auto& t : threads) t.join();
  const Trace trace = finish();
  EXPECT_EQ(trace.info.lost, 2u);
  EXPECT_EQ(trace.info.events, 4u);
}

TEST_F(SessionTest, RingSurvivesKillNine) {
  const pid_t child = fork();
  if (child == 0) {
    SessionOptions o = options(Keep::newest);
    if (!start(o).ok()) _exit(1);
    NEUROLENS_SCOPE("never ends");
    for (int i = 0; i < 1000; ++i) {
      NEUROLENS_SCOPE("work");
    }
    kill(getpid(), SIGKILL);
  }
  int status = 0;
  waitpid(child, &status, 0);
  ASSERT_TRUE(WIFSIGNALED(status));
  const auto trace = read_trace(file());
  ASSERT_TRUE(trace.ok());
  EXPECT_FALSE(trace->info.complete);
  EXPECT_EQ(trace->info.lost, 0u);
  EXPECT_EQ(trace->info.events, 2001u);
  const auto spans = spans_of(*trace);
  ASSERT_EQ(spans.size(), 1001u);
  EXPECT_TRUE(spans[0].cut);
  EXPECT_EQ(name_of(*trace, spans[0].site), "never ends");
}

TEST_F(SessionTest, StreamLosesAtMostTheFlushIntervalToKillNine) {
  const pid_t child = fork();
  if (child == 0) {
    SessionOptions o = options();
    o.flush_every = Nanoseconds{1'000'000};
    if (!start(o).ok()) _exit(1);
    for (int i = 0; i < 100; ++i) {
      NEUROLENS_SCOPE("work");
    }
    usleep(300'000);
    kill(getpid(), SIGKILL);
  }
  int status = 0;
  waitpid(child, &status, 0);
  const auto trace = read_trace(file());
  ASSERT_TRUE(trace.ok());
  EXPECT_FALSE(trace->info.complete);
  EXPECT_FALSE(trace->info.lost.has_value());
  EXPECT_EQ(count_spans(*trace).at("work"), 100);
}

TEST_F(SessionTest, ExceptionsCloseTheScopesTheyLeave) {
  ASSERT_TRUE(start(options()).ok());
  for (int i = 0; i < 10; ++i) {
    try {
      NEUROLENS_SCOPE("outer");
      NEUROLENS_SCOPE("thrower");
      throw std::runtime_error("planned");
    } catch (const std::runtime_error&) {
      NEUROLENS_SCOPE("handler");
    }
  }
  const Trace trace = finish();
  for (const Span& s : spans_of(trace)) {
    EXPECT_FALSE(s.cut);
    EXPECT_EQ(s.depth, name_of(trace, s.site) == "thrower" ? 1u : 0u);
  }
  EXPECT_EQ(count_spans(trace),
            (std::map<std::string, int>{{"handler", 10}, {"outer", 10}, {"thrower", 10}}));
}

std::atomic<int> handled{0};
void on_signal(int) {
  NEUROLENS_NAMED_SCOPE(scope, "in handler");
  NEUROLENS_VALUE(scope, "n", std::int64_t{1});
  handled.fetch_add(1, std::memory_order_relaxed);
}

// A handler interrupts the store of a word sooner or later; neither its events nor those of the
// interrupted code may be lost or mixed up.
TEST_F(SessionTest, SignalHandlersMayRecordAtAnyMoment) {
  ASSERT_TRUE(start(options()).ok());
  handled = 0;
  struct sigaction action {
  }, before{};
  action.sa_handler = &on_signal;
  sigaction(SIGALRM, &action, &before);
  itimerval timer{{0, 50}, {0, 50}};
  setitimer(ITIMER_REAL, &timer, nullptr);
  int scopes = 0;
  while (handled.load() < 500 && scopes < 20'000'000) {
    NEUROLENS_SCOPE("interrupted");
    ++scopes;
  }
  timer = {};
  setitimer(ITIMER_REAL, &timer, nullptr);
  sigaction(SIGALRM, &before, nullptr);
  const int handlers = handled.load();
  const Trace trace = finish();
  const auto counts = count_spans(trace);
  EXPECT_EQ(counts.at("interrupted"), scopes);
  EXPECT_EQ(counts.at("in handler"), handlers);
  EXPECT_EQ(trace.info.lost, 0u);
  for (const Span& s : spans_of(trace)) EXPECT_LE(s.begin, s.end);
}

TEST_F(SessionTest, AForkedChildRecordsIntoItsOwnFile) {
#ifdef NEUROLENS_UNDER_TSAN
  GTEST_SKIP() << "The sanitizer's run time cannot start threads in a forked child.";
#endif
  ASSERT_TRUE(start(options()).ok());
  { NEUROLENS_SCOPE("parent"); }
  const pid_t child = fork();
  if (child == 0) {
    { NEUROLENS_SCOPE("child"); }
    const auto report = stop();
    _exit(report.ok() && report->events == 2 ? 0 : 1);
  }
  { NEUROLENS_SCOPE("parent"); }
  int status = 0;
  waitpid(child, &status, 0);
  EXPECT_EQ(status, 0);
  const Trace trace = finish();
  EXPECT_EQ(count_spans(trace), (std::map<std::string, int>{{"parent", 2}}));
  const auto other = read_trace(file() + "." + std::to_string(child));
  ASSERT_TRUE(other.ok());
  EXPECT_EQ(count_spans(*other), (std::map<std::string, int>{{"child", 1}}));
}

TEST_F(SessionTest, AForkedChildOfARingDoesNotTouchTheParentsFile) {
  ASSERT_TRUE(start(options(Keep::newest)).ok());
  const pid_t child = fork();
  if (child == 0) {
    { NEUROLENS_SCOPE("child"); }
    _exit(stop().ok() ? 0 : 1);
  }
  int status = 0;
  waitpid(child, &status, 0);
  EXPECT_EQ(status, 0);
  { NEUROLENS_SCOPE("parent"); }
  const Trace trace = finish();
  EXPECT_EQ(count_spans(trace), (std::map<std::string, int>{{"parent", 1}}));
}

TEST_F(SessionTest, ASilentForkedChildLeavesNoFile) {
  ASSERT_TRUE(start(options()).ok());
  const pid_t child = fork();
  if (child == 0) _exit(0);
  waitpid(child, nullptr, 0);
  EXPECT_FALSE(std::filesystem::exists(file() + "." + std::to_string(child)));
}

TEST_F(SessionTest, TheCInterfaceWritesTheSameEvents) {
  char message[200];
  ASSERT_EQ(neurolens_probe_start((file() + ",memory=1M").c_str(), message, sizeof message), 0)
      << message;
  EXPECT_EQ(neurolens_probe_recording(), 1);
  const neurolens_site site = neurolens_probe_site("from C", "x.c", 3, nullptr);
  EXPECT_EQ(site, neurolens_probe_site("from C", "x.c", 3, ""));
  const uint32_t begun = neurolens_probe_begin(site);
  neurolens_probe_value(neurolens_probe_site("bytes", "", 0, ""), 42);
  neurolens_probe_end(begun);
  uint64_t events = 0, lost = 1;
  ASSERT_EQ(neurolens_probe_stop(&events, &lost, message, sizeof message), 0);
  EXPECT_EQ(events, 3u);
  EXPECT_EQ(lost, 0u);
  EXPECT_EQ(neurolens_probe_begin(site), 0u);
  const auto trace = read_trace(file());
  ASSERT_TRUE(trace.ok());
  EXPECT_EQ(count_spans(*trace), (std::map<std::string, int>{{"from C", 1}}));
  EXPECT_EQ(neurolens_probe_start("x,mode=sideways", message, sizeof message), -1);
  EXPECT_NE(std::string(message).find("mode=sideways"), std::string::npos);
}

TEST_F(SessionTest, RefusesWhatCannotBeDoneWithASentence) {
  SessionOptions o;
  EXPECT_EQ(start(o).error().code, Errc::bad_request);
  o.path = "/nonexistent/folder/x";
  EXPECT_EQ(start(o).error().code, Errc::not_found);
  o = options();
  o.memory = Bytes{1};
  EXPECT_EQ(start(o).error().code, Errc::out_of_range);
  EXPECT_EQ(stop().error().code, Errc::bad_request);
  ASSERT_TRUE(start(options()).ok());
  EXPECT_EQ(start(options()).error().code, Errc::bad_request);
  EXPECT_EQ(parse_session("f,memory=7X").error().code, Errc::bad_request);
  EXPECT_EQ(parse_session("f,memory=64M").value_or({}).memory.count, 64 << 20);
}

// Storage is tested with torn files: every prefix must be read, and what was whole must come back.
TEST_F(SessionTest, EveryPrefixOfAFileIsReadable) {
  ASSERT_TRUE(start(options()).ok());
  for (int i = 0; i < 50; ++i) {
    NEUROLENS_NAMED_SCOPE(scope, "torn");
    NEUROLENS_VALUE(scope, "i", std::int64_t{i});
  }
  finish();
  std::ifstream in(file(), std::ios::binary);
  const std::string bytes((std::istreambuf_iterator<char>(in)), {});
  std::uint64_t most = 0;
  for (std::size_t length = 128; length <= bytes.size(); ++length) {
    std::filesystem::remove(file("torn"));
    std::ofstream(file("torn"), std::ios::binary) << bytes.substr(0, length);
    const auto trace = read_trace(file("torn"));
    ASSERT_TRUE(trace.ok());
    EXPECT_GE(trace->info.events, most);
    most = trace->info.events;
    EXPECT_EQ(trace->info.complete, length == bytes.size());
  }
  EXPECT_EQ(most, 150u);
  for (std::size_t at = 128; at < bytes.size(); ++at) {
    std::string flipped = bytes;
    flipped[at] = static_cast<char>(flipped[at] ^ 0x10);
    std::filesystem::remove(file("flipped"));
    std::ofstream(file("flipped"), std::ios::binary) << flipped;
    const auto trace = read_trace(file("flipped"));
    ASSERT_TRUE(trace.ok());
    EXPECT_TRUE(trace->info.damaged || !trace->info.complete) << at;
  }
}

// Found by trace_fuzz: differences of times that a damaged header holds left 64 bits.
TEST_F(SessionTest, AnyWordOfTheHeaderMayBeDamaged) {
  const SessionOptions o = options();
  ASSERT_TRUE(start(o).ok());
  for (int i = 0; i < 10; ++i) {
    NEUROLENS_SCOPE("a");
  }
  finish();
  std::ifstream in(o.path, std::ios::binary);
  std::stringstream whole;
  whole << in.rdbuf();
  const std::string good = whole.str();
  ASSERT_GT(good.size(), 128u);
  for (std::size_t at = 0; at < 128; at += 8) {
    for (const std::uint64_t word : {std::uint64_t{0}, ~std::uint64_t{0}, std::uint64_t{1} << 63,
                                     (std::uint64_t{1} << 63) - 1, std::uint64_t{0x7FF0} << 48}) {
      std::string bad = good;
      std::memcpy(bad.data() + at, &word, sizeof word);
      std::ofstream(o.path, std::ios::binary) << bad;
      const auto trace = read_trace(o.path);
      if (!trace.ok()) continue;
      for (const Span& s : spans_of(*trace)) EXPECT_TRUE(s.cut || s.begin <= s.end) << at;
    }
  }
}

TEST_F(SessionTest, RefusesFilesThatAreNoTraces) {
  std::ofstream(file("text")) << std::string(500, 'x');
  EXPECT_EQ(read_trace(file("text")).error().code, Errc::parse_error);
  EXPECT_EQ(read_trace(file("absent")).error().code, Errc::not_found);
  std::ofstream(file("empty")).close();
  EXPECT_EQ(read_trace(file("empty")).error().code, Errc::parse_error);
}

TEST_F(SessionTest, SummaryAgreesWithSpans) {
  ASSERT_TRUE(start(options()).ok());
  for (int i = 0; i < 20; ++i) {
    NEUROLENS_SCOPE("outer");
    NEUROLENS_SCOPE("inner");
    usleep(100);
  }
  const Trace trace = finish();
  const auto summary = summarize_trace(file());
  ASSERT_TRUE(summary.ok());
  std::map<std::uint32_t, std::int64_t> own, total;
  for (const Span& s : spans_of(trace)) {
    own[s.site.value] += s.own.count;
    total[s.site.value] += (s.end - s.begin).count;
  }
  ASSERT_EQ(summary->size(), 2u);
  EXPECT_EQ(trace.info.sites[(*summary)[0].site.index()].name, "inner");
  for (const SiteSummary& s : *summary) {
    EXPECT_EQ(s.count, 20u);
    EXPECT_EQ(s.own.count, own[s.site.value]);
    EXPECT_EQ(s.total.count, total[s.site.value]);
    EXPECT_LE(s.min.count, s.median_ns);
    EXPECT_GE(s.max.count, s.median_ns);
  }
}

TEST_F(SessionTest, MoreNamesThanCodesShareOne) {
#ifdef NEUROLENS_UNDER_TSAN
  GTEST_SKIP() << "The sanitizer's run time cannot start threads in a forked child.";
#endif
  const pid_t child = fork();  // the table is per process: keep the other tests' table small
  if (child != 0) {
    int status = 0;
    waitpid(child, &status, 0);
    EXPECT_EQ(status, 0);
    return;
  }
  EXPECT_TRUE(start(options()).ok());
  std::vector<std::uint32_t> codes;
  for (int i = 0; i < 70'000; ++i) {
    codes.push_back(neurolens_probe_site(("n" + std::to_string(i)).c_str(), "", 0, ""));
  }
  neurolens_probe_end(neurolens_probe_begin(codes.back()));
  const Trace trace = finish();
  EXPECT_EQ(count_spans(trace), (std::map<std::string, int>{{"(other)", 1}}));
  EXPECT_GT(std::set<std::uint32_t>(codes.begin(), codes.end()).size(), 65'000u);
  _exit(HasFailure() ? 1 : 0);
}

}  // namespace
}  // namespace neurolens::probe
