#include <algorithm>

#include "op_costs/einsum.hpp"
#include "op_costs/formula.hpp"

namespace neurolens::onnx::costs {
namespace {

/// Length of the sums in A B, from A and the attributes of fused products.
double inner_length(const Node& node, const Dims& a) {
  if (a.size() < 2) return a.empty() ? 1 : static_cast<double>(a[0]);
  if (node.integer_or("transA", 0) == 0) return static_cast<double>(a.back());
  const bool rotated = node.integer_or("transBatchA", 0) != 0;
  return static_cast<double>(rotated ? a.front() : a[a.size() - 2]);
}

bool matmul(const View& view, const Formula& /*formula*/, Count& count) {
  if (view.in(0) == nullptr || view.out(0) == nullptr) return false;
  const double n = elements(*view.out(0));
  count.matrix = 2 * n * inner_length(view.node(), view.in(0)->dims);
  if (view.node().real_or("alpha", 1) != 1) count.vector += n;
  return add_activation(view, n, count);
}

bool gemm(const View& view, const Formula& /*formula*/, Count& count) {
  if (view.in(0) == nullptr || view.out(0) == nullptr || view.in(0)->dims.size() != 2) return false;
  const Node& node = view.node();
  const double n = elements(*view.out(0));
  count.matrix = 2 * n * inner_length(node, view.in(0)->dims);
  const bool with_c = view.has_in(2);
  if (with_c) count.vector += n;
  const bool scaled = node.real_or("alpha", 1) != 1 || (with_c && node.real_or("beta", 1) != 1);
  if (scaled) count.vector += n;
  return add_activation(view, n, count);
}

/// W is [Cout, Cin/g, k...]: each output is a sum over everything behind its first dimension.
bool conv(const View& view, const Formula& /*formula*/, Count& count) {
  if (view.in(1) == nullptr || view.out(0) == nullptr || view.in(1)->dims.size() < 3) return false;
  const double n = elements(*view.out(0));
  count.matrix = 2 * n * product(std::span(view.in(1)->dims).subspan(1));
  if (view.has_in(2)) count.vector += n;
  if (view.has_in(3)) count.vector += n;
  return add_activation(view, n, count);
}

/// W is [Cin, Cout/g, k...]: each input is spread over everything behind its first dimension.
bool conv_transpose(const View& view, const Formula& /*formula*/, Count& count) {
  if (view.in(0) == nullptr || view.in(1) == nullptr || view.out(0) == nullptr) return false;
  if (view.in(1)->dims.size() < 3) return false;
  count.matrix = 2 * elements(*view.in(0)) * product(std::span(view.in(1)->dims).subspan(1));
  const bool padded = view.node().op_type == "ConvTransposeWithDynamicPads";
  if (view.has_in(padded ? 3 : 2)) count.vector += elements(*view.out(0));
  return true;
}

/// Four neighbours with their weights for each product.
bool deform_conv(const View& view, const Formula& /*formula*/, Count& count) {
  if (view.in(1) == nullptr || view.out(0) == nullptr || view.in(1)->dims.size() < 3) return false;
  const double n = elements(*view.out(0));
  count.matrix = 2 * n * product(std::span(view.in(1)->dims).subspan(1));
  if (view.has_in(3)) count.vector += n;
  return true;
}

/// X [T,B,I] in either layout, R [D,G H,H].
bool recurrent(const View& view, const Formula& formula, Count& count) {
  if (view.in(0) == nullptr || view.in(2) == nullptr) return false;
  const Dims& x = view.in(0)->dims;
  const Dims& r = view.in(2)->dims;
  if (x.size() != 3 || r.size() != 3) return false;
  const double steps = static_cast<double>(x[0]) * static_cast<double>(x[1]);  // T B
  const double hidden = static_cast<double>(std::min(r[1], r[2]));
  const double gates = static_cast<double>(std::max(r[1], r[2])) / hidden;
  const double input = static_cast<double>(x[2]);
  const double directions = static_cast<double>(r[0]);
  count.matrix = directions * steps * 2 * gates * hidden * (input + hidden);
  count.vector = directions * formula.per_element * hidden * steps;
  count.transcendental = directions * formula.transcendental * hidden * steps;
  return true;
}

bool einsum(const View& view, const Formula& /*formula*/, Count& count) {
  std::vector<Dims> operands;
  for (std::size_t i = 0; i < view.node().inputs.size(); ++i) {
    if (view.in(i) == nullptr) return false;
    operands.push_back(view.in(i)->dims);
  }
  return count_einsum(view.node().text_or("equation", ""), operands, count);
}

bool determinant(const View& view, const Formula& /*formula*/, Count& count) {
  if (view.in(0) == nullptr || view.in(0)->dims.size() < 2) return false;
  count.matrix = 2.0 / 3.0 * elements(*view.in(0)) * static_cast<double>(view.in(0)->dims.back());
  return true;
}

constexpr Formula kTable[] = {
    {"matmul", "MatMul ms:FusedMatMul ms:TransposeMatMul ms:FusedMatMulActivation",
     "2 B M N K, + MN if alpha is not 1, + activation", matmul},
    {"gemm", "Gemm ms:FusedGemm",
     "2 M N K, + MN with C, + MN if alpha or beta is not 1, + activation", gemm},
    {"conv", "Conv ms:FusedConv ms:NhwcFusedConv nchwc:Conv nhwc:Conv",
     "2 N (Cin/g) prod(k), + N with bias, + N with a sum, + activation", conv, Traffic::all, 0, 0,
     "zeros of the padding count as if they were multiplied; so do channels that a blocked layout "
     "adds"},
    {"conv_transpose", "ConvTranspose ms:ConvTransposeWithDynamicPads nhwc:ConvTranspose",
     "2 N_in (Cout/g) prod(k), + N_out with bias", conv_transpose},
    {"deform_conv", "DeformConv", "2 N (Cin/g) prod(k), + N with bias", deform_conv, Traffic::all,
     0, 0, "interpolation between samples is not counted"},
    {"lstm", "LSTM ms:DynamicQuantizeLSTM", "T B 2 4H (I + H), + 9 H T B, each direction",
     recurrent, Traffic::all, 9, 5, "weights are read once: they stay in a cache between steps"},
    {"gru", "GRU", "T B 2 3H (I + H), + 6 H T B, each direction", recurrent, Traffic::all, 6, 3,
     "weights are read once: they stay in a cache between steps"},
    {"rnn", "RNN", "T B 2 H (I + H), + 2 H T B, each direction", recurrent, Traffic::all, 2, 1,
     "weights are read once: they stay in a cache between steps"},
    {"einsum", "Einsum",
     "2 x the index space of each contraction, operands taken from left to right", einsum},
    {"determinant", "Det", "2/3 n^3 for each matrix", determinant},
};

}  // namespace

std::span<const Formula> matrix_formulas() {
  return kTable;
}

}  // namespace neurolens::onnx::costs
