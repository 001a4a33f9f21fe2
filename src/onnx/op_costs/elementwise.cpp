#include "op_costs/formula.hpp"

namespace neurolens::onnx::costs {
namespace {

bool per_output(const View& view, const Formula& formula, Count& count) {
  if (view.out(0) == nullptr) return false;
  const double n = elements(*view.out(0));
  count.vector = formula.per_element * n;
  count.transcendental = formula.transcendental * n;
  return true;
}

/// One operation for each input beyond the first.
bool variadic(const View& view, const Formula& formula, Count& count) {
  if (view.out(0) == nullptr || view.node().inputs.empty()) return false;
  const double inputs = static_cast<double>(view.node().inputs.size());
  count.vector = (inputs - 1 + formula.per_element) * elements(*view.out(0));
  return true;
}

bool gelu_with_bias(const View& view, const Formula& formula, Count& count) {
  if (!per_output(view, formula, count)) return false;
  if (view.has_in(1)) count.vector += elements(*view.out(0));
  return true;
}

constexpr Formula kTable[] = {
    {"unary",
     "Relu Neg Abs Floor Ceil Round Sign Not BitwiseNot IsNaN IsInf Reciprocal BitShift "
     "ms:IsAllFinite",
     "N", per_output, Traffic::all, 1, 0},
    {"binary",
     "Add Sub Mul Div Mod And Or Xor Equal Less Greater LessOrEqual GreaterOrEqual BitwiseAnd "
     "BitwiseOr BitwiseXor Where",
     "N", per_output, Traffic::all, 1, 0},
    {"variadic", "Sum Min Max", "(inputs - 1) N", variadic, Traffic::all, 0, 0},
    {"variadic_mean", "Mean", "inputs N", variadic, Traffic::all, 1, 0},
    {"bounds", "Clip LeakyRelu PRelu ThresholdedRelu Shrink ms:BiasAdd", "2 N", per_output,
     Traffic::all, 2, 0},
    {"softsign", "Softsign", "3 N", per_output, Traffic::all, 3, 0},
    {"rotary", "RotaryEmbedding ms:RotaryEmbedding", "3 N", per_output, Traffic::all, 3, 0,
     "two products and one sum per element; tables of sine and cosine are inputs"},
    {"hard_sigmoid", "HardSigmoid", "4 N", per_output, Traffic::all, 4, 0},
    {"hard_swish", "HardSwish", "5 N", per_output, Traffic::all, 5, 0},
    {"function", "Erf Exp Log Sqrt Sin Cos Tan Asin Acos Atan Sinh Cosh Asinh Acosh Atanh Pow", "N",
     per_output, Traffic::all, 1, 1},
    {"softplus", "Softplus", "2 N", per_output, Traffic::all, 2, 2},
    {"elu", "Elu", "3 N", per_output, Traffic::all, 3, 1},
    {"selu", "Selu Celu", "4 N", per_output, Traffic::all, 4, 1},
    {"sigmoid", "Sigmoid", "4 N", per_output, Traffic::all, 4, 1},
    {"tanh", "Tanh", "5 N", per_output, Traffic::all, 5, 1},
    {"silu", "Swish ms:QuickGelu", "5 N", per_output, Traffic::all, 5, 1},
    {"mish", "Mish", "5 N", per_output, Traffic::all, 5, 3},
    {"gelu", "Gelu ms:Gelu ms:FastGelu", "8 N, + N with bias", gelu_with_bias, Traffic::all, 8, 1,
     "the same count for the exact form and for the one with tanh"},
    {"bias_gelu", "ms:BiasGelu", "9 N", per_output, Traffic::all, 9, 1},
};

}  // namespace

std::span<const Formula> elementwise_formulas() {
  return kTable;
}

bool add_activation(const View& view, double n, Count& count) {
  const std::string_view name = view.node().text_or("activation", "");
  if (name.empty()) return true;
  const Formula* formula = find_formula(name);
  if (formula == nullptr || (formula->per_element == 0 && formula->transcendental == 0))
    return false;
  count.vector += formula->per_element * n;
  count.transcendental += formula->transcendental * n;
  return true;
}

}  // namespace neurolens::onnx::costs
