// Every model of ONNX's own conformance suite (Debian's libonnx-testdata) is read, written, and
// read again.
#include <gtest/gtest.h>

#include <iterator>

#include "neurolens/onnx/model.hpp"
#include "test_support.hpp"

namespace neurolens::onnx {
namespace {

constexpr const char* kFolder = "/usr/share/libonnx-testdata/data";

std::vector<std::string> files_ending_in(const std::string& end) {
  std::vector<std::string> found;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(kFolder)) {
    if (entry.is_regular_file() && entry.path().string().ends_with(end))
      found.push_back(entry.path().string());
  }
  return found;
}

std::string content_of(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

/// The message in one canonical serialisation, unknown fields included.
std::string canonical(const std::string& bytes) {
  ::onnx::ModelProto message;
  EXPECT_TRUE(message.ParseFromString(bytes));
  return message.SerializeAsString();
}

class Conformance : public testing::Test {
 protected:
  void SetUp() override {
    if (!std::filesystem::exists(kFolder))
      GTEST_SKIP() << kFolder << " is absent: install libonnx-testdata";
  }
};

TEST_F(Conformance, EveryModelSurvivesARoundTrip) {
  const auto paths = files_ending_in(".onnx");
  EXPECT_GE(paths.size(), 1000U);
  for (const std::string& path : paths) {
    const auto model = Model::load(path);
    ASSERT_TRUE(model.ok()) << model.error();
    const auto written = model->serialize();
    ASSERT_TRUE(written.ok()) << written.error();
    EXPECT_EQ(written.value(), canonical(content_of(path))) << path;
    EXPECT_FALSE(model->graph().nodes.empty()) << path;
    for (const Value& input : model->graph().inputs) {
      EXPECT_NE(input.type.kind, TypeKind::unknown) << path << " " << input.name;
    }
  }
}

TEST_F(Conformance, EveryInputTensorIsReadOrRefused) {
  int read = 0;
  int refused = 0;
  for (const std::string& path : files_ending_in(".pb")) {
    const auto tensor = load_tensor(path);
    if (!tensor.ok()) {
      ++refused;  // sequences and optionals are other messages
      continue;
    }
    ++read;
    const auto count = element_count(tensor->dims);
    ASSERT_TRUE(count) << path;
    if (tensor->type == DType::string) {
      EXPECT_EQ(static_cast<std::int64_t>(tensor->strings.size()), *count) << path;
    } else {
      EXPECT_EQ(static_cast<std::int64_t>(tensor->bytes.size()),
                packed_size(tensor->type, *count)->count)
          << path;
    }
  }
  EXPECT_GE(read, 2000);
  EXPECT_LE(refused, read / 20);
}

}  // namespace
}  // namespace neurolens::onnx
