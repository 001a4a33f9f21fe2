#include "op_costs/formula.hpp"

namespace neurolens::onnx::costs {
namespace {

constexpr double kConvert = 2;  // a scale and an offset for each (de)quantised element

bool per_input(const View& view, const Formula& formula, Count& count) {
  if (view.in(0) == nullptr) return false;
  count.vector = formula.per_element * elements(*view.in(0));
  return true;
}

/// Length of the sums, from the last dimension of A.
bool products(const ObservedTensor* a, const ObservedTensor* y, Count& count) {
  if (a == nullptr || y == nullptr || a->dims.empty()) return false;
  count.matrix = 2 * elements(*y) * static_cast<double>(a->dims.back());
  return true;
}

bool integer_matmul(const View& view, const Formula& /*formula*/, Count& count) {
  return products(view.in(0), view.out(0), count);
}

/// a, a_scale, a_zero, b, ...: one conversion of the result.
bool requantized_matmul(const View& view, const Formula& /*formula*/, Count& count) {
  if (!products(view.in(0), view.out(0), count)) return false;
  count.vector = kConvert * elements(*view.out(0));
  return true;
}

/// A, B, a_scale, b_scale, a_zero, b_zero, bias.
bool matmul_to_float(const View& view, const Formula& /*formula*/, Count& count) {
  if (!products(view.in(0), view.out(0), count)) return false;
  count.vector = (kConvert + (view.has_in(6) ? 1 : 0)) * elements(*view.out(0));
  return true;
}

/// A, B, b_scale, b_zero, bias: A is measured (2) and quantised, the result converted.
bool dynamic_matmul(const View& view, const Formula& /*formula*/, Count& count) {
  if (!products(view.in(0), view.out(0), count)) return false;
  count.vector = (2 + kConvert) * elements(*view.in(0)) +
                 (kConvert + (view.has_in(4) ? 1 : 0)) * elements(*view.out(0));
  return true;
}

/// A, packed B, scales, zeros, group, bias: weights are unpacked once.
bool packed_matmul(const View& view, const Formula& /*formula*/, Count& count) {
  const auto k = static_cast<double>(view.node().integer_or("K", 0));
  const auto n = static_cast<double>(view.node().integer_or("N", 0));
  if (k <= 0 || n <= 0 || view.out(0) == nullptr) return false;
  count.matrix = 2 * elements(*view.out(0)) * k;
  count.vector = kConvert * k * n + (view.has_in(5) ? elements(*view.out(0)) : 0);
  return true;
}

/// A, a_scale, a_zero, B, b_scale, b_zero, C.
bool quantized_gemm(const View& view, const Formula& /*formula*/, Count& count) {
  if (view.in(0) == nullptr || view.out(0) == nullptr || view.in(0)->dims.size() != 2) return false;
  const Dims& a = view.in(0)->dims;
  const double inner = static_cast<double>(view.node().integer_or("transA", 0) != 0 ? a[0] : a[1]);
  const double n = elements(*view.out(0));
  count.matrix = 2 * n * inner;
  count.vector = (kConvert + (view.has_in(6) ? 1 : 0)) * n;
  return true;
}

/// x, x_scale, x_zero, w, w_scale, w_zero, y_scale, y_zero, bias.
bool quantized_conv(const View& view, const Formula& /*formula*/, Count& count) {
  if (view.in(3) == nullptr || view.out(0) == nullptr || view.in(3)->dims.size() < 3) return false;
  const double n = elements(*view.out(0));
  count.matrix = 2 * n * product(std::span(view.in(3)->dims).subspan(1));
  count.vector = (kConvert + (view.has_in(8) ? 1 : 0)) * n;
  return true;
}

bool integer_conv(const View& view, const Formula& /*formula*/, Count& count) {
  if (view.in(1) == nullptr || view.out(0) == nullptr || view.in(1)->dims.size() < 3) return false;
  count.matrix = 2 * elements(*view.out(0)) * product(std::span(view.in(1)->dims).subspan(1));
  return true;
}

/// a, a_scale, a_zero, b, b_scale, b_zero, ...
bool quantized_binary(const View& view, const Formula& formula, Count& count) {
  if (view.in(0) == nullptr || view.in(3) == nullptr || view.out(0) == nullptr) return false;
  const double n = elements(*view.out(0));
  count.vector =
      formula.per_element * n + kConvert * (elements(*view.in(0)) + elements(*view.in(3)) + n);
  return true;
}

/// The operation, and conversions of what goes in and comes out.
bool quantized_unary(const View& view, const Formula& formula, Count& count) {
  if (view.in(0) == nullptr || view.out(0) == nullptr) return false;
  const double n = elements(*view.in(0));
  count.vector = (formula.per_element + kConvert) * n + kConvert * elements(*view.out(0));
  count.transcendental = formula.transcendental * n;
  return true;
}

bool quantized_pool(const View& view, const Formula& formula, Count& count) {
  if (view.node().integers("kernel_shape").empty()) return false;
  if (!quantized_unary(view, formula, count)) return false;
  count.vector += (product(view.node().integers("kernel_shape")) + 1) * elements(*view.out(0));
  return true;
}

bool quantized_move(const View& view, const Formula& /*formula*/, Count& count) {
  if (view.out(0) == nullptr) return false;
  count.vector = 2 * kConvert * elements(*view.out(0));
  return true;
}

bool dequantized_rows(const View& view, const Formula& /*formula*/, Count& count) {
  if (view.out(0) == nullptr) return false;
  count.vector = kConvert * elements(*view.out(0));
  return true;
}

constexpr Formula kTable[] = {
    {"quantize", "QuantizeLinear DequantizeLinear ms:QuantizeLinear ms:DequantizeLinear", "2 N",
     per_input, Traffic::all, 2},
    {"dynamic_quantize", "DynamicQuantizeLinear", "4 N", per_input, Traffic::all, 4, 0,
     "the extremes (2 N) and the conversion (2 N)"},
    {"integer_matmul", "MatMulInteger ms:MatMulInteger16", "2 B M N K", integer_matmul,
     Traffic::all, 0, 0, "integer products count like floating ones"},
    {"quantized_matmul", "QLinearMatMul", "2 B M N K + 2 MN", requantized_matmul},
    {"integer_matmul_to_float", "ms:MatMulIntegerToFloat", "2 B M N K + 2 MN, + MN with bias",
     matmul_to_float},
    {"dynamic_quantize_matmul", "ms:DynamicQuantizeMatMul",
     "2 B M N K + 4 |A| + 2 MN, + MN with bias", dynamic_matmul},
    {"packed_matmul", "ms:MatMulNBits ms:MatMulBnb4", "2 M N K + 2 N K, + MN with bias",
     packed_matmul, Traffic::all, 0, 0, "weights are unpacked once"},
    {"quantized_gemm", "ms:QGemm", "2 M N K + 2 MN, + MN with C", quantized_gemm},
    {"quantized_conv", "QLinearConv ms:QLinearConv nhwc:QLinearConv",
     "2 N (Cin/g) prod(k) + 2 N, + N with bias", quantized_conv},
    {"integer_conv", "ConvInteger nhwc:ConvInteger", "2 N (Cin/g) prod(k)", integer_conv},
    {"quantized_binary", "ms:QLinearAdd ms:QLinearMul", "N + 2 per element in and out",
     quantized_binary, Traffic::all, 1},
    {"quantized_leaky_relu", "ms:QLinearLeakyRelu", "2 N + 2 per element in and out",
     quantized_unary, Traffic::all, 2},
    {"quantized_sigmoid", "ms:QLinearSigmoid", "4 N + 2 per element in and out", quantized_unary,
     Traffic::all, 4, 1},
    {"quantized_softmax", "ms:QLinearSoftmax", "5 N + 2 per element in and out", quantized_unary,
     Traffic::all, 5, 1},
    {"quantized_reduce", "ms:QLinearGlobalAveragePool ms:QLinearReduceMean",
     "N_in + 2 per element in and out", quantized_unary, Traffic::all, 1},
    {"quantized_average_pool", "ms:QLinearAveragePool", "N prod(k) + N + 2 per element in and out",
     quantized_pool},
    {"quantized_move", "ms:QLinearConcat ms:QLinearWhere", "2 per element in and out",
     quantized_move},
    {"quantized_gather", "ms:GatherBlockQuantized", "2 N", dequantized_rows, Traffic::taken, 0, 0,
     "the rows taken; not the table"},
};

}  // namespace

std::span<const Formula> quantized_formulas() {
  return kTable;
}

}  // namespace neurolens::onnx::costs
