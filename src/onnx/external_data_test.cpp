// Weights in files beside the model: found where they may lie, refused where they may not.
#include <gtest/gtest.h>

#include <map>

#include "neurolens/onnx/model.hpp"
#include "test_support.hpp"

namespace neurolens::onnx {
namespace {

using testing_support::small_model;
using testing_support::TemporaryFolder;
using testing_support::write_file;
namespace fs = std::filesystem;

/// The small model with W in a file.
std::string with_external(const std::map<std::string, std::string>& entries) {
  auto message = small_model();
  auto* w = message.mutable_graph()->mutable_initializer(0);
  w->clear_raw_data();
  w->set_data_location(::onnx::TensorProto_DataLocation_EXTERNAL);
  for (const auto& [key, value] : entries) {
    auto* entry = w->add_external_data();
    entry->set_key(key);
    entry->set_value(value);
  }
  return message.SerializeAsString();
}

class ExternalData : public testing::Test {
 protected:
  void SetUp() override {
    fs::create_directories(folder_ / "model/sub");
    write_file(folder_ / "secret.bin", std::string(100, 's'));
    write_file(folder_ / "model/w.bin", std::string(8, '-') + std::string(48, 'w'));
  }
  Result<Model> load(const std::map<std::string, std::string>& entries) {
    write_file(folder_ / "model/m.onnx", with_external(entries));
    return Model::load(folder_ / "model/m.onnx");
  }
  Errc refusal(const std::map<std::string, std::string>& entries) {
    const auto model = load(entries);
    if (model.ok()) return Errc::internal;
    EXPECT_EQ(model.error().where, folder_ / "model/m.onnx: graph/initializer[0]");
    EXPECT_EQ(model.error().message.find("ssss"), std::string::npos);
    return model.error().code;
  }

  TemporaryFolder folder_;
};

TEST_F(ExternalData, IsReadFromItsOffset) {
  const auto model = load({{"location", "w.bin"}, {"offset", "8"}, {"length", "48"}});
  ASSERT_TRUE(model.ok()) << model.error();
  EXPECT_TRUE(model->graph().initializer("W")->external);
  EXPECT_EQ(model->tensor("W")->bytes, std::string(48, 'w'));
  EXPECT_EQ(model->external_size().count, 48);
  EXPECT_EQ(model->parameter_count(), 15);
}

TEST_F(ExternalData, IsInlinedWhenTheModelMoves) {
  const auto model = load({{"location", "./sub/../w.bin"}, {"offset", "8"}});
  ASSERT_TRUE(model.ok()) << model.error();
  ASSERT_TRUE(model->save(folder_ / "moved.onnx").ok());
  const auto moved = Model::load(folder_ / "moved.onnx");
  ASSERT_TRUE(moved.ok()) << moved.error();
  EXPECT_FALSE(moved->graph().initializer("W")->external);
  EXPECT_EQ(moved->tensor("W")->bytes, std::string(48, 'w'));
  const auto parsed = Model::parse(model->serialize().value());
  ASSERT_TRUE(parsed.ok()) << parsed.error();
  EXPECT_EQ(parsed->tensor("W")->bytes, std::string(48, 'w'));
  const auto kept = model->serialize({.inline_external = false});
  EXPECT_NE(kept.value().find("w.bin"), std::string::npos);
}

TEST_F(ExternalData, OutsideOfTheFolderIsRefused) {
  EXPECT_EQ(refusal({{"location", "../secret.bin"}}), Errc::bad_request);
  EXPECT_EQ(refusal({{"location", "sub/../../secret.bin"}}), Errc::bad_request);
  EXPECT_EQ(refusal({{"location", "/etc/hostname"}}), Errc::bad_request);
  EXPECT_EQ(refusal({{"location", "../no_such_file"}}), Errc::bad_request)
      << "nor may it be probed";
  EXPECT_EQ(refusal({{"location", "../model/../secret.bin"}}), Errc::bad_request);
  fs::create_symlink("../secret.bin", folder_ / "model/link.bin");
  EXPECT_EQ(refusal({{"location", "link.bin"}}), Errc::bad_request);
  fs::create_directory_symlink("..", folder_ / "model/up");
  EXPECT_EQ(refusal({{"location", "up/secret.bin"}}), Errc::bad_request);
  fs::create_directories(folder_ / "model2");
  write_file(folder_ / "model2/w.bin", std::string(48, 'w'));
  EXPECT_EQ(refusal({{"location", "../model2/w.bin"}}), Errc::bad_request)
      << "a prefix is not a folder";
}

TEST_F(ExternalData, DamageIsNamed) {
  EXPECT_EQ(refusal({{"location", "missing.bin"}}), Errc::not_found);
  EXPECT_EQ(refusal({{"location", ""}}), Errc::invalid_document);
  EXPECT_EQ(refusal({{"location", "sub"}}), Errc::bad_request);
  EXPECT_EQ(refusal({{"location", "w.bin"}, {"offset", "-8"}}), Errc::invalid_document);
  EXPECT_EQ(refusal({{"location", "w.bin"}, {"offset", "8x"}}), Errc::invalid_document);
  EXPECT_EQ(refusal({{"location", "w.bin"}, {"length", "47"}}), Errc::invalid_document);
  EXPECT_EQ(refusal({{"location", "w.bin"}, {"offset", "9"}}), Errc::invalid_document);
  EXPECT_EQ(refusal({{"location", "w.bin"}, {"offset", "9223372036854775807"}}),
            Errc::invalid_document);
  EXPECT_EQ(refusal({{"location", std::string("w.bin\0x", 7)}}), Errc::invalid_document);
}

TEST_F(ExternalData, AStoreOfLinkedFilesWorks) {
  // Model and data are links into one folder, as download caches lay them out.
  fs::create_directories(folder_ / "blobs");
  fs::create_directories(folder_ / "snapshot");
  write_file(folder_ / "blobs/1", with_external({{"location", "w.bin"}}));
  write_file(folder_ / "blobs/2", std::string(48, 'w'));
  fs::create_symlink("../blobs/1", folder_ / "snapshot/m.onnx");
  fs::create_symlink("../blobs/2", folder_ / "snapshot/w.bin");
  const auto model = Model::load(folder_ / "snapshot/m.onnx");
  ASSERT_TRUE(model.ok()) << model.error();
  EXPECT_EQ(model->tensor("W")->bytes, std::string(48, 'w'));
}

TEST_F(ExternalData, AModelFromMemoryNeedsAFolder) {
  const std::string bytes = with_external({{"location", "w.bin"}, {"offset", "8"}});
  EXPECT_EQ(Model::parse(bytes).error().code, Errc::bad_request);
  const auto model = Model::parse(bytes, "memory", folder_ / "model");
  ASSERT_TRUE(model.ok()) << model.error();
  EXPECT_EQ(model->tensor("W")->bytes, std::string(48, 'w'));
}

TEST_F(ExternalData, AFileThatShrinksLaterIsAnError) {
  const auto model = load({{"location", "w.bin"}, {"offset", "8"}});
  ASSERT_TRUE(model.ok()) << model.error();
  fs::resize_file(folder_ / "model/w.bin", 20);
  EXPECT_EQ(model->tensor("W").error().code, Errc::io_error);
}

}  // namespace
}  // namespace neurolens::onnx
