// Pictures as SVG text.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "neurolens/base/base64.hpp"
#include "neurolens/base/markup.hpp"
#include "plot/chart.hpp"

namespace neurolens::pde {
namespace {

constexpr double kMargin = 0.04;  // of the height, above and below lines

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
  const double margin = low == high ? 0.5 : kMargin * (high - low);
  low -= margin;
  high += margin;
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
  const auto [w, h] = fit(field.grid, o.width - f.left - f.right, o.height - f.top - f.bottom);
  PlotOptions trimmed = o;
  trimmed.title = title_of(field, o.title);
  trimmed.width = static_cast<int>(std::ceil(f.left + w + f.right));
  trimmed.height = static_cast<int>(std::ceil(f.top + h + f.bottom));
  std::string out = svg_open(trimmed);
  const Image image = raster(s, std::min(s.nx, 1024), std::min(s.ny, 1024));
  out += fmt::format(
      "<image x=\"{}\" y=\"{}\" width=\"{}\" height=\"{}\" preserveAspectRatio=\"none\" "
      "style=\"image-rendering:pixelated\" "
      "href=\"data:image/png;base64,{}\"/>\n",
      f.left, f.top, w, h, base64_encode(image.png()));
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

}  // namespace neurolens::pde
