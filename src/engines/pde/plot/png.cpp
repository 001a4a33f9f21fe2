// Pictures as PNG files. Numbers only, no title: letters would need a font.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "index.hpp"
#include "plot/chart.hpp"

namespace neurolens::pde {
namespace {

constexpr int kLeft = 70;
constexpr int kRight = 110;
constexpr int kTop = 20;
constexpr int kBottom = 30;
constexpr double kMargin = 0.04;  // of the height, above and below a line
constexpr Colour kInk{34, 34, 34};
constexpr Colour kLine{0, 114, 178};

class FieldPicture {
 public:
  FieldPicture(const Field& field, const PlotOptions& o)
      : grid_(field.grid),
        slice_(slice_of(field)),
        extent_(fit(field.grid, o.width - kLeft - kRight, o.height - kTop - kBottom)),
        w_(static_cast<int>(extent_.w)),
        h_(static_cast<int>(extent_.h)),
        image_(w_ + kLeft + kRight, h_ + kTop + kBottom) {}

  std::string draw() {
    double low = grid_.lower[1];
    double high = grid_.upper[1];
    if (grid_.dimensions == 1) {
      const double margin = slice_.low == slice_.high ? 0.5 : kMargin * (slice_.high - slice_.low);
      low = slice_.low -= margin;
      high = slice_.high += margin;
      line();
    } else {
      map();
      bar();
    }
    frame();
    for (const double t : ticks(grid_.lower[0], grid_.upper[0])) {
      const double share = (t - grid_.lower[0]) / (grid_.upper[0] - grid_.lower[0]);
      image_.write(kLeft + static_cast<int>(share * (w_ - 1)) - 6, kTop + h_ + 8, number(t));
    }
    for (const double t : ticks(low, high)) {
      const std::string text = number(t);
      image_.write(kLeft - 8 - 8 * static_cast<int>(text.size()),
                   y_of((t - low) / (high - low)) - 4, text);
    }
    return image_.png();
  }

 private:
  static std::string number(double v) { return fmt::format("{:.3g}", v); }
  [[nodiscard]] int y_of(double share) const {
    return kTop + static_cast<int>((1 - share) * (h_ - 1));
  }

  void line() {
    int before = 0;
    for (int x = 0; x < w_; ++x) {
      const double at = static_cast<double>(x) * (slice_.nx - 1) / std::max(1, w_ - 1);
      const int i = std::min(static_cast<int>(at), slice_.nx - 2);
      const double left = slice_.v[index(i)];
      const int y = y_of(slice_.share(left + (at - i) * (slice_.v[index(i + 1)] - left)));
      if (x == 0) before = y;
      for (int k = std::min(before, y); k <= std::max(before, y) + 1; ++k)
        image_.set(kLeft + x, k, kLine);
      before = y;
    }
  }
  void map() {
    const Image values = raster(slice_, w_, h_);
    for (int y = 0; y < h_; ++y)
      for (int x = 0; x < w_; ++x) image_.set(kLeft + x, kTop + y, values.at(x, y));
  }
  void bar() {
    constexpr int kWidth = 16;
    for (int y = 0; y < h_; ++y)
      for (int x = 0; x < kWidth; ++x)
        image_.set(kLeft + w_ + 16 + x, kTop + y, colour_of(1 - (y + 0.5) / h_));
    for (const double t : ticks(slice_.low, slice_.high))
      image_.write(kLeft + w_ + 20 + kWidth, y_of(slice_.share(t)) - 4, number(t));
  }
  void frame() {
    for (int x = 0; x < w_; ++x)
      for (const int y : {0, h_ - 1}) image_.set(kLeft + x, kTop + y, kInk);
    for (int y = 0; y < h_; ++y)
      for (const int x : {0, w_ - 1}) image_.set(kLeft + x, kTop + y, kInk);
  }

  const Grid& grid_;
  Slice slice_;
  Extent extent_;
  int w_, h_;
  Image image_;
};

}  // namespace

std::string plot_png(const Field& field, const PlotOptions& options) {
  return FieldPicture(field, legal(options)).draw();
}

}  // namespace neurolens::pde
