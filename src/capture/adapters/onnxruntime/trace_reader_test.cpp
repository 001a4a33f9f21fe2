#include "adapters/onnxruntime/trace_reader.hpp"

#include <gtest/gtest.h>

#include "adapters/onnxruntime/op_collector.hpp"

namespace neurolens::capture {
namespace {

std::string node(const std::string& name, const std::string& type, int index, int begin,
                 int duration) {
  return R"({"cat" : "Node","pid" :1,"tid" :7,"dur" :)" + std::to_string(duration) + R"(,"ts" :)" +
         std::to_string(begin) + R"(,"ph" : "X","name" :")" + name +
         R"(_kernel_time","args" : {"input_type_shape" : [{"float":[1,3]},{"int64":[]}],"op_name" : ")" +
         type + R"(","node_index" : ")" + std::to_string(index) +
         R"(","output_size" : "64","provider" : "CPUExecutionProvider","thread_scheduling_stats" : ""}},)" +
         "\n";
}
std::string model_run(int begin, int duration) {
  return R"({"cat" : "Session","pid" :1,"tid" :7,"dur" :)" + std::to_string(duration) +
         R"(,"ts" :)" + std::to_string(begin) + R"(,"ph" : "X","name" :"model_run","args" : {}},)" +
         "\n";
}

OpCollector collect(const std::string& text, std::int64_t expected) {
  OpCollector collector;
  TraceReader reader([&](const TraceEvent& event) { collector.take(event); });
  reader.feed(text);
  reader.finish();
  collector.end_segment(expected);
  return collector;
}

TEST(TraceReader, ReadsNamesThatBreakJson) {
  std::vector<std::string> names;
  TraceReader reader([&](const TraceEvent& event) { names.emplace_back(event.node_name()); });
  reader.feed("[\n" + node("a\"b", "Add", 0, 10, 5) + node("c\\", "Add", 1, 20, 5));
  EXPECT_FALSE(reader.finish()) << "the array was not closed";
  EXPECT_EQ(names, (std::vector<std::string>{"a\"b", "c\\"}));
}

TEST(TraceReader, CountsWhatItCannotRead) {
  int events = 0;
  TraceReader reader([&](const TraceEvent&) { ++events; });
  reader.feed("[\n{\"cat\" : \"Node\",\"du\n" + node("a", "Add", 0, -4, 5) +
              node("a", "Add", 0, 4, 5) + "]\n");
  EXPECT_TRUE(reader.finish());
  EXPECT_EQ(events, 1);
  EXPECT_EQ(reader.skipped(), 2);
}

TEST(TraceReader, ReadsTypesAndShapes) {
  const auto tensors =
      parse_type_shapes(R"([{"float":[1,3,224,224]},{"int64":[]},{"float16":[0]}])");
  ASSERT_EQ(tensors.size(), 3U);
  EXPECT_EQ(tensors[0].dtype, "f32");
  EXPECT_EQ(tensors[0].shape, (std::vector<std::int64_t>{1, 3, 224, 224}));
  EXPECT_EQ(tensors[1].dtype, "i64");
  EXPECT_TRUE(tensors[1].shape->empty());
  EXPECT_EQ(tensors[2].shape, (std::vector<std::int64_t>{0}));
  EXPECT_TRUE(parse_type_shapes("nonsense").empty());
}

TEST(OpCollector, MakesOneValuePerOpAndIteration) {
  const auto got =
      collect("[\n" + node("a", "Add", 0, 10, 5) + node("b", "Mul", 1, 20, 7) + model_run(9, 20) +
                  node("a", "Add", 0, 110, 6) + node("b", "Mul", 1, 120, 8) + model_run(109, 20),
              2);
  ASSERT_EQ(got.ops().size(), 2U);
  EXPECT_EQ(got.column(0), (run::Column{5000, 6000}));
  EXPECT_EQ(got.column(1), (run::Column{7000, 8000}));
  EXPECT_EQ(got.lost_iterations(), 0);
  EXPECT_EQ(got.ops()[0].inputs.size(), 2U);
  EXPECT_EQ(got.ops()[0].output_bytes, 64);
}

TEST(OpCollector, CountsLostIterationsAndLeavesThemMissing) {
  const auto got = collect(
      "[\n" + node("a", "Add", 0, 10, 5) + model_run(9, 20) + node("a", "Add", 0, 30, 5), 3);
  EXPECT_EQ(got.lost_iterations(), 2);
  EXPECT_EQ(got.column(0), (run::Column{5000, run::kMissing, run::kMissing}));
}

// The body of a loop is written before the loop; its time must not be counted twice. An op of the
// body that looks like one of the main graph stays apart from it.
TEST(OpCollector, GivesLoopsTheirOwnTimeOnly) {
  const auto got = collect("[\n" + node("same", "Add", 0, 10, 5) + node("same", "Add", 0, 22, 4) +
                               node("same", "Add", 0, 28, 4) + node("loop", "Loop", 1, 20, 20) +
                               model_run(9, 40),
                           1);
  std::int64_t sum = 0;
  int live = 0;
  for (std::size_t op = 0; op < got.ops().size(); ++op) {
    sum += got.column(op).at(0);
    if (got.ops()[op].executions > 0) ++live;
    if (got.ops()[op].type == "Loop") {
      EXPECT_EQ(got.column(op).at(0), 12000);
    }
    if (got.ops()[op].parent) {
      EXPECT_EQ(got.column(op).at(0), 8000);
      EXPECT_EQ(got.ops()[op].executions, 2);
    }
  }
  EXPECT_EQ(live, 3);
  EXPECT_EQ(sum, 25000);
}

}  // namespace
}  // namespace neurolens::capture
