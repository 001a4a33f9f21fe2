// The promise of `neurolens validate`: every planted fault is found, and at its place.
#include <gtest/gtest.h>

#include "document_edit.hpp"
#include "make_run.hpp"
#include "neurolens/run/run.hpp"

namespace neurolens::run {

using Artifact = Run;  // inside a TEST, `Run` is a member of GoogleTest's
namespace {

using documents::Edit;
using test_support::make_run;

constexpr Edit kSet = Edit::set;
constexpr Edit kRemove = Edit::remove;
constexpr Edit kAdd = Edit::add;

struct Planted {
  Edit edit;
  std::string_view at;
  std::string_view json;
  std::string_view reported;  ///< Where the first fault must be; empty: at `at`.
};

// The one list. The document has 3 ops, 6 iterations (3 observed), a GPU, a timeline and stacks.
constexpr Planted kPlanted[] = {
    // Keys.
    {kAdd, "/colour", "1", ""},
    {kAdd, "/host/cpu_modell", "\"x\"", ""},
    {kAdd, "/ops/1/colour", "null", ""},
    {kAdd, "/ops/2/cost/flops", "7", ""},
    {kAdd, "/timeline/colour", "[]", ""},
    {kAdd, "/host/os", "\"Debian\"", ""},
    {kAdd, "/ops/0/name", "\"twice\"", ""},
    {kAdd, "/tags/suite", "\"twice\"", ""},
    {kAdd, "/schema_version", "\"1.0.0\"", ""},
    {kRemove, "/content_hash", "", ""},
    {kRemove, "/run_id", "", ""},
    {kRemove, "/host", "", ""},
    {kRemove, "/host/governor", "", ""},
    {kRemove, "/ops/2/type", "", ""},
    {kRemove, "/ops/1/estimate/time_ns", "", ""},
    {kRemove, "/samples/iterations/observed", "", ""},
    {kRemove, "/timeline/tracks/0/kind", "", ""},
    {kRemove, "/notes", "", ""},
    // Types.
    {kSet, "/schema_version", "1", ""},
    {kSet, "/run_id", "null", ""},
    {kSet, "/host", "[]", ""},
    {kSet, "/host/cores_logical", "\"8\"", ""},
    {kSet, "/host/cores_logical", "8.5", ""},
    {kSet, "/host/virtualised", "0", ""},
    {kSet, "/host/gpus", "{}", ""},
    {kSet, "/workload/opsets/", "\"17\"", ""},
    {kSet, "/config/command/1", "17", ""},
    {kSet, "/config/options/threads", "2", ""},
    {kSet, "/ops", "{}", ""},
    {kSet, "/ops/1", "null", ""},
    {kSet, "/ops/0/inputs/0/shape/1", "null", ""},
    {kSet, "/ops/0/executions_per_iteration", "\"1\"", ""},
    {kSet, "/ops/0/kernels/0/counters/occupancy_ratio", "\"0.5\"", ""},
    {kSet, "/samples/iterations/duration_ns/3", "\"5\"", ""},
    {kSet, "/samples/iterations/duration_ns/3", "null", ""},
    {kSet, "/samples/iterations/observed/0", "true", ""},
    {kSet, "/samples/op_duration_ns/1", "3", ""},
    {kSet, "/samples/op_duration_ns/1/2", "1.5", ""},
    {kSet, "/samples/op_duration_ns/1/2", "[]", ""},
    {kSet, "/counters/0/value/1", "null", ""},
    {kSet, "/overhead/observed_ratio", "\"1.3\"", ""},
    // Ranges, NaN and overflow.
    {kSet, "/host/cores_logical", "0", ""},
    {kSet, "/host/caches/0/level", "17", ""},
    {kSet, "/host/memory_bytes", "-1", ""},
    {kSet, "/ops/0/estimate/time_ns", "-5", ""},
    {kSet, "/ops/0/memory_bytes", "9223372036854775808", ""},
    {kSet, "/ops/0/memory_bytes", "1e30", ""},
    {kSet, "/ops/0/executions_per_iteration", "1e400", ""},
    {kSet, "/ops/0/inputs/0/shape/0", "-1", ""},
    {kSet, "/samples/iterations/duration_ns/2", "-7", ""},
    {kSet, "/samples/iterations/begin_ns/0", "-1", ""},
    {kSet, "/samples/iterations/warmup/1", "2", ""},
    {kSet, "/samples/op_duration_ns/0/1", "-1", ""},
    {kSet, "/samples/op_duration_ns/0/1", "-9223372036854775808", ""},
    {kSet, "/samples/op_duration_ns/0/1", "99999999999999999999", ""},
    {kSet, "/timeline/duration_ns/1", "-1", ""},
    {kSet, "/overhead/observed_ratio", "0", ""},
    {kSet, "/overhead/ledger/0/cost_ns", "-0.5", ""},
    {kSet, "/ceilings/0/value", "-1e-300", ""},
    // Texts.
    {kSet, "/schema_version", "\"1.0\"", ""},
    {kSet, "/run_id", "\"42\"", ""},
    {kSet, "/run_id", "\"00000000-0000-4000-8000-00000000000G\"", ""},
    {kSet, "/created_at", "\"2026-01-31 12:00:00\"", ""},
    {kSet, "/created_at", "\"2026-13-01T12:00:00Z\"", ""},
    {kSet, "/created_at", "\"2026-02-30T12:00:00Z\"", ""},
    {kSet, "/status", "\"done\"", ""},
    {kSet, "/host/cpu_model", "\"\"", ""},
    {kSet, "/host/caches/1/type", "\"victim\"", ""},
    {kSet, "/software/precision", "\"fp32\"", ""},
    {kSet, "/workload/kind", "\"picture\"", ""},
    {kSet, "/workload/content_hash", "\"abc\"", ""},
    {kSet, "/ops/0/phase", "\"sideways\"", ""},
    {kSet, "/ops/0/estimate/method", "\"guessed\"", ""},
    {kSet, "/timeline/tracks/0/kind", "\"lane\"", ""},
    {kSet, "/profile/weight_unit", "\"s\"", ""},
    {kSet, "/overhead/integrity", "\"fine\"", ""},
    // Rules between values.
    {kSet, "/content_hash", "\"0000000000000000000000000000000000000000000000000000000000000000\"",
     ""},
    {kSet, "/workload/name", "\"another\"", "/content_hash"},
    {kSet, "/samples/op_duration_ns/2/0", "123456", "/content_hash"},
    {kSet, "/status", "\"partial\"", "/status_reason"},
    {kSet, "/host/cores_used/1", "0", ""},
    {kSet, "/ops/1/estimate/low_ns", "999999", ""},
    {kSet, "/ops/1/estimate/high_ns", "1", ""},
    {kRemove, "/samples/iterations/duration_ns/0", "", "/samples/iterations/duration_ns"},
    {kAdd, "/samples/iterations/disturbed/0", "0", "/samples/iterations/disturbed"},
    {kAdd, "/samples/iterations/cpu_time_ns/0", "1", "/samples/iterations/cpu_time_ns"},
    {kSet, "/samples/iterations/begin_ns/3", "1", ""},
    {kSet, "/samples/iterations/duration_ns/5", "9223372036854775807", ""},
    {kSet, "/samples/iterations/observed/1", "1", "/samples/op_duration_ns/0"},
    {kAdd, "/samples/op_duration_ns/3", "[]", "/samples/op_duration_ns"},
    {kRemove, "/samples/op_duration_ns/1/0", "", "/samples/op_duration_ns/1"},
    {kSet, "/timeline/track/1", "1", ""},
    {kSet, "/timeline/name/1", "3", ""},
    {kSet, "/timeline/op/1", "3", ""},
    {kSet, "/timeline/begin_ns/1", "3500", "/timeline/begin_ns/2"},
    {kSet, "/timeline/names/1", "\"MatMul_0\"", ""},
    {kRemove, "/timeline/op/0", "", "/timeline/op"},
    {kRemove, "/counters/0/value/0", "", "/counters/0/value"},
    {kSet, "/counters/0/time_ns/0", "1500", "/counters/0/time_ns/1"},
    {kSet, "/profile/stack_parent/1", "1", ""},
    {kSet, "/profile/stack_parent/0", "2", ""},
    {kSet, "/profile/stack_frame/2", "3", ""},
    {kSet, "/profile/sample_stack/3", "7", ""},
    {kRemove, "/profile/sample_weight/3", "", "/profile/sample_weight"},
    {kRemove, "/profile/sample_time_ns/3", "", "/profile/sample_time_ns"},
    {kSet, "/overhead/integrity", "\"suspect\"", "/overhead/reasons"},
    {kSet, "/overhead/reasons", "[\"Why?\"]", ""},
    {kSet, "/overhead/ledger/0/low_ns", "251", ""},
    {kSet, "/ceilings/0/high", "1", ""},
};

const std::string& sound_document() {
  static const std::string document =
      to_json(make_run({.ops = 3, .iterations = 4, .profile = true, .gpu = true}));
  return document;
}

TEST(PlantedFaults, TheDocumentIsSoundBeforeAnythingIsPlanted) {
  const auto report = check(sound_document());
  ASSERT_TRUE(report.ok()) << report.error();
  EXPECT_TRUE(report->valid()) << report->faults[0].pointer << ' ' << report->faults[0].sentence;
  // Nor does the detour through a tree plant one.
  const auto again = check(documents::text_of(documents::tree_of(sound_document()), 2));
  ASSERT_TRUE(again.ok()) << again.error();
  EXPECT_TRUE(again->valid());
}

TEST(PlantedFaults, EachIsFoundAtItsPlace) {
  static_assert(std::size(kPlanted) >= 60);
  for (const auto& planted : kPlanted) {
    auto tree = documents::tree_of(sound_document());
    documents::apply(tree, planted.edit, planted.at, planted.json);
    const std::string where(planted.reported.empty() ? planted.at : planted.reported);
    SCOPED_TRACE(std::string(planted.at) + " <- " + std::string(planted.json));
    const auto report = check(documents::text_of(tree));
    ASSERT_TRUE(report.ok()) << report.error();
    ASSERT_FALSE(report->valid());
    EXPECT_EQ(report->faults[0].pointer, where) << report->faults[0].sentence;
    EXPECT_NE(std::string_view(".?").find(report->faults[0].sentence.back()),
              std::string_view::npos)
        << report->faults[0].sentence;
    const auto run = read(documents::text_of(tree));
    ASSERT_FALSE(run.ok());
    EXPECT_EQ(run.error().code, Errc::invalid_document);
    EXPECT_EQ(run.error().where, where);
  }
}

// The same promise for values in memory, where types cannot be wrong but everything else can.
TEST(PlantedFaults, ValidateFindsThoseThatAValueInMemoryCanHave) {
  struct Broken {
    void (*plant)(Artifact&);
    std::string_view where;
  };
  constexpr Broken kBroken[] = {
      {[](Artifact& r) { r.run_id = "x"; }, "/run_id"},
      {[](Artifact& r) { r.created_at.clear(); }, "/created_at"},
      {[](Artifact& r) { r.host.cpu_model.clear(); }, "/host/cpu_model"},
      {[](Artifact& r) { r.host.os = "\xff"; }, "/host/os"},
      {[](Artifact& r) { r.host.cores_logical = 0; }, "/host/cores_logical"},
      {[](Artifact& r) { r.tags["a/b~\xc0"] = "x"; }, "/tags/a~1b~0\xc0"},
      {[](Artifact& r) { r.ops[1].phase = "?"; }, "/ops/1/phase"},
      {[](Artifact& r) { r.ops[1].inputs[0].shape = {{-1}}; }, "/ops/1/inputs/0/shape/0"},
      {[](Artifact& r) { r.ops[2].executions_per_iteration = std::nan(""); },
       "/ops/2/executions_per_iteration"},
      {[](Artifact& r) { r.ops[2].kernels[0].counters["occupancy_ratio"] = 1.0 / 0.0; },
       "/ops/2/kernels/0/counters/occupancy_ratio"},
      {[](Artifact& r) { r.samples.iterations.duration_ns[1] = -1; },
       "/samples/iterations/duration_ns/1"},
      {[](Artifact& r) { r.samples.iterations.duration_ns[1] = kMissing; },
       "/samples/iterations/duration_ns/1"},
      {[](Artifact& r) { r.samples.iterations.observed[0] = 2; }, "/samples/iterations/observed/0"},
      {[](Artifact& r) { r.samples.op_duration_ns.pop_back(); }, "/samples/op_duration_ns"},
      {[](Artifact& r) { r.timeline->op[0] = 99; }, "/timeline/op/0"},
      {[](Artifact& r) { r.counters[0].value[2] = std::nan(""); }, "/counters/0/value/2"},
      {[](Artifact& r) { r.overhead.ledger[0].cost_ns = -1; }, "/overhead/ledger/0/cost_ns"},
      {[](Artifact& r) { r.config.seed = kMissing; }, "/config/seed"},
  };
  for (const auto& broken : kBroken) {
    Artifact run = make_run({.ops = 3, .iterations = 4, .profile = true, .gpu = true});
    ASSERT_TRUE(validate(run).valid());
    broken.plant(run);
    const Report report = validate(run);
    ASSERT_FALSE(report.valid()) << broken.where;
    EXPECT_EQ(report.faults[0].pointer, broken.where) << report.faults[0].sentence;
  }
}

TEST(PlantedFaults, SeveralAreReportedInTheOrderOfTheDocument) {
  auto tree = documents::tree_of(sound_document());
  documents::apply(tree, kSet, "/ops/2/phase", "\"x\"");
  documents::apply(tree, kSet, "/host/cores_logical", "0");
  documents::apply(tree, kRemove, "/memory", "");
  const auto report = check(documents::text_of(tree));
  ASSERT_TRUE(report.ok());
  ASSERT_EQ(report->faults.size(), 3u);
  EXPECT_EQ(report->faults[0].pointer, "/host/cores_logical");
  EXPECT_EQ(report->faults[1].pointer, "/ops/2/phase");
  EXPECT_EQ(report->faults[2].pointer, "/memory");
}

TEST(PlantedFaults, StopListingAfterAHundred) {
  Artifact run = make_run({.ops = 150});
  for (auto& op : run.ops) op.phase = "?";
  const auto report = check(to_json(run));
  ASSERT_TRUE(report.ok());
  EXPECT_EQ(report->faults.size(), kMaxFaults);
  EXPECT_TRUE(report->truncated);
  run.ops.resize(100);
  run.samples.op_duration_ns.resize(100);
  run.timeline.reset();
  const auto exactly = check(to_json(run));
  ASSERT_TRUE(exactly.ok());
  EXPECT_EQ(exactly->faults.size(), kMaxFaults);
  EXPECT_FALSE(exactly->truncated);
}

TEST(PlantedFaults, UnknownKeysComeWithTheNearestKnownOne) {
  auto tree = documents::tree_of(sound_document());
  documents::apply(tree, kAdd, "/host/cpu_modell", "1");
  const auto report = check(documents::text_of(tree));
  ASSERT_TRUE(report.ok());
  EXPECT_NE(report->faults[0].sentence.find("cpu_model"), std::string::npos);
}

}  // namespace
}  // namespace neurolens::run
