#include "neurolens/capture/request.hpp"

#include <array>

namespace neurolens::capture {
namespace {

constexpr std::array<const char*, 4> kMethods{"observed", "corrected", "cut", "auto"};
constexpr std::array<const char*, 4> kLevels{"none", "basic", "extended", "all"};

template <class E>
std::optional<E> find(const std::array<const char*, 4>& names, const std::string& name) {
  for (std::size_t i = 0; i < names.size(); ++i) {
    if (name == names[i]) return static_cast<E>(i);
  }
  return std::nullopt;
}

}  // namespace

const char* to_string(Method method) {
  return kMethods[static_cast<std::size_t>(method)];
}
std::optional<Method> method_from_name(const std::string& name) {
  return find<Method>(kMethods, name);
}
const char* to_string(OptLevel level) {
  return kLevels[static_cast<std::size_t>(level)];
}
std::optional<OptLevel> opt_level_from_name(const std::string& name) {
  return find<OptLevel>(kLevels, name);
}

}  // namespace neurolens::capture
