/// \file
/// One session of ONNX Runtime and the values that go into it.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "adapters/onnxruntime/library.hpp"
#include "neurolens/base/units.hpp"
#include "neurolens/capture/request.hpp"
#include "neurolens/onnx/types.hpp"

namespace neurolens::capture::ort {

struct SessionSettings {
  std::int64_t threads = 1;
  OptLevel optimisation = OptLevel::all;
  std::string provider = "cpu";
  std::string profile_prefix;     ///< Not empty: the runtime's profiler is on and writes here.
  std::string optimized_path;     ///< Not empty: the optimised model is written here...
  std::string optimized_weights;  ///< ...with its weights in this file beside it.
};

/// Weights that several sessions use together: one copy of them, and of their packed forms.
struct SharedWeights {
  std::vector<std::pair<std::string, const OrtValue*>> values;  ///< By name of the initialiser.
  OrtPrepackedWeightsContainer* packed = nullptr;
};

/// Name and type of an input or output as the runtime sees it.
struct Port {
  std::string name;
  onnx::TypeInfo type;
};

/// Content for one input: a tensor, a sequence of tensors, or a map's keys and values.
struct Feed {
  onnx::TypeKind kind = onnx::TypeKind::tensor;
  std::vector<onnx::Tensor> tensors;
};

/// Values that a session can be fed with, made once. Keeps the content alive.
class FeedSet {
 public:
  /// Errors: refused for types that the runtime cannot hold.
  static Result<FeedSet> create(std::shared_ptr<const Library> library, std::vector<Port> ports,
                                std::vector<Feed> feeds);
  [[nodiscard]] const std::vector<Port>& ports() const { return ports_; }
  [[nodiscard]] const std::vector<Feed>& feeds() const { return feeds_; }
  [[nodiscard]] const std::vector<const OrtValue*>& values() const { return raw_; }

 private:
  std::vector<Port> ports_;
  std::vector<Feed> feeds_;
  std::vector<Handle<OrtValue>> values_;
  std::vector<const OrtValue*> raw_;
};

/// A value over the content of `tensor`, which must outlive it. Errors: refused.
Result<Handle<OrtValue>> make_tensor_value(const Library& library, onnx::Tensor& tensor);

class RuntimeSession {
 public:
  /// Errors: refused with the runtime's reason; bad_request for a provider that the library lacks.
  /// `shared` (may be nullptr) must outlive the session.
  static Result<RuntimeSession> create(std::shared_ptr<const Library> library,
                                       const std::string& model_path,
                                       const SessionSettings& settings,
                                       const SharedWeights* shared = nullptr);
  /// The same for a model in memory.
  static Result<RuntimeSession> create_from(std::shared_ptr<const Library> library,
                                            std::string_view model,
                                            const SessionSettings& settings);

  [[nodiscard]] const std::vector<Port>& inputs() const { return inputs_; }
  [[nodiscard]] const std::vector<Port>& outputs() const { return outputs_; }

  /// One inference with all outputs; they are dropped after the clock was read.
  /// Returns its begin (monotonic) and duration. Errors: refused.
  struct Timing {
    Nanoseconds begin;
    Nanoseconds duration;
  };
  [[nodiscard]] Result<Timing> run(const FeedSet& feeds);
  /// Shapes and types of the outputs of one more inference.
  [[nodiscard]] Result<std::vector<onnx::TypeInfo>> probe_outputs(const FeedSet& feeds);

  /// Ends profiling and returns the path of the file.
  [[nodiscard]] Result<std::string> end_profiling();

 private:
  explicit RuntimeSession(std::shared_ptr<const Library> library);
  Status read_ports();
  Status execute(const FeedSet& feeds);
  void drop_outputs();

  std::shared_ptr<const Library> library_;
  Handle<OrtSession> session_;
  std::vector<Port> inputs_;
  std::vector<Port> outputs_;
  std::vector<const char*> input_names_;
  std::vector<const char*> output_names_;
  std::vector<OrtValue*> results_;
};

}  // namespace neurolens::capture::ort
