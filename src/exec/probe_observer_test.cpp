#include "neurolens/exec/probe_observer.hpp"

#include <gtest/gtest.h>
#include <unistd.h>

#include <map>
#include <string>

#include "neurolens/base/file_system.hpp"
#include "neurolens/probe/session.hpp"
#include "neurolens/probe/trace.hpp"

namespace neurolens::exec {
namespace {

TEST(ProbeObserver, ShowsEveryCallUnderTheNameOfItsTask) {
  Graph graph;
  Policy policy;
  policy.retry.times = 1;
  const auto load = graph.add(TaskSpec("load", policy), [](TaskContext& context) {
    if (context.attempt() == 1) throw 1;
    return 1;
  });
  for (int i = 0; i < 5; ++i) graph.add([](int x) { return x; }, load);
  Result<CompiledGraph> compiled = std::move(graph).compile();
  ASSERT_TRUE(compiled.ok());
  ProbeObserver observer(*compiled);
  GraphRun run(*compiled);
  Executor executor(2);
  RunOptions options;
  options.observer = &observer;
  probe::SessionOptions session;
  session.path = ::testing::TempDir() + "exec_probe_" + std::to_string(getpid());
  ASSERT_TRUE(run.run(executor, options).ok()) << "without a session nothing happens";
  ASSERT_TRUE(probe::start(session).ok());
  ASSERT_TRUE(run.run(executor, options).ok());
  ASSERT_TRUE(probe::stop().ok());
  probe::TraceInfo info;
  const auto summary = probe::summarize_trace(session.path, &info);
  ASSERT_TRUE(summary.ok()) << summary.error();
  std::map<std::string, std::uint64_t> counts;
  for (const probe::SiteSummary& s : *summary) counts[info.sites[s.site.index()].name] = s.count;
  EXPECT_EQ(counts["load"], 2u);
  EXPECT_EQ(counts["task"], 5u);
  ASSERT_TRUE(system_files().remove(session.path).ok());
}

}  // namespace
}  // namespace neurolens::exec
