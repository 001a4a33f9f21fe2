#include "direct/narrow.hpp"

#include <algorithm>

#include "index.hpp"
#include "kernels/lane_transform.hpp"

namespace neurolens::pde {
namespace {

std::size_t bytes_of(const StageF32& s) {
  std::size_t numbers = s.matrix.size() + s.join_twiddle.size() + s.join_dense.size() +
                        s.prime.even.matrix.size() + s.prime.odd.matrix.size();
  for (const auto& p : s.passes)
    numbers +=
        p.twiddle.size() + p.dense.size() + p.prime.even.matrix.size() + p.prime.odd.matrix.size();
  return numbers * sizeof(float) + s.slot_a.size() * 24;
}

// Two lines: 1 at the first unknown, and at the last.
std::array<std::vector<double>, 2> modes_of_ends(const Stage& stage) {
  const auto n = index(stage.inputs);
  const auto out = index(stage.outputs);
  std::vector<double> ends(2 * n, 0.0);
  ends[0] = 1;
  ends[2 * n - 1] = 1;
  AlignedVector<double> buffer(index(buffer_slots(stage)) * kernels::batch_lines() + 64);
  const AlignedVector<double> ones(out + 16, 1.0);
  std::vector<double> modes(2 * out);
  kernels::gather_columns(stage, ends.data(), 2, 2, buffer.data());
  kernels::transform(stage, buffer.data());
  kernels::scatter_columns(stage, buffer.data(), ones.data(), 2, modes.data(), 2);
  std::array<std::vector<double>, 2> result;
  for (std::size_t q = 0; q < out; ++q)
    for (std::size_t side = 0; side < 2; ++side) result[side].push_back(modes[2 * q + side]);
  return result;
}

}  // namespace

std::size_t DirectSolver::Narrow::bytes() const {
  std::size_t total = ones.size() * sizeof(float);
  for (const auto& axis : stage)
    for (const StageF32& s : axis) total += bytes_of(s);
  for (const auto& axis : end_modes)
    for (const auto& modes : axis) total += modes.size() * sizeof(double);
  return total;
}

const DirectSolver::Narrow& DirectSolver::narrow() const {
  const std::lock_guard lock(narrow_mutex_);
  if (narrow_ != nullptr) return *narrow_;
  auto made = std::make_shared<Narrow>();
  const int transformed = tridiagonal_ ? box_.dimensions - 1 : box_.dimensions;
  for (int a = 0; a < transformed; ++a) {
    const AxisPlan& plan = axis_[index(a)];
    made->stage[index(a)] = {pde::narrow(plan.forward), pde::narrow(plan.inverse)};
    made->end_modes[index(a)] = modes_of_ends(plan.forward);
  }
  made->ones.assign(ones_.size() + 16, 1.0F);
  narrow_ = std::move(made);
  return *narrow_;
}

bool DirectSolver::takes_f32(const BasicBoxData<float>& data) const {
  if (box_.dimensions == 1) return false;
  if (tridiagonal_) return true;
  for (int a = 0; a < box_.dimensions; ++a)
    if (data.acts(a, 0) || data.acts(a, 1)) return false;
  return true;
}

}  // namespace neurolens::pde
