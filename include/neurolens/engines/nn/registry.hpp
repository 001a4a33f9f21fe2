/// \file
/// Layers by name, and models from configuration.
/// A model is `{name, seed, layers: [{type: ..., ...}, ...]}`; containers hold `layers` of their
/// own.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "neurolens/base/json.hpp"
#include "neurolens/engines/nn/layer.hpp"

namespace neurolens::nn {

/// Factories of layers. A plain value: every test builds its own.
template <class T>
class LayerRegistry {
 public:
  /// Makes an unbound layer from its configuration node. Errors: those of Config::finish.
  using Factory = Result<LayerPtr<T>> (*)(const LayerRegistry<T>& registry,
                                          const json::Value& config);

  /// Errors: duplicate_name.
  Status add(std::string name, Factory factory);
  /// Errors: missing_key without `type`; not_found for an unknown one (with the nearest names).
  [[nodiscard]] Result<LayerPtr<T>> make(const json::Value& config) const;
  /// All the entries of the list `layers` as one sequential container.
  [[nodiscard]] Result<LayerPtr<T>> make_sequence(const json::Value& layers) const;
  [[nodiscard]] std::vector<std::string> names() const;

 private:
  std::map<std::string, Factory, std::less<>> factories_;
};

/// Every layer and cell of this room.
template <class T>
[[nodiscard]] const LayerRegistry<T>& builtin_layers();
template <>
const LayerRegistry<float>& builtin_layers<float>();
template <>
const LayerRegistry<double>& builtin_layers<double>();

}  // namespace neurolens::nn
