#include "neurolens/exec/workflow.hpp"

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cstdlib>
#include <map>
#include <thread>

#include "neurolens/base/clock.hpp"
#include "neurolens/base/file_system.hpp"
#include "neurolens/probe/session.hpp"
#include "neurolens/probe/trace.hpp"

namespace neurolens::exec {
namespace {

class Workflows : public ::testing::Test {
 protected:
  void SetUp() override {
    folder = fmt::format("{}/neurolens_workflow_{}_{}", ::testing::TempDir(), getpid(),
                         ::testing::UnitTest::GetInstance()->current_test_info()->name());
    ASSERT_TRUE(system_files().make_directories(folder).ok());
    options.state_directory = folder + "/state";
    functions["add"] = {
        [](const json::Value& in, TaskContext&) -> Result<json::Value> {
          return json::Value(json::Value::Data(*in.find("a")->as_int() + *in.find("b")->as_int()));
        },
        {{"a", "integer"}, {"b", "integer"}},
        "integer"};
    functions["greet"] = {
        [](const json::Value& in, TaskContext&) -> Result<json::Value> {
          return json::Value(json::Value::Data("hello " + *in.find("name")->as_string()));
        },
        {{"name", "string"}},
        "string"};
  }
  void TearDown() override {
    const std::string command = "rm -rf '" + folder + "'";
    ASSERT_EQ(std::system(command.c_str()), 0);
  }
  Workflow parse(const std::string& yaml) {
    Result<Workflow> w = Workflow::parse(yaml, "flow.yaml", functions);
    EXPECT_TRUE(w.ok()) << w.error();
    return std::move(w).value();
  }
  std::string error_of(const std::string& yaml) {
    const Result<Workflow> w = Workflow::parse(yaml, "flow.yaml", functions);
    EXPECT_FALSE(w.ok()) << yaml;
    return w.ok() ? "" : w.error().text();
  }
  WorkflowReport run(const Workflow& w) {
    Result<WorkflowReport> r = w.run(executor, system_files(), options);
    EXPECT_TRUE(r.ok()) << r.error();
    return std::move(r).value();
  }
  const StepReport& step(const WorkflowReport& r, const std::string& id) {
    for (const StepReport& s : r.steps) {
      if (s.id == id) return s;
    }
    ADD_FAILURE() << "no step " << id;
    return r.steps.front();
  }
  std::string folder;
  WorkflowFunctions functions;
  WorkflowOptions options;
  Executor executor{3};
};

TEST_F(Workflows, ValuesPassBetweenCommandsAndFunctions) {
  const Workflow w = parse(fmt::format(R"(
name: values
steps:
  three: {{run: "echo 3"}}
  sum: {{call: add, with: {{a: "${{steps.three.value}}", b: 4}}}}
  more: {{call: add, with: {{a: "${{steps.sum.value}}", b: 10}}}}
  file:
    run: ["sh", "-c", "echo sum is ${{steps.more.value}} > {0}/out/sum.txt"]
    outputs: {{text: "{0}/out/sum.txt"}}
  show: {{run: "cat ${{steps.file.outputs.text}}; echo $GREETING", env: {{GREETING: "from ${{steps.sum.value}}"}}}}
)",
                                       folder));
  const WorkflowReport r = run(w);
  EXPECT_TRUE(r.ok()) << r.text();
  EXPECT_EQ(step(r, "sum").value, "7");
  EXPECT_EQ(step(r, "show").value, "sum is 17\nfrom 7");
  EXPECT_EQ(r.critical_path.back(), "show");
  EXPECT_TRUE(json::parse(r.json()).ok());
  EXPECT_NE(r.text().find("values: 5 of 5 steps done"), std::string::npos) << r.text();
}

TEST_F(Workflows, EveryStepIsAScopeOfTheProbe) {
  const Workflow w = parse(
      "name: traced\nsteps:\n  one: {run: 'true'}\n  two: {run: 'false', retries: 1}\n"
      "  both: {run: 'true', after: one}\n");
  probe::SessionOptions session;
  session.path = folder + "/trace";
  ASSERT_TRUE(probe::start(session).ok());
  const WorkflowReport report = run(w);
  ASSERT_TRUE(probe::stop().ok());
  EXPECT_EQ(step(report, "both").after, std::vector<std::string>{"one"});
  probe::TraceInfo info;
  const auto summary = probe::summarize_trace(session.path, &info);
  ASSERT_TRUE(summary.ok()) << summary.error();
  std::map<std::string, std::uint64_t> counts;
  for (const probe::SiteSummary& s : *summary) counts[info.sites[s.site.index()].name] = s.count;
  EXPECT_EQ(counts, (std::map<std::string, std::uint64_t>{{"one", 1}, {"two", 2}, {"both", 1}}));
}

TEST_F(Workflows, MatrixStepsMeetTheirCellAndAreJoinedByOthers) {
  const Workflow w = parse(R"(
steps:
  build: {run: "echo b${matrix.n}", matrix: {n: [1, 2]}}
  test: {run: "echo t${steps.build.value}${matrix.kind}", matrix: {n: [1, 2], kind: [x, y]}}
  all: {run: "echo '${steps.test.value}'"}
)");
  EXPECT_EQ(w.steps().size(), 7u);
  const WorkflowReport r = run(w);
  EXPECT_TRUE(r.ok()) << r.text();
  EXPECT_EQ(step(r, "test[n=2,kind=x]").value, "tb2x");
  EXPECT_EQ(step(r, "all").value, "tb1x\ntb1y\ntb2x\ntb2y");
}

TEST_F(Workflows, ConditionsSkipAndAreNoFailure) {
  const Workflow w = parse(R"(
steps:
  ask: {run: "echo yes"}
  when_yes: {run: "echo taken", if: "${steps.ask.value} == yes"}
  when_no: {run: "echo taken", if: "${steps.ask.value} != 'yes'"}
  behind: {run: "true", after: when_no}
)");
  const WorkflowReport r = run(w);
  EXPECT_TRUE(r.ok()) << r.text();
  EXPECT_EQ(step(r, "when_yes").state, EndState::done);
  EXPECT_EQ(step(r, "when_no").state, EndState::skipped);
  EXPECT_EQ(step(r, "behind").state, EndState::skipped);
}

TEST_F(Workflows, FailuresAreNamedAndTheRestRuns) {
  const Workflow w = parse(fmt::format(R"(
steps:
  bad: {{run: "echo broken >&2; exit 3"}}
  behind: {{run: "true", after: [bad]}}
  cleanup: {{run: "true", after_any_end: bad}}
  crash: {{run: "kill -SEGV $$"}}
  slow: {{run: "sleep 20", deadline: 100ms}}
  missing: {{run: "true", outputs: {{f: "{0}/never"}}}}
  flaky:
    run: "if test -e {0}/second; then exit 0; fi; touch {0}/second; exit 1"
    retries: {{times: 2, delay: 1ms}}
)",
                                       folder));
  const Nanoseconds begin = system_clock().now();
  const WorkflowReport r = run(w);
  EXPECT_LT((system_clock().now() - begin).count, 15'000'000'000)
      << "the deadline did not end the step";
  EXPECT_FALSE(r.ok());
  EXPECT_EQ(step(r, "bad").state, EndState::failed);
  EXPECT_NE(step(r, "bad").explanation.find("exited with status 3"), std::string::npos);
  EXPECT_EQ(*system_files().read(step(r, "bad").log), "broken\n");
  EXPECT_EQ(step(r, "behind").state, EndState::skipped);
  EXPECT_EQ(step(r, "cleanup").state, EndState::done);
  EXPECT_NE(step(r, "crash").explanation.find("signal 11"), std::string::npos);
  EXPECT_EQ(step(r, "slow").state, EndState::timed_out);
  EXPECT_NE(step(r, "missing").explanation.find("did not leave the output"), std::string::npos);
  EXPECT_EQ(step(r, "flaky").state, EndState::done);
  EXPECT_EQ(step(r, "flaky").attempts, 2u);
}

TEST_F(Workflows, MistakesAreFoundBeforeAnythingRunsWithLineAndColumn) {
  const auto has = [&](const std::string& yaml, const std::string& what) {
    const std::string text = error_of(yaml);
    EXPECT_NE(text.find(what), std::string::npos) << text << "\nwanted: " << what;
    EXPECT_EQ(text.find("flow.yaml"), 0u) << text;
    EXPECT_NE(text.find("line "), std::string::npos) << text;
  };
  has("steps:\n  a: {run: \"true\", affter: b}\n", "Did you mean \"after\"");
  has("steps:\n  a: {run: \"true\", after: b}\n", "\"b\", which does not exist");
  has("steps:\n  a: {}\n", "exactly one of");
  has("steps:\n  a: {run: no_such_program_xyz --flag}\n", "no program \"no_such_program_xyz\"");
  has("steps:\n  a: {run: [no_such_program_xyz]}\n", "no program \"no_such_program_xyz\"");
  has("steps:\n  a: {call: ad, with: {a: 1, b: 2}}\n", "Did you mean \"add\"");
  has("steps:\n  a: {call: add, with: {a: 1, c: 2}}\n", "takes no input \"c\"");
  has("steps:\n  a: {call: add, with: {a: 1}}\n", "needs the input \"b\"");
  has("steps:\n  a: {call: add, with: {a: 1, b: two}}\n", "is of type integer, not string");
  has("steps:\n  g: {call: greet, with: {name: x}}\n  a: {call: add, with: {a: 1, b: "
      "\"${steps.g.value}\"}}\n",
      "step \"g\" yields string");
  has("steps:\n  a: {run: \"true\", deadline: soon}\n", "must be a duration");
  has("steps:\n  a: {run: \"true\", tokens: gpu}\n", "token \"gpu\" is not declared");
  has("steps:\n  a: {run: \"echo ${matrix.x}\"}\n", "no such matrix key");
  has("steps:\n  a: {run: \"true\", outputs: {x: /etc/passwd/file}}\n", "cannot write");
  has("steps:\n  a: {run: \"true\"\n", "line");
  const std::string cycle = error_of(
      "steps:\n  a: {run: \"true\", after: c}\n  b: {run: \"true\", after: a}\n  c: {run: "
      "\"true\", after: b}\n");
  EXPECT_NE(cycle.find(R"("a" -> "b" -> "c" -> "a")"), std::string::npos) << cycle;
  EXPECT_NE(error_of("steps:\n  a: {run: \"true\"}\n  a: {run: \"true\"}\n").find("line"),
            std::string::npos);
  EXPECT_NE(
      error_of("steps:\n  b: {run: \"true\"}\n  a: {run: \"true\", after: x}\n").find("line 3"),
      std::string::npos);
}

TEST_F(Workflows, TokensKeepMeasurementsAlone) {
  const Workflow w = parse(fmt::format(R"(
tokens: {{bench: 1}}
steps:
  measure:
    run: "test ! -e {0}/busy && touch {0}/busy && sleep 0.01 && rm {0}/busy"
    tokens: bench
    matrix: {{i: [1, 2, 3, 4, 5, 6]}}
)",
                                       folder));
  EXPECT_TRUE(run(w).ok());
}

