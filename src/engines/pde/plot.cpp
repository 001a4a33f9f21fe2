// Pictures without a plotting library: SVG text, and PNG with stored (uncompressed) deflate blocks.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>

#include "neurolens/base/markup.hpp"
#include "neurolens/engines/pde/field_io.hpp"

namespace neurolens::pde {
namespace {

struct Colour {
  double r, g, b;
};
// Dark blue to yellow, rising in lightness, readable without colour vision.
constexpr Colour kRamp[] = {{0.10, 0.09, 0.28}, {0.18, 0.25, 0.50}, {0.15, 0.42, 0.56},
                            {0.13, 0.57, 0.55}, {0.28, 0.70, 0.46}, {0.58, 0.80, 0.30},
                            {0.98, 0.90, 0.25}};

std::array<std::uint8_t, 3> colour_of(double share) {
  const double at = std::clamp(share, 0.0, 1.0) * (std::size(kRamp) - 1);
  const auto i = std::min(static_cast<std::size_t>(at), std::size(kRamp) - 2);
  const double f = at - static_cast<double>(i);
  const auto mix = [f](double a, double b) {
    return static_cast<std::uint8_t>(255 * (a + f * (b - a)) + 0.5);
  };
  return {mix(kRamp[i].r, kRamp[i + 1].r), mix(kRamp[i].g, kRamp[i + 1].g),
          mix(kRamp[i].b, kRamp[i + 1].b)};
}

// Round numbers inside [low, high].
std::vector<double> ticks(double low, double high) {
  const double raw = (high - low) / 5;
  if (!(raw > 0)) return {low};
  const double unit = std::pow(10, std::floor(std::log10(raw)));
  const double step = raw / unit < 1.5   ? unit
                      : raw / unit < 3.5 ? 2 * unit
                      : raw / unit < 7.5 ? 5 * unit
                                         : 10 * unit;
  std::vector<double> result;
  for (double v = std::ceil(low / step) * step; v <= high + 1e-9 * step; v += step)
    result.push_back(std::fabs(v) < step * 1e-9 ? 0 : v);
  return result;
}

struct Slice {
  int nx = 1, ny = 1;
  std::vector<double> v;
  double low = 0, high = 0;
  [[nodiscard]] double share(double value) const {
    return high > low ? (value - low) / (high - low) : 0.5;
  }
};

Slice slice_of(const Field& f) {
  Slice s;
  s.nx = f.grid.points[0];
  s.ny = f.grid.points[1];
  const int z = f.grid.points[2] / 2;
  for (int j = 0; j < s.ny; ++j)
    for (int i = 0; i < s.nx; ++i) s.v.push_back(f.at(i, j, z));
  s.low = 1e300;
  s.high = -1e300;
  for (const double v : s.v) {
    if (!std::isfinite(v)) continue;
    s.low = std::min(s.low, v);
    s.high = std::max(s.high, v);
  }
  if (s.low > s.high) s.low = s.high = 0;
  return s;
}

// --- PNG ---
std::uint32_t crc(std::string_view bytes) {
  std::uint32_t c = 0xFFFFFFFFU;
  for (const char ch : bytes) {
    c ^= static_cast<unsigned char>(ch);
    for (int k = 0; k < 8; ++k) c = (c & 1U) != 0 ? 0xEDB88320U ^ (c >> 1) : c >> 1;
  }
  return ~c;
}
void big_endian(std::string& out, std::uint32_t v) {
  for (int shift = 24; shift >= 0; shift -= 8) out += static_cast<char>((v >> shift) & 0xFF);
}
void chunk(std::string& out, std::string_view type, std::string_view data) {
  big_endian(out, static_cast<std::uint32_t>(data.size()));
  std::string body(type);
  body += data;
  out += body;
  big_endian(out, crc(body));
}

struct Image {
  int w, h;
  std::vector<std::uint8_t> rgb;
  Image(int width, int height)
      : w(width),
        h(height),
        rgb(static_cast<std::size_t>(3 * width) * static_cast<std::size_t>(height), 255) {}
  void set(int x, int y, std::array<std::uint8_t, 3> c) {
    if (x < 0 || y < 0 || x >= w || y >= h) return;
    std::copy(c.begin(), c.end(), rgb.begin() + (static_cast<std::ptrdiff_t>(y) * w + x) * 3);
  }
  [[nodiscard]] std::string png() const {
    std::string raw;
    for (int y = 0; y < h; ++y) {
      raw += '\0';
      raw.append(reinterpret_cast<const char*>(rgb.data()) + static_cast<std::ptrdiff_t>(y) * w * 3,
                 static_cast<std::size_t>(w) * 3);
    }
    std::string z("\x78\x01", 2);
    std::uint32_t a = 1;
    std::uint32_t b = 0;
    for (const char c : raw) {
      a = (a + static_cast<unsigned char>(c)) % 65521;
      b = (b + a) % 65521;
    }
    for (std::size_t at = 0; at < raw.size(); at += 65535) {
      const std::size_t n = std::min<std::size_t>(65535, raw.size() - at);
      z += at + n == raw.size() ? '\1' : '\0';
      for (const std::size_t v : {n, ~n}) {
        z += static_cast<char>(v & 0xFF);
        z += static_cast<char>((v >> 8) & 0xFF);
      }
      z.append(raw, at, n);
    }
    big_endian(z, (b << 16) | a);
    std::string out("\x89PNG\r\n\x1a\n", 8);
    std::string header;
    big_endian(header, static_cast<std::uint32_t>(w));
    big_endian(header, static_cast<std::uint32_t>(h));
    header += std::string("\x08\x02\x00\x00\x00", 5);
    chunk(out, "IHDR", header);
    chunk(out, "IDAT", z);
    chunk(out, "IEND", "");
    return out;
  }
};

// Glyphs of numbers, 3 x 5 dots, rows from the top, the left dot highest.
constexpr std::string_view kGlyphs = "0123456789.-+e";
constexpr std::uint16_t kDots[] = {
    0b111101101101111, 0b010110010010111, 0b111001111100111, 0b111001111001111, 0b101101111001001,
    0b111100111001111, 0b111100111101111, 0b111001010010010, 0b111101111101111, 0b111101111001111,
    0b000000000000010, 0b000000111000000, 0b000010111010000, 0b000111111100111};
void write(Image& image, int x, int y, std::string_view text) {
  constexpr int kScale = 2;
  for (const char c : text) {
    const std::size_t g = kGlyphs.find(c);
    if (g != std::string_view::npos)
      for (int dot = 0; dot < 15; ++dot)
        if (((kDots[g] >> (14 - dot)) & 1) != 0)
          for (int s = 0; s < kScale * kScale; ++s)
            image.set(x + dot % 3 * kScale + s % kScale, y + dot / 3 * kScale + s / kScale,
                      {40, 40, 40});
    x += 4 * kScale;
  }
}

std::string base64(std::string_view bytes) {
  constexpr std::string_view kDigits =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string out;
  for (std::size_t i = 0; i < bytes.size(); i += 3) {
    std::uint32_t v = 0;
    for (std::size_t k = 0; k < 3; ++k)
      v = (v << 8) | (i + k < bytes.size() ? static_cast<unsigned char>(bytes[i + k]) : 0U);
    for (std::size_t k = 0; k < 4; ++k)
      out += i + k <= bytes.size() ? kDigits[(v >> (18 - 6 * k)) & 63] : '=';
  }
  return out;
}

// The pixels of a slice, y upward, no larger than `limit` in either direction.
Image raster(const Slice& s, int w, int h) {
  Image image(w, h);
  for (int y = 0; y < h; ++y)
    for (int x = 0; x < w; ++x) {
      const int i = std::min(s.nx - 1, static_cast<int>((x + 0.5) * s.nx / w));
      const int j = std::min(s.ny - 1, static_cast<int>((h - y - 0.5) * s.ny / h));
      image.set(
          x, y,
          colour_of(s.share(s.v[static_cast<std::size_t>(i) +
                                static_cast<std::size_t>(s.nx) * static_cast<std::size_t>(j)])));
    }
  return image;
}

struct Frame {
  double left = 70, right = 110, top = 40, bottom = 50;
};

std::string svg_open(const PlotOptions& o) {
  return fmt::format(
      "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{0}\" height=\"{1}\" viewBox=\"0 0 {0} "
      "{1}\" font-family=\"sans-serif\" "
      "font-size=\"12\" fill=\"#222\"><rect width=\"{0}\" height=\"{1}\" fill=\"#fff\"/><text "
      "x=\"{2}\" y=\"24\" font-size=\"15\" "
      "text-anchor=\"middle\">{3}</text>\n",
      o.width, o.height, o.width / 2, escape_markup(o.title));
}

void svg_axes(std::string& out, double x0, double y0, double w, double h, double xl, double xh,
              double yl, double yh) {
  out += fmt::format(
      "<rect x=\"{}\" y=\"{}\" width=\"{}\" height=\"{}\" fill=\"none\" stroke=\"#222\"/>\n", x0,
      y0, w, h);
  for (const double t : ticks(xl, xh)) {
    const double x = x0 + (t - xl) / (xh - xl) * w;
    out += fmt::format(
        "<path d=\"M{0:.2f} {1}v5\" stroke=\"#222\"/><text x=\"{0:.2f}\" y=\"{2}\" "
        "text-anchor=\"middle\">{3:.4g}</text>\n",
        x, y0 + h, y0 + h + 19, t);
  }
  for (const double t : ticks(yl, yh)) {
    const double y = y0 + h - (yh > yl ? (t - yl) / (yh - yl) : 0.5) * h;
    out += fmt::format(
        "<path d=\"M{0} {1:.2f}h-5\" stroke=\"#222\"/><text x=\"{2}\" y=\"{3:.2f}\" "
        "text-anchor=\"end\">{4:.4g}</text>\n",
        x0, y, x0 - 8, y + 4, t);
  }
}

PlotOptions legal(PlotOptions o) {
  o.width = std::clamp(o.width, 200, 4000);
  o.height = std::clamp(o.height, 150, 4000);
  return o;
}

}  // namespace

std::string plot_lines_svg(std::span<const double> x, std::span<const std::vector<double>> y,
                           std::span<const std::string> names, const PlotOptions& options) {
  const PlotOptions o = legal(options);
  constexpr const char* kLine[] = {"#0072B2", "#D55E00", "#009E73", "#CC79A7",
                                   "#E69F00", "#56B4E9", "#000000"};
  const Frame f;
  const double w = o.width - f.left - f.right;
  const double h = o.height - f.top - f.bottom;
  double low = 1e300;
  double high = -1e300;
  for (const auto& line : y)
    for (const double v : line) {
      if (!std::isfinite(v)) continue;
      low = std::min(low, v);
      high = std::max(high, v);
    }
  if (low > high) low = high = 0;
  if (low == high) {
    low -= 0.5;
    high += 0.5;
  }
  const double xl = x.empty() ? 0 : x.front();
  const double xh = x.size() < 2 ? xl + 1 : x.back();
  std::string out = svg_open(o);
  svg_axes(out, f.left, f.top, w, h, xl, xh, low, high);
  for (std::size_t k = 0; k < y.size(); ++k) {
    out += fmt::format("<polyline fill=\"none\" stroke=\"{}\" stroke-width=\"1.6\" points=\"",
                       kLine[k % std::size(kLine)]);
    const std::size_t stride = std::max<std::size_t>(1, x.size() / 4000);
    for (std::size_t i = 0; i < x.size() && i < y[k].size(); i += stride)
      if (std::isfinite(y[k][i]))
        out += fmt::format("{:.2f},{:.2f} ", f.left + (x[i] - xl) / (xh - xl) * w,
                           f.top + h - (y[k][i] - low) / (high - low) * h);
    out += "\"/>\n";
    if (k < names.size())
      out += fmt::format("<text x=\"{}\" y=\"{}\" fill=\"{}\">{}</text>\n", f.left + w + 10,
                         f.top + 16 + 18 * static_cast<double>(k), kLine[k % std::size(kLine)],
                         escape_markup(names[k]));
  }
  return out + "</svg>\n";
}

std::string plot_svg(const Field& field, const PlotOptions& options) {
  const PlotOptions o = legal(options);
  if (field.grid.dimensions == 1) {
    std::vector<double> x;
    for (int i = 0; i < field.grid.points[0]; ++i) x.push_back(field.grid.coordinate(0, i));
    const std::vector<std::vector<double>> y{{field.values.begin(), field.values.end()}};
    return plot_lines_svg(x, y, {}, o);
  }
  const Slice s = slice_of(field);
  const Frame f;
  double w = o.width - f.left - f.right;
  double h = o.height - f.top - f.bottom;
  const double shape =
      (field.grid.upper[1] - field.grid.lower[1]) / (field.grid.upper[0] - field.grid.lower[0]);
  if (h > w * shape)
    h = std::max(40.0, w * shape);
  else
    w = std::max(40.0, h / shape);
  std::string out = svg_open(o);
  const Image image = raster(s, std::min(s.nx, 1024), std::min(s.ny, 1024));
  out += fmt::format(
      "<image x=\"{}\" y=\"{}\" width=\"{}\" height=\"{}\" preserveAspectRatio=\"none\" "
      "style=\"image-rendering:pixelated\" "
      "href=\"data:image/png;base64,{}\"/>\n",
      f.left, f.top, w, h, base64(image.png()));
  svg_axes(out, f.left, f.top, w, h, field.grid.lower[0], field.grid.upper[0], field.grid.lower[1],
           field.grid.upper[1]);
  const double bar = f.left + w + 24;
  for (int i = 0; i < 64; ++i) {
    const auto c = colour_of((i + 0.5) / 64);
    out += fmt::format(
        "<rect x=\"{}\" y=\"{:.2f}\" width=\"16\" height=\"{:.2f}\" "
        "fill=\"#{:02x}{:02x}{:02x}\"/>\n",
        bar, f.top + h * (63 - i) / 64, h / 64 + 0.5, c[0], c[1], c[2]);
  }
  for (const double t : ticks(s.low, s.high))
    out += fmt::format("<text x=\"{}\" y=\"{:.2f}\">{:.4g}</text>\n", bar + 22,
                       f.top + h * (1 - s.share(t)) + 4, t);
  return out + "</svg>\n";
}

std::string plot_png(const Field& field, const PlotOptions& options) {
  const PlotOptions o = legal(options);
  Image image(o.width, o.height);
  const int left = 70;
  const int right = 110;
  const int top = 20;
  const int bottom = 30;
  const int w = o.width - left - right;
  const int h = o.height - top - bottom;
  const Slice s = slice_of(field);
  const std::array<std::uint8_t, 3> ink{34, 34, 34};
  const auto y_of = [&](double share) { return top + static_cast<int>((1 - share) * (h - 1)); };
  double y_low = s.low;
  double y_high = s.high;
  if (field.grid.dimensions == 1) {
    int before = 0;
    for (int x = 0; x < w; ++x) {
      const double at = static_cast<double>(x) * (s.nx - 1) / std::max(1, w - 1);
      const auto i = static_cast<std::size_t>(std::min(at, static_cast<double>(s.nx - 2)));
      const double f = at - static_cast<double>(i);
      const int y = y_of(s.share(s.v[i] + f * (s.v[i + 1] - s.v[i])));
      for (int k = std::min(x == 0 ? y : before, y); k <= std::max(x == 0 ? y : before, y) + 1; ++k)
        image.set(left + x, k, {0, 114, 178});
      before = y;
    }
  } else {
    const Image map = raster(s, w, h);
    for (int y = 0; y < h; ++y)
      for (int x = 0; x < w; ++x) {
        const auto* p = &map.rgb[static_cast<std::size_t>(3 * (y * w + x))];
        image.set(left + x, top + y, {p[0], p[1], p[2]});
      }
    for (int y = 0; y < h; ++y)
      for (int x = 0; x < 16; ++x)
        image.set(left + w + 16 + x, top + y, colour_of(1 - (y + 0.5) / h));
    for (const double t : ticks(s.low, s.high))
      write(image, left + w + 36, y_of(s.share(t)) - 4, fmt::format("{:.3g}", t));
    y_low = field.grid.lower[1];
    y_high = field.grid.upper[1];
  }
  for (int x = 0; x < w; ++x) {
    image.set(left + x, top, ink);
    image.set(left + x, top + h - 1, ink);
  }
  for (int y = 0; y < h; ++y) {
    image.set(left, top + y, ink);
    image.set(left + w - 1, top + y, ink);
  }
  for (const double t : ticks(field.grid.lower[0], field.grid.upper[0]))
    write(image,
          left +
              static_cast<int>((t - field.grid.lower[0]) /
                               (field.grid.upper[0] - field.grid.lower[0]) * (w - 1)) -
              6,
          top + h + 8, fmt::format("{:.3g}", t));
  for (const double t : ticks(y_low, y_high)) {
    const std::string text = fmt::format("{:.3g}", t);
    write(image, left - 8 - 8 * static_cast<int>(text.size()),
          y_of(y_high > y_low ? (t - y_low) / (y_high - y_low) : 0.5) - 4, text);
  }
  return image.png();
}

}  // namespace neurolens::pde
