// Every built-in rule is made to fire by a planted cause, and stays quiet beside it.
#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <set>

#include "make_run.hpp"
#include "neurolens/analyze/insights.hpp"

namespace neurolens::analyze {
namespace {

/// A Run about which no rule has anything to say: six convolutions of 20 to 120 us in a chain, each
/// at 80 % of its compute roof, one thread, quiet machine.
run::Run calm(std::size_t ops = 6, double time_scale = 20, test_support::SampleRun more = {}) {
  more.ops = ops;
  more.iterations = 60;
  more.time_scale = time_scale;
  more.jitter_ratio = 0.002;
  more.observer_ratio = 1.02;
  run::Run run = test_support::make_run(more);
  run.software.threads = 1;
  run.software.precision = "mixed";
  run.ceilings = {{"fma_f32_avx2_1t", "flops_per_second", 1e11, {}, {}},
                  {"triad_l1_1t", "bytes_per_second", 2e11, {}, {}},
                  {"triad_l2_1t", "bytes_per_second", 1e11, {}, {}},
                  {"triad_l3_1t", "bytes_per_second", 5e10, {}, {}},
                  {"triad_dram_1t", "bytes_per_second", 1e10, {}, {}}};
  for (auto& op : run.ops) {
    op.type = "Conv";
    op.original_nodes[0].type = "Conv";
    op.cost.matrix_flops = op.estimate->time_ns * 80;  // the ceiling is 100 FLOP/ns
    op.cost.vector_flops = 0;
    op.cost.activation_bytes = 4096;
    op.cost.weight_bytes = 0;
  }
  return run;
}

/// What a case works on.
struct Bench {
  run::Run run = calm();
  std::optional<run::Run> baseline;
  bool force = false;

