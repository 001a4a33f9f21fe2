/// \file
/// Sessions of prefixes of one model, with one copy of its weights for all of them.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "adapters/onnxruntime/library.hpp"
#include "adapters/onnxruntime/runtime_session.hpp"
#include "neurolens/onnx/cut.hpp"
#include "neurolens/onnx/model.hpp"

namespace neurolens::capture::ort {

/// Loads the weights of the optimised model once and hands them to every session.
class WeightPool {
 public:
  explicit WeightPool(std::shared_ptr<const Library> library) : library_(std::move(library)) {}
  WeightPool(const WeightPool&) = delete;
  WeightPool& operator=(const WeightPool&) = delete;
  ~WeightPool();

  /// Valid as long as the pool. Errors: those of reading `model`; refused.
  Result<SharedWeights> share(const onnx::Model& model, const std::vector<std::string>& names);

 private:
  struct Weight {
    std::unique_ptr<onnx::Tensor> content;
    Handle<OrtValue> value;
  };
  std::shared_ptr<const Library> library_;
  OrtPrepackedWeightsContainer* packed_ = nullptr;
  std::map<std::string, Weight> weights_;
};

/// Makes sessions of prefixes. Not movable: sessions use its weights and must go first.
class CutSessions {
 public:
  /// `folder` takes temporary files. `cutter` and `model` must outlive this.
  CutSessions(std::shared_ptr<const Library> library, const onnx::Model& model,
              const onnx::Cutter& cutter, SessionSettings settings, std::string folder);

  /// The first `k` nodes, with so many values that nothing reads (onnx::CutOptions::padding).
  /// Errors: those of cutting; refused.
  Result<RuntimeSession> open(std::size_t k, std::size_t padding = 0,
                              const std::string& profile_prefix = {});
  /// Why weights are not shared, when they are not.
  [[nodiscard]] const std::optional<std::string>& unshared() const { return unshared_; }

 private:
  Result<RuntimeSession> open_shared(std::size_t k, const onnx::CutOptions& options,
                                     const SessionSettings& settings);

  std::shared_ptr<const Library> library_;
  const onnx::Model& model_;
  const onnx::Cutter& cutter_;
  SessionSettings settings_;
  std::string folder_;
  WeightPool pool_;
  std::optional<std::string> unshared_;
};

}  // namespace neurolens::capture::ort
