/// \file
/// A FileSystem that fails where a test wants it to: the disk fills up, a write is torn, a read
/// brings flipped bits. Everything else goes to the real one.
#pragma once

#include <algorithm>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <utility>

#include "neurolens/base/file_system.hpp"

namespace neurolens::test_support {

class FaultyFiles final : public FileSystem {
 public:
  /// Bytes that can still be written before the disk is full; negative: never full.
  std::int64_t space_left = -1;
  /// Changes what a read of `path` brings.
  std::function<void(const std::string& path, std::string& bytes)> on_read;

  Result<std::string> read(const std::string& path, Bytes limit) override {
    return spoil(path, real_.read(path, limit));
  }
  Result<std::string> read_from(const std::string& path, Bytes offset, Bytes limit) override {
    return spoil(path, real_.read_from(path, offset, limit));
  }
  Result<std::unique_ptr<OutputFile>> create_atomic(const std::string& path) override {
    return wrap(path, real_.create_atomic(path));
  }
  Result<std::unique_ptr<OutputFile>> open_append(const std::string& path) override {
    return wrap(path, real_.open_append(path));
  }
  Result<std::optional<FileInfo>> info(const std::string& path) override {
    return real_.info(path);
  }
  Result<std::vector<DirectoryEntry>> list(const std::string& path) override {
    return real_.list(path);
  }
  Status make_directories(const std::string& path) override { return real_.make_directories(path); }
  Status remove(const std::string& path) override { return real_.remove(path); }
  Status rename(const std::string& from, const std::string& to) override {
    return real_.rename(from, to);
  }

 private:
  /// Writes what fits and then fails: a torn write.
  class Limited final : public OutputFile {
   public:
    Limited(FaultyFiles& owner, std::unique_ptr<OutputFile> file, std::string path)
        : owner_(owner), file_(std::move(file)), path_(std::move(path)) {}
    Status write(std::string_view bytes) override {
      if (owner_.space_left < 0) return file_->write(bytes);
      const auto fits =
          std::min<std::int64_t>(owner_.space_left, static_cast<std::int64_t>(bytes.size()));
      owner_.space_left -= fits;
      NEUROLENS_TRY(file_->write(bytes.substr(0, static_cast<std::size_t>(fits))));
      if (fits == static_cast<std::int64_t>(bytes.size())) return {};
      return Error{Errc::no_space, "The disk is full.", path_};
    }
    Status commit() override { return file_->commit(); }

   private:
    FaultyFiles& owner_;
    std::unique_ptr<OutputFile> file_;
    std::string path_;
  };

  Result<std::string> spoil(const std::string& path, Result<std::string> bytes) {
    if (bytes.ok() && on_read) on_read(path, bytes.value());
    return bytes;
  }
  Result<std::unique_ptr<OutputFile>> wrap(const std::string& path,
                                           Result<std::unique_ptr<OutputFile>> file) {
    if (!file.ok()) return file;
    return std::unique_ptr<OutputFile>(
        std::make_unique<Limited>(*this, std::move(file).value(), path));
  }
  FileSystem& real_ = system_files();
};

}  // namespace neurolens::test_support
