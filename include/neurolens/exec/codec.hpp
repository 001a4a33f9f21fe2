/// \file
/// How a task's result becomes bytes and back: needed to cross processes and to be kept on disk.
/// Known: trivially copyable types (but no pointers), std::string, and vector, pair, optional and
/// map of known types. Specialise Codec for others. The bytes are for the same program on the same
/// machine.
#pragma once

#include <concepts>
#include <cstring>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

namespace neurolens::exec {

/// Specialisations provide
///   static void write(const T& value, std::string& out);              // appends
///   static std::optional<T> read(std::string_view& in);               // takes off the front
/// read() must survive any bytes: nullopt when they make no T.
template <class T>
struct Codec;

template <class T>
concept Encodable = requires(const T& value, std::string& out, std::string_view& in) {
  Codec<T>::write(value, out);
  { Codec<T>::read(in) } -> std::same_as<std::optional<T>>;
};

template <class T>
requires(std::is_trivially_copyable_v<T>&& std::is_default_constructible_v<T> &&
         !std::is_pointer_v<T>) struct Codec<T> {
  static void write(const T& value, std::string& out) {
    out.append(reinterpret_cast<const char*>(&value), sizeof(T));
  }
  static std::optional<T> read(std::string_view& in) {
    if (in.size() < sizeof(T)) return {};
    T value;
    std::memcpy(static_cast<void*>(&value), in.data(), sizeof(T));
    in.remove_prefix(sizeof(T));
    return value;
  }
};

/// Length, then characters.
template <>
struct Codec<std::string> {
  static void write(const std::string& value, std::string& out) {
    Codec<std::size_t>::write(value.size(), out);
    out += value;
  }
  static std::optional<std::string> read(std::string_view& in) {
    const std::optional<std::size_t> size = Codec<std::size_t>::read(in);
    if (!size || *size > in.size()) return {};
    std::string value(in.substr(0, *size));
    in.remove_prefix(*size);
    return value;
  }
};

/// Number of elements, then each.
template <Encodable T>
struct Codec<std::vector<T>> {
  static void write(const std::vector<T>& value, std::string& out) {
    Codec<std::size_t>::write(value.size(), out);
    if constexpr (std::is_trivially_copyable_v<T> && !std::is_same_v<T, bool>) {
      out.append(reinterpret_cast<const char*>(value.data()), value.size() * sizeof(T));
    } else {
      for (const T& element : value) Codec<T>::write(element, out);
    }
  }
  static std::optional<std::vector<T>> read(std::string_view& in) {
    const std::optional<std::size_t> size = Codec<std::size_t>::read(in);
    if (!size) return {};
    std::vector<T> value;
    if constexpr (std::is_trivially_copyable_v<T> && !std::is_same_v<T, bool>) {
      if (*size > in.size() / sizeof(T)) return {};
      value.resize(*size);
      if (*size > 0) std::memcpy(static_cast<void*>(value.data()), in.data(), *size * sizeof(T));
      in.remove_prefix(*size * sizeof(T));
    } else {
      for (std::size_t i = 0; i < *size; ++i) {
        std::optional<T> element = Codec<T>::read(in);
        if (!element) return {};
        value.push_back(std::move(*element));
      }
    }
    return value;
  }
};

template <Encodable A, Encodable B>
requires(!std::is_trivially_copyable_v<std::pair<A, B>>) struct Codec<std::pair<A, B>> {
  static void write(const std::pair<A, B>& value, std::string& out) {
    Codec<A>::write(value.first, out);
    Codec<B>::write(value.second, out);
  }
  static std::optional<std::pair<A, B>> read(std::string_view& in) {
    std::optional<A> first = Codec<A>::read(in);
    if (!first) return {};
    std::optional<B> second = Codec<B>::read(in);
    if (!second) return {};
    return std::pair<A, B>(std::move(*first), std::move(*second));
  }
};

template <Encodable T>
requires(!std::is_trivially_copyable_v<std::optional<T>>) struct Codec<std::optional<T>> {
  static void write(const std::optional<T>& value, std::string& out) {
    out += value ? '\1' : '\0';
    if (value) Codec<T>::write(*value, out);
  }
  static std::optional<std::optional<T>> read(std::string_view& in) {
    if (in.empty()) return {};
    const bool present = in.front() != '\0';
    in.remove_prefix(1);
    if (!present) return std::optional<std::optional<T>>(std::in_place, std::nullopt);
    std::optional<T> value = Codec<T>::read(in);
    if (!value) return {};
    return std::optional<std::optional<T>>(std::in_place, std::move(value));
  }
};

/// Number of entries, then each.
template <Encodable K, Encodable V>
struct Codec<std::map<K, V>> {
  static void write(const std::map<K, V>& value, std::string& out) {
    Codec<std::size_t>::write(value.size(), out);
    for (const auto& [k, v] : value) {
      Codec<K>::write(k, out);
      Codec<V>::write(v, out);
    }
  }
  static std::optional<std::map<K, V>> read(std::string_view& in) {
    const std::optional<std::size_t> size = Codec<std::size_t>::read(in);
    if (!size) return {};
    std::map<K, V> value;
    for (std::size_t i = 0; i < *size; ++i) {
      std::optional<K> k = Codec<K>::read(in);
      if (!k) return {};
      std::optional<V> v = Codec<V>::read(in);
      if (!v) return {};
      value.emplace(std::move(*k), std::move(*v));
    }
    return value;
  }
};

}  // namespace neurolens::exec
