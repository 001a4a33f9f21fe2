#include "op_costs/formula.hpp"

namespace neurolens::onnx::costs {
namespace {

bool nothing(const View& /*view*/, const Formula& /*formula*/, Count& /*count*/) {
  return true;
}

/// Scatters may add up.
bool scatter(const View& view, const Formula& /*formula*/, Count& count) {
  if (view.node().text_or("reduction", "none") == "none") return true;
  if (view.in(2) == nullptr) return false;
  count.vector = elements(*view.in(2));
  return true;
}

/// By the mode: nearest, linear, cubic.
bool resize(const View& view, const Formula& /*formula*/, Count& count) {
  if (view.out(0) == nullptr) return false;
  const std::string_view mode = view.node().text_or("mode", "nearest");
  const bool linear = mode == "linear" || mode == "bilinear";
  const bool cubic = mode == "cubic" || mode == "bicubic";
  if (!linear && !cubic && mode != "nearest") return false;
  count.vector = (linear ? 4 : cubic ? 8 : 0) * elements(*view.out(0));
  return true;
}

constexpr Formula kTable[] = {
    {"view",
     "Reshape Flatten Squeeze Unsqueeze Identity Constant Shape Size Dropout Optional "
     "OptionalGetElement OptionalHasElement SequenceConstruct SequenceAt SequenceEmpty "
     "SequenceInsert SequenceErase SequenceLength",
     "0", nothing, Traffic::none, 0, 0, "inference: Dropout passes its input on"},
    {"move",
     "Transpose Concat Pad Cast CastLike BitCast Split SplitToSequence ConcatFromSequence "
     "DepthToSpace SpaceToDepth ReverseSequence Trilu Compress MaxUnpool CenterCropPad Col2Im "
     "NonZero Unique TensorScatter ms:Trilu nchwc:ReorderInput "
     "nchwc:ReorderOutput ms:UnfoldTensor",
     "0", nothing},
    {"slice", "Slice", "0", nothing, Traffic::taken, 0, 0,
     "only the slice is read, not the whole input"},
    {"gather", "Gather GatherND GatherElements ArrayFeatureExtractor", "0", nothing, Traffic::taken,
     0, 0, "the rows taken, once read and once written; not the table"},
    {"fill", "ConstantOfShape Range EyeLike OneHot Expand Tile RandomNormal RandomUniform", "0",
     nothing, Traffic::written, 0, 0, "what is repeated is small beside the result"},
    {"scatter", "Scatter ScatterElements ScatterND", "0, + updates when they are added up",
     scatter},
    {"resize", "Resize Upsample GridSample nchwc:Upsample", "0 nearest, 4 N linear, 8 N cubic",
     resize, Traffic::all, 0, 0, "coordinates are not counted"},
};

}  // namespace

std::span<const Formula> movement_formulas() {
  return kTable;
}

}  // namespace neurolens::onnx::costs