  run::Op& op(std::size_t i) { return run.ops[i]; }
  run::Iterations& rows() { return run.samples.iterations; }
  void set_time(std::size_t i, std::int64_t ns) {
    run.ops[i].estimate = run::Estimate{ns, ns - 1, ns + 1, ns, "corrected"};
  }
  void against(run::Run other) { baseline = std::move(other); }
  /// A GPU, and one kernel under the last op.
  run::Kernel& kernel() {
    run.host.gpus = {{"Sample GPU", {}, {}, {}, {}, {}, 80}};
    op(5).kernels = {
        {"kernel", 100'000, 1, std::vector<std::int64_t>{200}, std::vector<std::int64_t>{128}, {}}};
    return op(5).kernels[0];
  }
  /// A stream that is busy for `busy_ns` of 100 us, beside a thread that spans them.
  void stream(const char* name, std::int64_t busy_ns) {
    run::Timeline t;
    t.tracks = {{"main", "thread", 1, 1}, {"stream 7", "stream", 1, 7}};
    t.names = {"step", name};
    t.track = {0, 1};
    t.name = {0, 1};
    t.op = {run::kMissing, run::kMissing};
    t.begin_ns = {0, 0};
    t.duration_ns = {100'000, busy_ns};
    run.timeline = std::move(t);
  }
  /// Makes an op slower in its samples and its estimate.
  void slow_down(std::size_t i, std::int64_t factor) {
    for (auto& sample : run.samples.op_duration_ns[i]) sample *= factor;
    const std::int64_t ns = op(i).estimate->time_ns * factor;
    op(i).estimate = run::Estimate{ns, ns - 1, ns + 1, ns, "observed"};
  }
};

std::vector<Insight> insights_of(const Bench& bench) {
  const auto summary = summarise(bench.run);
  EXPECT_TRUE(summary.ok());
  InsightInput input{bench.run, *summary};
  std::optional<Comparison> comparison;
  if (bench.baseline) {
    CompareOptions options;
    options.force = bench.force;
    auto compared = compare(*bench.baseline, bench.run, options);
    EXPECT_TRUE(compared.ok()) << compared.error();
    comparison = std::move(*compared);
    input.baseline = &*bench.baseline;
    input.comparison = &*comparison;
  }
  return find_insights(input, RuleSet::builtin());
}

bool fires(const Bench& bench, const std::string& rule) {
  const auto found = insights_of(bench);
  return std::any_of(found.begin(), found.end(), [&](const auto& i) { return i.rule == rule; });
}

using Plant = std::function<void(Bench&)>;
struct Case {
  const char* rule;
  Plant fire;
  Plant quiet;
};

void nothing(Bench&) {}

/// Sets the arithmetic and activation traffic of the last op, which takes 120 us.
Plant work(std::int64_t flops, std::int64_t bytes) {
  return [=](Bench& b) {
    b.op(5).cost.matrix_flops = flops;
    b.op(5).cost.activation_bytes = bytes;
  };
}
Plant type_of(std::size_t i, const char* type) {
  return [=](Bench& b) { b.op(i).type = type; };
}
Plant phase_of(std::size_t i, const char* phase) {
  return [=](Bench& b) { b.op(i).phase = phase; };
}
Plant counters(std::map<std::string, std::optional<double>> values) {
  return [=](Bench& b) { b.kernel().counters = values; };
}
Plant both(Plant a, Plant b) {
  return [=](Bench& bench) {
    a(bench);
    b(bench);
  };
}

const std::vector<Case>& op_cases() {
  static const std::vector<Case> cases{
      {"far-from-compute-roof", work(2'400'000, 4096), work(8'000'000, 4096)},
      {"far-from-memory-roof", work(1000, 1'200'000), work(1000, 5'000'000)},
      {"memory-bound-low-intensity", work(1000, 5'000'000), work(6'000'000, 5'000'000)},
      {"dominant-op", [](Bench& b) { b.set_time(5, 2'000'000); }, nothing},
      {"low-precision-possible", [](Bench& b) { b.run.software.precision = "f32"; }, nothing},
      {"no-ceilings", [](Bench& b) { b.run.ceilings.clear(); }, nothing},
      {"unknown-costs", [](Bench& b) { b.op(5).cost = {}; }, [](Bench& b) { b.op(0).cost = {}; }},
      {"unfused-chain", type_of(1, "Relu"),
       [](Bench& b) {  // the tensor between them has a second reader
         b.op(1).type = "Relu";
         b.op(3).inputs.push_back(b.op(0).outputs[0]);
       }},
      {"layout-conversions", type_of(2, "Transpose"),
       both(type_of(2, "Transpose"), [](Bench& b) { b.set_time(2, 5'000); })},
      {"type-conversions", type_of(2, "Cast"),
       both(type_of(2, "Cast"), [](Bench& b) { b.set_time(2, 5'000); })},
      {"copies-dominate", both(type_of(2, "Concat"), type_of(3, "Slice")), type_of(2, "Concat")},
      {"quantisation-overhead", type_of(2, "QuantizeLinear"), type_of(0, "QuantizeLinear")},
      {"round-trip-conversion", both(type_of(2, "Transpose"), type_of(3, "Transpose")),
       [](Bench& b) {  // the second one does not restore the shape
         b.op(2).type = b.op(3).type = "Transpose";
         b.op(3).outputs[0].shape = {64, 8};
       }},
      {"repeated-work",
       [](Bench& b) {
         b.op(2).attributes_hash = b.op(3).attributes_hash = std::string(64, 'a');
         b.op(3).inputs = b.op(2).inputs;
       },
       [](Bench& b) {
         b.op(2).attributes_hash = std::string(64, 'a');
         b.op(3).attributes_hash = std::string(64, 'b');
         b.op(3).inputs = b.op(2).inputs;
       }},
      {"constant-work",
       [](Bench& b) {
         b.op(0).inputs[0].name = "input";
         b.op(3).inputs[0].name = "weights";
       },
       [](Bench& b) { b.op(0).inputs[0].name = "input"; }},
      {"many-tiny-ops",
       [](Bench& b) {
         b.run = calm(40);
         for (std::size_t i = 0; i < 40; ++i) b.set_time(i, 5'000);
       },
       [](Bench& b) { b.run = calm(40); }},
      {"optimisation-off", [](Bench& b) { b.run.software.optimisation = "none"; }, nothing},
      {"independent-branches", [](Bench& b) { b.op(3).inputs[0].name = "x"; },
       [](Bench& b) {
         b.op(3).inputs[0].name = "x";
         b.run.software.threads_between = 2;
       }},
      {"provider-fallback",
       [](Bench& b) {
         b.run.software.provider = "CUDAExecutionProvider";
         for (auto& op : b.run.ops) op.provider = "CUDAExecutionProvider";
         b.op(2).provider = "CPUExecutionProvider";
       },
       nothing}};
  return cases;
}

const std::vector<Case>& device_cases() {
  static const std::vector<Case> cases{
      {"low-occupancy", counters({{"occupancy_ratio", 0.2}}), counters({{"occupancy_ratio", 0.6}})},
      {"warp-divergence", counters({{"warp_efficiency_ratio", 0.5}}),
       counters({{"warp_efficiency_ratio", 0.95}})},
      {"poor-l2-locality", counters({{"l2_hit_ratio", 0.2}, {"dram_share_ratio", 0.7}}),
       counters({{"l2_hit_ratio", 0.8}, {"dram_share_ratio", 0.7}})},
      {"dram-saturated", counters({{"dram_share_ratio", 0.9}}),
       counters({{"dram_share_ratio", 0.6}})},
      {"too-few-blocks",
       [](Bench& b) {
         b.kernel().grid = std::vector<std::int64_t>{4, 5};
       },
       [](Bench& b) { b.kernel(); }},
      {"launch-bound", [](Bench& b) { b.kernel().launches = 50; },
       [](Bench& b) { b.kernel().launches = 5; }},
      {"device-idle", [](Bench& b) { b.stream("gemm", 60'000); },
       [](Bench& b) { b.stream("gemm", 95'000); }},
      {"transfers-dominate", [](Bench& b) { b.stream("Memcpy HtoD (Pinned -> Device)", 30'000); },
       [](Bench& b) { b.stream("Memcpy HtoD (Pinned -> Device)", 5'000); }},
      {"host-bound",
       [](Bench& b) {
         for (std::size_t i = 0; i < 6; ++i) b.set_time(i, b.op(i).estimate->time_ns / 2);
       },
       nothing}};
  return cases;
}

Plant threads(std::int64_t count, std::int64_t busy) {
  return [=](Bench& b) {
    b.run.software.threads = count;
    for (std::size_t i = 0; i < b.rows().duration_ns.size(); ++i)
      b.rows().cpu_time_ns[i] = b.rows().duration_ns[i] * busy;
  };
}

Plant memory_from(double first, double last, bool at_once) {
  return [=](Bench& b) {
    run::CounterTrack track{"resident", "bytes", {}, {}};
    for (int i = 0; i < 40; ++i) {
      track.time_ns.push_back(i * 1000);
      track.value.push_back(at_once ? (i < 25 ? first : last) : first + (last - first) * i / 39);
    }
    b.run.counters = {track};
  };
}

const std::vector<Case>& machine_cases() {
  static const std::vector<Case> cases{
      {"threads-idle", threads(4, 1), threads(4, 4)},
      {"threads-do-not-scale",
       [](Bench& b) {
         b.against(calm());
         b.run.software.threads = 2;
       },
       [](Bench& b) {
         b.against(calm());
         b.run = calm(6, 11);
         b.run.software.threads = 2;
       }},
      {"oversubscription", threads(4, 1), threads(2, 2)},
      {"more-threads-than-physical-cores",
       both(threads(2, 2), [](Bench& b) { b.run.host.cores_physical = 1; }), threads(2, 2)},
      {"cold-start", [](Bench& b) { b.rows().duration_ns[0] *= 5; }, nothing},
      {"batch-too-small",
       [](Bench& b) {
         b.run.workload.batch_size = 1;
         for (const std::size_t i : {4U, 5U}) {
           b.op(i).cost.matrix_flops = 1000;
           b.op(i).cost.weight_bytes = 4'000'000;
         }
       },
       [](Bench& b) { b.run.workload.batch_size = 1; }},
      {"memory-growth", memory_from(1e8, 1.4e8, false), memory_from(1e8, 1.4e8, true)},
      {"memory-near-limit", [](Bench& b) { b.run.memory.host_peak_bytes = std::int64_t{15} << 30; },
       nothing},
      {"page-faults",
       [](Bench& b) { b.rows().page_faults.assign(b.rows().page_faults.size(), 200); },
       [](Bench& b) { b.rows().page_faults.assign(b.rows().page_faults.size(), 3); }},
      {"input-bound", phase_of(5, "data"), phase_of(0, "data")},
      {"optimizer-heavy", phase_of(5, "optimizer"), phase_of(0, "optimizer")}};
  return cases;
}

Plant disturb(std::size_t every) {
  return [=](Bench& b) {
    for (std::size_t i = 3; i < b.rows().disturbed.size(); i += every) b.rows().disturbed[i] = 1;
  };
}

/// Multiplies durations by a function of their place in [0, 1].
Plant shape(std::function<double(std::size_t, double)> factor) {
  return [=](Bench& b) {
    auto& column = b.rows().duration_ns;
    for (std::size_t i = 0; i < column.size(); ++i) {
      const double place = static_cast<double>(i) / static_cast<double>(column.size() - 1);
      column[i] = static_cast<std::int64_t>(static_cast<double>(column[i]) * factor(i, place));
    }
  };
}

const std::vector<Case>& measurement_cases() {
  static const std::vector<Case> cases{
      {"disturbed-measurement", disturb(4), disturb(30)},
      {"stolen-time",
       [](Bench& b) {
         for (const auto ns : b.rows().duration_ns) b.rows().steal_ns.push_back(ns / 20);
       },
       [](Bench& b) {
         for (const auto ns : b.rows().duration_ns) b.rows().steal_ns.push_back(ns / 200);
       }},
      {"observer-distortion", shape([](std::size_t i, double) { return i % 2 == 0 ? 1.3 : 1.0; }),
       nothing},
      {"events-lost", [](Bench& b) { b.run.overhead.events_lost = 3; },
       [](Bench& b) { b.run.overhead.events_lost = std::nullopt; }},
      {"broken-integrity", [](Bench& b) { b.run.overhead.integrity = "broken"; },
       [](Bench& b) { b.run.overhead.integrity = "suspect"; }},
      {"partial-run",
       [](Bench& b) {
         b.run.status = "partial";
         b.run.status_reason = "stopped by the user";
       },
       nothing},
      {"long-tail", shape([](std::size_t i, double) { return i % 14 == 3 ? 3.0 : 1.0; }), nothing},
      {"wide-interval", shape([](std::size_t i, double) {
         return 1 + 0.4 * static_cast<double>(i * 7919 % 13) / 13;
       }),
       nothing},
      {"drift", shape([](std::size_t, double place) { return 1 + 0.3 * place; }), nothing},
      {"low-clock",
       [](Bench& b) { b.rows().frequency_hz.assign(b.rows().duration_ns.size(), 2'000'000'000); },
       [](Bench& b) { b.rows().frequency_hz.assign(b.rows().duration_ns.size(), 3'900'000'000); }}};
  return cases;
}

Plant compared_with(std::function<void(Bench&)> change) {
  return [=](Bench& b) {
    b.against(calm());
    change(b);
  };
}

const std::vector<Case>& comparison_cases() {
  static const std::vector<Case> cases{
      {"total-regressed", compared_with([](Bench& b) { b.run = calm(6, 25); }),
       compared_with(nothing)},
      {"inconclusive-comparison",
       [](Bench& b) {
         const auto few = [](run::Run run) {
           for (std::size_t i = 10; i < run.samples.iterations.warmup.size(); ++i)
             run.samples.iterations.disturbed[i] = 1;
           return run;
         };
         b.run = few(calm());
         b.against(few(calm()));
       },
       compared_with(nothing)},
      {"op-regressed", compared_with([](Bench& b) { b.slow_down(5, 2); }), compared_with(nothing)},
      {"op-more-work", compared_with([](Bench& b) {
         b.slow_down(5, 2);
         *b.op(5).cost.matrix_flops *= 2;
       }),
       compared_with([](Bench& b) { b.slow_down(5, 2); })},
      {"fusion-lost",
       [](Bench& b) {
         b.run = calm(7);
         b.run.ops[6].original_nodes = {{"/layer6", "Relu"}};
         b.against(calm());
         b.baseline->ops[5].original_nodes.push_back({"/layer6", "Relu"});
       },
       [](Bench& b) {
         b.run = calm(7);
         b.against(calm(7));
       }},
      {"op-added", compared_with([](Bench& b) { b.run = calm(7); }), compared_with(nothing)},
      {"memory-regressed", compared_with([](Bench& b) { *b.run.memory.host_peak_bytes *= 2; }),
       compared_with(nothing)},
      {"not-like-for-like", compared_with([](Bench& b) {
         b.run.host.cpu_model = "Another CPU";
         b.force = true;
       }),
       compared_with(nothing)}};
  return cases;
}

std::vector<Case> all_cases() {
  std::vector<Case> all;
  for (const auto* part :
       {&op_cases(), &device_cases(), &machine_cases(), &measurement_cases(), &comparison_cases()})
    all.insert(all.end(), part->begin(), part->end());
  return all;
}

TEST(Rules, AreAllTried) {
  std::set<std::string> tried;
  for (const auto& c : all_cases()) EXPECT_TRUE(tried.insert(c.rule).second) << c.rule;
  const auto ids = RuleSet::builtin().ids();
  EXPECT_EQ(tried, std::set<std::string>(ids.begin(), ids.end()));
  EXPECT_GE(ids.size(), 25U);
}

TEST(Rules, HaveNothingToSayAboutACalmRun) {
  for (const auto& insight : insights_of(Bench{}))
    ADD_FAILURE() << insight.rule << ": " << insight.message;
}

TEST(Rules, DoNotAskAProgramForFlops) {
  Bench bench;
  bench.run.workload.kind = "program";
  bench.run.ceilings.clear();
  for (auto& op : bench.run.ops) op.cost = {};
  for (const auto& insight : insights_of(bench))
    ADD_FAILURE() << insight.rule << ": " << insight.message;
}

TEST(Rules, FireOnTheirCause) {
  for (const auto& c : all_cases()) {
    Bench bench;
    c.fire(bench);
    EXPECT_TRUE(fires(bench, c.rule)) << c.rule;
  }
}

TEST(Rules, StayQuietBesideIt) {
  for (const auto& c : all_cases()) {
    Bench bench;
    c.quiet(bench);
    EXPECT_FALSE(fires(bench, c.rule)) << c.rule;
  }
}

TEST(Rules, GiveWholeFindings) {
  for (const auto& c : all_cases()) {
    Bench bench;
    c.fire(bench);
    for (const auto& insight : insights_of(bench)) {
      EXPECT_FALSE(insight.title.empty()) << insight.rule;
      EXPECT_FALSE(insight.message.empty()) << insight.rule;
      EXPECT_FALSE(insight.evidence.empty()) << insight.rule;
      EXPECT_FALSE(insight.suggestions.empty()) << insight.rule;
      EXPECT_FALSE(insight.next_step.empty()) << insight.rule;
      EXPECT_FALSE(insight.confidence_reason.empty()) << insight.rule;
      EXPECT_EQ(insight.message.find('{'), std::string::npos) << insight.message;
      // A sentence rests on what was collected: no "-" stands in for a number.
      EXPECT_EQ((" " + insight.message).find(" - "), std::string::npos) << insight.message;
      if (insight.gain_ns) {
        EXPECT_GE(*insight.gain_ns, 0) << insight.rule;
      }
    }
  }
}

TEST(Rules, EstimateWhatAnOpCouldWinAtItsRoof) {
  Bench bench;
  work(2'400'000, 4096)(bench);
  const auto found = insights_of(bench);
  ASSERT_FALSE(found.empty());
  EXPECT_EQ(found[0].rule, "far-from-compute-roof");
  EXPECT_EQ(found[0].gain_ns, 120'000 - 24'000);  // 2.4 MFLOP at 100 FLOP/ns
  EXPECT_EQ(found[0].ops, std::vector<run::OpId>{run::OpId(5U)});
}

}  // namespace
}  // namespace neurolens::analyze
