#include <fmt/format.h>

#include <cmath>
#include <cstring>

#include "neurolens/engines/pde/field_io.hpp"

namespace neurolens::pde {
namespace {

constexpr std::size_t kMostAxes = 64;  // NumPy's own limit

template <class T>
std::string write(std::span<const BasicField<T>> fields) {
  if (fields.empty()) return {};
  const Grid& grid = fields.front().grid;
  std::string shape = fields.size() > 1 ? fmt::format("{}, ", fields.size()) : "";
  for (int a = grid.dimensions; a-- > 0;)
    shape += fmt::format("{}, ", grid.points[static_cast<std::size_t>(a)]);
  shape.resize(shape.size() - (grid.dimensions > 1 || fields.size() > 1 ? 2 : 1));
  std::string header =
      fmt::format("{{'descr': '<f{}', 'fortran_order': False, 'shape': ({}), }}", sizeof(T), shape);
  header.append(64 - (10 + header.size() + 1) % 64, ' ');
  header += '\n';
  std::string bytes("\x93NUMPY\x01\x00", 8);
  bytes += static_cast<char>(header.size() & 0xFF);
  bytes += static_cast<char>(header.size() >> 8);
  bytes += header;
  for (const BasicField<T>& field : fields) {
    bytes.append(reinterpret_cast<const char*>(field.values.data()),
                 field.values.size() * sizeof(T));
  }
  return bytes;
}

// Numbers stored as S. False: a finite one is too large for T.
template <class S, class T>
bool copy_numbers(std::string_view data, std::vector<T>& out) {
  bool fits = true;
  for (std::size_t i = 0; i < out.size(); ++i) {
    S value{};
    std::memcpy(&value, data.data() + sizeof(S) * i, sizeof(S));
    out[i] = static_cast<T>(value);
    fits = fits && std::isfinite(out[i]) == std::isfinite(value);
  }
  return fits;
}

template <class T>
Result<BasicNpyArray<T>> read(std::string_view bytes) {
  const Error broken{Errc::parse_error, "This is not an .npy file, or it is truncated.", ""};
  if (bytes.size() < 12 || bytes.substr(0, 6) != std::string_view("\x93NUMPY", 6)) return broken;
  const auto byte = [&](std::size_t i) {
    return static_cast<std::size_t>(static_cast<unsigned char>(bytes[i]));
  };
  const bool wide = bytes[6] >= 2;
  const std::size_t start = wide ? 12 : 10;
  std::size_t length = byte(8) | (byte(9) << 8);
  if (wide) length |= (byte(10) << 16) | (byte(11) << 24);
  if (start + length > bytes.size()) return broken;
  const std::string_view header = bytes.substr(start, length);
  const bool f8 = header.find("'<f8'") != std::string_view::npos;
  if (!f8 && header.find("'<f4'") == std::string_view::npos)
    return Error{Errc::refused,
                 "Only little-endian floating-point numbers ('<f8', '<f4') can be read.", ""};
  const bool fortran = header.find("'fortran_order': True") != std::string_view::npos;
  BasicNpyArray<T> result;
  result.stored = f8 ? Precision::f64 : Precision::f32;
  const std::size_t open = header.find('(');
  const std::size_t close = header.find(')', open);
  if (open == std::string_view::npos || close == std::string_view::npos) return broken;
  std::size_t number = 0;
  bool digits = false;
  double total = 1;
  for (std::size_t i = open + 1; i <= close; ++i) {
    if (header[i] >= '0' && header[i] <= '9') {
      number = number * 10 + static_cast<std::size_t>(header[i] - '0');
      digits = true;
      if (number > (std::size_t{1} << 48))
        return Error{Errc::too_large, "The array's shape is too large.", ""};
    } else if (digits) {
      result.shape.push_back(number);
      total *= static_cast<double>(number);
      number = 0;
      digits = false;
    }
  }
  if (result.shape.size() > kMostAxes)
    return Error{
        Errc::too_large,
        fmt::format("The array has {} axes; {} can be read.", result.shape.size(), kMostAxes), ""};
  const std::size_t width = f8 ? 8 : 4;
  const std::string_view data = bytes.substr(start + length);
  if (total * static_cast<double>(width) != static_cast<double>(data.size())) return broken;
  const std::size_t count = data.size() / width;
  std::vector<T> flat(count);
  if (!(f8 ? copy_numbers<double>(data, flat) : copy_numbers<float>(data, flat)))
    return Error{Errc::out_of_range,
                 "The array has numbers beyond the range of single precision (largest: 3.4e38).",
                 ""};
  if (!fortran || result.shape.size() < 2) {
    result.values = std::move(flat);
    return result;
  }
  result.values.resize(count);
  std::vector<std::size_t> at(result.shape.size(), 0);
  for (std::size_t i = 0; i < count; ++i) {
    std::size_t from = 0;
    for (std::size_t a = at.size(); a-- > 0;) from = from * result.shape[a] + at[a];
    result.values[i] = flat[from];
    for (std::size_t a = at.size(); a-- > 0;) {
      if (++at[a] < result.shape[a]) break;
      at[a] = 0;
    }
  }
  return result;
}

}  // namespace

std::string to_npy(const Field& field) {
  return write(std::span<const Field>(&field, 1));
}
std::string to_npy(const FieldF32& field) {
  return write(std::span<const FieldF32>(&field, 1));
}
std::string to_npy(std::span<const Field> fields) {
  return write(fields);
}
std::string to_npy(std::span<const FieldF32> fields) {
  return write(fields);
}

Result<NpyArray> from_npy(std::string_view bytes) {
  return read<double>(bytes);
}
Result<NpyArrayF32> from_npy_f32(std::string_view bytes) {
  return read<float>(bytes);
}

}  // namespace neurolens::pde
