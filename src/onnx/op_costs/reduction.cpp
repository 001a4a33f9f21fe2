#include <algorithm>
#include <cmath>

#include "op_costs/formula.hpp"

namespace neurolens::onnx::costs {
namespace {

/// Linear in the first input.
bool per_input(const View& view, const Formula& formula, Count& count) {
  if (view.in(0) == nullptr) return false;
  const double n = elements(*view.in(0));
  count.vector = formula.per_element * n;
  count.transcendental = formula.transcendental * n;
  return true;
}

/// Linear in the first input, and one more operation for each result.
bool per_input_and_result(const View& view, const Formula& formula, Count& count) {
  if (view.in(0) == nullptr || view.out(0) == nullptr) return false;
  count.vector = formula.per_element * elements(*view.in(0)) + elements(*view.out(0));
  count.transcendental = formula.transcendental * elements(*view.out(0));
  return true;
}

/// The window of the pooling; 1 without one (global).
double window(const View& view) {
  return product(view.node().integers("kernel_shape"));
}

bool pooling(const View& view, const Formula& formula, Count& count) {
  if (view.out(0) == nullptr || view.node().integers("kernel_shape").empty()) return false;
  count.vector = (window(view) + formula.per_element) * elements(*view.out(0));
  return true;
}

bool lp_pooling(const View& view, const Formula& /*formula*/, Count& count) {
  if (view.out(0) == nullptr || view.node().integers("kernel_shape").empty()) return false;
  count.vector = 2 * window(view) * elements(*view.out(0));
  count.transcendental = elements(*view.out(0));
  return true;
}

/// Rows of a normalisation over `axis` and what is behind it.
double rows(const Dims& dims, std::int64_t axis) {
  const auto rank = static_cast<std::int64_t>(dims.size());
  const std::int64_t first = std::clamp<std::int64_t>(axis < 0 ? axis + rank : axis, 0, rank);
  return product(std::span(dims).first(static_cast<std::size_t>(first)));
}

/// 5 N with a shift, 4 N without; one root for each row.
bool layer_norm(const View& view, const Formula& /*formula*/, Count& count) {
  if (view.in(0) == nullptr) return false;
  const double n = elements(*view.in(0));
  count.vector = (view.has_in(2) ? 5 : 4) * n;
  count.transcendental = rows(view.in(0)->dims, view.node().integer_or("axis", -1));
  return true;
}

bool rms_norm(const View& view, const Formula& /*formula*/, Count& count) {
  if (view.in(0) == nullptr) return false;
  const double each = rows(view.in(0)->dims, view.node().integer_or("axis", -1));
  count.vector = 3 * elements(*view.in(0)) + each;
  count.transcendental = each;
  return true;
}

/// The sum (and a bias) first. Inputs: x, skip, scale, [shift], bias.
bool skip_norm(const View& view, const Formula& formula, Count& count) {
  if (view.in(0) == nullptr) return false;
  const bool simplified = formula.id == "skip_rms_norm";
  const double n = elements(*view.in(0));
  const double each = rows(view.in(0)->dims, -1);
  const bool shifted = !simplified && view.has_in(3);
  const bool biased = view.has_in(simplified ? 3 : 4);
  count.vector = (1 + (biased ? 1 : 0) + (simplified ? 3 : shifted ? 5 : 4)) * n;
  if (simplified) count.vector += each;
  count.transcendental = each;
  return true;
}

/// Words, positions and, when there are any, segments.
bool embed_norm(const View& view, const Formula& /*formula*/, Count& count) {
  if (view.out(0) == nullptr) return false;
  count.vector = (5 + (view.has_in(1) ? 2 : 1)) * elements(*view.out(0));
  count.transcendental = rows(view.out(0)->dims, -1);
  return true;
}

bool group_norm(const View& view, const Formula& formula, Count& count) {
  if (!per_input(view, formula, count)) return false;
  const bool activated = view.node().integer_or("activation", 0) != 0;
  if (activated) {
    count.vector += 5 * elements(*view.in(0));
    count.transcendental += elements(*view.in(0));
  }
  return true;
}

bool local_response(const View& view, const Formula& /*formula*/, Count& count) {
  if (view.in(0) == nullptr) return false;
  const double n = elements(*view.in(0));
  count.vector = (static_cast<double>(view.node().integer_or("size", 1)) + 4) * n;
  count.transcendental = n;
  return true;
}

bool fourier(const View& view, const Formula& /*formula*/, Count& count) {
  if (view.out(0) == nullptr || view.out(0)->dims.size() < 3) return false;
  const std::int64_t axis = view.node().integer_or("axis", 1);
  const auto rank = static_cast<std::int64_t>(view.out(0)->dims.size());
  const std::int64_t at = axis < 0 ? axis + rank : axis;
  if (at < 0 || at >= rank) return false;
  const double length = static_cast<double>(view.out(0)->dims[static_cast<std::size_t>(at)]);
  // The last dimension holds the real and the imaginary part.
  count.vector = 2.5 * elements(*view.out(0)) * std::log2(std::max(length, 1.0));
  return true;
}

constexpr Formula kTable[] = {
    {"max_pool", "MaxPool nchwc:MaxPool nhwc:MaxPool ms:NhwcMaxPool", "N prod(k)", pooling},
    {"average_pool", "AveragePool nchwc:AveragePool nhwc:AveragePool", "N prod(k) + N", pooling,
     Traffic::all, 1},
    {"lp_pool", "LpPool", "2 N prod(k), N roots", lp_pooling},
    {"global_max_pool", "GlobalMaxPool nchwc:GlobalMaxPool nhwc:GlobalMaxPool", "N_in", per_input,
     Traffic::all, 1},
    {"global_average_pool",
     "GlobalAveragePool ReduceMean nchwc:GlobalAveragePool nhwc:GlobalAveragePool", "N_in + N_out",
     per_input_and_result, Traffic::all, 1},
    {"reduce", "ReduceSum ReduceMax ReduceMin ReduceProd ArgMax ArgMin CumSum CumProd Hardmax",
     "N_in", per_input, Traffic::all, 1},
    {"reduce_squares", "ReduceL1 ReduceSumSquare", "2 N_in", per_input, Traffic::all, 2},
    {"reduce_root", "ReduceL2 GlobalLpPool", "2 N_in + N_out, N_out roots", per_input_and_result,
     Traffic::all, 2, 1},
    {"reduce_log", "ReduceLogSum", "N_in + N_out, N_out logarithms", per_input_and_result,
     Traffic::all, 1, 1},
    {"reduce_log_sum_exp", "ReduceLogSumExp", "3 N_in, N_in exponentials", per_input, Traffic::all,
     3, 1},
    {"top_k", "TopK", "N_in", per_input, Traffic::all, 1, 0,
     "one comparison for each element: a lower bound"},
    {"softmax", "Softmax LogSoftmax", "5 N", per_input, Traffic::all, 5, 1},
    {"bias_softmax", "ms:BiasSoftmax", "6 N", per_input, Traffic::all, 6, 1},
    {"layer_norm", "LayerNormalization", "5 N with a shift, 4 N without, 1 root per row",
     layer_norm},
    {"rms_norm", "RMSNormalization SimplifiedLayerNormalization ms:SimplifiedLayerNormalization",
     "3 N + 1 division and 1 root per row", rms_norm},
    {"skip_layer_norm", "ms:SkipLayerNormalization", "layer_norm + N for each sum", skip_norm},
    {"skip_rms_norm", "ms:SkipSimplifiedLayerNormalization", "rms_norm + N for each sum",
     skip_norm},
    {"embed_layer_norm", "ms:EmbedLayerNormalization", "layer_norm + N for each sum", embed_norm,
     Traffic::written, 0, 0, "rows of the tables are not counted as read"},
    {"batch_norm", "BatchNormalization", "2 N", per_input, Traffic::all, 2, 0,
     "inference: scale and shift are computed beforehand"},
    {"group_norm", "GroupNormalization InstanceNormalization ms:GroupNorm", "5 N, + 5 N with Silu",
     group_norm, Traffic::all, 5},
    {"skip_group_norm", "ms:SkipGroupNorm", "6 N, + 5 N with Silu", group_norm, Traffic::all, 6},
    {"mean_variance", "MeanVarianceNormalization", "4 N", per_input, Traffic::all, 4},
    {"lp_norm", "LpNormalization", "3 N", per_input, Traffic::all, 3},
    {"local_response", "LRN", "(size + 4) N, N powers", local_response},
    {"fourier", "DFT", "5 n log2 n for each transform of length n", fourier, Traffic::all, 0, 0,
     "the count of a fast transform, for any length"},
};

}  // namespace

std::span<const Formula> reduction_formulas() {
  return kTable;
}

}  // namespace neurolens::onnx::costs
