/// \file
/// Content hashes: SHA-256 as lower-case hexadecimal text.
#pragma once

#include <memory>
#include <string>
#include <string_view>

namespace neurolens {

/// Computes SHA-256 (FIPS 180-4) over pieces. Not thread-safe.
class Sha256 {
 public:
  Sha256();
  ~Sha256();
  Sha256(const Sha256&) = delete;
  Sha256& operator=(const Sha256&) = delete;
  void update(std::string_view bytes);
  /// 64 hexadecimal digits. Call once.
  [[nodiscard]] std::string finish();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

/// SHA-256 of `bytes` in one call.
[[nodiscard]] std::string sha256(std::string_view bytes);

/// A random (version 4) UUID in its canonical lower-case form, from the system's entropy.
[[nodiscard]] std::string make_uuid();

}  // namespace neurolens
