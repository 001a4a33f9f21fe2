// Multi-layer perceptron, LeNet-5 (LeCun et al. 1998, with Relu and max pooling as it is taught
// today) and a recurrent tagger (Hochreiter, Schmidhuber 1997).
#include "architectures.hpp"

namespace neurolens::onnx::zoo {

Name gemm_layer(GraphBuilder& g, const std::string& scope, const Name& x, std::int64_t in,
                std::int64_t out, Fill fill) {
  const Name w = g.weight(scope + ".weight", {out, in}, fill);
  const Name b = g.weight(scope + ".bias", {out}, around_zero(0.01));
  return g.node("Gemm", scope, {x, w, b},
                {real("alpha", 1), real("beta", 1), integer("transB", 1)});
}

void build_mlp(GraphBuilder& g, const Sizes& sizes) {
  Name x = g.input("input", DType::float32, {sizes.batch, fixed(784)});
  x = g.node("Relu", "relu1", {gemm_layer(g, "fc1", x, 784, 512, he(784))});
  x = g.node("Relu", "relu2", {gemm_layer(g, "fc2", x, 512, 512, he(512))});
  x = gemm_layer(g, "fc3", x, 512, 10, lecun(512));
  g.output("logits", x, DType::float32, {sizes.batch, fixed(10)});
}

void build_lenet(GraphBuilder& g, const Sizes& sizes) {
  const auto conv = [&g](const std::string& scope, const Name& x, std::int64_t in, std::int64_t out,
                         std::int64_t pad) {
    const Name w = g.weight(scope + ".weight", {out, in, 5, 5}, he(in * 25));
    const Name b = g.weight(scope + ".bias", {out}, around_zero(0.01));
    const Name y =
        g.node("Conv", scope, {x, w, b},
               {ints("dilations", {1, 1}), integer("group", 1), ints("kernel_shape", {5, 5}),
                ints("pads", {pad, pad, pad, pad}), ints("strides", {1, 1})});
    const Name r = g.node("Relu", scope, {y});
    return g.node("MaxPool", scope, {r}, {ints("kernel_shape", {2, 2}), ints("strides", {2, 2})});
  };
  Name x = g.input("input", DType::float32, {sizes.batch, fixed(1), fixed(28), fixed(28)});
  x = conv("conv1", x, 1, 6, 2);
  x = conv("conv2", x, 6, 16, 0);
  x = g.node("Flatten", "", {x}, {integer("axis", 1)});
  x = g.node("Relu", "relu3", {gemm_layer(g, "fc1", x, 400, 120, he(400))});
  x = g.node("Relu", "relu4", {gemm_layer(g, "fc2", x, 120, 84, he(120))});
  x = gemm_layer(g, "fc3", x, 84, 10, lecun(84));
  g.output("logits", x, DType::float32, {sizes.batch, fixed(10)});
}

void build_lstm(GraphBuilder& g, const Sizes& sizes) {
  constexpr std::int64_t kIn = 128;
  constexpr std::int64_t kHidden = 256;
  constexpr std::int64_t kTags = 32;
  const Name in = g.input("input", DType::float32, {sizes.batch, sizes.sequence, fixed(kIn)});
  Name x = g.node("Transpose", "", {in}, {ints("perm", {1, 0, 2})});
  std::int64_t width = kIn;
  for (const std::string scope : {"lstm1", "lstm2"}) {
    const Name w = g.weight(scope + ".W", {1, 4 * kHidden, width}, lecun(width));
    const Name r = g.weight(scope + ".R", {1, 4 * kHidden, kHidden}, lecun(kHidden));
    const Name b = g.weight(scope + ".B", {1, 8 * kHidden}, around_zero(0.05));
    const Name y = g.node("LSTM", scope, {x, w, r, b}, {integer("hidden_size", kHidden)}, 3);
    x = g.node("Squeeze", scope, {y, g.vector_int64({1})});
    width = kHidden;
  }
  x = g.node("Transpose", "", {x}, {ints("perm", {1, 0, 2})});
  const Name w = g.weight("head.weight", {kHidden, kTags}, lecun(kHidden));
  x = g.node("MatMul", "head", {x, w});
  x = g.node("Add", "head", {g.weight("head.bias", {kTags}, around_zero(0.01)), x});
  g.output("tags", x, DType::float32, {sizes.batch, sizes.sequence, fixed(kTags)});
}

}  // namespace neurolens::onnx::zoo
