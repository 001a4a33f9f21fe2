#include <algorithm>

#include "op_costs/formula.hpp"

namespace neurolens::onnx::costs {
namespace {

/// One attention: sizes as in the literature.
struct Heads {
  double batch = 0;
  double heads = 0;
  double queries = 0;   // Sq
  double keys = 0;      // Skv, past included
  double qk_width = 0;  // dqk of one head
  double v_width = 0;   // dv of one head
  bool causal = false;
};

/// Pairs of a query and a key that it sees. The last query sees all keys.
double visible_pairs(const Heads& h) {
  if (!h.causal) return h.queries * h.keys;
  const double rows = std::min(h.queries, h.keys);  // earlier rows see nothing
  return rows * (h.keys - rows) + rows * (rows + 1) / 2;
}

void add_attention(const Heads& h, Count& count) {
  const double pairs = h.batch * h.heads * visible_pairs(h);
  count.matrix += 2 * pairs * (h.qk_width + h.v_width);
  count.vector += 5 * pairs;
  count.transcendental += pairs;
}

double dim(const ObservedTensor* tensor, std::size_t i) {
  return tensor != nullptr && i < tensor->dims.size() ? static_cast<double>(tensor->dims[i]) : 0;
}

/// Attention with its own projection: X [B,S,D], W [D, Q + K + V].
bool projected(const View& view, const Formula& formula, Count& count) {
  const double heads = static_cast<double>(view.node().integer_or("num_heads", 0));
  const auto* x = view.in(0);
  const auto* w = view.in(1);
  if (x == nullptr || w == nullptr || view.out(0) == nullptr || heads <= 0) return false;
  if (x->dims.size() != 3 || w->dims.size() != 2 || view.out(0)->dims.size() != 3) return false;
  const bool quantized = formula.id == "quantized_attention";
  const auto* past = view.in(quantized ? 8 : 4);
  const double tokens = dim(x, 0) * dim(x, 1);
  count.matrix = 2 * tokens * dim(w, 0) * dim(w, 1);
  if (view.has_in(2)) count.vector += tokens * dim(w, 1);
  if (quantized) count.vector += 2 * tokens * dim(w, 1);
  const auto& widths = view.node().integers("qkv_hidden_sizes");
  const double v_hidden = dim(view.out(0), 2);
  const double q_hidden =
      widths.empty() ? (dim(w, 1) - v_hidden) / 2 : static_cast<double>(widths[0]);
  add_attention({dim(x, 0), heads, dim(x, 1), dim(x, 1) + dim(past, 3), q_hidden / heads,
                 v_hidden / heads, view.node().integer_or("unidirectional", 0) != 0},
                count);
  return true;
}

/// Q [B,Sq,H d] or [B,Sq,H,3,d]; K [B,Skv,H d], [B,Skv,H,2,d] or [B,H,Skv,d].
bool multi_head(const View& view, const Formula& /*formula*/, Count& count) {
  const double heads = static_cast<double>(view.node().integer_or("num_heads", 0));
  const auto* q = view.in(0);
  const auto* k = view.in(1);
  if (q == nullptr || view.out(0) == nullptr || heads <= 0 || q->dims.size() < 3) return false;
  const bool packed = q->dims.size() == 5;
  if (!packed && k == nullptr) return false;
  Heads h{dim(q, 0), heads, dim(q, 1), 0, 0, dim(view.out(0), 2) / heads, false};
  h.qk_width = packed ? dim(q, 4) : dim(q, 2) / heads;
  h.keys = packed ? dim(q, 1) : dim(k, k->dims.size() == 4 ? 2 : 1);
  h.keys += dim(view.in(6), 2);
  h.causal = view.node().integer_or("unidirectional", 0) != 0;
  for (std::size_t i = 0; i < 3; ++i) {
    if (view.has_in(3) && view.in(i) != nullptr) count.vector += elements(*view.in(i));
  }
  add_attention(h, count);
  return true;
}

/// Q [B,S,Hq d] (with K and V behind it when those are left out); present keys [B,Hkv,T,d].
bool grouped(const View& view, const Formula& /*formula*/, Count& count) {
  const double heads = static_cast<double>(view.node().integer_or("num_heads", 0));
  const auto* q = view.in(0);
  const auto* present = view.out(1);
  if (q == nullptr || view.out(0) == nullptr || present == nullptr || heads <= 0) return false;
  if (q->dims.size() != 3 || present->dims.size() != 4) return false;
  const double width = dim(present, 3);
  add_attention({dim(q, 0), heads, dim(q, 1), dim(present, 2), width, width, true}, count);
  if (view.node().integer_or("do_rotary", 0) != 0) {
    const double kv_heads = dim(present, 1);
    count.vector += 3 * dim(q, 0) * dim(q, 1) * (heads + kv_heads) * width;
  }
  return true;
}

/// ONNX's own: Q, K, V [B,H,S,d] or [B,S,H d] with the number of heads in attributes.
bool standard(const View& view, const Formula& /*formula*/, Count& count) {
  const auto* q = view.in(0);
  const auto* k = view.in(1);
  const auto* v = view.in(2);
  if (q == nullptr || k == nullptr || v == nullptr) return false;
  Heads h;
  h.batch = dim(q, 0);
  h.causal = view.node().integer_or("is_causal", 0) != 0;
  if (q->dims.size() == 4 && k->dims.size() == 4 && v->dims.size() == 4) {
    h = {h.batch, dim(q, 1), dim(q, 2), dim(k, 2), dim(q, 3), dim(v, 3), h.causal};
  } else {
    h.heads = static_cast<double>(view.node().integer_or("q_num_heads", 0));
    const double kv = static_cast<double>(view.node().integer_or("kv_num_heads", 0));
    if (h.heads <= 0 || kv <= 0 || q->dims.size() != 3 || v->dims.size() != 3) return false;
    h = {h.batch, h.heads, dim(q, 1), dim(k, 1), dim(q, 2) / h.heads, dim(v, 2) / kv, h.causal};
  }
  h.keys += dim(view.in(4), 2);
  add_attention(h, count);
  return true;
}

constexpr Formula kTable[] = {
    {"attention_projected", "ms:Attention",
     "2 B S D (dq + dk + dv), + bias; B H pairs (2 dqk + 2 dv); softmax 5 B H pairs", projected,
     Traffic::all, 0, 0,
     "fused: scores stay in a cache; pairs = Sq Skv, the exact triangle if causal"},
    {"multi_head_attention", "ms:MultiHeadAttention ms:DecoderMaskedMultiHeadAttention",
     "B H pairs (2 dqk + 2 dv); softmax 5 B H pairs; bias of Q, K and V", multi_head, Traffic::all,
     0, 0, "fused: scores stay in a cache; pairs = Sq Skv, the exact triangle if causal"},
    {"grouped_query_attention", "ms:GroupQueryAttention",
     "B Hq pairs (2 dqk + 2 dv); softmax 5 B Hq pairs; rotation 3 per element", grouped,
     Traffic::all, 0, 0, "causal; the length of the present keys is the number of keys seen"},
    {"attention", "Attention", "B Hq pairs (2 dqk + 2 dv); softmax 5 B Hq pairs", standard,
     Traffic::all, 0, 0,
     "fused: scores stay in a cache; pairs = Sq Skv, the exact triangle if causal"},
    {"quantized_attention", "ms:QAttention", "as attention_projected, + 2 per projected element",
     projected, Traffic::all, 0, 0, "integer products count like floating ones"},
};

}  // namespace

std::span<const Formula> attention_formulas() {
  return kTable;
}

}  // namespace neurolens::onnx::costs
