// Convolutional networks, with batch normalisation as its own node (exporters of trained models
// fold it; here the runtime has that to do): ResNet (He, Zhang, Ren, Sun 2016; stride in the 3x3
// convolution as in common implementations), MobileNetV2 (Sandler et al. 2018), SqueezeNet 1.1
// (Iandola et al. 2016), and a U-Net (Ronneberger, Fischer, Brox 2015; padded, half the width).
#include <array>

#include "architectures.hpp"

namespace neurolens::onnx::zoo {
namespace {

struct ConvShape {
  std::int64_t in = 0;
  std::int64_t out = 0;
  std::int64_t kernel = 1;
  std::int64_t stride = 1;
  std::int64_t groups = 1;
};

Name conv(GraphBuilder& g, const std::string& scope, const Name& x, ConvShape s, bool bias,
          std::int64_t pad) {
  const std::int64_t fan_in = s.in / s.groups * s.kernel * s.kernel;
  const Name w =
      g.weight(scope + ".weight", {s.out, s.in / s.groups, s.kernel, s.kernel}, he(fan_in));
  const std::initializer_list<Attr> attributes{
      ints("dilations", {1, 1}), integer("group", s.groups),
      ints("kernel_shape", {s.kernel, s.kernel}), ints("pads", {pad, pad, pad, pad}),
      ints("strides", {s.stride, s.stride})};
  if (!bias) return g.node("Conv", scope, {x, w}, attributes);
  return g.node("Conv", scope, {x, w, g.weight(scope + ".bias", {s.out}, around_zero(0.01))},
                attributes);
}

/// `gain` scales the output: below 1 on the last layer of a residual branch, so that sums do not
/// grow.
Name batch_norm(GraphBuilder& g, const std::string& scope, const Name& x, std::int64_t channels,
                float gain) {
  const Name gamma = g.weight(scope + ".weight", {channels}, {gain, gain / 10});
  const Name beta = g.weight(scope + ".bias", {channels}, around_zero(0.05));
  const Name mean = g.weight(scope + ".running_mean", {channels}, {0, 0.1F, false});
  const Name variance = g.weight(scope + ".running_var", {channels}, {1, 0.25F, false});
  return g.node("BatchNormalization", scope, {x, gamma, beta, mean, variance},
                {real("epsilon", 1e-5F), real("momentum", 0.9F)});
}

/// Convolution and batch normalisation, padded to keep the size at stride 1.
Name conv_bn(GraphBuilder& g, const std::string& at, const std::string& conv_name,
             const std::string& bn_name, const Name& x, ConvShape s, float gain = 1) {
  const Name y = conv(g, at + conv_name, x, s, false, s.kernel / 2);
  return batch_norm(g, at + bn_name, y, s.out, gain);
}

Name image_input(GraphBuilder& g, const Sizes& sizes, std::int64_t side) {
  return g.input("input", DType::float32, {sizes.batch, fixed(3), fixed(side), fixed(side)});
}

void classifier(GraphBuilder& g, const Sizes& sizes, const std::string& scope, Name x,
                std::int64_t features) {
  x = g.node("GlobalAveragePool", "avgpool", {x});
  x = g.node("Flatten", "", {x}, {integer("axis", 1)});
  x = gemm_layer(g, scope, x, features, 1000, lecun(features));
  g.output("logits", x, DType::float32, {sizes.batch, fixed(1000)});
}

constexpr float kBranchGain = 0.5F;

struct Residual {
  std::int64_t in;
  std::int64_t width;  ///< Of the inner convolutions.
  std::int64_t out;
  std::int64_t stride;
};

Name shortcut(GraphBuilder& g, const std::string& at, const Name& x, const Residual& r) {
  if (r.stride == 1 && r.in == r.out) return x;
  return conv_bn(g, at, "downsample.0", "downsample.1", x, {r.in, r.out, 1, r.stride}, kBranchGain);
}

Name basic_block(GraphBuilder& g, const std::string& at, const Name& x, const Residual& r) {
  Name y = g.node("Relu", at + "relu",
                  {conv_bn(g, at, "conv1", "bn1", x, {r.in, r.width, 3, r.stride})});
  y = conv_bn(g, at, "conv2", "bn2", y, {r.width, r.out, 3, 1}, kBranchGain);
  y = g.node("Add", at + "add", {y, shortcut(g, at, x, r)});
  return g.node("Relu", at + "relu", {y});
}

Name bottleneck(GraphBuilder& g, const std::string& at, const Name& x, const Residual& r) {
  Name y = g.node("Relu", at + "relu", {conv_bn(g, at, "conv1", "bn1", x, {r.in, r.width, 1, 1})});
  y = g.node("Relu", at + "relu",
             {conv_bn(g, at, "conv2", "bn2", y, {r.width, r.width, 3, r.stride})});
  y = conv_bn(g, at, "conv3", "bn3", y, {r.width, r.out, 1, 1}, kBranchGain);
  y = g.node("Add", at + "add", {y, shortcut(g, at, x, r)});
  return g.node("Relu", at + "relu", {y});
}

using Block = Name (*)(GraphBuilder&, const std::string&, const Name&, const Residual&);

void resnet(GraphBuilder& g, const Sizes& sizes, Block block, std::array<int, 4> blocks,
            std::int64_t expansion) {
  Name x = image_input(g, sizes, 224);
  x = conv(g, "conv1", x, {3, 64, 7, 2}, false, 3);
  x = g.node("Relu", "relu", {batch_norm(g, "bn1", x, 64, 1)});
  x = g.node("MaxPool", "maxpool", {x},
             {ints("kernel_shape", {3, 3}), ints("pads", {1, 1, 1, 1}), ints("strides", {2, 2})});
  std::int64_t in = 64;
  for (std::size_t stage = 0; stage < blocks.size(); ++stage) {
    const std::int64_t width = std::int64_t{64} << stage;
    for (int i = 0; i < blocks[stage]; ++i) {
      const std::string at = "layer" + std::to_string(stage + 1) + "." + std::to_string(i) + ".";
      x = block(g, at, x, {in, width, width * expansion, stage > 0 && i == 0 ? 2 : 1});
      in = width * expansion;
    }
  }
  classifier(g, sizes, "fc", x, in);
}

Name relu6(GraphBuilder& g, const std::string& scope, const Name& x) {
  const Name low = g.scalar(0);
  const Name high = g.scalar(6);
  return g.node("Clip", scope, {x, low, high});
}

Name inverted_residual(GraphBuilder& g, const std::string& at, const Name& x, const Residual& r) {
  Name y = x;
  int step = 0;
  const auto layer = [&at, &step](const char* end) {
    return at + "conv." + std::to_string(step) + end;
  };
  if (r.width != r.in) {
    y = conv_bn(g, "", layer(".0"), layer(".1"), y, {r.in, r.width, 1, 1});
    y = relu6(g, layer(".2"), y);
    ++step;
  }
  y = conv_bn(g, "", layer(".0"), layer(".1"), y, {r.width, r.width, 3, r.stride, r.width});
  y = relu6(g, layer(".2"), y);
  y = conv_bn(g, at, "conv." + std::to_string(step + 1), "conv." + std::to_string(step + 2), y,
              {r.width, r.out, 1, 1}, kBranchGain);
  return r.stride == 1 && r.in == r.out ? g.node("Add", at + "add", {x, y}) : y;
}

Name fire(GraphBuilder& g, const std::string& at, const Name& x, std::int64_t in,
          std::int64_t squeeze, std::int64_t expand) {
  const Name s =
      g.node("Relu", at + "squeeze", {conv(g, at + "squeeze", x, {in, squeeze, 1, 1}, true, 0)});
  const Name a = g.node("Relu", at + "expand1x1",
                        {conv(g, at + "expand1x1", s, {squeeze, expand, 1, 1}, true, 0)});
  const Name b = g.node("Relu", at + "expand3x3",
                        {conv(g, at + "expand3x3", s, {squeeze, expand, 3, 1}, true, 1)});
  return g.node("Concat", at + "cat", {a, b}, {integer("axis", 1)});
}

Name pool3(GraphBuilder& g, const Name& x) {
  return g.node("MaxPool", "features", {x},
                {integer("ceil_mode", 1), ints("kernel_shape", {3, 3}), ints("strides", {2, 2})});
}

Name double_conv(GraphBuilder& g, const std::string& at, Name x, std::int64_t in,
                 std::int64_t out) {
  x = g.node("Relu", at + "relu", {conv_bn(g, at, "conv1", "bn1", x, {in, out, 3, 1})});
  return g.node("Relu", at + "relu", {conv_bn(g, at, "conv2", "bn2", x, {out, out, 3, 1})});
}

}  // namespace

void build_resnet18(GraphBuilder& g, const Sizes& sizes) {
  resnet(g, sizes, basic_block, {2, 2, 2, 2}, 1);
}
void build_resnet50(GraphBuilder& g, const Sizes& sizes) {
  resnet(g, sizes, bottleneck, {3, 4, 6, 3}, 4);
}

void build_mobilenetv2(GraphBuilder& g, const Sizes& sizes) {
  struct Stage {
    std::int64_t expand, out, repeat, stride;
  };
  constexpr std::array<Stage, 7> kStages{{{1, 16, 1, 1},
                                          {6, 24, 2, 2},
                                          {6, 32, 3, 2},
                                          {6, 64, 4, 2},
                                          {6, 96, 3, 1},
                                          {6, 160, 3, 2},
                                          {6, 320, 1, 1}}};
  Name x = image_input(g, sizes, 224);
  x = relu6(g, "features.0.2", conv_bn(g, "features.0.", "0", "1", x, {3, 32, 3, 2}));
  std::int64_t in = 32;
  int index = 1;
  for (const Stage& stage : kStages) {
    for (std::int64_t i = 0; i < stage.repeat; ++i) {
      x = inverted_residual(g, "features." + std::to_string(index++) + ".", x,
                            {in, in * stage.expand, stage.out, i == 0 ? stage.stride : 1});
      in = stage.out;
    }
  }
  x = relu6(g, "features.18.2", conv_bn(g, "features.18.", "0", "1", x, {in, 1280, 1, 1}));
  classifier(g, sizes, "classifier.1", x, 1280);
}

void build_squeezenet(GraphBuilder& g, const Sizes& sizes) {
  Name x = image_input(g, sizes, 224);
  x = g.node("Relu", "features.1", {conv(g, "features.0", x, {3, 64, 3, 2}, true, 0)});
  x = fire(g, "features.3.", pool3(g, x), 64, 16, 64);
  x = fire(g, "features.4.", x, 128, 16, 64);
  x = fire(g, "features.6.", pool3(g, x), 128, 32, 128);
  x = fire(g, "features.7.", x, 256, 32, 128);
  x = fire(g, "features.9.", pool3(g, x), 256, 48, 192);
  x = fire(g, "features.10.", x, 384, 48, 192);
  x = fire(g, "features.11.", x, 384, 64, 256);
  x = fire(g, "features.12.", x, 512, 64, 256);
  x = g.node("Relu", "classifier.2", {conv(g, "classifier.1", x, {512, 1000, 1, 1}, true, 0)});
  x = g.node("GlobalAveragePool", "classifier.3", {x});
  x = g.node("Flatten", "", {x}, {integer("axis", 1)});
  g.output("logits", x, DType::float32, {sizes.batch, fixed(1000)});
}

void build_unet(GraphBuilder& g, const Sizes& sizes) {
  constexpr int kLevels = 4;
  std::int64_t width = 32;
  Name x = double_conv(g, "inc.", image_input(g, sizes, 256), 3, width);
  std::vector<Name> skips;
  for (int level = 1; level <= kLevels; ++level) {
    const std::string at = "down" + std::to_string(level) + ".";
    skips.push_back(x);
    x = g.node("MaxPool", at + "pool", {x},
               {ints("kernel_shape", {2, 2}), ints("strides", {2, 2})});
    x = double_conv(g, at, x, width, 2 * width);
    width *= 2;
  }
  for (int level = 1; level <= kLevels; ++level) {
    const std::string at = "up" + std::to_string(level) + ".";
    const std::int64_t half = width / 2;
    const Name w = g.weight(at + "up.weight", {width, half, 2, 2}, lecun(width));
    const Name b = g.weight(at + "up.bias", {half}, around_zero(0.01));
    x = g.node("ConvTranspose", at + "up", {x, w, b},
               {ints("dilations", {1, 1}), integer("group", 1), ints("kernel_shape", {2, 2}),
                ints("pads", {0, 0, 0, 0}), ints("strides", {2, 2})});
    x = g.node("Concat", at + "cat", {skips.back(), x}, {integer("axis", 1)});
    skips.pop_back();
    x = double_conv(g, at, x, width, half);
    width = half;
  }
  x = conv(g, "outc.conv", x, {width, 2, 1, 1}, true, 0);
  g.output("mask", x, DType::float32, {sizes.batch, fixed(2), fixed(256), fixed(256)});
}

}  // namespace neurolens::onnx::zoo
