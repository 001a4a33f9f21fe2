/// \file
/// Shared by this room's tests: temporary folders and small models.
#pragma once

#include <gtest/gtest.h>
#include <onnx/onnx_pb.h>
#include <unistd.h>

#include <cstdint>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

namespace neurolens::onnx::testing_support {

namespace proto = ::onnx;

/// A folder that goes with the test.
class TemporaryFolder {
 public:
  TemporaryFolder() {
    std::string pattern =
        (std::filesystem::temp_directory_path() / "neurolens_onnx_XXXXXX").string();
    path_ = ::mkdtemp(pattern.data());
  }
  ~TemporaryFolder() { std::filesystem::remove_all(path_); }
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;
  [[nodiscard]] std::string operator/(const std::string& name) const { return path_ + "/" + name; }
  [[nodiscard]] const std::string& path() const { return path_; }

 private:
  std::string path_;
};

inline void write_file(const std::string& path, const std::string& bytes) {
  std::ofstream out(path, std::ios::binary);
  out.write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
  ASSERT_TRUE(out.good()) << path;
}

inline void set_tensor_type(proto::ValueInfoProto& value, const std::string& name,
                            const std::vector<std::int64_t>& dims) {
  value.set_name(name);
  auto* tensor = value.mutable_type()->mutable_tensor_type();
  tensor->set_elem_type(1);
  for (const std::int64_t dim : dims) tensor->mutable_shape()->add_dim()->set_dim_value(dim);
}

/// y = relu(x W + b), W of 4 x 3.
inline proto::ModelProto small_model() {
  proto::ModelProto model;
  model.set_ir_version(8);
  model.set_producer_name("tester");
  model.set_producer_version("1.0");
  model.add_opset_import()->set_version(17);
  auto* graph = model.mutable_graph();
  graph->set_name("small");
  set_tensor_type(*graph->add_input(), "x", {2, 4});
  set_tensor_type(*graph->add_output(), "y", {2, 3});
  auto* w = graph->add_initializer();
  w->set_name("W");
  w->set_data_type(1);
  w->add_dims(4);
  w->add_dims(3);
  w->set_raw_data(std::string(48, '\x01'));
  auto* b = graph->add_initializer();
  b->set_name("b");
  b->set_data_type(1);
  b->add_dims(3);
  for (const float value : {1.0F, 2.0F, 3.0F}) b->add_float_data(value);
  auto* gemm = graph->add_node();
  gemm->set_name("dense");
  gemm->set_op_type("Gemm");
  gemm->add_input("x");
  gemm->add_input("W");
  gemm->add_input("b");
  gemm->add_output("h");
  auto* alpha = gemm->add_attribute();
  alpha->set_name("alpha");
  alpha->set_type(proto::AttributeProto_AttributeType_FLOAT);
  alpha->set_f(1);
  auto* relu = graph->add_node();
  relu->set_op_type("Relu");
  relu->set_domain("ai.onnx");
  relu->add_input("h");
  relu->add_output("y");
  return model;
}

}  // namespace neurolens::onnx::testing_support
