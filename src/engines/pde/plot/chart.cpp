#include "plot/chart.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "index.hpp"

namespace neurolens::pde {
namespace {

struct Tone {
  double r, g, b;
};
constexpr Tone kRamp[] = {{0.10, 0.09, 0.28}, {0.18, 0.25, 0.50}, {0.15, 0.42, 0.56},
                          {0.13, 0.57, 0.55}, {0.28, 0.70, 0.46}, {0.58, 0.80, 0.30},
                          {0.98, 0.90, 0.25}};
constexpr double kLeastExtent = 40;  // pixels

}  // namespace

Colour colour_of(double share) {
  const double at = std::clamp(share, 0.0, 1.0) * (std::size(kRamp) - 1);
  const auto i = std::min(static_cast<std::size_t>(at), std::size(kRamp) - 2);
  const double f = at - static_cast<double>(i);
  const auto mix = [f](double a, double b) {
    return static_cast<std::uint8_t>(255 * (a + f * (b - a)) + 0.5);
  };
  return {mix(kRamp[i].r, kRamp[i + 1].r), mix(kRamp[i].g, kRamp[i + 1].g),
          mix(kRamp[i].b, kRamp[i + 1].b)};
}

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

std::string title_of(const Field& f, const std::string& title) {
  if (f.grid.dimensions < 3) return title;
  return fmt::format("{}, z = {:.4g}", title, f.grid.coordinate(2, f.grid.points[2] / 2));
}

Image raster(const Slice& s, int w, int h) {
  Image image(w, h);
  for (int y = 0; y < h; ++y)
    for (int x = 0; x < w; ++x) {
      const int i = std::min(s.nx - 1, static_cast<int>((x + 0.5) * s.nx / w));
      const int j = std::min(s.ny - 1, static_cast<int>((h - y - 0.5) * s.ny / h));
      image.set(x, y, colour_of(s.share(s.v[index(i) + index(s.nx) * index(j)])));
    }
  return image;
}

PlotOptions legal(PlotOptions o) {
  o.width = std::clamp(o.width, 200, 4000);
  o.height = std::clamp(o.height, 150, 4000);
  return o;
}

Extent fit(const Grid& grid, double w, double h) {
  if (grid.dimensions == 1) return {w, h};
  const double shape = (grid.upper[1] - grid.lower[1]) / (grid.upper[0] - grid.lower[0]);
  if (h > w * shape) return {w, std::max(kLeastExtent, w * shape)};
  return {std::max(kLeastExtent, h / shape), h};
}

}  // namespace neurolens::pde
