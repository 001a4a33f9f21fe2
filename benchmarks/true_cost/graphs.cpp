#include "graphs.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace neurolens::capture::true_cost {
namespace {

using Text = const std::string&;

void weight(ModelSpec& m, Text name, std::vector<std::int64_t> dims, float scale = 0.05F) {
  const auto same = [&](const InitializerSpec& one) { return one.name == name; };
  if (std::any_of(m.initializers.begin(), m.initializers.end(), same)) return;
  m.initializers.push_back(random_weights(name, std::move(dims), 7, scale));
}
void node(ModelSpec& m, const char* op, std::vector<std::string> in, Text out, Text name) {
  m.nodes.push_back({op, std::move(in), {out}, name, "", {}});
}
std::int64_t width(const ModelSpec& m) {
  return m.inputs[0].dims.back();
}

void relu(ModelSpec& m, Text in, Text out, Text name) {
  node(m, "Relu", {in}, out, name);
}
void tanh_op(ModelSpec& m, Text in, Text out, Text name) {
  node(m, "Tanh", {in}, out, name);
}
void softmax(ModelSpec& m, Text in, Text out, Text name) {
  node(m, "Softmax", {in}, out, name);
}
void add(ModelSpec& m, Text in, Text out, Text name) {
  weight(m, "bias", {width(m)});
  node(m, "Add", {in, "bias"}, out, name);
}
void norm(ModelSpec& m, Text in, Text out, Text name) {
  weight(m, "norm_scale", {width(m)}, 0.2F);  // or softmax saturates, and denormals cost
  weight(m, "norm_bias", {width(m)});
  node(m, "LayerNormalization", {in, "norm_scale", "norm_bias"}, out, name);
}
void matmul(ModelSpec& m, Text in, Text out, Text name) {
  weight(m, "square", {width(m), width(m)});
  node(m, "MatMul", {in, "square"}, out, name);
}
/// With weights of its own, as layers have: they come from beyond the core's cache when there are
/// many.
void layer(ModelSpec& m, Text in, Text out, Text name) {
  weight(m, out + "_w", {width(m), width(m)});
  node(m, "MatMul", {in, out + "_w"}, out, name);
}
/// Through a layer `times` as wide: two nodes of `times` the work of matmul.
void through(ModelSpec& m, std::int64_t times, Text in, Text out, Text name, const char* between) {
  const auto n = width(m);
  const std::string up = fmt::format("up{}", times);
  const std::string down = fmt::format("down{}", times);
  weight(m, up, {n, times * n});
  weight(m, down, {times * n, n});
  node(m, "MatMul", {in, up}, out + "_up", name + "/up");
  std::string middle = out + "_up";
  if (between != nullptr) {
    node(m, between, {middle}, out + "_bent", name + "/bend");
    middle = out + "_bent";
  }
  node(m, "MatMul", {middle, down}, out, name + "/down");
}
void wide(ModelSpec& m, Text in, Text out, Text name) {
  through(m, 2, in, out, name, nullptr);
}
void feed_forward(ModelSpec& m, Text in, Text out, Text name) {
  through(m, 4, in, out, name, "Tanh");
}
/// softmax(x x') x
void attend(ModelSpec& m, Text in, Text out, Text name) {
  node(m, "Transpose", {in}, out + "_t", name + "/turn");
  node(m, "MatMul", {in, out + "_t"}, out + "_s", name + "/score");
  node(m, "Softmax", {out + "_s"}, out + "_p", name + "/share");
  node(m, "MatMul", {out + "_p", in}, out, name + "/mix");
}
void conv(ModelSpec& m, Text in, Text out, Text name) {
  const auto c = m.inputs[0].dims[1];
  weight(m, "kernel", {c, c, 3, 3});
  node(m, "Conv", {in, "kernel"}, out, name);
  m.nodes.back().attributes = {{"pads", std::vector<std::int64_t>{1, 1, 1, 1}}};
}

std::vector<Part> repeat(const std::vector<Part>& block, int times) {
  std::vector<Part> out;
  for (int i = 0; i < times; ++i) out.insert(out.end(), block.begin(), block.end());
  return out;
}

}  // namespace

ModelSpec chain(const std::vector<std::int64_t>& dims, const std::vector<Part>& parts) {
  ModelSpec model;
  model.opset = 17;
  model.inputs = {{"t0", 1, dims}};
  for (std::size_t i = 0; i < parts.size(); ++i) {
    parts[i].append(model, fmt::format("t{}", i), fmt::format("t{}", i + 1),
                    fmt::format("{}#{}", parts[i].kind, i));
  }
  model.outputs = {{fmt::format("t{}", parts.size()), 1, dims}};
  return model;
}

/// Weights that parts share fit into a core's cache together: where they do not, an op that is
/// added finds those of its like there and one that stands alone does not, and no slope tells the
/// truth. `deep` has more than fit, each layer its own: there an added layer finds as little as the
/// others.
std::vector<Case> cases() {
  const Part r{"relu", relu}, t{"tanh", tanh_op}, s{"softmax", softmax}, a{"add", add},
      n{"norm", norm}, m{"matmul", matmul}, w{"wide", wide}, f{"ffn", feed_forward},
      x{"attend", attend}, c{"conv", conv}, l{"layer", layer};
  std::vector<Case> out;
  out.push_back({"tiny_mlp", {1, 64}, repeat({m, a, r}, 20)});
  out.push_back({"mlp", {8, 256}, repeat({m, a, t}, 12)});
  out.push_back({"conv", {1, 32, 28, 28}, repeat({c, r}, 8)});
  out.push_back({"large_conv", {1, 64, 112, 112}, repeat({c, r}, 2), 2});
  out.push_back({"transformer", {64, 128}, repeat({n, x, a, n, f, a}, 3), 6});
  auto heavy = repeat({r, a}, 20);
  heavy.insert(heavy.begin() + 17, w);
  out.push_back({"one_heavy", {32, 128}, heavy});
  auto pair = repeat({r}, 12);
  pair.insert(pair.begin() + 3, m);
  pair.insert(pair.begin() + 9, w);
  out.push_back({"known_ratio", {16, 128}, pair, 12});
  out.push_back({"softmax_mix", {64, 256}, repeat({m, s, m, a}, 4)});
  out.push_back({"deep", {4, 512}, repeat({l, a, r}, 6), 4});
  return out;
}

}  // namespace neurolens::capture::true_cost
