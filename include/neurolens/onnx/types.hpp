/// \file
/// Element types, shapes and tensors of ONNX models, in types of our own.
/// Element types are kept by their number in the ONNX format, so a type that is newer than this
/// program survives and is described by its number.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "neurolens/base/units.hpp"

namespace neurolens::onnx {

/// Element type of a tensor; the values are those of TensorProto.DataType. Other numbers may occur.
enum class DType : std::int32_t {
  undefined = 0,
  float32 = 1,
  uint8 = 2,
  int8 = 3,
  uint16 = 4,
  int16 = 5,
  int32 = 6,
  int64 = 7,
  string = 8,
  boolean = 9,
  float16 = 10,
  float64 = 11,
  uint32 = 12,
  uint64 = 13,
  complex64 = 14,
  complex128 = 15,
  bfloat16 = 16,
  float8e4m3fn = 17,
  float8e4m3fnuz = 18,
  float8e5m2 = 19,
  float8e5m2fnuz = 20,
  uint4 = 21,
  int4 = 22,
  float4e2m1 = 23,
  float8e8m0 = 24,
  uint2 = 25,
  int2 = 26,
};

/// "float32", "int64", "bool", ...; "type 99" for a number that has no name here.
[[nodiscard]] std::string to_string(DType type);
/// The type that `name` spells ("float32", "float", "double" and the rest of to_string), if any.
[[nodiscard]] std::optional<DType> dtype_from_name(std::string_view name);
/// Bits of one element; nullopt for strings, undefined and unknown types.
[[nodiscard]] std::optional<int> bits_of(DType type);
/// Bytes of `elements` packed elements, rounded up to whole bytes; nullopt as for bits_of and when
/// the product does not fit 63 bits. Requires elements >= 0.
[[nodiscard]] std::optional<Bytes> packed_size(DType type, std::int64_t elements);
/// True for float, bfloat and the 8- and 4-bit floats.
[[nodiscard]] bool is_floating(DType type);

/// Number of elements of a tensor with these dimensions (1 for a scalar); nullopt when a dimension
/// is negative or the product exceeds 2^62.
[[nodiscard]] std::optional<std::int64_t> element_count(const std::vector<std::int64_t>& dims);

/// One dimension as a model declares it: a number, a name that is the same wherever it appears, or
/// open.
struct Dim {
  std::optional<std::int64_t> value;  ///< Fixed size, >= 0.
  std::string symbol;  ///< Name of a dimension that is free; empty when fixed or open.
  [[nodiscard]] bool fixed() const { return value.has_value(); }
  friend bool operator==(const Dim&, const Dim&) = default;
};

/// What a value is: a tensor, or something made of tensors.
enum class TypeKind : std::uint8_t {
  unknown,
  tensor,
  sparse_tensor,
  sequence,
  optional,
  map,
  opaque
};

/// Declared type of a value.
struct TypeInfo {
  TypeKind kind = TypeKind::unknown;
  DType element = DType::undefined;  ///< Of a (sparse) tensor.
  DType key = DType::undefined;      ///< Of a map.
  std::optional<std::vector<Dim>>
      shape;                    ///< Of a (sparse) tensor; nullopt when even the rank is open.
  std::vector<TypeInfo> inner;  ///< One entry: what a sequence, optional or map holds.

  [[nodiscard]] bool is_tensor() const { return kind == TypeKind::tensor; }
  /// All dimensions when every one is fixed.
  [[nodiscard]] std::optional<std::vector<std::int64_t>> fixed_shape() const;
  friend bool operator==(const TypeInfo&, const TypeInfo&) = default;
};

/// "float32[1,3,224,224]", "int64[batch,?]", "sequence(float32[?])", "map(int64, float32[])".
[[nodiscard]] std::string describe(const TypeInfo& type);

/// What a run showed a tensor to be.
struct ObservedTensor {
  DType type = DType::undefined;
  std::vector<std::int64_t> dims;
  friend bool operator==(const ObservedTensor&, const ObservedTensor&) = default;
};

/// By name of the tensor.
using ObservedTensors = std::map<std::string, ObservedTensor, std::less<>>;

/// A tensor with its content: elements in row-major order, little-endian, packed as in ONNX's
/// raw_data. Strings are kept apart in `strings` and leave `bytes` empty.
struct Tensor {
  std::string name;
  DType type = DType::undefined;
  std::vector<std::int64_t> dims;
  std::string bytes;
  std::vector<std::string> strings;
};

}  // namespace neurolens::onnx
