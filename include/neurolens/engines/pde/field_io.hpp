/// \file
/// Fields as NumPy .npy files and as pictures.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "neurolens/base/result.hpp"
#include "neurolens/engines/pde/grid.hpp"

namespace neurolens::pde {

/// The bytes of an .npy file (format 1.0, '<f8' or '<f4' as the field is, C order): shape (nz,)
/// (ny,) nx.
[[nodiscard]] std::string to_npy(const Field& field);
[[nodiscard]] std::string to_npy(const FieldF32& field);
/// Fields of one grid as one array: shape (count,) (nz,) (ny,) nx; a single field as itself. None:
/// an empty text.
[[nodiscard]] std::string to_npy(std::span<const Field> fields);
[[nodiscard]] std::string to_npy(std::span<const FieldF32> fields);
/// Numbers of an .npy file ('<f8' or '<f4', either order) with its shape, slowest axis first, C
/// order.
template <class T>
struct BasicNpyArray {
  std::vector<std::size_t> shape;
  std::vector<T> values;
  Precision stored = Precision::f64;  ///< As what the file held them.
};
using NpyArray = BasicNpyArray<double>;
using NpyArrayF32 = BasicNpyArray<float>;
/// Errors: parse_error (not such a file, truncated), refused (another type of number), too_large.
[[nodiscard]] Result<NpyArray> from_npy(std::string_view bytes);
/// The same in single precision: '<f4' as it is, '<f8' rounded. Errors besides: out_of_range for a
/// finite number beyond 3.4e38.
[[nodiscard]] Result<NpyArrayF32> from_npy_f32(std::string_view bytes);

/// Looks of a plot.
struct PlotOptions {
  std::string title;
  int width = 720;   ///< Pixels, 200 to 4000; less where the domain is too tall to fill them.
  int height = 560;  ///< Pixels, 150 to 4000; less where the domain is too wide.
};
/// A 1-D field as a line, a 2-D field as a heat map with a colour bar, a 3-D field by its middle z
/// plane.
[[nodiscard]] std::string plot_svg(const Field& field, const PlotOptions& options = {});
/// The same as a PNG file (8-bit RGB).
[[nodiscard]] std::string plot_png(const Field& field, const PlotOptions& options = {});
/// Lines y[k] over x in one SVG; `names` has one entry per line.
[[nodiscard]] std::string plot_lines_svg(std::span<const double> x,
                                         std::span<const std::vector<double>> y,
                                         std::span<const std::string> names,
                                         const PlotOptions& options = {});

}  // namespace neurolens::pde
