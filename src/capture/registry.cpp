#include <fmt/format.h>
#include <algorithm>

#include "neurolens/capture/adapter.hpp"

namespace neurolens::capture {
namespace {

bool legal_name(std::string_view name) {
  return !name.empty() && std::all_of(name.begin(), name.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_';
  });
}

}  // namespace

Availability Adapter::probe(const Host& host, const CaptureRequest& /*request*/) const {
  return probe(host);
}

Status AdapterRegistry::add(std::unique_ptr<const Adapter> adapter) {
  const std::string_view name = adapter->name();
  if (!legal_name(name)) {
    return Error{
        Errc::bad_request,
        fmt::format("\"{}\" is no name for an adapter; use lower-case letters, digits and _.",
                    name),
        {}};
  }
  if (find(name) != nullptr) {
    return Error{
        Errc::duplicate_name, fmt::format("There is already an adapter called \"{}\".", name), {}};
  }
  adapters_.push_back(std::move(adapter));
  return {};
}

const Adapter* AdapterRegistry::find(std::string_view name) const noexcept {
  const auto hit = std::find_if(adapters_.begin(), adapters_.end(),
                                [&](const auto& adapter) { return adapter->name() == name; });
  return hit == adapters_.end() ? nullptr : hit->get();
}

std::vector<const Adapter*> AdapterRegistry::all() const {
  std::vector<const Adapter*> out;
  out.reserve(adapters_.size());
  for (const auto& adapter : adapters_) out.push_back(adapter.get());
  return out;
}

}  // namespace neurolens::capture
