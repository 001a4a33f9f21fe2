// The fuzzer's seeds: small models that between them use every message of the format. They are
// files so that libFuzzer can take them; this test makes them again and compares. NEUROLENS_BLESS=1
// rewrites them.
#include <gtest/gtest.h>

#include <cstdlib>
#include <functional>
#include <iterator>

#include "fuzz_check.hpp"
#include "source_dir.hpp"
#include "test_support.hpp"

namespace neurolens::onnx {
namespace {

using testing_support::check_any_bytes;
using testing_support::small_model;
namespace proto = ::onnx;

/// One initialiser of every element type, in its typed field.
proto::ModelProto typed_tensors() {
  proto::ModelProto model = small_model();
  for (int type = 1; type <= 26; ++type) {
    auto* tensor = model.mutable_graph()->add_initializer();
    tensor->set_name("t" + std::to_string(type));
    tensor->set_data_type(type);
    tensor->add_dims(2);
    const auto dtype = static_cast<DType>(type);
    if (dtype == DType::float32 || dtype == DType::complex64) {
      for (int i = 0; i < (dtype == DType::float32 ? 2 : 4); ++i) tensor->add_float_data(0.5F);
    } else if (dtype == DType::float64 || dtype == DType::complex128) {
      for (int i = 0; i < (dtype == DType::float64 ? 2 : 4); ++i) tensor->add_double_data(0.25);
    } else if (dtype == DType::string) {
      for (int i = 0; i < 2; ++i) tensor->add_string_data("text");
    } else if (dtype == DType::int64) {
      for (int i = 0; i < 2; ++i) tensor->add_int64_data(-7);
    } else if (dtype == DType::uint32 || dtype == DType::uint64) {
      for (int i = 0; i < 2; ++i) tensor->add_uint64_data(7);
    } else {
      for (int i = 0; i < (*bits_of(dtype) < 8 ? 1 : 2); ++i) tensor->add_int32_data(7);
    }
  }
  return model;
}

proto::ModelProto subgraphs() {
  proto::ModelProto model = small_model();
  auto* branch = model.mutable_graph()->add_node();
  branch->set_op_type("If");
  branch->add_input("condition");
  branch->add_output("z");
  for (const char* name : {"then_branch", "else_branch"}) {
    auto* attribute = branch->add_attribute();
    attribute->set_name(name);
    attribute->set_type(proto::AttributeProto_AttributeType_GRAPH);
    *attribute->mutable_g() = small_model().graph();
  }
  return model;
}

proto::ModelProto types_and_functions() {
  proto::ModelProto model = small_model();
  auto* graph = model.mutable_graph();
  auto* sequence = graph->add_input()->mutable_type()->mutable_sequence_type();
  sequence->mutable_elem_type()
      ->mutable_optional_type()
      ->mutable_elem_type()
      ->mutable_tensor_type()
      ->set_elem_type(10);
  auto* map = graph->add_input()->mutable_type()->mutable_map_type();
  map->set_key_type(7);
  map->mutable_value_type()
      ->mutable_sparse_tensor_type()
      ->mutable_shape()
      ->add_dim()
      ->set_dim_param("n");
  auto* sparse = graph->add_sparse_initializer();
  sparse->add_dims(100);
  *sparse->mutable_values() = graph->initializer(1);
  auto* indices = sparse->mutable_indices();
  indices->set_data_type(7);
  indices->add_dims(3);
  for (const int index : {3, 5, 8}) indices->add_int64_data(index);
  auto* function = model.add_functions();
  function->set_name("twice");
  function->set_domain("own");
  function->add_input("a");
  function->add_output("c");
  *function->add_node() = graph->node(0);
  auto* attribute = graph->mutable_node(0)->add_attribute();
  attribute->set_name("many");
  attribute->set_type(proto::AttributeProto_AttributeType_TENSORS);
  *attribute->add_tensors() = graph->initializer(1);
  return model;
}

struct Seed {
  const char* file;
  proto::ModelProto (*make)();
};

class FuzzSeed : public testing::TestWithParam<Seed> {};

TEST_P(FuzzSeed, IsCurrentAndHolds) {
  const std::string path = std::string(NEUROLENS_SOURCE_DIR) + "/src/onnx/seeds/" + GetParam().file;
  const std::string bytes = GetParam().make().SerializeAsString();
  if (std::getenv("NEUROLENS_BLESS") != nullptr) testing_support::write_file(path, bytes);
  std::ifstream in(path, std::ios::binary);
  const std::string stored{std::istreambuf_iterator<char>(in), {}};
  EXPECT_EQ(stored, bytes) << "run with NEUROLENS_BLESS=1 to write " << path;
  EXPECT_TRUE(Model::parse(bytes).ok()) << Model::parse(bytes).error();
  EXPECT_EQ(check_any_bytes(bytes), "");
}

// A poor man's fuzzer for builds without clang: every single-byte change of every seed.
TEST_P(FuzzSeed, HoldsWithAnyByteChanged) {
  const std::string bytes = GetParam().make().SerializeAsString();
  for (std::size_t at = 0; at < bytes.size(); ++at) {
    for (const char change : {'\x01', '\x80', '\x7f'}) {
      std::string changed = bytes;
      changed[at] = static_cast<char>(changed[at] ^ change);
      ASSERT_EQ(check_any_bytes(changed), "") << "byte " << at;
    }
  }
}

INSTANTIATE_TEST_SUITE_P(All, FuzzSeed,
                         testing::Values(Seed{"small.onnx", &small_model},
                                         Seed{"tensors.onnx", &typed_tensors},
                                         Seed{"subgraphs.onnx", &subgraphs},
                                         Seed{"types.onnx", &types_and_functions}),
                         [](const auto& row) {
                           const std::string file = row.param.file;
                           return file.substr(0, file.find('.'));
                         });

}  // namespace
}  // namespace neurolens::onnx
