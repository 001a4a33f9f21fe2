#include "neurolens/capture/record.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <set>
#include <sstream>

#include "adapters/record/address_space.hpp"
#include "adapters/record/memory_file.hpp"
#include "neurolens/run/run.hpp"

namespace neurolens::capture {
namespace {

const std::string kPlanted = NEUROLENS_PLANTED;

class RecordTest : public ::testing::Test {
 protected:
  void SetUp() override {
    if (const auto obstacle = record_obstacle()) GTEST_SKIP() << *obstacle;
  }
};

RecordOptions run(std::vector<std::string> command) {
  RecordOptions o;
  o.command = std::move(command);
  return o;
}

/// By the name without its namespace and parameters.
std::size_t find_function(const SampledProfile& p, std::string_view wanted) {
  for (std::size_t i = 0; i < p.functions.size(); ++i) {
    std::string_view name = p.functions[i].name;
    if (const auto space = name.find("(anonymous namespace)::"); space != std::string_view::npos) {
      name.remove_prefix(space + 23);
    }
    if (name.substr(0, name.find('(')) == wanted) return i;
  }
  return p.functions.size();
}

FunctionCost cost_of(const SampledProfile& p, std::string_view part) {
  const std::size_t wanted = find_function(p, part);
  for (const FunctionCost& c : function_costs(p)) {
    if (c.function.index() == wanted) return c;
  }
  return {};
}

TEST_F(RecordTest, PlantedSharesComeOut) {
  const auto r = record(run({kPlanted, "shares", "1.5"}));
  ASSERT_TRUE(r.ok()) << r.error();
  EXPECT_EQ(r->exit_status, 0);
  const SampledProfile& p = r->profile;
  ASSERT_GT(p.samples.size(), 700u) << "of about 1,500";
  EXPECT_EQ(p.lost, 0u);
  // 1,500 samples: 5 points are four standard deviations. benchmarks/probe has the long run.
  for (const auto& [name, share] : {std::pair{"planted<10>", 0.1}, std::pair{"planted<20>", 0.2},
                                    std::pair{"planted<30>", 0.3}, std::pair{"planted<40>", 0.4}}) {
    const FunctionCost c = cost_of(p, name);
    EXPECT_NEAR(c.own.value, share, 0.05) << name;
    EXPECT_LE(c.own.low, c.own.value);
    EXPECT_GE(c.own.high, c.own.value);
  }
  // Without frame pointers, every stack still reaches main through one_round.
  EXPECT_GT(cost_of(p, "one_round").cumulative.value, 0.95);
  EXPECT_GT(cost_of(p, "main").cumulative.value, 0.95);
  EXPECT_LT(static_cast<double>(p.truncated), 0.02 * static_cast<double>(p.samples.size()));
  EXPECT_NEAR(static_cast<double>(p.cpu_time.count), 1.5e9, 0.3e9);
  // main and one_round explain nothing; the planted functions do.
  std::set<std::string> names;
  for (const FunctionCost& c : bottlenecks(p, 0.05))
    names.insert(p.functions[c.function.index()].name);
  EXPECT_EQ(names.count("main"), 0u);
  EXPECT_GE(names.size(), 4u);
}

std::string faults_of(const run::Run& run) {
  std::string text;
  for (const run::Fault& f : run::validate(run).faults) {
    text += f.pointer + ": " + f.sentence + "\n";
  }
  return text;
}

TEST_F(RecordTest, TheRunIsValidAndHoldsTheStacks) {
  RecordOptions o = run({kPlanted, "shapes", "0.3"});
#ifdef NEUROLENS_HAVE_MEMORY_LIBRARY
  for (const bool memory : {false, true}) {
    o.memory = memory;
    o.memory_library = NEUROLENS_MEMORY_LIBRARY;
#else
  for (const bool memory : {false}) {
#endif
    const auto r = record(o);
    ASSERT_TRUE(r.ok()) << r.error();
    ProgramFacts facts;
    facts.host.architecture = "x86_64";
    facts.host.cpu_model = facts.host.os = facts.host.kernel = "test";
    facts.host.cores_logical = 1;
    facts.neurolens_version = "0.0.0";
    facts.argv = {"neurolens", "record", "--", "planted"};
    const run::Run made = to_run(*r, o, facts);
    EXPECT_EQ(faults_of(made), "");
    EXPECT_FALSE(made.ops.empty());
    EXPECT_EQ(made.profile->weight_unit, memory ? "bytes" : "ns");
    if (!memory) {
      EXPECT_EQ(made.profile->sample_stack.size(), r->profile.samples.size());
    }
    EXPECT_GT(*made.memory.host_peak_bytes, 100'000);
  }
}

TEST_F(RecordTest, InlinedCallsRecursionThreadsAndLibraries) {
  const auto r = record(run({kPlanted, "shapes", "1.5"}));
  ASSERT_TRUE(r.ok()) << r.error();
  const SampledProfile& p = r->profile;
  const auto inner = cost_of(p, "inlined_inner");
  EXPECT_GT(inner.own.value, 0.1);
  EXPECT_GE(cost_of(p, "holds_inlined").cumulative_samples, inner.own_samples);
  EXPECT_GE(cost_of(p, "inlined_outer").cumulative_samples, inner.own_samples * 9 / 10);
  EXPECT_TRUE(p.functions[find_function(p, "inlined_inner")].file.ends_with("planted_main.cpp"));
  // 21 frames of recursion count once.
  const auto recursive = cost_of(p, "recursive");
  EXPECT_LE(recursive.cumulative_samples, p.samples.size());
  EXPECT_GE(recursive.cumulative.value, 0.2);
  std::size_t deepest = 0;
  for (std::size_t n = 0; n < p.nodes.size(); ++n) {
    std::size_t depth = 0;
    for (auto at = static_cast<std::int64_t>(n); at >= 0;
         at = p.nodes[static_cast<std::size_t>(at)].parent) {
      depth += p.functions[p.nodes[static_cast<std::size_t>(at)].function.index()].name.find(
                   "recursive") != std::string::npos
                   ? 1
                   : 0;
    }
    deepest = std::max(deepest, depth);
  }
  EXPECT_EQ(deepest, 21u);
  const auto library = cost_of(p, "planted_in_library");
  EXPECT_GT(library.own.value, 0.1);
  EXPECT_TRUE(p.modules[p.functions[library.function.index()].module.index()].path.ends_with(
      "librecord_planted_library.so"));
  EXPECT_FALSE(p.modules[p.functions[library.function.index()].module.index()].build_id.empty());
  EXPECT_EQ(thread_costs(p).size(), 2u);
  EXPECT_FALSE(line_costs(p).empty());
  bool edge = false;
  for (const Edge& e : call_edges(p)) {
    edge = edge || (p.functions[e.caller.index()].name.find("shapes") != std::string::npos &&
                    p.functions[e.callee.index()].name == "planted_in_library");
  }
  EXPECT_TRUE(edge);
  EXPECT_NE(collapsed_stacks(p).find("holds_inlined"), std::string::npos);
}

TEST_F(RecordTest, StrippedProgramsShowModuleOffsets) {
  const auto r = record(run({kPlanted + "_stripped", "shares", "0.5"}));
  ASSERT_TRUE(r.ok()) << r.error();
  const SampledProfile& p = r->profile;
  // Four functions with 10 to 40 %, by the offset of their first byte.
  int large = 0;
  for (const FunctionCost& c : function_costs(p)) {
    const std::string& name = p.functions[c.function.index()].name;
    if (c.own.value > 0.05 && name.starts_with("[record_planted_stripped+0x")) ++large;
  }
  EXPECT_EQ(large, 4);
}

TEST_F(RecordTest, ExitStatusAndSignalsPassThrough) {
  EXPECT_EQ(record(run({kPlanted, "exit", "7"}))->exit_status, 7);
  const auto aborted = record(run({kPlanted, "abort"}));
  ASSERT_TRUE(aborted.ok());
  EXPECT_EQ(aborted->exit_signal, SIGABRT);
  EXPECT_FALSE(aborted->exit_status.has_value());
  EXPECT_EQ(record(run({"/nonexistent/program"})).error().code, Errc::not_found);
  char plain[] = "/tmp/neurolens_plain_XXXXXX";  // not executable
  close(mkstemp(plain));
  EXPECT_EQ(record(run({plain})).error().code, Errc::permission_denied);
  unlink(plain);
}

TEST_F(RecordTest, StandardStreamsPassThrough) {
  char in_name[] = "/tmp/neurolens_in_XXXXXX", out_name[] = "/tmp/neurolens_out_XXXXXX";
  const int in = mkstemp(in_name), out = mkstemp(out_name);
  const std::string text(100'000, 'x');
  ASSERT_EQ(write(in, text.data(), text.size()), static_cast<ssize_t>(text.size()));
  lseek(in, 0, SEEK_SET);
  std::fflush(stdout);
  const int saved_in = dup(0), saved_out = dup(1);
  dup2(in, 0);
  dup2(out, 1);
  const auto r = record(run({kPlanted, "cat"}));
  dup2(saved_in, 0);
  dup2(saved_out, 1);
  for (const int fd : {in, out, saved_in, saved_out}) close(fd);
  ASSERT_TRUE(r.ok());
  std::ifstream back(out_name);
  std::stringstream got;
  got << back.rdbuf();
  EXPECT_EQ(got.str(), text);
  unlink(in_name);
  unlink(out_name);
}

TEST_F(RecordTest, AttachesToARunningProcessAndLeavesItAlive) {
  const pid_t child = fork();
  if (child == 0) {
    execl(kPlanted.c_str(), kPlanted.c_str(), "shapes", "60", nullptr);
    _exit(127);
  }
  usleep(200'000);
  RecordOptions o;
  o.pid = child;
  o.duration = Nanoseconds{700'000'000};
  clockid_t its_clock{};
  ASSERT_EQ(clock_getcpuclockid(child, &its_clock), 0);
  const auto its_seconds = [&] {
    timespec t{};
    clock_gettime(its_clock, &t);
    return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_nsec) * 1e-9;
  };
  const double before = its_seconds();
  const auto r = record(o);
  const double ran = its_seconds() - before;  // a busy machine gives it little
  int status = 0;
  EXPECT_EQ(waitpid(child, &status, WNOHANG), 0) << "the process must go on";
  kill(child, SIGKILL);
  waitpid(child, &status, 0);
  ASSERT_TRUE(r.ok()) << r.error();
  // While names are looked up at the end it runs unobserved: no upper bound on what was missed.
  EXPECT_GT(r->profile.samples.size(), 10u);
  EXPECT_LT(static_cast<double>(r->profile.samples.size()), 1.1 * 997 * ran + 10);
  EXPECT_GT(cost_of(r->profile, "planted_in_library").own.value, 0.1);
  EXPECT_GT(cost_of(r->profile, "shapes").cumulative.value, 0.8);
  o.pid = child;
  EXPECT_EQ(record(o).error().code, Errc::not_found);
}

TEST_F(RecordTest, ChildProcessesAreFollowed) {
  const auto r =
      record(run({"/bin/sh", "-c", kPlanted + " shares 0.3; " + kPlanted + " shares 0.3 & wait"}));
  ASSERT_TRUE(r.ok()) << r.error();
  std::set<std::int64_t> processes;
  for (const Sample& s : r->profile.samples)
    processes.insert(r->profile.threads[s.thread.index()].process_id);
  EXPECT_GE(processes.size(), 2u);
  EXPECT_GT(cost_of(r->profile, "planted<40>").own.value, 0.2);
}

TEST_F(RecordTest, FramePointerModeSeesTheSameLeaves) {
  RecordOptions o = run({kPlanted, "shares", "0.5"});
  o.unwind = Unwind::frame_pointers;
  const auto r = record(o);
  ASSERT_TRUE(r.ok()) << r.error();
  EXPECT_NEAR(cost_of(r->profile, "planted<40>").own.value, 0.4, 0.12);
}

TEST_F(RecordTest, MemoryOfAProgramIsExact) {
#ifndef NEUROLENS_HAVE_MEMORY_LIBRARY
  GTEST_SKIP() << "This build has no memory library (sanitizers bring their own malloc).";
#endif
  RecordOptions o = run({kPlanted, "memory"});
  o.memory = true;
  o.memory_library = NEUROLENS_MEMORY_LIBRARY;
  const auto r = record(o);
  ASSERT_TRUE(r.ok()) << r.error();
  ASSERT_TRUE(r->memory.has_value());
  const MemoryProfile& m = *r->memory;
  const auto site_of = [&m](std::string_view name) {
    MemorySite found;
    for (const MemorySite& s : m.sites) {
      for (const FunctionId f : s.stack) {
        if (m.functions[f.index()].name.find(name) == std::string::npos) continue;
        found.allocations += s.allocations;
        found.allocated += s.allocated;
        found.live += s.live;
        found.peak += s.peak;  // exact where one stack matches
        break;
      }
    }
    return found;
  };
  EXPECT_EQ(site_of("planted_churn").allocations, 1000u);
  EXPECT_EQ(site_of("planted_churn").allocated.count, 100'000);
  EXPECT_EQ(site_of("planted_churn").live.count, 0);
  EXPECT_EQ(site_of("planted_leak").allocations, 1u);
  EXPECT_EQ(site_of("planted_leak").live.count, 1234);
  const auto expect_site = [&](const char* name, std::uint64_t allocations, std::int64_t bytes,
                               std::int64_t live) {
    const MemorySite s = site_of(name);
    EXPECT_EQ(s.allocations, allocations) << name;
    EXPECT_EQ(s.allocated.count, bytes) << name;
    EXPECT_EQ(s.live.count, live) << name;
  };
  expect_site("planted_realloc", 4, 10 + 1000 + 500 + 5000, 0);
  expect_site("planted_c_aligned", 3, 640 + 1000 + 70, 0);
  expect_site("planted_new", 3, 6 * 384 + 33, 33);
  std::int64_t jobs = 0;
  for (int i = 0; i < 2000; ++i) jobs += 16 + i % 100;
  expect_site("planted_job", 2000, jobs, 0);  // allocated by four threads, freed by four others
  EXPECT_EQ(site_of("planted_job").peak.count, jobs);
  EXPECT_GE(m.live_at_exit.count, 1234 + 33);
  EXPECT_GE(m.peak.count, jobs);
  for (const MemorySite& s : m.sites) {  // the observer's own run time is not the program's
    for (const FunctionId f : s.stack) {
      const std::string& module = m.modules[m.functions[f.index()].module.index()].path;
      EXPECT_FALSE(module.ends_with("libneurolens_memory.so"));
    }
  }
}

TEST_F(RecordTest, RefusesContradictionsWithASentence) {
  EXPECT_EQ(record({}).error().code, Errc::bad_request);
  RecordOptions o = run({"true"});
  o.rate_hz = 1e6;
  EXPECT_EQ(record(o).error().code, Errc::out_of_range);
  o = {};
  o.pid = 1;
  o.memory = true;
  EXPECT_EQ(record(o).error().code, Errc::bad_request);
}

TEST(MemoryFile, RefusesDamage) {
  MemoryProfile profile;
  const std::string whole =
      "neurolens-memory 1\nprocess 1\ntotal 3 2 30 10 20\nstack 3 30 1 10 20 400000\nmaps\nend\n";
  EXPECT_TRUE(record_detail::add_memory_text(whole, profile).ok());
  EXPECT_EQ(profile.peak.count, 20);
  ASSERT_EQ(profile.sites.size(), 1u);
  EXPECT_EQ(profile.sites[0].live.count, 10);
  for (std::size_t length = 0; length < whole.size(); ++length) {
    MemoryProfile other;
    EXPECT_FALSE(record_detail::add_memory_text(whole.substr(0, length), other).ok()) << length;
  }
}

TEST(AddressSpace, LaterMappingsCutEarlierOnes) {
  record_detail::ModuleTable modules;
  record_detail::ElfModule* own = modules.get("/proc/self/exe");
  ASSERT_NE(own, nullptr);
  record_detail::AddressSpace space;
  space.map(0x1000, 0x9000, 0, own);
  space.map(0x3000, 0x1000, 0, nullptr);
  EXPECT_EQ(space.find(0x2fff).module, own);
  EXPECT_EQ(space.find(0x3500).module, nullptr);
  EXPECT_EQ(space.find(0x4000).module, own);
  EXPECT_EQ(space.find(0x4010).address, own->address_of_offset(0x3010));
  EXPECT_EQ(space.find(0xa000).module, nullptr);
}

SampledProfile small_profile() {
  SampledProfile p;
  p.modules = {{"/bin/a", ""}};
  for (const char* name : {"main", "f", "g"})
    p.functions.push_back({name, ModuleId(0u), "a.cpp", false});
  p.threads = {{1, 1, "a"}};
  // main -> f -> g -> f
  p.nodes = {{-1, FunctionId(0u)}, {0, FunctionId(1u)}, {1, FunctionId(2u)}, {2, FunctionId(1u)}};
  for (int i = 0; i < 10; ++i)
    p.samples.push_back({Nanoseconds{i}, SampledThreadId(0u), NodeId(i < 6 ? 3u : 2u), 7});
  p.cpu_time = Nanoseconds{1000};
  return p;
}

TEST(Views, KnownProfileGivesKnownNumbers) {
  const SampledProfile p = small_profile();
  const auto costs = function_costs(p);
  EXPECT_EQ(p.functions[costs[0].function.index()].name, "f");
  EXPECT_EQ(costs[0].own_samples, 6u);
  EXPECT_EQ(costs[0].cumulative_samples, 10u);  // twice on each stack, counted once
  EXPECT_EQ(costs[0].own_time.count, 600);
  EXPECT_EQ(costs[1].own_samples, 4u);
  EXPECT_EQ(collapsed_stacks(p), "main;f;g 4\nmain;f;g;f 6\n");
  const auto edges = call_edges(p);
  ASSERT_EQ(edges.size(), 3u);
  EXPECT_EQ(edges[0].samples, 10u);
  EXPECT_EQ(edges[2].samples, 6u);
  const auto hot = bottlenecks(p, 0.3);
  ASSERT_EQ(hot.size(), 2u);  // main is folded away
  EXPECT_EQ(line_costs(p)[0].name, "a.cpp:7");
  const FunctionDetail f = function_detail(p, FunctionId(1u));
  EXPECT_EQ(f.cost.own_samples, 6u);
  ASSERT_EQ(f.callers.size(), 2u);
  EXPECT_EQ(f.callers[0].name, "main");
  EXPECT_EQ(f.callers[0].samples, 10u);
  EXPECT_EQ(f.callers[1].name, "g");
  EXPECT_EQ(f.callers[1].samples, 6u);
  ASSERT_EQ(f.callees.size(), 1u);
  EXPECT_EQ(f.callees[0].samples, 10u);
  ASSERT_EQ(f.lines.size(), 1u);
  EXPECT_EQ(f.lines[0].samples, 6u);
  EXPECT_EQ(of_module(p, costs, "a").size(), 3u);
  EXPECT_EQ(of_module(p, costs, "/bin/a").size(), 3u);
  EXPECT_EQ(of_module(p, costs, "b").size(), 0u);
}

TEST(Views, FunctionsAreFoundByWhatPeopleCallThem) {
  SampledProfile p;
  for (const char* name :
       {"(anonymous namespace)::relax<3>(int)", "grid::relax(double, void (*)(int)) const", "relax",
        "prelax(int)", "operator()(int)"}) {
    p.functions.push_back({name, ModuleId(0u), "", false});
  }
  const auto found = [&](std::string_view name) {
    std::vector<std::uint32_t> ids;
    for (const FunctionId f : functions_named(p, name)) ids.push_back(f.value);
    return ids;
  };
  using Ids = std::vector<std::uint32_t>;
  EXPECT_EQ(found("relax"), (Ids{1, 2}));
  EXPECT_EQ(found("relax<3>"), Ids{0});
  EXPECT_EQ(found("grid::relax"), Ids{1});
  EXPECT_EQ(found("prelax(int)"), Ids{3});
  EXPECT_EQ(found("operator()"), Ids{4});
  EXPECT_EQ(found("lax"), Ids{});
  EXPECT_EQ(found(""), Ids{});
}

TEST(Views, WilsonIntervalMatchesItsTable) {
  // Newcombe (1998), table I: 81 of 263, and 0 of 20.
  const Share a = wilson_share(81, 263);
  EXPECT_NEAR(a.low, 0.2553, 5e-5);
  EXPECT_NEAR(a.high, 0.3662, 5e-5);
  const Share b = wilson_share(0, 20);
  EXPECT_EQ(b.low, 0);
  EXPECT_NEAR(b.high, 0.1611, 5e-5);
  EXPECT_EQ(wilson_share(0, 0).high, 1);
}

}  // namespace
}  // namespace neurolens::capture
