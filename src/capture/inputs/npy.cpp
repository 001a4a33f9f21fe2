// The .npy format: "\x93NUMPY", version, length, a Python dictionary as text, then the elements.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <numeric>

#include "inputs/generate.hpp"
#include "neurolens/base/file_system.hpp"
#include "neurolens/base/text.hpp"
#include "neurolens/onnx/model.hpp"

namespace neurolens::capture {
namespace {

using onnx::DType;

Error broken(std::string sentence) {
  return Error{Errc::parse_error, std::move(sentence), {}};
}

/// The text of a value in the header: after "'key':", up to the comma or brace outside brackets.
std::optional<std::string_view> header_value(std::string_view header, std::string_view key) {
  const auto at = header.find(fmt::format("'{}'", key));
  if (at == std::string_view::npos) return std::nullopt;
  const auto colon = header.find(':', at);
  if (colon == std::string_view::npos) return std::nullopt;
  int depth = 0;
  for (std::size_t i = colon + 1; i < header.size(); ++i) {
    if (header[i] == '(') ++depth;
    if (header[i] == ')') --depth;
    if (depth == 0 && (header[i] == ',' || header[i] == '}'))
      return trim(header.substr(colon + 1, i - colon - 1));
  }
  return std::nullopt;
}

std::optional<DType> dtype_of(std::string_view descr) {
  static constexpr std::array<std::pair<std::string_view, DType>, 14> kTypes{
      {{"f4", DType::float32},
       {"f8", DType::float64},
       {"f2", DType::float16},
       {"i1", DType::int8},
       {"i2", DType::int16},
       {"i4", DType::int32},
       {"i8", DType::int64},
       {"u1", DType::uint8},
       {"u2", DType::uint16},
       {"u4", DType::uint32},
       {"u8", DType::uint64},
       {"b1", DType::boolean},
       {"c8", DType::complex64},
       {"c16", DType::complex128}}};
  for (const auto& [name, type] : kTypes) {
    if (name == descr) return type;
  }
  return std::nullopt;
}

Result<std::vector<std::int64_t>> parse_shape(std::string_view text) {
  std::vector<std::int64_t> dims;
  if (text.size() < 2 || text.front() != '(' || text.back() != ')')
    return broken("The header's shape is not a tuple.");
  for (auto part : split(text.substr(1, text.size() - 2), ',')) {
    part = trim(part);
    if (part.empty()) continue;
    std::int64_t dim = 0;
    const auto [end, error] = std::from_chars(part.data(), part.data() + part.size(), dim);
    if (error != std::errc() || end != part.data() + part.size() || dim < 0)
      return broken("The header's shape is not a tuple of sizes.");
    dims.push_back(dim);
  }
  return dims;
}

/// Column-major elements in row-major order.
std::string to_row_major(std::string_view bytes, const std::vector<std::int64_t>& dims,
                         std::size_t width) {
  std::string out(bytes.size(), '\0');
  std::vector<std::int64_t> index(dims.size(), 0);
  std::vector<std::int64_t> stride(dims.size(), 1);
  for (std::size_t i = 1; i < dims.size(); ++i) stride[i] = stride[i - 1] * dims[i - 1];
  for (std::size_t at = 0; at < bytes.size(); at += width) {
    const auto from =
        std::inner_product(index.begin(), index.end(), stride.begin(), std::int64_t{0});
    bytes.copy(out.data() + at, width, static_cast<std::size_t>(from) * width);
    for (std::size_t axis = dims.size(); axis-- > 0;) {
      if (++index[axis] < dims[axis]) break;
      index[axis] = 0;
    }
  }
  return out;
}

}  // namespace

Result<onnx::Tensor> parse_npy(std::string_view bytes) {
  if (bytes.size() < 10 || bytes.substr(0, 6) != "\x93NUMPY")
    return broken("This is not a .npy file.");
  const auto byte = [&](std::size_t at) {
    return static_cast<std::size_t>(static_cast<unsigned char>(bytes[at]));
  };
  const std::size_t major = byte(6);
  const std::size_t start = major == 1 ? 10 : 12;
  if (major < 1 || major > 3 || bytes.size() < start)
    return broken(fmt::format("The .npy version {} is not known.", major));
  std::size_t length = byte(8) | byte(9) << 8;
  if (major > 1) length |= byte(10) << 16 | byte(11) << 24;
  if (length > bytes.size() - start) return broken("The file ends within its header.");
  const std::string_view header = bytes.substr(start, length);
  const auto descr = header_value(header, "descr");
  const auto order = header_value(header, "fortran_order");
  const auto shape = header_value(header, "shape");
  if (!descr || !order || !shape || descr->size() < 4)
    return broken("The header lacks descr, fortran_order or shape.");
  const std::string_view code = descr->substr(1, descr->size() - 2);  // without quotes
  const auto type = dtype_of(code.substr(1));
  if (!type)
    return Error{Errc::wrong_type,
                 fmt::format("The element type {} has no counterpart in ONNX.", printable(*descr)),
                 {}};
  if (code.front() == '>' && onnx::bits_of(*type).value_or(8) > 8) {
    return Error{Errc::wrong_type,
                 "Big-endian elements are not supported; save the array in native order.",
                 {}};
  }
  onnx::Tensor out;
  out.type = *type;
  NEUROLENS_ASSIGN(out.dims, parse_shape(*shape));
  const auto elements = onnx::element_count(out.dims);
  const auto size = elements ? onnx::packed_size(*type, *elements) : std::nullopt;
  const std::string_view content = bytes.substr(start + length);
  if (!size || static_cast<std::size_t>(size->count) != content.size()) {
    return broken(fmt::format("The header promises {} elements, but {} bytes follow.",
                              describe_dims(out.dims), content.size()));
  }
  const auto width = static_cast<std::size_t>(onnx::bits_of(*type).value_or(8)) / 8;
  out.bytes = *order == "True" ? to_row_major(content, out.dims, width) : std::string(content);
  return out;
}

Result<onnx::Tensor> read_input_file(const std::string& path) {
  const std::string_view name = file_name(path);
  const auto ends_with = [&](std::string_view suffix) {
    return name.size() >= suffix.size() && name.substr(name.size() - suffix.size()) == suffix;
  };
  if (ends_with(".pb")) return onnx::load_tensor(path);
  if (!ends_with(".npy")) {
    return Error{Errc::bad_request, "An input file must be .npy or .pb (a serialised TensorProto).",
                 path};
  }
  NEUROLENS_ASSIGN(const auto bytes, system_files().read(path));
  auto tensor = parse_npy(bytes);
  if (!tensor.ok()) return std::move(tensor).error().at(path);
  return tensor;
}

}  // namespace neurolens::capture
