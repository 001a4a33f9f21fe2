#include "neurolens/onnx/model.hpp"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <cstring>

#include "neurolens/base/hash.hpp"
#include "test_support.hpp"

namespace neurolens::onnx {
namespace {

using testing_support::small_model;
using testing_support::TemporaryFolder;
using testing_support::write_file;

TEST(ModelRead, TellsWhatTheSmallModelHolds) {
  const std::string bytes = small_model().SerializeAsString();
  const auto model = Model::parse(bytes, "small.onnx");
  ASSERT_TRUE(model.ok()) << model.error();
  const Graph& graph = model->graph();
  EXPECT_EQ(model->path(), "small.onnx");
  EXPECT_EQ(model->content_hash(), sha256(bytes));
  EXPECT_EQ(model->ir_version(), 8);
  EXPECT_EQ(model->producer(), "tester 1.0");
  EXPECT_EQ(model->opset(), 17);
  EXPECT_EQ(model->opset("com.microsoft"), std::nullopt);
  ASSERT_EQ(graph.nodes.size(), 2U);
  EXPECT_EQ(graph.nodes[0].op_type, "Gemm");
  EXPECT_EQ(graph.nodes[0].inputs, (std::vector<std::string>{"x", "W", "b"}));
  EXPECT_EQ(graph.nodes[0].real_or("alpha", 7), 1);
  EXPECT_EQ(graph.nodes[0].real_or("beta", 7), 7);
  EXPECT_EQ(graph.nodes[1].domain, "") << "ai.onnx is ONNX's own domain";
  ASSERT_NE(graph.initializer("W"), nullptr);
  EXPECT_EQ(graph.initializer("W")->dims, (std::vector<std::int64_t>{4, 3}));
  EXPECT_EQ(graph.initializer("W")->size.count, 48);
  EXPECT_EQ(graph.initializer("b")->size.count, 12);
  EXPECT_EQ(describe(graph.inputs.at(0).type), "float32[2,4]");
  EXPECT_EQ(model->parameter_count(), 15);
  EXPECT_EQ(model->weight_size().count, 60);
}

TEST(ModelRead, UnpacksTypedAndRawContentAlike) {
  const auto model = Model::parse(small_model().SerializeAsString());
  ASSERT_TRUE(model.ok()) << model.error();
  const auto b = model->tensor("b");
  ASSERT_TRUE(b.ok()) << b.error();
  const float expected[] = {1, 2, 3};
  ASSERT_EQ(b->bytes.size(), sizeof expected);
  EXPECT_EQ(std::memcmp(b->bytes.data(), expected, sizeof expected), 0);
  EXPECT_EQ(model->tensor("W")->bytes, std::string(48, '\x01'));
  EXPECT_EQ(model->tensor("nope").error().code, Errc::not_found);
}

TEST(ModelRead, LeavesRunningStatisticsOutOfTheParameterCount) {
  auto message = small_model();
  auto* norm = message.mutable_graph()->add_node();
  norm->set_op_type("BatchNormalization");
  for (const char* name : {"y", "scale", "shift", "mean", "var"}) norm->add_input(name);
  norm->add_output("z");
  for (const char* name : {"scale", "shift", "mean", "var"}) {
    auto* tensor = message.mutable_graph()->add_initializer();
    tensor->set_name(name);
    tensor->set_data_type(1);
    tensor->add_dims(3);
    tensor->set_raw_data(std::string(12, '\0'));
  }
  EXPECT_EQ(Model::parse(message.SerializeAsString())->parameter_count(), 15 + 6);
}

TEST(ModelRead, DescribesEveryKindOfType) {
  auto message = small_model();
  auto* graph = message.mutable_graph();
  auto* sequence = graph->add_input();
  sequence->set_name("s");
  auto* inner =
      sequence->mutable_type()->mutable_sequence_type()->mutable_elem_type()->mutable_tensor_type();
  inner->set_elem_type(7);
  inner->mutable_shape()->add_dim()->set_dim_param("batch");
  inner->mutable_shape()->add_dim();
  auto* map = graph->add_input();
  map->set_name("m");
  map->mutable_type()->mutable_map_type()->set_key_type(7);
  map->mutable_type()
      ->mutable_map_type()
      ->mutable_value_type()
      ->mutable_tensor_type()
      ->set_elem_type(22);
  auto* optional = graph->add_input();
  optional->set_name("o");
  optional->mutable_type()
      ->mutable_optional_type()
      ->mutable_elem_type()
      ->mutable_tensor_type()
      ->set_elem_type(99);
  const auto model = Model::parse(message.SerializeAsString());
  ASSERT_TRUE(model.ok()) << model.error();
  EXPECT_EQ(describe(model->graph().inputs.at(1).type), "sequence(int64[batch,?])");
  EXPECT_EQ(describe(model->graph().inputs.at(2).type), "map(int64, int4)");
  EXPECT_EQ(describe(model->graph().inputs.at(3).type), "optional(type 99)");
}

TEST(ModelRead, KnowsWhatASubgraphTakesFromOutside) {
  auto message = small_model();
  auto* branch = message.mutable_graph()->add_node();
  branch->set_op_type("If");
  branch->add_input("condition");
  branch->add_output("z");
  auto* attribute = branch->add_attribute();
  attribute->set_name("then_branch");
  attribute->set_type(::onnx::AttributeProto_AttributeType_GRAPH);
  auto* add = attribute->mutable_g()->add_node();
  add->set_op_type("Add");
  add->add_input("h");
  add->add_input("W");
  add->add_output("inside");
  testing_support::set_tensor_type(*attribute->mutable_g()->add_output(), "inside", {2, 3});
  const auto model = Model::parse(message.SerializeAsString());
  ASSERT_TRUE(model.ok()) << model.error();
  EXPECT_EQ(names_read(model->graph().nodes.at(2)),
            (std::vector<std::string>{"W", "condition", "h"}));
}

TEST(ModelRoundTrip, KeepsUnknownFieldsAtEveryLevel) {
  auto message = small_model();
  const auto plant = [](google::protobuf::Message& where, const std::string& what) {
    where.GetReflection()->MutableUnknownFields(&where)->AddLengthDelimited(12345, what);
  };
  plant(message, "in the model");
  plant(*message.mutable_graph(), "in the graph");
  plant(*message.mutable_graph()->mutable_node(0), "in a node");
  plant(*message.mutable_graph()->mutable_node(0)->mutable_attribute(0), "in an attribute");
  plant(*message.mutable_graph()->mutable_initializer(0), "in a tensor");
  plant(*message.mutable_graph()->mutable_input(0)->mutable_type(), "in a type");
  const std::string bytes = message.SerializeAsString();
  const auto model = Model::parse(bytes);
  ASSERT_TRUE(model.ok()) << model.error();
  EXPECT_EQ(model->serialize().value(), bytes);
  EXPECT_NE(model->serialize()->find("in a type"), std::string::npos);
}

TEST(ModelWrite, SavesWhatItLoaded) {
  const TemporaryFolder folder;
  write_file(folder / "a.onnx", small_model().SerializeAsString());
  const auto model = Model::load(folder / "a.onnx");
  ASSERT_TRUE(model.ok()) << model.error();
  ASSERT_TRUE(model->save(folder / "b.onnx").ok());
  const auto again = Model::load(folder / "b.onnx");
  ASSERT_TRUE(again.ok()) << again.error();
  EXPECT_EQ(again->content_hash(), model->content_hash());
  EXPECT_EQ(model->save(folder / "no/such/folder.onnx").error().code, Errc::not_found);
}

TEST(ModelWrite, RefusesToWriteAModelWithoutItsWeights) {
  auto message = small_model();
  message.mutable_graph()->mutable_initializer(0)->set_dims(0, 4000);
  message.mutable_graph()->mutable_initializer(0)->set_raw_data(std::string(48000, '\0'));
  const auto model = Model::parse(message.SerializeAsString(), "m", {}, {.keep_weights = false});
  ASSERT_TRUE(model.ok()) << model.error();
  EXPECT_EQ(model->graph().initializer("W")->size.count, 48000);
  EXPECT_EQ(model->tensor("W").error().code, Errc::bad_request);
  EXPECT_EQ(model->tensor("b")->bytes.size(), 12U) << "small tensors stay";
  EXPECT_EQ(model->serialize().error().code, Errc::bad_request);
}

Errc code_of(const std::string& path) {
  const auto model = Model::load(path);
  if (model.ok()) return Errc::internal;
  EXPECT_EQ(model.error().where.rfind(path, 0), 0U) << model.error();
  EXPECT_TRUE(model.error().message.ends_with('.')) << model.error();
  return model.error().code;
}

TEST(ModelBadInput, NamesFileAndReason) {
  const TemporaryFolder folder;
  write_file(folder / "empty.onnx", "");
  write_file(folder / "text.onnx", "this is not a model, it is a sentence\n");
  write_file(folder / "zip.onnx", std::string("PK\x03\x04") + std::string(100, '\x07'));
  ASSERT_EQ(::mkfifo((folder / "fifo.onnx").c_str(), 0600), 0);
  EXPECT_EQ(code_of(folder / "missing.onnx"), Errc::not_found);
  EXPECT_EQ(code_of(folder.path()), Errc::bad_request);
  EXPECT_EQ(code_of(folder / "fifo.onnx"), Errc::bad_request) << "and does not wait for a writer";
  EXPECT_EQ(code_of(folder / "empty.onnx"), Errc::parse_error);
  EXPECT_EQ(code_of(folder / "text.onnx"), Errc::parse_error);
  EXPECT_EQ(code_of(folder / "zip.onnx"), Errc::parse_error);
  EXPECT_NE(Model::load(folder / "zip.onnx").error().message.find("PyTorch"), std::string::npos);
  ::onnx::ModelProto no_graph;
  no_graph.set_ir_version(8);
  write_file(folder / "no_graph.onnx", no_graph.SerializeAsString());
  EXPECT_EQ(code_of(folder / "no_graph.onnx"), Errc::invalid_document);
}

TEST(ModelBadInput, RefusesTwoGibibytesWithoutReadingThem) {
  const TemporaryFolder folder;
  write_file(folder / "big.onnx", "x");
  ASSERT_EQ(::truncate((folder / "big.onnx").c_str(), off_t{3} << 30),
            0);  // sparse: takes no space
  EXPECT_EQ(code_of(folder / "big.onnx"), Errc::too_large);
}

TEST(ModelBadInput, SaysWhereATruncatedFileEnds) {
  std::string bytes = small_model().SerializeAsString();
  const std::size_t raw = bytes.find(std::string(48, '\x01'));
  const auto model = Model::parse(bytes.substr(0, raw + 10), "cut.onnx");
  ASSERT_FALSE(model.ok());
  EXPECT_EQ(model.error().code, Errc::parse_error);
  EXPECT_NE(model.error().message.find("cut short"), std::string::npos) << model.error();
  EXPECT_NE(
      model.error().message.find("graph.initializer[0].raw_data needs 48 bytes where 10 are left"),
      std::string::npos)
      << model.error();
}

TEST(ModelBadInput, SurvivesEveryTruncationInSilence) {
  const std::string bytes = small_model().SerializeAsString();
  testing::internal::CaptureStderr();
  for (std::size_t length = 0; length < bytes.size(); ++length) {
    const auto model = Model::parse(bytes.substr(0, length), "cut.onnx");
    if (model.ok()) continue;  // a cut between two fields leaves a smaller message
    EXPECT_EQ(model.error().where.rfind("cut.onnx", 0), 0U);
    EXPECT_TRUE(model.error().message.ends_with('.'));
  }
  EXPECT_EQ(testing::internal::GetCapturedStderr(), "") << "libraries never print";
}

TEST(ModelBadInput, SurvivesEveryFlippedBit) {
  const std::string bytes = small_model().SerializeAsString();
  int refused = 0;
  for (std::size_t bit = 0; bit < bytes.size() * 8; ++bit) {
    std::string flipped = bytes;
    flipped[bit / 8] = static_cast<char>(flipped[bit / 8] ^ (1 << (bit % 8)));
    const auto model = Model::parse(flipped, "flipped.onnx");
    refused += !model.ok();
    if (model.ok()) {
      EXPECT_TRUE(model->serialize().ok());
    }
  }
  EXPECT_GT(refused, 100) << "most structure is redundant enough to notice";
}

TEST(ModelBadInput, NoticesContentThatDoesNotFitItsDimensions) {
  const auto refusal = [](const auto& change) {
    auto message = small_model();
    change(*message.mutable_graph()->mutable_initializer(0),
           *message.mutable_graph()->mutable_initializer(1));
    const auto model = Model::parse(message.SerializeAsString(), "m.onnx");
    if (model.ok()) return std::string("accepted");
    EXPECT_EQ(model.error().code, Errc::invalid_document);
    return model.error().text();
  };
  EXPECT_EQ(refusal([](auto& w, auto&) { w.set_dims(0, 5); }),
            "m.onnx: graph/initializer[0]: The tensor \"W\" holds 48 bytes where its dimensions "
            "ask for 60.");
  EXPECT_EQ(refusal([](auto&, auto& b) { b.set_dims(0, 2); }),
            "m.onnx: graph/initializer[1]: The tensor \"b\" holds 3 entries where its dimensions "
            "ask for 2.");
  EXPECT_NE(refusal([](auto& w, auto&) { w.set_dims(0, -4); }).find("negative"), std::string::npos);
  EXPECT_NE(refusal([](auto& w, auto&) {
              w.set_dims(0, std::int64_t{1} << 40);
              w.set_dims(1, std::int64_t{1} << 40);
            }).find("too many"),
            std::string::npos);
  EXPECT_NE(refusal([](auto& w, auto&) { w.set_data_type(8); }).find("strings"), std::string::npos);
}

TEST(LoadTensor, ReadsATensorFileAndRefusesAModel) {
  const TemporaryFolder folder;
  write_file(folder / "t.pb", small_model().graph().initializer(1).SerializeAsString());
  write_file(folder / "not.pb", "hello");
  const auto tensor = load_tensor(folder / "t.pb");
  ASSERT_TRUE(tensor.ok()) << tensor.error();
  EXPECT_EQ(tensor->type, DType::float32);
  EXPECT_EQ(tensor->dims, std::vector<std::int64_t>{3});
  EXPECT_EQ(tensor->bytes.size(), 12U);
  EXPECT_EQ(load_tensor(folder / "not.pb").error().code, Errc::parse_error);
  EXPECT_EQ(load_tensor(folder / "missing.pb").error().code, Errc::not_found);
}

TEST(Types, PackEveryElementWidth) {
  EXPECT_EQ(packed_size(DType::float32, 3)->count, 12);
  EXPECT_EQ(packed_size(DType::int4, 3)->count, 2);
  EXPECT_EQ(packed_size(DType::int2, 5)->count, 2);
  EXPECT_EQ(packed_size(DType::complex128, 2)->count, 32);
  EXPECT_EQ(packed_size(DType::string, 2), std::nullopt);
  EXPECT_EQ(packed_size(DType::float64, std::int64_t{1} << 60), std::nullopt);
  for (int number = 1; number <= 26; ++number) {
    const auto type = static_cast<DType>(number);
    EXPECT_EQ(dtype_from_name(to_string(type)), type);
  }
  EXPECT_EQ(to_string(static_cast<DType>(-3)), "type -3");
  EXPECT_EQ(element_count({}), 1);
  EXPECT_EQ(element_count({2, 0, 3}), 0);
  EXPECT_EQ(element_count({2, -1}), std::nullopt);
}

}  // namespace
}  // namespace neurolens::onnx
