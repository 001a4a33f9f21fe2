#include "proto_io.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <google/protobuf/io/zero_copy_stream_impl.h>
#include <google/protobuf/stubs/common.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

namespace neurolens::onnx {
namespace {

/// Silences protobuf for the time of a call: libraries never print.
#if GOOGLE_PROTOBUF_VERSION < 4022000
using Silence = google::protobuf::LogSilencer;
#else
struct Silence {
  Silence() {}  // newer versions log nothing on malformed input
};
#endif

class OpenFile {
 public:
  explicit OpenFile(const std::string& path)
      : fd_(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK)) {}
  ~OpenFile() {
    if (fd_ >= 0) ::close(fd_);
  }
  OpenFile(const OpenFile&) = delete;
  OpenFile& operator=(const OpenFile&) = delete;
  [[nodiscard]] int get() const { return fd_; }

 private:
  int fd_;
};

/// Size of an open regular file.
Result<std::int64_t> regular_size(const OpenFile& file, const std::string& path) {
  if (file.get() < 0) return system_error(errno, path, "read");
  struct stat facts = {};
  if (::fstat(file.get(), &facts) != 0) return system_error(errno, path, "read");
  if (S_ISDIR(facts.st_mode)) {
    return Error{Errc::bad_request, "This is a directory; give the path of the file inside it.",
                 path};
  }
  if (!S_ISREG(facts.st_mode)) {
    return Error{Errc::bad_request, "This is no regular file; copy its content to a file first.",
                 path};
  }
  return std::int64_t{facts.st_size};
}

class HashedInput final : public google::protobuf::io::CopyingInputStream {
 public:
  explicit HashedInput(int fd) : fd_(fd) {}
  int Read(void* buffer, int size) override {
    ssize_t count = 0;
    do {
      count = ::read(fd_, buffer, static_cast<std::size_t>(size));
    } while (count < 0 && errno == EINTR);
    if (count < 0) {
      error_number_ = errno;
      return -1;
    }
    hash_.update({static_cast<const char*>(buffer), static_cast<std::size_t>(count)});
    return static_cast<int>(count);
  }
  [[nodiscard]] int error_number() const { return error_number_; }
  [[nodiscard]] std::string finish() { return hash_.finish(); }

 private:
  int fd_;
  int error_number_ = 0;
  Sha256 hash_;
};

class FileOutput final : public google::protobuf::io::CopyingOutputStream {
 public:
  explicit FileOutput(OutputFile& file) : file_(file) {}
  bool Write(const void* buffer, int size) override {
    if (status_.ok())
      status_ = file_.write({static_cast<const char*>(buffer), static_cast<std::size_t>(size)});
    return status_.ok();
  }
  [[nodiscard]] Status status() const { return status_; }

 private:
  OutputFile& file_;
  Status status_;
};

constexpr int kBlockBytes = 1 << 20;

}  // namespace

Error too_large_error(const std::string& path, std::int64_t bytes) {
  return Error{
      Errc::too_large,
      fmt::format("The model takes {:.1f} GiB in one file, and protobuf ends at 2 GiB; save its "
                  "weights as external data.",
                  static_cast<double>(bytes) / 1073741824.0),
      path};
}

Result<FileFacts> parse_file(const std::string& path, google::protobuf::MessageLite& message) {
  const OpenFile file(path);
  NEUROLENS_ASSIGN(const std::int64_t size, regular_size(file, path));
  if (size > kMessageLimitBytes) return too_large_error(path, size);
  HashedInput input(file.get());
  FileFacts facts;
  facts.size_bytes = size;
  {
    const Silence silence;
    google::protobuf::io::CopyingInputStreamAdaptor stream(&input, kBlockBytes);
    facts.well_formed = message.ParsePartialFromZeroCopyStream(&stream);
  }
  if (input.error_number() != 0) return system_error(input.error_number(), path, "read");
  facts.sha256 = input.finish();
  return facts;
}

bool parse_quietly(std::string_view bytes, google::protobuf::MessageLite& message) {
  const Silence silence;
  return bytes.size() <= static_cast<std::size_t>(kMessageLimitBytes) &&
         message.ParsePartialFromArray(bytes.data(), static_cast<int>(bytes.size()));
}

Status write_message(const google::protobuf::MessageLite& message, OutputFile& file,
                     const std::string& path) {
  const auto size = static_cast<std::int64_t>(message.ByteSizeLong());
  if (size > kMessageLimitBytes) return too_large_error(path, size);
  const Silence silence;
  FileOutput output(file);
  bool done = false;
  {
    google::protobuf::io::CopyingOutputStreamAdaptor stream(&output, kBlockBytes);
    done = message.SerializePartialToZeroCopyStream(&stream) && stream.Flush();
  }
  NEUROLENS_TRY(output.status());
  if (!done) return Error{Errc::internal, "The model could not be serialised.", path};
  return {};
}

Result<std::string> read_range(const std::string& path, std::int64_t offset_bytes,
                               std::int64_t length_bytes) {
  const OpenFile file(path);
  NEUROLENS_ASSIGN(const std::int64_t size, regular_size(file, path));
  if (offset_bytes < 0 || length_bytes < 0 || offset_bytes > size ||
      length_bytes > size - offset_bytes) {
    return Error{Errc::io_error, "The file ends before the data that the model expects in it.",
                 path};
  }
  std::string bytes(static_cast<std::size_t>(length_bytes), '\0');
  std::size_t done = 0;
  while (done < bytes.size()) {
    const ssize_t count = ::pread(file.get(), bytes.data() + done, bytes.size() - done,
                                  static_cast<off_t>(offset_bytes) + static_cast<off_t>(done));
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return system_error(errno, path, "read");
    if (count == 0)
      return Error{Errc::io_error, "The file became shorter while it was read.", path};
    done += static_cast<std::size_t>(count);
  }
  return bytes;
}

}  // namespace neurolens::onnx
