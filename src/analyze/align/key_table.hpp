/// \file
/// A hash table from keys that are hashes already to small values: open addressing in one piece of
/// memory, no node per entry. Looking 100,000 names up is most of what aligning equal plans costs.
#pragma once

#include <bit>
#include <cstddef>
#include <vector>

#include "align/plan_view.hpp"

namespace neurolens::analyze {

/// Holds up to `most` keys, all of them not 0.
template <class Value>
class KeyTable {
 public:
  explicit KeyTable(std::size_t most)
      : slots_(std::bit_ceil(2 * most + 2)), mask_(slots_.size() - 1) {}

  /// The value of `key`, made when it is new.
  Value& operator[](Key key) {
    Slot& slot = slots_[place(key)];
    slot.key = key;
    return slot.value;
  }
  /// nullptr when there is none.
  [[nodiscard]] Value* find(Key key) {
    Slot& slot = slots_[place(key)];
    return slot.key == key ? &slot.value : nullptr;
  }

 private:
  struct Slot {
    Key key = 0;
    Value value{};
  };
  [[nodiscard]] std::size_t place(Key key) const {
    std::size_t at = key & mask_;
    while (slots_[at].key != 0 && slots_[at].key != key) at = (at + 1) & mask_;
    return at;
  }

  std::vector<Slot> slots_;
  std::size_t mask_;
};

}  // namespace neurolens::analyze