TEST_F(Workflows, DrawsTextDotAndMermaid) {
  const Workflow w = parse(
      "steps:\n  a: {run: \"true\"}\n  b: {run: \"true\", after: a}\n  c: {run: \"true\", "
      "after_any_end: b}\n");
  EXPECT_EQ(w.draw(DrawFormat::text), "a\nb\n  <- a\nc\n  <- b (any end)\n");
  EXPECT_NE(w.draw(DrawFormat::dot).find("s0 -> s1;"), std::string::npos);
  EXPECT_NE(w.draw(DrawFormat::dot).find("s1 -> s2 [style=dotted];"), std::string::npos);
  EXPECT_EQ(w.draw(DrawFormat::mermaid),
            "flowchart LR\n  s0[\"a\"]\n  s1[\"b\"]\n  s2[\"c\"]\n  s0 --> s1\n  s1 -.-> s2\n");
  EXPECT_EQ(w.plan(), "a: true\nb: true\nc: true\n");
}

TEST_F(Workflows, ResumeTakesOverWhatFinishedAndNothingElse) {
  const auto text = [&](int value) {
    return fmt::format(R"(
steps:
  one: {{run: "echo x >> {0}/one; echo {1}"}}
  two: {{run: "echo x >> {0}/two; test -e {0}/allowed", after: one}}
  three: {{run: "echo x >> {0}/three; echo ${{steps.one.value}}"}}
)",
                       folder, value);
  };
  const auto lines = [&](const std::string& name) {
    const auto t = system_files().read(folder + "/" + name);
    return t.ok() ? std::count(t->begin(), t->end(), '\n') : 0;
  };
  EXPECT_FALSE(run(parse(text(1))).ok());
  options.resume = true;
  ASSERT_TRUE(system_files().write_atomic(folder + "/allowed", "").ok());
  const WorkflowReport again = run(parse(text(1)));
  EXPECT_TRUE(again.ok()) << again.text();
  EXPECT_EQ(again.resumed, 2u);
  EXPECT_EQ(step(again, "three").value, "1");
  EXPECT_EQ(lines("one"), 1);
  EXPECT_EQ(lines("two"), 2);
  EXPECT_EQ(lines("three"), 1);
  // A step that changed runs again, and so do those that take its value.
  EXPECT_TRUE(run(parse(text(2))).ok());
  EXPECT_EQ(lines("one"), 2);
  EXPECT_EQ(lines("two"), 2);
  EXPECT_EQ(lines("three"), 2);
  options.resume = false;
  EXPECT_TRUE(run(parse(text(2))).ok());
  EXPECT_EQ(lines("two"), 3);
}

