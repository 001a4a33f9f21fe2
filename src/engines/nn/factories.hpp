// Where the built-in layers come from; each function lives beside its layers.
#pragma once

#include <cmath>
#include <string>
#include <vector>

#include "neurolens/engines/nn/config.hpp"
#include "neurolens/engines/nn/registry.hpp"

namespace neurolens::nn {

template <class T>
Status add_basic_layers(LayerRegistry<T>& registry);
template <class T>
Status add_norm_layers(LayerRegistry<T>& registry);
template <class T>
Status add_image_layers(LayerRegistry<T>& registry);
template <class T>
Status add_attention_layers(LayerRegistry<T>& registry);
template <class T>
Status add_containers(LayerRegistry<T>& registry);
template <class T>
Status add_cells(LayerRegistry<T>& registry);

// Children in order; `places` name their lines in the configuration.
template <class T>
LayerPtr<T> make_sequential(std::vector<LayerPtr<T>> children, std::vector<std::string> places);

inline const std::vector<std::string>& activation_names() {
  static const std::vector<std::string> names = {"identity", "relu", "tanh",
                                                 "sigmoid",  "gelu", "silu"};
  return names;
}

inline kernels::Activation read_activation(Config& config, const char* key,
                                           kernels::Activation fallback) {
  return static_cast<kernels::Activation>(
      config.choice(key, activation_names(), static_cast<std::size_t>(fallback)));
}

// Fan-in uniform: +-sqrt(1 / fan_in), the usual start of dense layers.
inline double fan_in_scale(std::int64_t fan_in) {
  return 1.0 / std::sqrt(static_cast<double>(fan_in));
}

}  // namespace neurolens::nn
