/// \file
/// The description of the artifact: which keys each struct has, what they hold and which values are
/// legal. Reader, writer, checker, schema and reference page all walk these tables, so that they
/// cannot disagree. The tables are data, not templates: one small walker each, quick to compile.
#pragma once

#include <cfloat>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "neurolens/run/types.hpp"

namespace neurolens::run::detail {

/// What a value is. `integers`, `numbers` and `flags` are bulk columns with a fast path.
enum class Kind : std::uint8_t {
  boolean,
  integer,
  number,
  text,
  object,
  optional,
  list,
  map,
  integers,
  numbers,
  flags,
};

enum class Format : std::uint8_t { none, uuid, date_time, sha256, version };

/// Legal values of a leaf; reaches through optionals, lists and maps to the values within.
struct Rule {
  std::int64_t min = -std::numeric_limits<std::int64_t>::max();  ///< kMissing is no value.
  std::int64_t max = std::numeric_limits<std::int64_t>::max();
  double low = -DBL_MAX;         ///< Of numbers; infinities are never legal.
  bool above_low = false;        ///< Numbers: `low` itself is illegal.
  bool missing_allowed = false;  ///< Columns: entries may be null.
  bool filled = false;           ///< Texts: not empty.
  Format format = Format::none;
  std::span<const std::string_view> choices;  ///< Texts: one of these, when there are any.
};

constexpr Rule any() {
  return {};
}
constexpr Rule filled() {
  Rule rule;
  rule.filled = true;
  return rule;
}
constexpr Rule at_least(std::int64_t least) {
  Rule rule;
  rule.min = least;
  rule.low = static_cast<double>(least);
  return rule;
}
constexpr Rule above_zero() {
  Rule rule = at_least(1);
  rule.low = 0;
  rule.above_low = true;
  return rule;
}
constexpr Rule between(std::int64_t least, std::int64_t most) {
  Rule rule = at_least(least);
  rule.max = most;
  return rule;
}
constexpr Rule or_missing(Rule rule) {
  rule.missing_allowed = true;
  return rule;
}
constexpr Rule of(Format format) {
  Rule rule;
  rule.format = format;
  return rule;
}
constexpr Rule one_of(std::span<const std::string_view> choices) {
  Rule rule;
  rule.choices = choices;
  return rule;
}

struct Object;

/// How to walk and fill a C++ type without knowing it. Members that a kind does not need are null.
struct Type {
  Kind kind = Kind::text;
  const Type* element = nullptr;                          // optional, list, map
  const Object& (*object)() = nullptr;                    // object
  void* (*engage)(void*) = nullptr;                       // optional: makes a value
  const void* (*look)(const void*) = nullptr;             // optional: its value or null
  void* (*append)(void*) = nullptr;                       // list: a new last element
  void (*reserve)(void*, std::size_t) = nullptr;          // list: room for so many
  std::size_t (*size)(const void*) = nullptr;             // list
  const void* (*at)(const void*, std::size_t) = nullptr;  // list
  void* (*insert)(void*, const std::string&) = nullptr;   // map: null when the key is there
  using Visit = void (*)(void* context, const std::string& key, const void* value);
  void (*each)(const void*, void* context, Visit) = nullptr;  // map, in key order
};

/// One key of an object.
struct Field {
  std::string_view key;
  const Type* type = nullptr;
  Rule rule;
  std::string_view doc;
  void* (*member)(void* host) = nullptr;

