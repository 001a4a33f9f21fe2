/// \file
/// Ids and indices of different things are different types: an op's index cannot be used as a
/// tensor's.
#pragma once

#include <compare>
#include <cstddef>
#include <cstdint>
#include <functional>

namespace neurolens {

/// An index into a sequence of the things that `Tag` names. Default: 0.
template <class Tag>
struct StrongId {
  std::uint32_t value = 0;

  constexpr StrongId() = default;
  constexpr explicit StrongId(std::uint32_t v) : value(v) {}
  constexpr explicit StrongId(std::size_t v) : value(static_cast<std::uint32_t>(v)) {}
  [[nodiscard]] constexpr std::size_t index() const { return value; }
  friend constexpr auto operator<=>(const StrongId&, const StrongId&) = default;
};

}  // namespace neurolens

/// Lets ids be keys of unordered containers.
template <class Tag>
struct std::hash<neurolens::StrongId<Tag>> {
  std::size_t operator()(neurolens::StrongId<Tag> id) const noexcept { return id.value; }
};
