// Version 0, the form of the founding documents.
#include "migrate.hpp"

#include <gtest/gtest.h>

#include "document_edit.hpp"
#include "neurolens/base/file_system.hpp"
#include "neurolens/run/run.hpp"
#include "source_dir.hpp"

namespace neurolens::run {
namespace {

using documents::Edit;

const std::string& example() {
  static const std::string text =
      system_files()
          .read(std::string(NEUROLENS_SOURCE_DIR) + "/schema/examples/run-0.json")
          .value();
  return text;
}

TEST(VersionZero, TheFrozenExampleBecomesAValidRun) {
  const auto report = check(example());
  ASSERT_TRUE(report.ok()) << report.error();
  EXPECT_EQ(report->schema_major, 0);
  ASSERT_TRUE(report->valid()) << report->faults[0].pointer << ' ' << report->faults[0].sentence;
  const auto run = read(example());
  ASSERT_TRUE(run.ok()) << run.error();
  EXPECT_TRUE(validate(*run).valid());
  EXPECT_EQ(run->software.backend, "onnxruntime");
  EXPECT_EQ(run->software.precision, "f16");
  EXPECT_EQ(run->host.gpus.at(0).model, "Example GPU");
  EXPECT_EQ(run->host.gpus[0].memory_bytes, std::int64_t{24} << 30);
  EXPECT_EQ(run->created_at, "2024-05-01T10:00:00Z");
  // Ops by op_index, in ns; the timeline begins at 0 and is in order.
  ASSERT_EQ(run->ops.size(), 3u);
  EXPECT_EQ(run->ops[0].name, "conv1");
  EXPECT_EQ(run->ops[0].type, "Conv");
  EXPECT_EQ(run->ops[0].estimate->time_ns, 1'250'000);
  EXPECT_EQ(run->ops[2].estimate->time_ns, 300'000);  // it ran twice
  EXPECT_EQ(run->ops[2].executions_per_iteration, 2.0);
  EXPECT_EQ(run->ops[0].kernels.at(0).name, "implicit_gemm");
  EXPECT_EQ(run->ops[0].kernels[0].time_ns, 1'200'000);
  EXPECT_EQ(run->ops[0].kernels[0].counters.at("achieved_occupancy"), 0.62);
  EXPECT_EQ(run->timeline->begin_ns, (Column{0, 1'250'000, 1'300'000, 1'500'000}));
  EXPECT_EQ(run->samples.iterations.duration_ns, Column{1'650'000});
  // Nothing is thrown away, and nothing is claimed that was not measured.
  EXPECT_EQ(run->config.options.at("v0:/summary/total_ms"), "1.65");
  EXPECT_EQ(run->config.options.at("v0:/hardware/cuda_version"), "12.4");
  EXPECT_EQ(run->overhead.integrity, "suspect");
  EXPECT_EQ(run->samples.iterations.cpu_time_ns, Column{});
}

TEST(VersionZero, MigratesTheSameWayEveryTime) {
  EXPECT_EQ(to_json(read(example()).value()), to_json(read(example()).value()));
  EXPECT_EQ(to_json(read(to_json(read(example()).value())).value()),
            to_json(read(example()).value()));
}

TEST(VersionZero, IsRecognisedByItsVersionToo) {
  auto tree = documents::tree_of(example());
  documents::apply(tree, Edit::add, "/schema_version", "\"0.3.0\"");
  const auto run = read(documents::text_of(tree));
  EXPECT_TRUE(run.ok()) << run.error();
}

TEST(VersionZero, IsReadWhenOnlyWhatItNeedsIsThere) {
  const auto run =
      read(R"({"hardware":{"gpu_name":"G"},"software":{"backend":"torch"},"timeline":[]})");
  ASSERT_TRUE(run.ok()) << run.error();
  EXPECT_EQ(run->software.backend, "libtorch");
  EXPECT_EQ(run->workload.name, "unknown");
  EXPECT_TRUE(run->ops.empty());
  EXPECT_FALSE(run->timeline.has_value());
}

TEST(VersionZero, FaultsAreFoundAtTheirPlace) {
  struct Planted {
    Edit edit;
    std::string_view at;
    std::string_view json;
  };
  constexpr Planted kPlanted[] = {
      {Edit::remove, "/hardware/gpu_name", ""},
      {Edit::set, "/software", "[]"},
      {Edit::remove, "/software/backend", ""},
      {Edit::set, "/software/backend", "\"caffe\""},
      {Edit::set, "/software/precision", "\"fp64\""},
      {Edit::set, "/timeline", "{}"},
      {Edit::set, "/timeline/1", "7"},
      {Edit::remove, "/timeline/1/op_index", ""},
      {Edit::set, "/timeline/1/op_index", "-1"},
      {Edit::set, "/timeline/1/op_name", "3"},
      {Edit::remove, "/timeline/2/op_type", ""},
      {Edit::set, "/timeline/0/start_ms", "-1"},
      {Edit::set, "/timeline/0/duration_ms", "9"},
      {Edit::set, "/timeline/0/end_ms", "1e300"},
      {Edit::set, "/timeline/3/end_ms", "0.001"},
      {Edit::set, "/timeline/0/kernels", "5"},
      {Edit::set, "/timeline/0/kernels/0", "5"},
      {Edit::remove, "/timeline/0/kernels/0/name", ""},
      {Edit::set, "/summary", "1"},
  };
  for (const auto& planted : kPlanted) {
    SCOPED_TRACE(planted.at);
    auto tree = documents::tree_of(example());
    documents::apply(tree, planted.edit, planted.at, planted.json);
    const auto report = check(documents::text_of(tree));
    ASSERT_TRUE(report.ok()) << report.error();
    ASSERT_FALSE(report->valid());
    EXPECT_EQ(report->schema_major, 0);
    EXPECT_EQ(report->faults[0].pointer, planted.at) << report->faults[0].sentence;
  }
}

}  // namespace
}  // namespace neurolens::run
