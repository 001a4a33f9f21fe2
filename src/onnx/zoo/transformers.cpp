// Transformers: BERT (Devlin et al. 2019), GPT-2 small (Radford et al. 2019), ViT-B/16 (Dosovitskiy
// et al. 2021). Layers are written out as exporters write them: MatMul and Add apart, Gelu as its
// formula, scores scaled by a Div; finding the fusions is the runtime's work.
#include <cmath>

#include "architectures.hpp"

namespace neurolens::onnx::zoo {
namespace {

struct Width {
  std::int64_t model = 768;
  std::int64_t heads = 12;
  std::int64_t inner = 3072;
  float epsilon = 1e-5F;
};

constexpr double kDeviation = 0.02;  // initial standard deviation of all three publications

Name dense(GraphBuilder& g, const std::string& scope, const Name& x, std::int64_t in,
           std::int64_t out) {
  const Name w = g.weight(scope + ".weight", {in, out}, around_zero(kDeviation));
  const Name y = g.node("MatMul", scope, {x, w});
  return g.node("Add", scope, {g.weight(scope + ".bias", {out}, around_zero(kDeviation)), y});
}

Name layer_norm(GraphBuilder& g, const std::string& scope, const Name& x, const Width& width) {
  const Name gamma = g.weight(scope + ".weight", {width.model}, {1, 0.1F});
  const Name beta = g.weight(scope + ".bias", {width.model}, around_zero(kDeviation));
  return g.node("LayerNormalization", scope, {x, gamma, beta},
                {integer("axis", -1), real("epsilon", width.epsilon)});
}

/// 0.5 x (1 + erf(x / sqrt 2)).
Name gelu_erf(GraphBuilder& g, const std::string& scope, const Name& x) {
  const Name scaled = g.node("Div", scope, {x, g.scalar(1.41421356F)});
  const Name erf = g.node("Add", scope, {g.node("Erf", scope, {scaled}), g.scalar(1)});
  return g.node("Mul", scope, {g.node("Mul", scope, {x, erf}), g.scalar(0.5F)});
}

/// 0.5 x (1 + tanh(sqrt(2 / pi) (x + 0.044715 x^3))).
Name gelu_tanh(GraphBuilder& g, const std::string& scope, const Name& x) {
  const Name half = g.node("Mul", scope, {x, g.scalar(0.5F)});
  const Name cube = g.node("Pow", scope, {x, g.scalar(3)});
  const Name sum = g.node("Add", scope, {x, g.node("Mul", scope, {cube, g.scalar(0.044715F)})});
  const Name tanh = g.node("Tanh", scope, {g.node("Mul", scope, {sum, g.scalar(0.79788456F)})});
  return g.node("Mul", scope, {half, g.node("Add", scope, {tanh, g.scalar(1)})});
}

/// [batch, sequence, model] -> [batch, heads, sequence, model / heads] in the order of `perm`.
Name split_heads(GraphBuilder& g, const std::string& scope, const Name& x, const Width& width,
                 const std::vector<std::int64_t>& perm) {
  const Name shape = g.vector_int64({0, 0, width.heads, width.model / width.heads});
  return g.node("Transpose", scope, {g.node("Reshape", scope, {x, shape})}, {ints("perm", perm)});
}

Name scores(GraphBuilder& g, const std::string& scope, const Name& q, const Name& k_transposed,
            const Width& width) {
  const Name product = g.node("MatMul", scope, {q, k_transposed});
  const double depth = static_cast<double>(width.model) / static_cast<double>(width.heads);
  return g.node("Div", scope, {product, g.scalar(static_cast<float>(std::sqrt(depth)))});
}

/// softmax(scores) v, heads joined again.
Name attend(GraphBuilder& g, const std::string& scope, const Name& masked, const Name& v,
            const Width& width) {
  const Name weights = g.node("Softmax", scope, {masked}, {integer("axis", -1)});
  const Name context = g.node("MatMul", scope, {weights, v});
  const Name joined = g.node("Transpose", scope, {context}, {ints("perm", {0, 2, 1, 3})});
  return g.node("Reshape", scope, {joined, g.vector_int64({0, 0, width.model})});
}

std::vector<std::int64_t> range(std::int64_t count) {
  std::vector<std::int64_t> values(static_cast<std::size_t>(count));
  for (std::int64_t i = 0; i < count; ++i) values[static_cast<std::size_t>(i)] = i;
  return values;
}

/// Length of the sequence at run time, as a scalar.
Name dynamic_length(GraphBuilder& g, const Name& tokens) {
  return g.node("Gather", "length", {g.node("Shape", "length", {tokens}), g.scalar_int64(1)},
                {integer("axis", 0)});
}

/// Rows 0 .. sequence - 1 of the position table.
Name positions(GraphBuilder& g, const Name& table, const Name& tokens, const Dim& sequence) {
  const Name ids = sequence.fixed()
                       ? g.int64s("position_ids", range(*sequence.value), {1, *sequence.value})
                       : g.node("Range", "position_ids",
                                {g.scalar_int64(0), dynamic_length(g, tokens), g.scalar_int64(1)});
  return g.node("Gather", "position_embeddings", {table, ids});
}

struct BertSize {
  Width width;
  int layers;
  std::int64_t vocabulary;
};

Name bert_attention(GraphBuilder& g, const std::string& at, const Name& x, const Name& mask,
                    const Width& width) {
  const std::string self = at + "attention.self.";
  const Name q =
      split_heads(g, self + "query", dense(g, self + "query", x, width.model, width.model), width,
                  {0, 2, 1, 3});
  const Name k = split_heads(g, self + "key", dense(g, self + "key", x, width.model, width.model),
                             width, {0, 2, 3, 1});
  const Name v =
      split_heads(g, self + "value", dense(g, self + "value", x, width.model, width.model), width,
                  {0, 2, 1, 3});
  const std::string scope = at + "attention.self";
  const Name masked = g.node("Add", scope, {scores(g, scope, q, k, width), mask});
  return dense(g, at + "attention.output.dense", attend(g, scope, masked, v, width), width.model,
               width.model);
}

Name bert_layer(GraphBuilder& g, const std::string& at, Name x, const Name& mask,
                const Width& width) {
  Name y = bert_attention(g, at, x, mask, width);
  x = layer_norm(g, at + "attention.output.LayerNorm",
                 g.node("Add", at + "attention.output", {y, x}), width);
  y = dense(g, at + "intermediate.dense", x, width.model, width.inner);
  y = gelu_erf(g, at + "intermediate.intermediate_act_fn", y);
  y = dense(g, at + "output.dense", y, width.inner, width.model);
  return layer_norm(g, at + "output.LayerNorm", g.node("Add", at + "output", {y, x}), width);
}

/// 0 where a token counts, -10000 where it does not, as [batch, 1, 1, sequence].
Name bert_mask(GraphBuilder& g, const Name& mask) {
  const Name wide = g.node("Unsqueeze", "mask", {mask, g.vector_int64({1, 2})});
  const Name real_mask =
      g.node("Cast", "mask", {wide}, {integer("to", static_cast<std::int64_t>(DType::float32))});
  return g.node("Mul", "mask", {g.node("Sub", "mask", {g.scalar(1), real_mask}), g.scalar(-10000)});
}

void bert(GraphBuilder& g, const Sizes& sizes, const BertSize& size) {
  const Width& width = size.width;
  const std::vector<Dim> tokens{sizes.batch, sizes.sequence};
  const Name ids = g.input("input_ids", DType::int64, tokens);
  const Name attention_mask = g.input("attention_mask", DType::int64, tokens);
  const Name segment_ids = g.input("token_type_ids", DType::int64, tokens);
  const auto table = [&](const std::string& name, std::int64_t rows) {
    return g.weight("embeddings." + name + ".weight", {rows, width.model}, around_zero(kDeviation));
  };
  const Name words = g.node("Gather", "embeddings.word_embeddings",
                            {table("word_embeddings", size.vocabulary), ids});
  const Name segments = g.node("Gather", "embeddings.token_type_embeddings",
                               {table("token_type_embeddings", 2), segment_ids});
  Name x = g.node("Add", "embeddings", {words, segments});
  x = g.node("Add", "embeddings",
             {x, positions(g, table("position_embeddings", 512), ids, sizes.sequence)});
  x = layer_norm(g, "embeddings.LayerNorm", x, width);
  const Name mask = bert_mask(g, attention_mask);
  for (int layer = 0; layer < size.layers; ++layer) {
    x = bert_layer(g, "encoder.layer." + std::to_string(layer) + ".", x, mask, width);
  }
  const Name first = g.node("Gather", "pooler", {x, g.scalar_int64(0)}, {integer("axis", 1)});
  const Name pooled = g.node(
      "Tanh", "pooler",
      {gemm_layer(g, "pooler.dense", first, width.model, width.model, around_zero(kDeviation))});
  g.output("last_hidden_state", x, DType::float32,
           {sizes.batch, sizes.sequence, fixed(width.model)});
  g.output("pooler_output", pooled, DType::float32, {sizes.batch, fixed(width.model)});
}

std::string lower_triangle(std::int64_t side) {
  std::string values(static_cast<std::size_t>(side * side), '\0');
  for (std::int64_t row = 0; row < side; ++row) {
    for (std::int64_t column = 0; column <= row; ++column)
      values[static_cast<std::size_t>(row * side + column)] = 1;
  }
  return values;
}

constexpr std::int64_t kGptContext = 1024;

/// true where a token may look, [1, 1, sequence, sequence].
Name causal_mask(GraphBuilder& g, const Name& tokens, const Dim& sequence) {
  const std::int64_t side = sequence.value.value_or(kGptContext);
  const Name triangle = g.booleans("causal_mask", lower_triangle(side), {1, 1, side, side});
  if (sequence.fixed()) return triangle;
  const Name length = g.node("Unsqueeze", "mask", {dynamic_length(g, tokens), g.vector_int64({0})});
  const Name ends = g.node("Concat", "mask", {length, length}, {integer("axis", 0)});
  return g.node("Slice", "mask", {triangle, g.vector_int64({0, 0}), ends, g.vector_int64({2, 3})});
}

Name gpt_attention(GraphBuilder& g, const std::string& at, const Name& x, const Name& mask,
                   const Width& width) {
  const std::string scope = at + "attn";
  const Name qkv = dense(g, scope + ".c_attn", x, width.model, 3 * width.model);
  const Name q_name =
      g.node("Split", scope, {qkv, g.vector_int64({width.model, width.model, width.model})},
             {integer("axis", 2)}, 3);
  const std::string stem = q_name.substr(0, q_name.size() - 1);  // "..._output_"
  const Name q = split_heads(g, scope, q_name, width, {0, 2, 1, 3});
  const Name k = split_heads(g, scope, stem + "1", width, {0, 2, 3, 1});
  const Name v = split_heads(g, scope, stem + "2", width, {0, 2, 1, 3});
  const Name masked =
      g.node("Where", scope, {mask, scores(g, scope, q, k, width), g.scalar(-3.4028235e38F)});
  return dense(g, scope + ".c_proj", attend(g, scope, masked, v, width), width.model, width.model);
}

Name vit_attention(GraphBuilder& g, const std::string& at, const Name& x, const Width& width) {
  const std::string scope = at + "self_attention";
  const Name qkv = dense(g, scope + ".in_proj", x, width.model, 3 * width.model);
  const Name apart = g.node(
      "Reshape", scope, {qkv, g.vector_int64({0, 0, 3, width.heads, width.model / width.heads})});
  const Name stacked = g.node("Transpose", scope, {apart}, {ints("perm", {2, 0, 3, 1, 4})});
  const auto part = [&](std::int64_t index) {
    return g.node("Gather", scope, {stacked, g.scalar_int64(index)}, {integer("axis", 0)});
  };
  const Name q = part(0);
  const Name k = g.node("Transpose", scope, {part(1)}, {ints("perm", {0, 1, 3, 2})});
  const Name v = part(2);
  return dense(g, scope + ".out_proj", attend(g, scope, scores(g, scope, q, k, width), v, width),
               width.model, width.model);
}

/// The class token, once per sample.
Name class_token(GraphBuilder& g, const Name& image, const Dim& batch, const Width& width) {
  const Name token = g.weight("class_token", {1, 1, width.model}, around_zero(kDeviation));
  if (batch.fixed())
    return g.node("Expand", "class_token", {token, g.vector_int64({*batch.value, 1, width.model})});
  const Name size =
      g.node("Gather", "class_token",
             {g.node("Shape", "class_token", {image}), g.vector_int64({0})}, {integer("axis", 0)});
  const Name shape = g.node("Concat", "class_token", {size, g.vector_int64({1, width.model})},
                            {integer("axis", 0)});
  return g.node("Expand", "class_token", {token, shape});
}

}  // namespace

void build_bert_tiny(GraphBuilder& g, const Sizes& sizes) {
  bert(g, sizes, {{128, 2, 512, 1e-12F}, 2, 30522});
}

void build_bert_base(GraphBuilder& g, const Sizes& sizes) {
  bert(g, sizes, {{768, 12, 3072, 1e-12F}, 12, 30522});
}

void build_gpt2(GraphBuilder& g, const Sizes& sizes) {
  constexpr std::int64_t kVocabulary = 50257;
  const Width width;
  const Name ids = g.input("input_ids", DType::int64, {sizes.batch, sizes.sequence});
  const Name words = g.weight("wte.weight", {kVocabulary, width.model}, around_zero(kDeviation));
  const Name places = g.weight("wpe.weight", {kGptContext, width.model}, around_zero(kDeviation));
  const Name mask = causal_mask(g, ids, sizes.sequence);
  Name x =
      g.node("Add", "embed",
             {g.node("Gather", "wte", {words, ids}), positions(g, places, ids, sizes.sequence)});
  for (int layer = 0; layer < 12; ++layer) {
    const std::string at = "h." + std::to_string(layer) + ".";
    const Name attended = gpt_attention(g, at, layer_norm(g, at + "ln_1", x, width), mask, width);
    x = g.node("Add", at + "attn", {attended, x});
    Name y =
        dense(g, at + "mlp.c_fc", layer_norm(g, at + "ln_2", x, width), width.model, width.inner);
    y = dense(g, at + "mlp.c_proj", gelu_tanh(g, at + "mlp.act", y), width.inner, width.model);
    x = g.node("Add", at + "mlp", {x, y});
  }
  x = layer_norm(g, "ln_f", x, width);
  const Name projection =
      g.node("Transpose", "lm_head", {words}, {ints("perm", {1, 0})});  // tied weights
  x = g.node("MatMul", "lm_head", {x, projection});
  g.output("logits", x, DType::float32, {sizes.batch, sizes.sequence, fixed(kVocabulary)});
}

void build_vit_b16(GraphBuilder& g, const Sizes& sizes) {
  const Width width{768, 12, 3072, 1e-6F};
  constexpr std::int64_t kPatches = 196;
  const Name image =
      g.input("input", DType::float32, {sizes.batch, fixed(3), fixed(224), fixed(224)});
  const Name w = g.weight("conv_proj.weight", {width.model, 3, 16, 16}, lecun(3 * 16 * 16));
  const Name b = g.weight("conv_proj.bias", {width.model}, around_zero(kDeviation));
  Name x = g.node("Conv", "conv_proj", {image, w, b},
                  {ints("dilations", {1, 1}), integer("group", 1), ints("kernel_shape", {16, 16}),
                   ints("pads", {0, 0, 0, 0}), ints("strides", {16, 16})});
  x = g.node("Reshape", "patches", {x, g.vector_int64({0, width.model, kPatches})});
  x = g.node("Transpose", "patches", {x}, {ints("perm", {0, 2, 1})});
  x = g.node("Concat", "patches", {class_token(g, image, sizes.batch, width), x},
             {integer("axis", 1)});
  x = g.node("Add", "encoder",
             {x, g.weight("encoder.pos_embedding", {1, kPatches + 1, width.model},
                          around_zero(kDeviation))});
  for (int layer = 0; layer < 12; ++layer) {
    const std::string at = "encoder.layers." + std::to_string(layer) + ".";
    x = g.node("Add", at + "add",
               {vit_attention(g, at, layer_norm(g, at + "ln_1", x, width), width), x});
    Name y = dense(g, at + "mlp.0", layer_norm(g, at + "ln_2", x, width), width.model, width.inner);
    y = dense(g, at + "mlp.3", gelu_erf(g, at + "mlp.1", y), width.inner, width.model);
    x = g.node("Add", at + "add", {x, y});
  }
  x = layer_norm(g, "encoder.ln", x, width);
  x = g.node("Gather", "head", {x, g.scalar_int64(0)}, {integer("axis", 1)});
  x = gemm_layer(g, "heads.head", x, width.model, 1000, around_zero(kDeviation));
  g.output("logits", x, DType::float32, {sizes.batch, fixed(1000)});
}

}  // namespace neurolens::onnx::zoo
