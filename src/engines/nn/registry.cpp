#include "neurolens/engines/nn/registry.hpp"

#include "factories.hpp"
#include "neurolens/base/text.hpp"
#include "neurolens/engines/nn/config.hpp"

namespace neurolens::nn {

std::string Shape::text() const {
  std::string out = "[";
  for (const auto d : dims) out += (out.size() > 1 ? ", " : "") + std::to_string(d);
  return out + "]";
}

template <class T>
Result<std::string> Layer<T>::to_onnx(OnnxGraph&, const std::string&, const T*, const T*) const {
  return Error{Errc::refused,
               "The layer \"" + std::string(type()) + "\" cannot be written as ONNX.", ""};
}
template class Layer<float>;
template class Layer<double>;

template <class T>
Status LayerRegistry<T>::add(std::string name, Factory factory) {
  const auto [at, added] = factories_.emplace(std::move(name), factory);
  if (!added)
    return Error{Errc::duplicate_name, "A layer named \"" + at->first + "\" is already registered.",
                 ""};
  return Status{};
}

template <class T>
Result<LayerPtr<T>> LayerRegistry<T>::make(const json::Value& config) const {
  const json::Value* type = config.find("type");
  if (type == nullptr || type->as_string() == nullptr) {
    return Error{Errc::missing_key, "Every layer needs a key \"type\" with the layer's name.",
                 place_of(config)};
  }
  const auto found = factories_.find(*type->as_string());
  if (found == factories_.end()) {
    return Error{Errc::not_found,
                 "There is no layer \"" + printable(*type->as_string()) + "\"." +
                     did_you_mean(*type->as_string(), names()),
                 place_of(*type)};
  }
  return found->second(*this, config);
}

template <class T>
Result<LayerPtr<T>> LayerRegistry<T>::make_sequence(const json::Value& layers) const {
  const auto* list = layers.as_array();
  if (list == nullptr || list->empty()) {
    return Error{Errc::wrong_type, "\"layers\" must be a list with at least one layer.",
                 place_of(layers)};
  }
  std::vector<LayerPtr<T>> children;
  std::vector<std::string> places;
  for (const auto& node : *list) {
    NEUROLENS_ASSIGN(auto child, make(node));
    children.push_back(std::move(child));
    places.push_back(place_of(node));
  }
  return make_sequential<T>(std::move(children), std::move(places));
}

template <class T>
std::vector<std::string> LayerRegistry<T>::names() const {
  std::vector<std::string> out;
  for (const auto& [name, factory] : factories_) out.push_back(name);
  return out;
}
template class LayerRegistry<float>;
template class LayerRegistry<double>;

namespace {

template <class T>
LayerRegistry<T> make_builtin() {
  LayerRegistry<T> registry;
  // The one list of layers. Names are distinct by construction, so the statuses carry nothing.
  for (const auto add : {add_basic_layers<T>, add_norm_layers<T>, add_image_layers<T>,
                         add_attention_layers<T>, add_containers<T>, add_cells<T>}) {
    const Status added = add(registry);
    assert(added.ok());
    (void)added;
  }
  return registry;
}

}  // namespace

template <>
const LayerRegistry<float>& builtin_layers<float>() {
  static const LayerRegistry<float> registry = make_builtin<float>();
  return registry;
}
template <>
const LayerRegistry<double>& builtin_layers<double>() {
  static const LayerRegistry<double> registry = make_builtin<double>();
  return registry;
}

}  // namespace neurolens::nn
