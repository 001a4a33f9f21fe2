#include "align/plan_view.hpp"

#include <algorithm>
#include <array>

#include "align/key_table.hpp"

namespace neurolens::analyze {
namespace {

Key tensor_key(Key seed, const run::Tensor& tensor) {
  seed = mix(seed, tensor.dtype ? hash_text(*tensor.dtype) : 1);
  if (!tensor.shape) return mix(seed, 2);
  for (const auto dim : *tensor.shape) seed = mix(seed, static_cast<Key>(dim));
  return mix(seed, 3);
}

Key exact_key(const run::Op& op) {
  Key key = hash_text(op.type);
  for (const auto& tensor : op.outputs) key = tensor_key(key, tensor);
  key = mix(key, 4);
  return mix(key, op.attributes_hash ? hash_text(*op.attributes_hash) : 5);
}

Key result_key(const run::Op& op) {
  Key key = 7;
  for (const auto& tensor : op.outputs) key = tensor_key(key, tensor);
  return std::max<Key>(1, key);
}

/// Tells like ops apart: a table of words is longer than one of token types. Not part of
/// exact_key(): what an op reads changes with its neighbours.
Key inputs_key(const run::Op& op) {
  Key key = 6;
  for (const auto& tensor : op.inputs) {
    key = mix(key, tensor.shape ? 3 : 2);
    if (!tensor.shape) continue;
    for (const auto dim : *tensor.shape) key = mix(key, static_cast<Key>(dim));
  }
  return std::max<Key>(1, key);
}

/// Turns (owner, item) pairs, sorted by owner, into lists.
Lists make_lists(std::uint32_t owners,
                 std::vector<std::pair<std::uint32_t, std::uint32_t>>& pairs) {
  Lists lists;
  lists.begin.assign(owners + 1, 0);
  for (const auto& pair : pairs) ++lists.begin[pair.first + 1];
  for (std::uint32_t i = 0; i < owners; ++i) lists.begin[i + 1] += lists.begin[i];
  lists.items.resize(pairs.size());
  std::vector<std::uint32_t> next(lists.begin.begin(), lists.begin.end() - 1);
  for (const auto& pair : pairs) lists.items[next[pair.first]++] = pair.second;
  return lists;
}

}  // namespace

Key mix(Key seed, Key value) {
  Key z = seed + 0x9E3779B97F4A7C15u + value * 0xD1B54A32D192ED03u;
  z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
  z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
  return z ^ (z >> 31);
}

Key hash_text(std::string_view text) {
  Key hash = 0xcbf29ce484222325u;
  for (const char c : text) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3u;
  return std::max<Key>(1, mix(hash, text.size()));
}

Key family_of(std::string_view type) {
  static constexpr std::array<std::string_view, 6> kPrefixes{"Fused", "QLinear",         "Quick",
                                                             "Fast",  "DynamicQuantize", "Conv_"};
  for (const auto prefix : kPrefixes) {
    if (type.size() > prefix.size() && type.starts_with(prefix)) type.remove_prefix(prefix.size());
  }
  for (const std::string_view suffix : {"Integer", "NBits", "BnbX"}) {
    if (type.size() > suffix.size() && type.ends_with(suffix)) type.remove_suffix(suffix.size());
  }
  if (type == "Gemm") type = "MatMul";
  if (type == "SkipLayerNormalization") type = "LayerNormalization";
  return hash_text(type);
}

PlanView::PlanView(const run::Run& run) : Links(links_of(run)) {
  take_atoms(run);
  sort_by_dataflow();
  content = run.ops.size();
  for (const auto& atom : atoms) content = mix(mix(mix(content, atom.op), atom.name), atom.exact);
  for (const auto& op : run.ops) {
    content = mix(content, hash_text(op.name));
    for (const auto& tensor : op.outputs)
      content = mix(content, hash_text(tensor.name.value_or("")));
  }
}

void PlanView::take_atoms(const run::Run& run) {
  atoms.reserve(run.ops.size());
  first_atom.reserve(run.ops.size() + 1);
  type.reserve(run.ops.size());
  for (std::uint32_t i = 0; i < run.ops.size(); ++i) {
    const run::Op& op = run.ops[i];
    first_atom.push_back(static_cast<std::uint32_t>(atoms.size()));
    type.push_back(hash_text(op.type));
    has_origin.push_back(!op.original_nodes.empty());
    const bool single = op.original_nodes.size() <= 1;
    for (const auto& node : op.original_nodes) {
      Atom atom;
      atom.op = i;
      if (!node.name.empty()) atom.name = hash_text(node.name);
      const std::string& kind = node.type ? *node.type : op.type;
      atom.type = hash_text(kind);
      atom.family = family_of(kind);
      atom.exact = single && kind == op.type ? exact_key(op) : atom.type;
      if (single && kind == op.type) atom.inputs = inputs_key(op);
      atoms.push_back(atom);
    }
    if (op.original_nodes.empty())
      atoms.push_back(
          {i, false, 0, 0, family_of(op.type), hash_text(op.type), inputs_key(op), exact_key(op)});
    atoms.back().last = true;
    atoms.back().result = result_key(op);
    if (!op.outputs.empty() && op.outputs[0].name && !op.outputs[0].name->empty())
      atoms.back().output = hash_text(*op.outputs[0].name);
  }
  first_atom.push_back(static_cast<std::uint32_t>(atoms.size()));
}

Links links_of(const run::Run& run) {
  std::size_t outputs = 0;
  std::size_t inputs = 0;
  for (const auto& op : run.ops) {
    outputs += op.outputs.size();
    inputs += op.inputs.size();
  }
  struct Producer {
    std::uint32_t op = kNone;
  };
  KeyTable<Producer> producer(outputs);
  std::vector<std::pair<std::uint32_t, std::uint32_t>> reads;
  reads.reserve(inputs);
  for (std::uint32_t i = 0; i < run.ops.size(); ++i) {
    for (const auto& tensor : run.ops[i].outputs) {
      if (!tensor.name || tensor.name->empty()) continue;
      auto& first = producer[hash_text(*tensor.name)];
      if (first.op == kNone) first.op = i;
    }
  }
  for (std::uint32_t i = 0; i < run.ops.size(); ++i) {
    for (const auto& tensor : run.ops[i].inputs) {
      if (!tensor.name || tensor.name->empty()) continue;
      const auto* found = producer.find(hash_text(*tensor.name));
      if (found != nullptr && found->op != i) reads.emplace_back(i, found->op);
    }
  }
  const auto ops = static_cast<std::uint32_t>(run.ops.size());
  Links links;
  links.producers = make_lists(ops, reads);
  for (auto& pair : reads) std::swap(pair.first, pair.second);
  links.consumers = make_lists(ops, reads);
  return links;
}

/// Depth-first from the ops that nobody reads, inputs in their slots' order; an op comes after what
/// it reads. Where a plan has no tensor names this is the plan's own order.
void PlanView::sort_by_dataflow() {
  enum : std::uint8_t { kFresh, kOpen, kDone };
  std::vector<std::uint8_t> state(ops(), kFresh);
  std::vector<std::pair<std::uint32_t, const std::uint32_t*>> stack;
  order.reserve(ops());
  const auto visit = [&](std::uint32_t root) {
    if (state[root] != kFresh) return;
    state[root] = kOpen;
    stack.emplace_back(root, producers.first(root));
    while (!stack.empty()) {
      const std::uint32_t op = stack.back().first;
      if (stack.back().second != producers.last(op)) {
        const std::uint32_t next = *stack.back().second++;
        if (state[next] == kFresh) {
          state[next] = kOpen;
          stack.emplace_back(next, producers.first(next));
        }
      } else {
        state[op] = kDone;
        order.push_back(op);
        stack.pop_back();
      }
    }
  };
  for (std::uint32_t i = 0; i < ops(); ++i) {
    if (consumers.first(i) == consumers.last(i)) visit(i);
  }
  for (std::uint32_t i = 0; i < ops(); ++i) visit(i);  // cycles through bodies of loops
}

}  // namespace neurolens::analyze
