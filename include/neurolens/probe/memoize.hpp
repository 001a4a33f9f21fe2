/// \file
/// memoize(): a function that remembers; OperatorCache: solver plans and the like, built once per
/// key.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <tuple>
#include <type_traits>
#include <utility>
#include <vector>

#include "neurolens/probe/keyed_cache.hpp"

namespace neurolens::probe {

/// Bytes that a value owns outside itself; overload in your type's namespace for your own
/// containers.
template <class T>
std::int64_t owned_bytes(const T&) {
  return 0;
}
inline std::int64_t owned_bytes(const std::string& text) {
  return static_cast<std::int64_t>(text.capacity());
}
template <class T>
std::int64_t owned_bytes(const std::vector<T>& v) {
  std::int64_t bytes = static_cast<std::int64_t>(v.capacity() * sizeof(T));
  if constexpr (!std::is_trivially_copyable_v<T>) {
    for (const T& item : v) bytes += owned_bytes(item);
  }
  return bytes;
}

/// Mixes the hashes of a tuple's members; vectors of hashable things are hashable here.
struct TupleHash {
  template <class T>
  static std::size_t one(const T& value) {
    if constexpr (requires {
                    value.begin();
                    value.end();
                  } &&
                  !std::is_convertible_v<T, std::string_view>) {
      std::size_t h = value.size();
      for (const auto& item : value) h = mix(h, one(item));
      return h;
    } else {
      return std::hash<T>{}(value);
    }
  }
  template <class... Ts>
  std::size_t operator()(const std::tuple<Ts...>& key) const {
    return std::apply(
        [](const Ts&... parts) {
          std::size_t h = sizeof...(Ts);
          ((h = mix(h, one(parts))), ...);
          return h;
        },
        key);
  }
  static std::size_t mix(std::size_t h, std::size_t next) {
    h = (h ^ next) * 0x9E3779B97F4A7C15u;
    return h ^ (h >> 29);
  }
};

/// A function with this signature that remembers its results by the exact values of its arguments.
/// Threads: safe. Copies share one cache. Note that NaN never equals itself: it is computed each
/// time, and that 0.0 and -0.0 are one key.
template <class Signature>
class Memoized;
template <class R, class... Args>
class Memoized<R(Args...)> {
 public:
  using Key = std::tuple<std::decay_t<Args>...>;

  Memoized(std::function<R(Args...)> function, Bytes limit)
      : function_(std::move(function)),
        cache_(std::make_shared<KeyedCache<Key, R, TupleHash>>(limit, [](const Key& key,
                                                                         const R& value) {
          const auto owned = std::apply(
              [](const auto&... parts) { return (std::int64_t{0} + ... + owned_bytes(parts)); },
              key);
          return static_cast<std::int64_t>(sizeof(Key) + sizeof(R)) + owned + owned_bytes(value);
        })) {}

  /// The function's result; its exceptions pass through and are not remembered.
  R operator()(Args... args) const {
    const Key key(args...);
    return *cache_->get(key, [&] { return function_(std::forward<Args>(args)...); });
  }
  [[nodiscard]] CacheStatistics statistics() const { return cache_->statistics(); }
  void clear() { cache_->clear(); }

 private:
  std::function<R(Args...)> function_;
  std::shared_ptr<KeyedCache<Key, R, TupleHash>> cache_;
};

/// `auto fast = memoize<double(int, int)>(&slow, Bytes{1 << 20});` `limit`: most bytes held, > 0.
/// Use it for pure functions that cost well over a microsecond; statistics().warning says when it
/// does not pay.
template <class Signature, class Function>
[[nodiscard]] Memoized<Signature> memoize(Function&& function,
                                          Bytes limit = Bytes{std::int64_t{64} << 20}) {
  return {std::forward<Function>(function), limit};
}

/// Plans, factorisations, compiled kernels: expensive to build, shared by many, keyed by
/// configuration. `size` tells the bytes of a plan. A plan that is evicted lives on while someone
/// uses it.
template <class Key, class Plan, class Hash = std::hash<Key>>
class OperatorCache {
 public:
  explicit OperatorCache(Bytes limit, std::function<std::int64_t(const Plan&)> size)
      : cache_(limit,
               [size = std::move(size)](const Key&, const Plan& plan) { return size(plan); }) {}

  /// The plan for `key`, built by `build(key)` when absent; one build per key however many ask.
  template <class Build>
  std::shared_ptr<const Plan> get(const Key& key, Build&& build) {
    return cache_.get(key, [&] { return build(key); });
  }
  [[nodiscard]] CacheStatistics statistics() const { return cache_.statistics(); }
  void clear() { cache_.clear(); }

 private:
  KeyedCache<Key, Plan, Hash> cache_;
};

}  // namespace neurolens::probe
