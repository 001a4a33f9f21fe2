#include "neurolens/onnx/types.hpp"

#include <fmt/format.h>

#include <array>
#include <utility>

namespace neurolens::onnx {
namespace {

struct TypeRow {
  DType type;
  std::string_view name;
  int bits;  // 0: no fixed size
};

constexpr std::array<TypeRow, 27> kTypes{{
    {DType::undefined, "undefined", 0},
    {DType::float32, "float32", 32},
    {DType::uint8, "uint8", 8},
    {DType::int8, "int8", 8},
    {DType::uint16, "uint16", 16},
    {DType::int16, "int16", 16},
    {DType::int32, "int32", 32},
    {DType::int64, "int64", 64},
    {DType::string, "string", 0},
    {DType::boolean, "bool", 8},
    {DType::float16, "float16", 16},
    {DType::float64, "float64", 64},
    {DType::uint32, "uint32", 32},
    {DType::uint64, "uint64", 64},
    {DType::complex64, "complex64", 64},
    {DType::complex128, "complex128", 128},
    {DType::bfloat16, "bfloat16", 16},
    {DType::float8e4m3fn, "float8e4m3fn", 8},
    {DType::float8e4m3fnuz, "float8e4m3fnuz", 8},
    {DType::float8e5m2, "float8e5m2", 8},
    {DType::float8e5m2fnuz, "float8e5m2fnuz", 8},
    {DType::uint4, "uint4", 4},
    {DType::int4, "int4", 4},
    {DType::float4e2m1, "float4e2m1", 4},
    {DType::float8e8m0, "float8e8m0", 8},
    {DType::uint2, "uint2", 2},
    {DType::int2, "int2", 2},
}};

const TypeRow* row_of(DType type) {
  const auto index = static_cast<std::int64_t>(type);
  if (index < 0 || index >= static_cast<std::int64_t>(kTypes.size())) return nullptr;
  return &kTypes[static_cast<std::size_t>(index)];
}

std::string describe_tensor(const TypeInfo& type) {
  std::string text = to_string(type.element);
  if (!type.shape) return text;
  text += '[';
  for (std::size_t i = 0; i < type.shape->size(); ++i) {
    const Dim& dim = (*type.shape)[i];
    if (i > 0) text += ',';
    if (dim.value) {
      text += std::to_string(*dim.value);
    } else {
      text += dim.symbol.empty() ? "?" : dim.symbol;
    }
  }
  return text + ']';
}

}  // namespace

std::string to_string(DType type) {
  const TypeRow* row = row_of(type);
  return row != nullptr ? std::string(row->name)
                        : fmt::format("type {}", static_cast<std::int32_t>(type));
}

std::optional<DType> dtype_from_name(std::string_view name) {
  if (name == "float") return DType::float32;
  if (name == "double") return DType::float64;
  for (const TypeRow& row : kTypes) {
    if (row.name == name) return row.type;
  }
  return std::nullopt;
}

std::optional<int> bits_of(DType type) {
  const TypeRow* row = row_of(type);
  if (row == nullptr || row->bits == 0) return std::nullopt;
  return row->bits;
}

std::optional<Bytes> packed_size(DType type, std::int64_t elements) {
  const std::optional<int> bits = bits_of(type);
  if (!bits) return std::nullopt;
  std::int64_t total = 0;
  if (__builtin_mul_overflow(elements, std::int64_t{*bits}, &total)) return std::nullopt;
  return Bytes{total / 8 + (total % 8 != 0 ? 1 : 0)};
}

bool is_floating(DType type) {
  switch (type) {
    case DType::float32:
    case DType::float64:
    case DType::float16:
    case DType::bfloat16:
    case DType::float8e4m3fn:
    case DType::float8e4m3fnuz:
    case DType::float8e5m2:
    case DType::float8e5m2fnuz:
    case DType::float4e2m1:
    case DType::float8e8m0:
      return true;
    default:
      return false;
  }
}

std::optional<std::int64_t> element_count(const std::vector<std::int64_t>& dims) {
  constexpr std::int64_t kMost = std::int64_t{1} << 62;
  std::int64_t count = 1;
  bool empty = false;
  for (const std::int64_t dim : dims) {
    if (dim < 0) return std::nullopt;
    if (dim == 0) {
      empty = true;
    } else if (__builtin_mul_overflow(count, dim, &count) || count > kMost) {
      return std::nullopt;
    }
  }
  return empty ? 0 : count;
}

std::optional<std::vector<std::int64_t>> TypeInfo::fixed_shape() const {
  if (!shape) return std::nullopt;
  std::vector<std::int64_t> dims;
  for (const Dim& dim : *shape) {
    if (!dim.value) return std::nullopt;
    dims.push_back(*dim.value);
  }
  return dims;
}

std::string describe(const TypeInfo& type) {
  const auto held = [&] { return type.inner.empty() ? std::string("?") : describe(type.inner[0]); };
  switch (type.kind) {
    case TypeKind::tensor:
      return describe_tensor(type);
    case TypeKind::sparse_tensor:
      return "sparse(" + describe_tensor(type) + ")";
    case TypeKind::sequence:
      return "sequence(" + held() + ")";
    case TypeKind::optional:
      return "optional(" + held() + ")";
    case TypeKind::map:
      return "map(" + to_string(type.key) + ", " + held() + ")";
    case TypeKind::opaque:
      return "opaque";
    case TypeKind::unknown:
      break;
  }
  return "unknown";
}

}  // namespace neurolens::onnx
