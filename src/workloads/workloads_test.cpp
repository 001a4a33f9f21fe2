#include "neurolens/workloads/workloads.hpp"

#include <gtest/gtest.h>

#include <set>

#include "neurolens/run/run.hpp"
#include "source_dir.hpp"

namespace neurolens::workloads {
namespace {

Result<run::Run> profile(std::string_view specification) {
  NEUROLENS_ASSIGN(const auto workload, make(specification));
  capture::EngineOptions options;
  options.iterations = 3;
  options.warmup = 1;
  capture::ProgramFacts facts;
  facts.neurolens_version = "0";
  facts.argv = {"neurolens"};
  facts.host.architecture = "x86_64";
  facts.host.cpu_model = "test";
  facts.host.cores_logical = 1;
  facts.host.os = "test";
  facts.host.kernel = "test";
  return capture::profile_engine(*workload, options, facts);
}

std::set<std::string> phases(const run::Run& run) {
  std::set<std::string> out;
  for (const auto& op : run.ops) out.insert(op.name);
  return out;
}

TEST(Workloads, EveryKnownOneGivesAValidRunWithItsDefaults) {
  for (const auto& each : known()) {
    if (each.name == "nn:train") continue;  // has no default: see below
    const auto run = profile(each.name);
    ASSERT_TRUE(run.ok()) << each.name << ": " << run.error();
    const auto report = run::validate(*run);
    EXPECT_TRUE(report.valid()) << each.name << report.faults.front().sentence;
    EXPECT_EQ(run->workload.name, each.name);
    EXPECT_EQ(run->config.options, each.defaults);
    EXPECT_GE(run->ops.size(), 2U) << each.name;
  }
}

TEST(Workloads, PoissonTellsItsPhasesAndTheirClosedForms) {
  const auto run = profile("pde:poisson?n=80&bc=dirichlet%3Dx*y");
  ASSERT_TRUE(run.ok()) << run.error();
  const auto names = phases(*run);
  for (const char* phase : {"plan", "source", "boundary", "solve", "residual"})
    EXPECT_TRUE(names.contains(phase)) << phase;
  for (const auto& op : run->ops) {
    if (op.name == "residual") {
      EXPECT_EQ(op.cost.vector_flops, 78 * 78 * 10);
      EXPECT_EQ(op.cost.activation_bytes, 78 * 78 * 16);
    }
    if (op.name == "solve") {
      EXPECT_GT(op.cost.vector_flops.value_or(0), 78 * 78 * 10);
    }
  }
}

// What an evolution spends its time on, whatever method it takes.
TEST(Workloads, EvolutionsTellTheirPhasesAndTheirClosedForms) {
  const std::pair<const char*, std::set<std::string>> cases[] = {
      {"pde:heat?n=33", {"initial", "plan", "source", "boundary", "transform", "modes", "output"}},
      {"pde:heat?n=33&method=tr-bdf2&t=0.01",
       {"initial", "plan", "boundary", "right-hand side", "solve", "stage", "output"}},
      {"pde:heat?n=33&method=rk4&t=0.001",
       {"initial", "boundary", "right-hand side", "stage", "output"}},
      {"pde:wave?n=33&method=leapfrog", {"boundary", "right-hand side", "stage", "output"}},
      {"pde:burgers?n=33&dim=1", {"boundary", "right-hand side", "transport", "solve", "stage"}},
      {"pde:ode", {"steps", "right-hand side", "output"}}};
  for (const auto& [text, expected] : cases) {
    const auto run = profile(text);
    ASSERT_TRUE(run.ok()) << text << ": " << run.error();
    const auto names = phases(*run);
    for (const std::string& phase : expected) EXPECT_TRUE(names.contains(phase)) << text << phase;
    EXPECT_FALSE(names.contains("step")) << text;
    for (const auto& op : run->ops) {
      if (op.name != "right-hand side" && op.name != "transform" && op.name != "stage") continue;
      EXPECT_GT(op.cost.vector_flops.value_or(0), 0) << text << " " << op.name;
      EXPECT_GT(op.cost.activation_bytes.value_or(0), 0) << text << " " << op.name;
    }
  }
  // Four right-hand sides of 5 operations per axis and point in each of the steps.
  const auto run = profile("pde:heat?n=33&method=rk4&t=0.001&step=0.0001");
  ASSERT_TRUE(run.ok()) << run.error();
  for (const auto& op : run->ops)
    if (op.name == "right-hand side") {
      EXPECT_EQ(op.cost.vector_flops, 10 * 4 * 33 * 33 * 5 * 2);
    }
}

TEST(Workloads, ATrainingStepTellsItsPhasesAndTheirClosedForms) {
  const auto run = profile("nn:mlp?batch=8");
  ASSERT_TRUE(run.ok()) << run.error();
  // 2 FLOPs per weight and sample: 128 x 256 + 256 x 128 + 128 x 10.
  const double products = 2 * 8 * (128 * 256 + 256 * 128 + 128 * 10);
  for (const auto& op : run->ops) {
    if (op.name == "forward") {
      EXPECT_EQ(op.phase, "forward");
      EXPECT_NEAR(static_cast<double>(op.cost.matrix_flops.value_or(0)), products, 0.02 * products);
      EXPECT_EQ(op.cost.weight_bytes, 4 * *run->workload.parameters);
    }
    if (op.name == "backward") {  // no gradient of the samples: 128 x 256 is counted once
      EXPECT_NEAR(static_cast<double>(op.cost.matrix_flops.value_or(0)),
                  2 * products - 2 * 8 * 128 * 256, 0.02 * products);
    }
    if (op.name == "optimizer") {
      EXPECT_EQ(op.cost.matrix_flops, 0);  // none, which is not the same as not known
    }
    if (op.name == "other") {
      EXPECT_FALSE(op.cost.matrix_flops.has_value());
    }
  }
  EXPECT_EQ(run->workload.batch_size, 8);
  EXPECT_EQ(run->workload.parameters, 128 * 256 + 256 + 256 * 128 + 128 + 128 * 10 + 10);
}

TEST(Workloads, AConfigurationIsAWorkloadOnItsOwnData) {
  const std::string digits = NEUROLENS_SOURCE_DIR "/examples/nn/digits.yaml";
  const auto run = profile(*with_options("nn:train", {{"config", digits}, {"batch", "8"}}));
  ASSERT_TRUE(run.ok()) << run.error();
  EXPECT_TRUE(run::validate(*run).valid());
  EXPECT_EQ(run->workload.parameters, 22'235);
  EXPECT_EQ(run->workload.batch_size, 8);
  EXPECT_EQ(run->config.options.at("config"), digits);
  EXPECT_TRUE(phases(*run).contains("optimizer"));
  const auto other = make(*with_options("nn:train", {{"config", digits}, {"plan", "never"}}));
  ASSERT_FALSE(other.ok());
  EXPECT_EQ(other.error().code, Errc::bad_request);
  EXPECT_EQ(make("nn:train").error().code, Errc::bad_request);
  EXPECT_EQ(make("nn:train?config=none.yaml").error().code, Errc::not_found);
}

TEST(Workloads, BadSpecificationsAreRefusedByName) {
  const auto refused = [](std::string_view text, Errc code, const char* part) {
    const auto made = make(text);
    ASSERT_FALSE(made.ok()) << text;
    EXPECT_EQ(made.error().code, code) << text;
    EXPECT_NE(made.error().message.find(part), std::string::npos) << made.error();
  };
  refused("", Errc::bad_request, "ENGINE:NAME");
  refused("poisson", Errc::bad_request, "ENGINE:NAME");
  refused("pde:posson", Errc::not_found, "Did you mean \"pde:poisson\"?");
  refused("pde:poisson?m=80", Errc::bad_request, "no option `m`");
  refused("pde:poisson?n", Errc::bad_request, "KEY=VALUE");
  refused("pde:poisson?n=80&n=81", Errc::bad_request, "twice");
  refused("pde:poisson?n=%4", Errc::bad_request, "hexadecimal");
  refused("pde:poisson?threads=0", Errc::out_of_range, "threads");
  refused("pde:poisson?method=lu", Errc::bad_request, "method");
  refused("pde:poisson?precision=f16", Errc::bad_request, "f64, f32");
  refused("nn:mlp?hidden=12xx", Errc::bad_request, "hidden");
  refused("nn:adaptive?awake=2", Errc::out_of_range, "awake");
  refused("nn:mlp?batch=many", Errc::bad_request, "whole number");
  refused("nn:mlp?precision=f16", Errc::bad_request, "f32, bf16");
  refused("nn:mlp?fusion=no", Errc::bad_request, "on, off");
  refused("nn:adaptive?compaction=1", Errc::bad_request, "compaction");
  refused("nn:adaptive?row_order=row", Errc::bad_request, "node, stream");
  refused("nn:mlp?plan=never", Errc::bad_request, "every_step");
}

TEST(Workloads, SwitchesOfTheTrainingStepAreKeptInTheRun) {
  const auto options_of = [](std::string_view text) {
    const auto run = profile(text);
    EXPECT_TRUE(run.ok()) << text << ": " << run.error();
    return run.ok() ? run->config.options : std::map<std::string, std::string>();
  };
  const auto off = options_of(
      "nn:adaptive?fusion=off&compaction=off&row_order=stream&plan=every_step&"
      "awake=0.5&batch=4&nodes=10");
  EXPECT_EQ(off.at("fusion"), "off");
  EXPECT_EQ(off.at("compaction"), "off");
  EXPECT_EQ(off.at("row_order"), "stream");
  EXPECT_EQ(off.at("plan"), "every_step");
}

TEST(Workloads, OptionsAreAddedToASpecification) {
  EXPECT_TRUE(is_specification("nn:mlp"));
  EXPECT_TRUE(is_specification("pde:no-such-thing?n=80"));
  EXPECT_FALSE(is_specification("models/nn.onnx"));
  EXPECT_FALSE(is_specification("c:model.onnx"));
  const auto more =
      with_options("pde:poisson?n=80&bc=dirichlet%3Dx", {{"n", "90"}, {"bc", "a=b&c"}});
  ASSERT_TRUE(more.ok()) << more.error();
  EXPECT_EQ(*more, "pde:poisson?bc=a%3Db%26c&n=90");
  EXPECT_EQ(parse(*more)->options.at("bc"), "a=b&c");
  EXPECT_EQ(*with_options("nn:mlp", {}), "nn:mlp");
  EXPECT_FALSE(with_options("nn", {}).ok());
  EXPECT_TRUE(check("nn:mlp?batch=nonsense").ok());  // only names are looked at
  EXPECT_EQ(check("nn:mlp?bacth=3").error().code, Errc::bad_request);
  EXPECT_EQ(check("nn:mpl").error().code, Errc::not_found);
}

}  // namespace
}  // namespace neurolens::workloads
