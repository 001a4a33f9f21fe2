// Every layer and cell against central differences in double precision, through the registry.
#include <gtest/gtest.h>

#include <cmath>
#include <string>
#include <vector>

#include "neurolens/base/random.hpp"
#include "neurolens/base/yaml.hpp"
#include "neurolens/engines/nn/model.hpp"

namespace neurolens::nn {
namespace {

struct Case {
  const char* name;
  const char* layers;  // flow style YAML list
  std::vector<std::int64_t> input;
  bool ids = false;  // input holds ids: no gradient there
};

void PrintTo(const Case& c, std::ostream* out) {
  *out << c.name;
}

const Case kCases[] = {
    {"linear",
     "[{type: linear, units: 3, activation: tanh}, {type: linear, units: 2, activation: sigmoid}]",
     {5}},
    {"linear_relu_sequence", "[{type: linear, units: 3, activation: relu}]", {4, 5}},
    {"activations",
     "[{type: activation, function: gelu}, {type: linear, units: 4}, {type: activation, function: "
     "silu}]",
     {5}},
    {"dropout",
     "[{type: linear, units: 9}, {type: dropout, rate: 0.4}, {type: linear, units: 2}]",
     {5}},
    {"reshape_flatten",
     "[{type: reshape, shape: [2, 3]}, {type: linear, units: 2}, {type: flatten}]",
     {6}},
    {"embedding_position",
     "[{type: embedding, size: 7, width: 3}, {type: position}, {type: flatten}]",
     {4},
     true},
    {"layer_norm", "[{type: linear, units: 6}, {type: layer_norm}, {type: linear, units: 2}]", {5}},
    {"batch_norm", "[{type: linear, units: 6}, {type: batch_norm}, {type: linear, units: 2}]", {5}},
    {"conv2d",
     "[{type: conv2d, filters: 3, kernel: 3, padding: 1, stride: 2}, {type: batch_norm}, {type: "
     "activation, function: "
     "silu}, {type: conv2d, filters: 2, kernel: 2, bias: false}]",
     {2, 6, 5}},
    {"pools",
     "[{type: conv2d, filters: 2}, {type: max_pool, kernel: 2, stride: 1}, {type: avg_pool, "
     "global: true}]",
     {1, 6, 6}},
    {"attention", "[{type: attention, heads: 2}]", {5, 4}},
    {"attention_causal", "[{type: attention, heads: 2, causal: true}, {type: flatten}]", {4, 6}},
    {"residual",
     "[{type: residual, layers: [{type: layer_norm}, {type: linear, units: 4, activation: tanh}]}, "
     "{type: sequential, "
     "layers: [{type: linear, units: 2}]}]",
     {4}},
    {"residual_first_relu",
     "[{type: linear, units: 4}, {type: residual, layers: [{type: linear, units: 4, "
     "activation: sigmoid}, {type: residual, layers: [{type: linear, units: 4}]}]}]",
     {4}},
    {"gru", "[{type: gru, units: 4}]", {5, 3}},
    {"gru_sequences",
     "[{type: gru, units: 4, return_sequences: true}, {type: linear, units: 2}]",
     {3, 3}},
    {"cfc", "[{type: cfc, units: 4}]", {4, 3}},
    {"ssm", "[{type: ssm, units: 3, states: 5, return_sequences: true}]", {4, 3}},
    {"lif", "[{type: lif, units: 4, smooth: true}]", {4, 3}},
    {"adaptive", "[{type: adaptive, nodes: 5, hidden: 4}, {type: linear, units: 3}]", {6}},
    {"adaptive_ticks",
     "[{type: linear, units: 4}, {type: adaptive, nodes: 3, hidden: 4, ticks: 3}]",
     {6}},
    {"adaptive_sequence",
     "[{type: adaptive, nodes: 3, hidden: 4, return_sequences: true}]",
     {4, 3}},
    {"adaptive_dial",
     "[{type: linear, units: 4}, {type: adaptive, nodes: 9, hidden: 3, ticks: 3, phases: {mode: "
     "dial, awake_training: "
     "0.6}}]",
     {6}},
    {"adaptive_controller",
     "[{type: adaptive, nodes: 20, hidden: 3, ticks: 4, phases: {mode: controller, exploration: "
     "0.5}}, {type: linear, "
     "units: 2}]",
     {5}},
    {"adaptive_legacy",
     "[{type: linear, units: 3}, {type: adaptive_legacy, nodes: 3, hidden: 4, ticks: 3}]",
     {5}},
};

class Gradients : public testing::TestWithParam<Case> {};

TEST_P(Gradients, AgreeWithCentralDifferences) {
  const Case& c = GetParam();
  const auto model = yaml::parse(std::string("layers: ") + c.layers);
  ASSERT_TRUE(model.ok()) << model.error();
  auto built = Network<double>::build(*model, Shape{c.input});
  ASSERT_TRUE(built.ok()) << built.error();
  auto& network = *built;
  const std::int64_t rows = 3, in = network.input().elements() * rows,
                     out = network.output().elements() * rows;
  Random random(11);
  std::vector<double> x(static_cast<std::size_t>(in)), weight(static_cast<std::size_t>(out));
  for (auto& v : x) v = c.ids ? static_cast<double>(random.below(7)) : random.normal();
  for (auto& v : weight) v = random.normal();
  for (auto& p : network.params()) p += 0.05 * random.normal();  // away from exact zeros and ones

  const std::uint64_t streams[3] = {5, 0, 9};
  Plan<double> plan(network, rows, kernels::reference_kernels<double>());
  const auto loss = [&] {  // a random linear function of the output
    PassOptions options;
    options.seed = 3, options.step = 7, options.streams = streams;
    const double* y = plan.forward(rows, x.data(), true, options);
    double sum = 0;
    for (std::int64_t i = 0; i < out; ++i) sum += y[i] * weight[static_cast<std::size_t>(i)];
    return sum;
  };
  loss();
  std::vector<double> dy = weight, grads(network.params().size()), dx(x.size());
  plan.backward(dy.data(), grads.data(), false, dx.data());

  const auto check = [&](double& value, double gradient, const std::string& what) {
    const double before = value, step = 1e-5;
    value = before + step;
    const double up = loss();
    value = before - step;
    const double down = loss();
    value = before;
    const double want = (up - down) / (2 * step);
    EXPECT_NEAR(gradient, want, 2e-6 * (1 + std::abs(want))) << what;
  };
  const bool legacy = std::string(c.name) == "adaptive_legacy";
  for (std::size_t i = 0; i < grads.size(); ++i) {
    const auto name = network.name_of(static_cast<std::int64_t>(i));
    if (legacy && name.find("energy") != std::string::npos) continue;  // cut by definition
    check(network.params()[i], grads[i], name);
  }
  for (std::size_t i = 0; !c.ids && i < x.size(); ++i)
    check(x[i], dx[i], "input " + std::to_string(i));

  // Accumulation adds exactly one more gradient.
  loss();
  dy = weight;
  auto twice = grads;
  plan.backward(dy.data(), twice.data(), true);
  for (std::size_t i = 0; i < grads.size(); ++i)
    EXPECT_NEAR(twice[i], 2 * grads[i], 1e-9 * (1 + std::abs(grads[i])));
}

INSTANTIATE_TEST_SUITE_P(Layers, Gradients, testing::ValuesIn(kCases),
                         [](const auto& test) { return std::string(test.param.name); });

}  // namespace
}  // namespace neurolens::nn
