/// \file
/// What a DirectSolver keeps for solves in single precision.
#pragma once

#include <array>

#include "direct/direct_solver.hpp"
#include "direct/stage.hpp"
#include "direct/sweep.hpp"

namespace neurolens::pde {

struct DirectSolver::Narrow {
  std::array<std::array<StageF32, 2>, 3> stage;  ///< [axis][0 forward, 1 inverse]
  AlignedVector<float> ones;
  /// [axis][side]: the modes of 1 at the unknown next to that end and 0 elsewhere, in double
  /// precision.
  std::array<std::array<std::vector<double>, 2>, 3> end_modes;
  mutable DeskPool<float> desks;

  [[nodiscard]] std::size_t bytes() const;
};

template <class T>
const BasicStage<T>& DirectSolver::stage(int a, bool forward) const {
  const auto axis = static_cast<std::size_t>(a);
  if constexpr (std::is_same_v<T, float>)
    return narrow().stage[axis][forward ? 0 : 1];
  else
    return forward ? axis_[axis].forward : axis_[axis].inverse;
}

template <class T>
const AlignedVector<T>& DirectSolver::ones() const {
  if constexpr (std::is_same_v<T, float>)
    return narrow().ones;
  else
    return ones_;
}

template <class T>
DeskPool<T>& DirectSolver::desks() const {
  if constexpr (std::is_same_v<T, float>)
    return narrow().desks;
  else
    return *desks_;
}

}  // namespace neurolens::pde
