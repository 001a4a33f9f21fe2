#include "isolate/channel.hpp"

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cmath>
#include <cstring>
#include <limits>

namespace neurolens::capture {
namespace {

constexpr std::size_t kHeader = 1 + sizeof(std::uint64_t);

template <class T>
void put(std::string& out, T value) {
  char raw[sizeof(T)];
  std::memcpy(raw, &value, sizeof(T));
  out.append(raw, sizeof(T));
}

template <class T>
T get(std::string_view bytes, std::size_t at) {
  T value{};
  if (bytes.size() >= at + sizeof(T)) std::memcpy(&value, bytes.data() + at, sizeof(T));
  return value;
}

}  // namespace

bool write_all(int file, std::string_view bytes) {
  while (!bytes.empty()) {
    const auto done = write(file, bytes.data(), bytes.size());
    if (done < 0 && errno == EINTR) continue;
    if (done <= 0) return false;
    bytes.remove_prefix(static_cast<std::size_t>(done));
  }
  return true;
}

bool send_message(int pipe, MessageKind kind, std::string_view payload) {
  std::string header(1, static_cast<char>(kind));
  put(header, static_cast<std::uint64_t>(payload.size()));
  return write_all(pipe, header) && write_all(pipe, payload);
}

bool MessageReader::feed(std::string_view bytes,
                         const std::function<void(MessageKind, std::string_view)>& sink) {
  buffer_.append(bytes);
  std::size_t at = 0;
  while (buffer_.size() - at >= kHeader) {
    const char kind = buffer_[at];
    if (kind != 'P' && kind != 'R' && kind != 'E') return false;
    const auto length = get<std::uint64_t>(buffer_, at + 1);
    if (length > buffer_.size() - at - kHeader) break;
    sink(static_cast<MessageKind>(kind), std::string_view(buffer_).substr(at + kHeader, length));
    at += kHeader + length;
  }
  buffer_.erase(0, at);
  return true;
}

std::string encode_progress(std::string_view phase, std::optional<double> fraction) {
  std::string out;
  put(out, fraction.value_or(std::numeric_limits<double>::quiet_NaN()));
  out.append(phase);
  return out;
}

void decode_progress(std::string_view payload, std::string& phase,
                     std::optional<double>& fraction) {
  const auto value = get<double>(payload, 0);
  fraction = std::isnan(value) ? std::nullopt : std::optional(value);
  phase = payload.size() > sizeof(double) ? payload.substr(sizeof(double)) : std::string_view();
}

std::string encode_error(const Error& error) {
  std::string out;
  put(out, static_cast<std::int32_t>(error.code));
  put(out, static_cast<std::uint64_t>(error.where.size()));
  out += error.where;
  out += error.message;
  return out;
}

Error decode_error(std::string_view payload) {
  constexpr std::size_t kFixed = sizeof(std::int32_t) + sizeof(std::uint64_t);
  Error out;
  if (payload.size() < kFixed) return out;
  out.code = static_cast<Errc>(get<std::int32_t>(payload, 0));
  const auto where = std::min<std::size_t>(get<std::uint64_t>(payload, sizeof(std::int32_t)),
                                           payload.size() - kFixed);
  out.where = payload.substr(kFixed, where);
  out.message = payload.substr(kFixed + where);
  return out;
}

}  // namespace neurolens::capture
