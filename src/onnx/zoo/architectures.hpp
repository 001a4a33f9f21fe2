/// \file
/// The architectures of the zoo. Private to this room.
#pragma once

#include "builder.hpp"

namespace neurolens::onnx::zoo {

/// What an architecture is built with.
struct Sizes {
  Dim batch;     ///< Fixed, or the symbol "batch".
  Dim sequence;  ///< Fixed, or the symbol "sequence"; unused where there is no sequence.
};

inline Dim fixed(std::int64_t value) {
  return {value, {}};
}

void build_mlp(GraphBuilder& g, const Sizes& sizes);
void build_lenet(GraphBuilder& g, const Sizes& sizes);
void build_lstm(GraphBuilder& g, const Sizes& sizes);
void build_squeezenet(GraphBuilder& g, const Sizes& sizes);
void build_resnet18(GraphBuilder& g, const Sizes& sizes);
void build_resnet50(GraphBuilder& g, const Sizes& sizes);
void build_mobilenetv2(GraphBuilder& g, const Sizes& sizes);
void build_unet(GraphBuilder& g, const Sizes& sizes);
void build_bert_tiny(GraphBuilder& g, const Sizes& sizes);
void build_bert_base(GraphBuilder& g, const Sizes& sizes);
void build_gpt2(GraphBuilder& g, const Sizes& sizes);
void build_vit_b16(GraphBuilder& g, const Sizes& sizes);

/// y = x W^T + b as one Gemm, weights scaled by `fill`.
Name gemm_layer(GraphBuilder& g, const std::string& scope, const Name& x, std::int64_t in,
                std::int64_t out, Fill fill);

}  // namespace neurolens::onnx::zoo
