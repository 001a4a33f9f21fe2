// A numeric array inside the bytes of a file: the common ground of .npy and IDX.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "neurolens/base/result.hpp"

namespace neurolens::nn {

enum class Element : std::uint8_t { u8, i8, i32, i64, f32, f64 };

struct ArrayView {
  Element element = Element::u8;
  std::vector<std::int64_t> dims;
  std::string_view bytes;  // little-endian elements, exactly the array

  std::int64_t count() const;
  // Elements [first, first + n) as numbers times scale.
  void read(std::int64_t first, std::int64_t n, float scale, float* out) const;
  std::int64_t integer(std::int64_t at) const;
};

// Errors: data_corrupt when bytes are missing, bad_request when the format is not theirs.
Result<ArrayView> parse_npy(std::string_view bytes);
Result<ArrayView> parse_idx(std::string_view bytes);

}  // namespace neurolens::nn
