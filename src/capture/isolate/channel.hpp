/// \file
/// Messages from the isolated process to its parent, over a pipe.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "neurolens/base/result.hpp"

namespace neurolens::capture {

/// Kinds of message: progress (fraction or nothing, phase), the Run as JSON, an error.
enum class MessageKind : char { progress = 'P', run = 'R', error = 'E' };

/// Writes all of it; blocks until the reader took it. False when the reader is gone.
bool write_all(int file, std::string_view bytes);

/// Writes one message; blocks until the reader took it. False when the reader is gone.
bool send_message(int pipe, MessageKind kind, std::string_view payload);

/// Puts the pieces that arrive back together.
class MessageReader {
 public:
  /// Calls `sink` for each complete message. False when the stream makes no sense.
  bool feed(std::string_view bytes, const std::function<void(MessageKind, std::string_view)>& sink);

 private:
  std::string buffer_;
};

[[nodiscard]] std::string encode_progress(std::string_view phase, std::optional<double> fraction);
void decode_progress(std::string_view payload, std::string& phase, std::optional<double>& fraction);
[[nodiscard]] std::string encode_error(const Error& error);
[[nodiscard]] Error decode_error(std::string_view payload);

}  // namespace neurolens::capture
