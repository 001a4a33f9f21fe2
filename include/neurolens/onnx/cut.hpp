/// \file
/// Cutting a graph: models that compute a first part of another model and nothing else.
/// The time of such a prefix, run with no observer, less the time of the prefix before, is what a
/// node costs: exact for any runtime, however opaque. Cut the graph that the runtime executes (its
/// optimised model, dumped) and load the cuts with optimisation off, or a cut may undo a fusion.
///
/// Limits: a tensor that becomes an output is written to a buffer of its own, so a runtime that
/// works in place may copy or allocate where the whole model did not; that is a property of the
/// cut.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "neurolens/base/result.hpp"
#include "neurolens/onnx/graph.hpp"
#include "neurolens/onnx/model.hpp"
#include "neurolens/onnx/types.hpp"

namespace neurolens::onnx {

/// All nodes of `graph` so that each comes after those that it reads from (through subgraphs, too).
/// The file's order when that is one already, as the format demands; otherwise, among the nodes
/// that are ready, the first in the file comes first.
/// Errors: invalid_document for a cycle, and for two nodes that write the same tensor.
[[nodiscard]] Result<std::vector<NodeId>> topological_order(const Graph& graph);

/// Name of the file that a cut with CutWeights::shared refers to.
inline constexpr std::string_view kSharedWeightsFile = "neurolens-shared-weights";

/// Where a cut keeps its weights.
enum class CutWeights : std::uint8_t {
  /// In the cut: it can be loaded by itself.
  embedded,
  /// Large initialisers are declared (name, type, shape) as external data in the file
  /// kSharedWeightsFile; the caller gives their content to the runtime, one copy for all sessions.
  /// For ONNX Runtime (tried with 1.30): OrtApi::AddInitializer for each of Cut::shared_weights,
  /// and
  /// sessions made with one OrtPrepackedWeightsContainer, so that packed forms are shared as well.
  /// The runtime checks that the file exists and does not read it: place an empty file of that name
  /// in a folder and pass the folder as "session.model_external_initializers_file_folder_path".
  shared,
};

struct CutOptions {
  CutWeights weights = CutWeights::embedded;
  /// Initialisers below this size stay in the cut also with CutWeights::shared: shapes, axes and
  /// scales, which a runtime reads while it loads. >= 1.
  Bytes share_from = Bytes{1024};
  /// Scalars that nothing reads, added as inputs with a default. A runtime sizes its bookkeeping by
  /// the number of values, and a size can cross a threshold of its allocator between two prefixes:
  /// measured with several paddings, the step falls elsewhere each time. >= 0; needs IR version 4,
  /// else ignored.
  std::size_t padding = 0;
};

/// A model that computes some of another one's nodes.
struct Cut {
  std::string bytes;          ///< The serialised model.
  std::vector<NodeId> nodes;  ///< What it computes: ids in the original graph, in order.
  /// What it gives: original outputs that it computes (in their order), then the tensors that nodes
  /// outside of it read. A type that nobody told is left to the runtime (TypeKind::unknown).
  std::vector<Value> outputs;
  /// With CutWeights::shared: what the caller must give to the runtime. In the order of the file.
  std::vector<std::string> shared_weights;
};

/// Cuts one model. Const members are safe to call from several threads.
class Cutter {
 public:
  /// Keeps a reference to `model`, which must outlive the Cutter and must not be moved.
  /// `observed` gives the types of tensors inside, which dumped models do not declare.
  /// `order` is the order in which prefixes grow (a runtime's own, say); empty:
  /// topological_order(). Errors: those of topological_order(); bad_request when `order` is not a
  /// permutation of the nodes in which each comes after those that it reads from.
  [[nodiscard]] static Result<Cutter> create(const Model& model, ObservedTensors observed = {},
                                             std::vector<NodeId> order = {});
  Cutter(Cutter&&) noexcept;
  Cutter& operator=(Cutter&&) noexcept;
  ~Cutter();

  [[nodiscard]] const std::vector<NodeId>& order() const;
  /// Names of the outputs of prefix(k), in the order of Cut::outputs. Requires k <= order().size().
  [[nodiscard]] std::vector<std::string> frontier(std::size_t k) const;
  /// The model that computes the first `k` nodes of order(). It has the inputs of the original, all
  /// of them, so the same feeds serve every prefix. prefix(order().size()) is the whole model.
  /// Memory: twice the size of the cut while it is made.
  /// Errors: out_of_range unless 1 <= k <= order().size(); bad_request when the nodes give nothing,
  /// or when a weight is needed that was dropped at loading; too_large at 2 GiB; those of external
  /// data.
  [[nodiscard]] Result<Cut> prefix(std::size_t k, const CutOptions& options = {}) const;

 private:
  struct State;
  explicit Cutter(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace neurolens::onnx
