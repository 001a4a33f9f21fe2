#include "data/array_view.hpp"

#include <charconv>
#include <cstring>
#include <string>

#include "neurolens/base/text.hpp"

namespace neurolens::nn {
namespace {

constexpr std::int64_t kMostElements = std::int64_t{1} << 48;

std::int64_t width_of(Element e) {
  switch (e) {
    case Element::u8:
    case Element::i8:
      return 1;
    case Element::i32:
    case Element::f32:
      return 4;
    case Element::i64:
    case Element::f64:
      return 8;
  }
  return 1;
}

template <class U>
U load(std::string_view bytes, std::int64_t at) {
  U value;
  std::memcpy(&value, bytes.data() + at * static_cast<std::int64_t>(sizeof(U)), sizeof(U));
  return value;
}

template <class U>
void convert(std::string_view bytes, std::int64_t first, std::int64_t n, float scale, float* out) {
  for (std::int64_t i = 0; i < n; ++i)
    out[i] = static_cast<float>(load<U>(bytes, first + i)) * scale;
}

// Keeps exactly the array's bytes; extra bytes at the end are ignored as the formats allow.
Status fit(ArrayView& view, std::string_view rest) {
  std::int64_t count = 1;
  for (const auto d : view.dims) {
    if (d < 0 || (d > 0 && count > kMostElements / d)) {
      return Error{Errc::bad_request, "The array's shape is not a sensible one.", ""};
    }
    count *= d;
  }
  const std::int64_t need = count * width_of(view.element);
  if (static_cast<std::int64_t>(rest.size()) < need) {
    return Error{Errc::data_corrupt,
                 "The file is truncated: its header promises " + std::to_string(need) +
                     " bytes of data and " + std::to_string(rest.size()) + " are there.",
                 ""};
  }
  view.bytes = rest.substr(0, static_cast<std::size_t>(need));
  return {};
}

// The text after `key` up to the comma or bracket that ends its value.
std::string_view entry(std::string_view header, std::string_view key) {
  const auto at = header.find(key);
  if (at == std::string_view::npos) return {};
  auto rest = header.substr(at + key.size());
  const auto colon = rest.find(':');
  if (colon == std::string_view::npos) return {};
  rest = trim(rest.substr(colon + 1));
  if (rest.starts_with("(")) return rest.substr(0, rest.find(')'));
  return trim(rest.substr(0, rest.find_first_of(",}")));
}

Status read_descr(std::string_view descr, Element& element) {
  static constexpr struct {
    std::string_view name;
    Element element;
  } kTypes[] = {{"'|u1'", Element::u8},  {"'|i1'", Element::i8},  {"'<i4'", Element::i32},
                {"'<i8'", Element::i64}, {"'<f4'", Element::f32}, {"'<f8'", Element::f64},
                {"'|b1'", Element::u8}};
  for (const auto& t : kTypes) {
    if (t.name == descr) {
      element = t.element;
      return {};
    }
  }
  return Error{Errc::bad_request,
               "The array's element type " + printable(descr) +
                   " is not supported; save it as float32 or uint8.",
               ""};
}

}  // namespace

std::int64_t ArrayView::count() const {
  std::int64_t n = 1;
  for (const auto d : dims) n *= d;
  return n;
}

void ArrayView::read(std::int64_t first, std::int64_t n, float scale, float* out) const {
  switch (element) {
    case Element::u8:
      return convert<std::uint8_t>(bytes, first, n, scale, out);
    case Element::i8:
      return convert<std::int8_t>(bytes, first, n, scale, out);
    case Element::i32:
      return convert<std::int32_t>(bytes, first, n, scale, out);
    case Element::i64:
      return convert<std::int64_t>(bytes, first, n, scale, out);
    case Element::f32:
      return convert<float>(bytes, first, n, scale, out);
    case Element::f64:
      return convert<double>(bytes, first, n, scale, out);
  }
}

std::int64_t ArrayView::integer(std::int64_t at) const {
  switch (element) {
    case Element::u8:
      return load<std::uint8_t>(bytes, at);
    case Element::i8:
      return load<std::int8_t>(bytes, at);
    case Element::i32:
      return load<std::int32_t>(bytes, at);
    case Element::i64:
      return load<std::int64_t>(bytes, at);
    default:
      return -1;
  }
}

Result<ArrayView> parse_npy(std::string_view bytes) {
  if (bytes.size() < 10 || bytes.substr(0, 6) != std::string_view("\x93NUMPY", 6)) {
    return Error{Errc::bad_request, "The file is not in .npy format.", ""};
  }
  const bool wide = bytes[6] >= 2;
  std::size_t length = static_cast<std::uint8_t>(bytes[8]) |
                       (static_cast<std::size_t>(static_cast<std::uint8_t>(bytes[9])) << 8);
  std::size_t start = 10;
  if (wide) {
    if (bytes.size() < 12) return Error{Errc::data_corrupt, "The .npy header is truncated.", ""};
    length |= static_cast<std::size_t>(static_cast<std::uint8_t>(bytes[10])) << 16 |
              static_cast<std::size_t>(static_cast<std::uint8_t>(bytes[11])) << 24;
    start = 12;
  }
  if (bytes.size() - start < length)
    return Error{Errc::data_corrupt, "The .npy header is truncated.", ""};
  const auto header = bytes.substr(start, length);
  ArrayView view;
  NEUROLENS_TRY(read_descr(entry(header, "'descr'"), view.element));
  if (entry(header, "'fortran_order'") != "False") {
    return Error{Errc::bad_request,
                 "The array is in Fortran order; save it with numpy.ascontiguousarray.", ""};
  }
  auto shape = entry(header, "'shape'");
  if (!shape.starts_with("(")) return Error{Errc::bad_request, "The .npy header has no shape.", ""};
  for (const auto part : split(shape.substr(1), ',')) {
    const auto digits = trim(part);
    if (digits.empty()) continue;
    std::int64_t d = 0;
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), d);
    if (error != std::errc() || end != digits.data() + digits.size()) {
      return Error{Errc::bad_request, "The .npy header's shape cannot be read.", ""};
    }
    view.dims.push_back(d);
  }
  NEUROLENS_TRY(fit(view, bytes.substr(start + length)));
  return view;
}

Result<ArrayView> parse_idx(std::string_view bytes) {
  if (bytes.size() < 4 || bytes[0] != 0 || bytes[1] != 0) {
    return Error{Errc::bad_request, "The file is not in IDX format.", ""};
  }
  if (bytes[2] != 0x08)
    return Error{Errc::bad_request, "Only IDX files of unsigned bytes are supported.", ""};
  const auto rank = static_cast<std::size_t>(static_cast<std::uint8_t>(bytes[3]));
  if (rank == 0 || rank > 8)
    return Error{Errc::bad_request, "The IDX file has no sensible number of axes.", ""};
  if (bytes.size() < 4 + 4 * rank)
    return Error{Errc::data_corrupt, "The IDX header is truncated.", ""};
  ArrayView view;
  for (std::size_t i = 0; i < rank; ++i) {
    std::int64_t d = 0;
    for (std::size_t b = 0; b < 4; ++b)
      d = d << 8 | static_cast<std::uint8_t>(bytes[4 + 4 * i + b]);
    view.dims.push_back(d);
  }
  NEUROLENS_TRY(fit(view, bytes.substr(4 + 4 * rank)));
  return view;
}

}  // namespace neurolens::nn
