/// \file
/// Row and vector kernels of equations in time, on fields as users hold them: rows are neither
/// aligned nor padded, and nothing beyond what is named is read or written.
#pragma once

#include <cstddef>

namespace neurolens::pde::kernels {

/// A row of u and its neighbours along the axes after x; axes that are missing have no rows.
struct NeighbourRows {
  const double* u = nullptr;
  std::size_t axes = 0;  ///< 0 to 2: how many of `low` and `high` count.
  const double* low[2] = {nullptr, nullptr};
  const double* high[2] = {nullptr, nullptr};
};

/// What joins a point with its neighbours, over h^2: one number per axis, or where `x` is not null
/// one per face.
struct Conductances {
  double constant[3] = {0, 0, 0};
  const double* x = nullptr;  ///< x[i] joins i and i + 1.
  const double* low[2] = {nullptr, nullptr};
  const double* high[2] = {nullptr, nullptr};
};

/// out[i] = source[i] + sum over neighbours of a (u_there - u_here), first <= i < last. Reads u
/// from first - 1 to last.
void diffuse_row(std::size_t first, std::size_t last, const NeighbourRows& rows,
                 const Conductances& a, const double* source, double* out);

/// out[i] -= sum over axes of velocity[axis] (u_above - u_below), times u[i] when `nonlinear`. The
/// velocities are over 2 h.
void transport_row(std::size_t first, std::size_t last, const NeighbourRows& rows,
                   const double* velocity, bool nonlinear, double* out);

/// One summand of a linear combination.
struct Term {
  double factor = 0;
  const double* values = nullptr;
};

/// out[i] = sum of factor * values[i] over `count` terms (1 to 5) for i < n, summed in their order;
/// `out` may be one of them. Returns max |out[i]|, NaN left out.
double combine(std::size_t n, const Term* terms, std::size_t count, double* out);

}  // namespace neurolens::pde::kernels
