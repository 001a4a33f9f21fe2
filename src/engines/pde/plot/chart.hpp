/// \file
/// What charts of fields share: colours of values, round numbers on axes, the plane that is drawn.
#pragma once

#include <string>
#include <vector>

#include "neurolens/engines/pde/field_io.hpp"
#include "plot/image.hpp"

namespace neurolens::pde {

/// The colour of a share in [0, 1]: dark blue to yellow, rising in lightness, readable without
/// colour vision.
Colour colour_of(double share);

/// Round numbers inside [low, high].
std::vector<double> ticks(double low, double high);

/// The plane of a field that is drawn, and its finite values' range.
struct Slice {
  int nx = 1, ny = 1;
  std::vector<double> v;
  double low = 0, high = 0;
  [[nodiscard]] double share(double value) const {
    return high > low ? (value - low) / (high - low) : 0.5;
  }
};
/// All of a 1-D or 2-D field, the middle z plane of a 3-D one.
Slice slice_of(const Field& f);

/// What the plane is called: the title, in 3-D followed by its z.
std::string title_of(const Field& f, const std::string& title);

/// The pixels of a slice, y upward.
Image raster(const Slice& s, int w, int h);

/// Sizes within their limits.
PlotOptions legal(PlotOptions options);

/// The largest size of at most `w` x `h` with the shape of the drawn plane's domain; all of it in
/// 1-D.
struct Extent {
  double w = 0, h = 0;
};
Extent fit(const Grid& grid, double w, double h);

}  // namespace neurolens::pde
