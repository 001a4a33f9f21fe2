#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "neurolens/capture/program.hpp"
#include "neurolens/run/run.hpp"

namespace neurolens::capture {
namespace {

ProgramFacts facts() {
  ProgramFacts f;
  f.host.architecture = "x86_64";
  f.host.cpu_model = "test";
  f.host.cores_logical = 1;
  f.host.os = "test";
  f.host.kernel = "test";
  f.neurolens_version = "0.0.0";
  f.argv = {"neurolens", "profile", "--", "program"};
  return f;
}

std::string faults_of(const run::Run& run) {
  std::string text;
  for (const run::Fault& f : run::validate(run).faults)
    text += f.pointer + ": " + f.sentence + "\n";
  return text;
}

const run::Op& op(const run::Run& run, const std::string& name) {
  for (const run::Op& o : run.ops) {
    if (o.name == name) return o;
  }
  static const run::Op none;
  return none;
}

TEST(ProfileProgram, ScopesBecomeOpsAndMarksIterations) {
  ProgramOptions options;
  options.command = {NEUROLENS_INSTRUMENTED};
  options.warmup = 1;
  const auto result = profile_program(options, facts());
  ASSERT_TRUE(result.ok()) << result.error();
  EXPECT_EQ(result->exit_status, 0);
  const run::Run& run = result->run;
  EXPECT_EQ(faults_of(run), "");
  EXPECT_EQ(run.status, "complete");
  ASSERT_EQ(run.samples.iterations.duration_ns.size(), 10u);
  EXPECT_EQ(run.samples.iterations.warmup[0], 1);
  EXPECT_EQ(run.samples.iterations.warmup[1], 0);
  ASSERT_EQ(run.ops.size(), 3u);
  EXPECT_GE(op(run, "short").estimate->time_ns, 1'000'000);
  EXPECT_GE(op(run, "long").estimate->time_ns, 3'000'000);
  EXPECT_EQ(op(run, "tiny").executions_per_iteration, 1000);
  // Scopes around nothing: what is left after the correction is a few ns each of about 20 observed.
  const run::Estimate tiny = *op(run, "tiny").estimate;
  EXPECT_GT(*tiny.raw_time_ns, 2'000);
  EXPECT_LT(tiny.time_ns, *tiny.raw_time_ns);
  ASSERT_TRUE(run.timeline.has_value());
  EXPECT_EQ(run.timeline->begin_ns.size(), 1002u);
  EXPECT_EQ(run.overhead.events_lost, 0);
  EXPECT_EQ(run.overhead.ledger[0].event, "scope");
}

TEST(ProfileProgram, StatusPassesThroughAndRefusalsSpeak) {
  ProgramOptions options;
  options.command = {NEUROLENS_INSTRUMENTED, "fail"};
  EXPECT_EQ(profile_program(options, facts())->exit_status, 5);
  options.command = {"/bin/true"};
  EXPECT_EQ(profile_program(options, facts()).error().code, Errc::check_failed);
  options.command = {"/no/such/program"};
  EXPECT_EQ(profile_program(options, facts()).error().code, Errc::not_found);
  options.command.clear();
  EXPECT_EQ(profile_program(options, facts()).error().code, Errc::bad_request);
}

TEST(CalibrateScope, CostsNanoseconds) {
  const auto cost = calibrate_scope();
  ASSERT_TRUE(cost.ok()) << cost.error();
  EXPECT_GT(cost->inside_ns, 0);
  EXPECT_GE(cost->outside_ns, 0);
  EXPECT_LT(cost->inside_ns + cost->outside_ns, 5'000);  // sanitizers included
}

}  // namespace
}  // namespace neurolens::capture
