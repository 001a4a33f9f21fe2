#include "inputs/generate.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>

#include "neurolens/base/random.hpp"
#include "neurolens/base/text.hpp"

namespace neurolens::capture {
namespace {

using onnx::DType;

/// Round to nearest even; values here are far from the ends of the range.
std::uint16_t to_half(double value) {
  const auto bits = std::bit_cast<std::uint32_t>(static_cast<float>(value));
  const std::uint32_t sign = (bits >> 16) & 0x8000U;
  const std::int32_t exponent = static_cast<std::int32_t>((bits >> 23) & 0xFFU) - 112;
  if (exponent <= 0) return static_cast<std::uint16_t>(sign);             // tiny: zero
  if (exponent >= 31) return static_cast<std::uint16_t>(sign | 0x7BFFU);  // huge: the largest
  const std::uint32_t mantissa = bits & 0x7FFFFFU;
  const std::uint32_t half = sign | static_cast<std::uint32_t>(exponent) << 10 | mantissa >> 13;
  const std::uint32_t rest = mantissa & 0x1FFFU;
  const bool up = rest > 0x1000U || (rest == 0x1000U && (half & 1U) != 0);
  return static_cast<std::uint16_t>(half + (up ? 1U : 0U));
}

std::uint16_t to_bfloat(double value) {
  const auto bits = std::bit_cast<std::uint32_t>(static_cast<float>(value));
  return static_cast<std::uint16_t>((bits + 0x7FFFU + ((bits >> 16) & 1U)) >> 16);
}

/// Code of 1.0 in the small formats; values other than 0 become it.
std::uint8_t small_one(DType type) {
  switch (type) {
    case DType::float8e4m3fn:
      return 0x38;
    case DType::float8e4m3fnuz:
      return 0x40;
    case DType::float8e5m2:
      return 0x3C;
    case DType::float8e5m2fnuz:
      return 0x40;
    case DType::float8e8m0:
      return 0x7F;
    default:
      return 0x01;
  }
}

bool small_float(DType type) {
  return type == DType::float8e4m3fn || type == DType::float8e4m3fnuz ||
         type == DType::float8e5m2 || type == DType::float8e5m2fnuz || type == DType::float8e8m0;
}

bool real_type(DType type) {
  return onnx::is_floating(type) || type == DType::complex64 || type == DType::complex128;
}

template <class T>
void append(std::string& out, T value) {
  char raw[sizeof(T)];
  std::memcpy(raw, &value, sizeof(T));
  out.append(raw, sizeof(T));
}

/// Appends one element. False for types that have no whole-byte form here.
bool append_element(std::string& out, DType type, double value) {
  const auto integer = static_cast<std::int64_t>(std::llround(std::floor(value)));
  switch (type) {
    case DType::float32:
      append(out, static_cast<float>(value));
      return true;
    case DType::float64:
      append(out, value);
      return true;
    case DType::float16:
      append(out, to_half(value));
      return true;
    case DType::bfloat16:
      append(out, to_bfloat(value));
      return true;
    case DType::complex64:
      append(out, static_cast<float>(value));
      append(out, 0.5F);
      return true;
    case DType::complex128:
      append(out, value);
      append(out, 0.5);
      return true;
    case DType::uint8:
      append(out, static_cast<std::uint8_t>(integer));
      return true;
    case DType::int8:
      append(out, static_cast<std::int8_t>(integer));
      return true;
    case DType::uint16:
      append(out, static_cast<std::uint16_t>(integer));
      return true;
    case DType::int16:
      append(out, static_cast<std::int16_t>(integer));
      return true;
    case DType::int32:
      append(out, static_cast<std::int32_t>(integer));
      return true;
    case DType::uint32:
      append(out, static_cast<std::uint32_t>(integer));
      return true;
    case DType::int64:
      append(out, integer);
      return true;
    case DType::uint64:
      append(out, static_cast<std::uint64_t>(integer));
      return true;
    case DType::boolean:
      append(out, static_cast<std::uint8_t>(integer != 0));
      return true;
    default:
      break;
  }
  if (!small_float(type)) return false;
  append(out, value == 0 ? std::uint8_t{0} : small_one(type));
  return true;
}

bool is_mask(const std::string& name) {
  std::string lower = name;
  std::transform(lower.begin(), lower.end(), lower.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return lower.find("mask") != std::string::npos;
}

/// Where values lie when no consumer says otherwise.
ValueRule default_rule(const std::string& name, DType type, Filling filling) {
  if (real_type(type)) return {-1, 1, {}};
  if (filling == Filling::zeros) return {0, 1, {0}};
  if (filling == Filling::ones || is_mask(name)) return {0, 1, {1}};
  if (type == DType::uint8 || type == DType::int8) return {0, 64, {}};
  return {0, 2, {}};
}

class Values {
 public:
  Values(ValueRule rule, std::uint64_t seed, DType type)
      : rule_(std::move(rule)), random_(seed), real_(real_type(type)) {}
  double next() {
    if (!rule_.exact.empty()) return rule_.exact[count_++ % rule_.exact.size()];
    const double value = rule_.low + (rule_.high - rule_.low) * random_.uniform();
    return real_ ? value : std::floor(value);
  }

 private:
  ValueRule rule_;
  Random random_;
  bool real_;
  std::size_t count_ = 0;
};

}  // namespace

Result<onnx::Tensor> generate_tensor(const std::string& name, DType type,
                                     const std::vector<std::int64_t>& dims,
                                     const std::optional<ValueRule>& rule, Filling filling,
                                     std::uint64_t seed) {
  onnx::Tensor out;
  out.name = name;
  out.type = type;
  out.dims = dims;
  const auto elements = onnx::element_count(dims);
  if (!elements) {
    return Error{Errc::too_large,
                 fmt::format("Input \"{}\" has too many elements ({}).", printable(name),
                             describe_dims(dims)),
                 {}};
  }
  const ValueRule chosen = rule ? *rule : default_rule(name, type, filling);
  Values values(chosen, seed, type);
  if (type == DType::string) {
    // Numbers as text: ops that read them as text do not mind, those that parse them need it.
    for (std::int64_t i = 0; i < *elements; ++i) out.strings.push_back(std::to_string(i % 10));
    return out;
  }
  if (const auto bits = onnx::bits_of(type); bits && *bits < 8) {
    // Packed elements: 1 in every field is legal in all of these types.
    const auto bytes = onnx::packed_size(type, *elements).value_or(Bytes{0});
    const char pattern = *bits == 4 ? '\x11' : '\x55';
    out.bytes.assign(static_cast<std::size_t>(bytes.count),
                     chosen.exact == std::vector<double>{0} ? '\0' : pattern);
    return out;
  }
  const auto bits = onnx::bits_of(type).value_or(0);
  out.bytes.reserve(static_cast<std::size_t>(*elements) * static_cast<std::size_t>(bits) / 8);
  for (std::int64_t i = 0; i < *elements; ++i) {
    if (!append_element(out.bytes, type, values.next())) {
      return Error{Errc::refused,
                   fmt::format("Input \"{}\" has the element type {}, which neurolens cannot "
                               "generate; give it with --input.",
                               printable(name), onnx::to_string(type)),
                   {}};
    }
  }
  if (*elements == 0 && bits == 0) {
    return Error{Errc::refused,
                 fmt::format("Input \"{}\" has the unknown element type {}.", printable(name),
                             onnx::to_string(type)),
                 {}};
  }
  return out;
}

}  // namespace neurolens::capture
