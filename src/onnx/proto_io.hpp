/// \file
/// protobuf over files: streams with a hash, and silence. Private to this room.
#pragma once

#include <google/protobuf/io/zero_copy_stream_impl_lite.h>
#include <onnx/onnx_pb.h>

#include <string>
#include <string_view>

#include "neurolens/base/file_system.hpp"
#include "neurolens/base/hash.hpp"
#include "neurolens/base/result.hpp"

namespace neurolens::onnx {

namespace proto = ::onnx;

/// protobuf's own bound on one message.
inline constexpr std::int64_t kMessageLimitBytes = 2147483647;

/// The error for a message of `bytes` that exceeds kMessageLimitBytes.
[[nodiscard]] Error too_large_error(const std::string& path, std::int64_t bytes);

/// What was read from a file besides the message.
struct FileFacts {
  std::string sha256;
  std::int64_t size_bytes = 0;
  bool well_formed = false;  ///< False: the bytes are no protobuf message of this type.
};

/// Parses the regular file at `path` into `message`, streaming. Errors: those of opening and
/// reading, too_large, bad_request for what is no regular file; a malformed message is not an error
/// here.
[[nodiscard]] Result<FileFacts> parse_file(const std::string& path,
                                           google::protobuf::MessageLite& message);

/// Parses without writing to stderr. False when malformed.
[[nodiscard]] bool parse_quietly(std::string_view bytes, google::protobuf::MessageLite& message);

/// Serialises into `file`, streaming. Errors: too_large, those of writing.
Status write_message(const google::protobuf::MessageLite& message, OutputFile& file,
                     const std::string& path);

/// `length_bytes` bytes of `path` from `offset_bytes`. Errors: those of reading; io_error when the
/// file ends before.
[[nodiscard]] Result<std::string> read_range(const std::string& path, std::int64_t offset_bytes,
                                             std::int64_t length_bytes);

}  // namespace neurolens::onnx
