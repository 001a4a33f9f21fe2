#include "neurolens/capture/engine.hpp"

#include <gtest/gtest.h>

#include "neurolens/run/run.hpp"

namespace neurolens::capture {
namespace {

ProgramFacts facts() {
  ProgramFacts out;
  out.neurolens_version = "0";
  out.argv = {"neurolens"};
  out.host.architecture = "x86_64";
  out.host.cpu_model = "test";
  out.host.cores_logical = 1;
  out.host.os = "test";
  out.host.kernel = "test";
  return out;
}

/// 10 us of "load"; 30 us of "outer" with 5 us of "inner" in it twice, so 20 us of its own; 7 us
/// of "timed", which the engine times itself; 3 us that belong to no phase. The clock is by hand,
/// so every figure is exact.
class Planted final : public EngineWorkload {
 public:
  explicit Planted(ManualClock& clock) : clock_(clock) {}
  Status iterate(PhaseRecorder* recorder) override {
    ++calls;
    if (calls == fail_at) return Error{Errc::check_failed, "It broke.", ""};
    if (calls == cancel_at) token->cancel();
    part(recorder, "load", 10);
    if (recorder != nullptr) recorder->begin("outer");
    clock_.advance(Nanoseconds{20'000});
    part(recorder, "inner", 5);
    part(recorder, "inner", 5);
    if (recorder != nullptr) recorder->end({1000, 0, 64});
    const Nanoseconds begin = clock_.now();
    clock_.advance(Nanoseconds{7'000});
    if (recorder != nullptr) recorder->leaf("timed", begin, Nanoseconds{7'000}, {0, 50, 0});
    clock_.advance(Nanoseconds{3'000});
    return {};
  }
  [[nodiscard]] EngineFacts facts() const override {
    EngineFacts out;
    out.name = "test:planted";
    out.precision = "f64";
    out.batch_size = 4;
    out.options = {{"n", "1"}};
    out.phase_kinds = {{"load", "data"}};
    return out;
  }

  int calls = 0;
  int fail_at = -1;
  int cancel_at = -1;
  CancelToken* token = nullptr;

 private:
  void part(PhaseRecorder* recorder, const char* name, std::int64_t us) {
    if (recorder != nullptr) recorder->begin(name);
    clock_.advance(Nanoseconds{us * 1000});
    if (recorder != nullptr) recorder->end();
  }
  ManualClock& clock_;
};

const run::Op& op(const run::Run& run, const std::string& name) {
  for (const auto& candidate : run.ops) {
    if (candidate.name == name) return candidate;
  }
  ADD_FAILURE() << "no op " << name;
  return run.ops.front();
}

TEST(EngineRun, TellsPlantedPhasesExactly) {
  ManualClock clock;
  Planted planted(clock);
  EngineOptions options;
  options.iterations = 20;
  options.warmup = 2;
  const auto run = profile_engine(planted, options, facts(), clock);
  ASSERT_TRUE(run.ok()) << run.error();
  const auto report = run::validate(*run);
  EXPECT_TRUE(report.valid()) << report.faults.front().pointer << report.faults.front().sentence;
  EXPECT_EQ(planted.calls, 44);
  EXPECT_EQ(op(*run, "load").estimate->time_ns, 10'000);
  EXPECT_EQ(op(*run, "load").phase, "data");
  EXPECT_EQ(op(*run, "outer").estimate->time_ns, 20'000);
  EXPECT_EQ(op(*run, "outer").cost.matrix_flops, 1000);
  EXPECT_EQ(op(*run, "outer").cost.activation_bytes, 64);
  EXPECT_EQ(op(*run, "inner").estimate->time_ns, 10'000);
  EXPECT_EQ(op(*run, "inner").executions_per_iteration, 2);
  EXPECT_FALSE(op(*run, "inner").cost.matrix_flops.has_value());
  EXPECT_EQ(op(*run, "timed").estimate->time_ns, 7'000);
  EXPECT_EQ(op(*run, "timed").cost.vector_flops, 50);
  EXPECT_EQ(op(*run, "(outside phases)").estimate->time_ns, 3'000);
  std::int64_t sum = 0;
  for (const auto& each : run->ops) sum += each.estimate->time_ns;
  EXPECT_EQ(sum, 50'000);
  for (const auto ns : run->samples.iterations.duration_ns) EXPECT_EQ(ns, 50'000);
  EXPECT_EQ(run->overhead.observed_ratio, 1.0);
  EXPECT_EQ(run->overhead.ledger.at(0).events_per_iteration, 5);
  EXPECT_EQ(run->config.options.at("n"), "1");
  ASSERT_TRUE(run->timeline.has_value());
  EXPECT_EQ(run->timeline->begin_ns.size(), 5U);
}

TEST(EngineRun, TakesObservedAndUnobservedIterationsInTurns) {
  ManualClock clock;
  Planted planted(clock);
  EngineOptions options;
  options.iterations = 64;
  options.warmup = 0;
  const auto run = profile_engine(planted, options, facts(), clock);
  ASSERT_TRUE(run.ok());
  const auto& observed = run->samples.iterations.observed;
  int first = 0;
  for (std::size_t i = 0; i < observed.size(); i += 2) {
    EXPECT_NE(observed[i], observed[i + 1]) << "a pair is one of each";
    first += observed[i];
  }
  EXPECT_GT(first, 16);
  EXPECT_LT(first, 48);
}

TEST(EngineRun, KeepsWhatWasMeasuredWhenCancelled) {
  ManualClock clock;
  Planted planted(clock);
  CancelToken token;
  planted.token = &token;
  planted.cancel_at = 11;
  EngineOptions options;
  options.iterations = 1000;
  options.warmup = 1;
  options.attention.cancel = &token;
  const auto run = profile_engine(planted, options, facts(), clock);
  ASSERT_TRUE(run.ok());
  EXPECT_EQ(run->status, "partial");
  EXPECT_TRUE(run::validate(*run).valid());
  EXPECT_EQ(run->samples.iterations.duration_ns.size(), 12U);

  Planted early(clock);
  const auto none = profile_engine(early, options, facts(), clock);  // the token stays set
  ASSERT_FALSE(none.ok());
  EXPECT_EQ(none.error().code, Errc::cancelled);
}

TEST(EngineRun, PassesTheEnginesOwnErrorOn) {
  ManualClock clock;
  Planted planted(clock);
  planted.fail_at = 7;
  const auto run = profile_engine(planted, {}, facts(), clock);
  ASSERT_FALSE(run.ok());
  EXPECT_EQ(run.error().message, "It broke.");
}

}  // namespace
}  // namespace neurolens::capture