  [[nodiscard]] const void* look(const void* host) const {
    return member(const_cast<void*>(host));  // the accessor only adds an offset
  }
};

/// A struct: its name in the schema, what it is, and its keys in the order of the document.
struct Object {
  std::string_view name;
  std::string_view doc;
  std::span<const Field> fields;  ///< At most 64.
};

/// What a document holds besides the Run.
struct Head {
  std::string schema_version;
  std::string content_hash;
};

/// The table of a struct; defined in describe_*.cpp.
template <class T>
const Object& object_of();
template <>
const Object& object_of<Cache>();
template <>
const Object& object_of<Gpu>();
template <>
const Object& object_of<Host>();
template <>
const Object& object_of<Software>();
template <>
const Object& object_of<Tensor>();
template <>
const Object& object_of<Workload>();
template <>
const Object& object_of<Config>();
template <>
const Object& object_of<OriginalNode>();
template <>
const Object& object_of<Cost>();
template <>
const Object& object_of<Kernel>();
template <>
const Object& object_of<Estimate>();
template <>
const Object& object_of<Op>();
template <>
const Object& object_of<Iterations>();
template <>
const Object& object_of<Samples>();
template <>
const Object& object_of<Track>();
template <>
const Object& object_of<Timeline>();
template <>
const Object& object_of<CounterTrack>();
template <>
const Object& object_of<Frame>();
template <>
const Object& object_of<Profile>();
template <>
const Object& object_of<LedgerEntry>();
template <>
const Object& object_of<Overhead>();
template <>
const Object& object_of<Memory>();
template <>
const Object& object_of<Ceiling>();
template <>
const Object& object_of<Run>();
template <>
const Object& object_of<Head>();

template <class T>
struct TypeOf {
  static constexpr Type make() {
    Type type;
    type.kind = Kind::object;
    type.object = &object_of<T>;
    return type;
  }
  static constexpr Type kType = make();
};

template <class T>
struct TypeOf<std::optional<T>> {
  static constexpr Type make() {
    Type type;
    type.kind = Kind::optional;
    type.element = &TypeOf<T>::kType;
    type.engage = [](void* p) -> void* { return &static_cast<std::optional<T>*>(p)->emplace(); };
    type.look = [](const void* p) -> const void* {
      const auto& maybe = *static_cast<const std::optional<T>*>(p);
      return maybe ? &*maybe : nullptr;
    };
    return type;
  }
  static constexpr Type kType = make();
};

template <class T>
struct TypeOf<std::vector<T>> {
  using List = std::vector<T>;
  static constexpr Type make() {
    Type type;
    type.kind = Kind::list;
    type.element = &TypeOf<T>::kType;
    type.append = [](void* p) -> void* { return &static_cast<List*>(p)->emplace_back(); };
    type.reserve = [](void* p, std::size_t count) { static_cast<List*>(p)->reserve(count); };
    type.size = [](const void* p) { return static_cast<const List*>(p)->size(); };
    type.at = [](const void* p, std::size_t i) -> const void* {
      return &(*static_cast<const List*>(p))[i];
    };
    return type;
  }
  static constexpr Type kType = make();
};

template <class T>
struct TypeOf<std::map<std::string, T>> {
  using Map = std::map<std::string, T>;
  static constexpr Type make() {
    Type type;
    type.kind = Kind::map;
    type.element = &TypeOf<T>::kType;
    type.insert = [](void* p, const std::string& key) -> void* {
      const auto [place, added] = static_cast<Map*>(p)->try_emplace(key);
      return added ? &place->second : nullptr;
    };
    type.each = [](const void* p, void* context, Type::Visit visit) {
      for (const auto& [key, value] : *static_cast<const Map*>(p)) visit(context, key, &value);
    };
    return type;
  }
  static constexpr Type kType = make();
};

template <Kind kind>
struct LeafType {
  static constexpr Type make() {
    Type type;
    type.kind = kind;
    return type;
  }
  static constexpr Type kType = make();
};
template <>
struct TypeOf<bool> : LeafType<Kind::boolean> {};
template <>
struct TypeOf<std::int64_t> : LeafType<Kind::integer> {};
template <>
struct TypeOf<double> : LeafType<Kind::number> {};
template <>
struct TypeOf<std::string> : LeafType<Kind::text> {};
template <>
struct TypeOf<std::vector<std::int64_t>> : LeafType<Kind::integers> {};
template <>
struct TypeOf<std::vector<double>> : LeafType<Kind::numbers> {};
template <>
struct TypeOf<std::vector<std::uint8_t>> : LeafType<Kind::flags> {};

template <class M>
struct MemberPointer;
template <class H, class T>
struct MemberPointer<T H::*> {
  using Host = H;
  using Value = T;
};

/// The field of `kMember`, a pointer to a data member: `field<&Cache::level>("level", ...)`.
template <auto kMember>
Field field(std::string_view key, const Rule& rule, std::string_view doc) {
  using Pointer = MemberPointer<decltype(kMember)>;
  return {key, &TypeOf<typename Pointer::Value>::kType, rule, doc, [](void* host) -> void* {
            return &(static_cast<typename Pointer::Host*>(host)->*kMember);
          }};
}

}  // namespace neurolens::run::detail