// A process that runs a workflow of many steps is killed again and again; every step leaves a mark
// each time it runs to its end. Nothing may be lost, and only a step that the kill caught between
// its end and its line in the journal may have run twice.
TEST_F(Workflows, SurvivesBeingKilledInTheMiddle) {
  constexpr int kSteps = 1000;
  functions["mark"] = {
      [this](const json::Value& in, TaskContext&) -> Result<json::Value> {
        const std::int64_t n = *in.find("n")->as_int();
        NEUROLENS_ASSIGN(auto file, system_files().open_append(fmt::format("{}/marks", folder)));
        NEUROLENS_TRY(file->write(fmt::format("{}\n", n)));
        return json::Value(json::Value::Data(n));
      },
      {{"n", "integer"}},
      "integer"};
  std::string yaml = "steps:\n";
  for (int i = 0; i < kSteps; ++i) {
    yaml += fmt::format("  s{0}: {{call: mark, with: {{n: {0}}}{1}}}\n", i,
                        i % 10 == 0 ? "" : fmt::format(", after: s{}", i - 1));
  }
  options.resume = true;
  int kills = 0;
  for (int attempt = 0; attempt < 200; ++attempt) {
    const pid_t pid = fork();
    if (pid == 0) {
      Executor own(2);
      const Result<Workflow> w = Workflow::parse(yaml, "flow.yaml", functions);
      const bool good = w.ok() && w->run(own, system_files(), options).ok();
      _exit(good ? 0 : 1);
    }
    const std::int64_t wait_us = kills < 20 ? 2000 + 3000 * (kills % 5) : 60'000'000;
    int status = 0;
    bool ended = false;
    for (std::int64_t t = 0; t < wait_us && !ended; t += 500) {
      ended = waitpid(pid, &status, WNOHANG) == pid;
      if (!ended) std::this_thread::sleep_for(std::chrono::microseconds(500));
    }
    if (!ended) {
      kill(pid, SIGKILL);
      waitpid(pid, &status, 0);
      ++kills;
      continue;
    }
    ASSERT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    break;
  }
  const auto marks = system_files().read(folder + "/marks");
  ASSERT_TRUE(marks.ok());
  std::vector<int> times(kSteps, 0);
  std::size_t at = 0;
  while (at < marks->size()) {
    const std::size_t end = marks->find('\n', at);
    ASSERT_NE(end, std::string::npos);
    ++times[static_cast<std::size_t>(std::stoi(marks->substr(at, end - at)))];
    at = end + 1;
  }
  int twice = 0;
  for (const int t : times) {
    ASSERT_GE(t, 1) << "a step was lost";
    twice += t - 1;
  }
  EXPECT_LE(twice, 2 * kills) << "at most one unfinished step per worker and kill runs again";
  EXPECT_GE(kills, 1) << "the test killed nothing";
}

TEST_F(Workflows, SimpleStepsRunInSequenceOrTogether) {
  std::atomic<int> ran{0};
  const std::vector<SimpleStep> steps = {{"one",
                                          [&](TaskContext&) {
                                            ran.fetch_add(1);
                                            return Status();
                                          }},
                                         {"two",
                                          [](TaskContext&) -> Status {
                                            return Error{Errc::task_failed, "no", {}};
                                          }},
                                         {"three", [&](TaskContext&) {
                                            ran.fetch_add(1);
                                            return Status();
                                          }}};
  const auto sequence = run_steps(executor, steps, false);
  ASSERT_TRUE(sequence.ok());
  EXPECT_EQ(ran.exchange(0), 1);
  EXPECT_EQ(sequence->steps[2].state, EndState::skipped);
  const auto together = run_steps(executor, steps, true);
  EXPECT_EQ(ran.load(), 2);
  EXPECT_EQ(together->run.count(EndState::failed), 1u);
}

}  // namespace
}  // namespace neurolens::exec
