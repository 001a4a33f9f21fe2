/// \file
/// Reads the node lists in fixtures/ (see its README). For tests.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <charconv>
#include <fstream>
#include <map>
#include <sstream>
#include <string>

#include "neurolens/base/text.hpp"
#include "neurolens/onnx/graph.hpp"
#include "source_dir.hpp"

namespace neurolens::onnx::testing_support {

struct Fixture {
  Graph graph;
  ObservedTensors observed;
};

inline DType fixture_type(std::string_view name) {
  static const std::map<std::string_view, DType> kTypes = {
      {"f32", DType::float32}, {"u8", DType::uint8},    {"i8", DType::int8},
      {"i32", DType::int32},   {"i64", DType::int64},   {"bool", DType::boolean},
      {"f16", DType::float16}, {"f64", DType::float64}, {"?", DType::undefined}};
  return kTypes.at(name);
}

inline std::int64_t fixture_integer(std::string_view text) {
  std::int64_t value = 0;
  std::from_chars(text.data(), text.data() + text.size(), value);
  return value;
}

/// "1x3x224x224", "scalar".
inline std::vector<std::int64_t> fixture_dims(std::string_view text) {
  std::vector<std::int64_t> dims;
  if (text == "scalar") return dims;
  for (const std::string_view dim : split(text, 'x')) dims.push_back(fixture_integer(dim));
  return dims;
}

/// "axis=1", "alpha=1f", "activation='Relu'", "pads=[0,0]".
inline Attribute fixture_attribute(const std::string& text) {
  const std::size_t equals = text.find('=');
  Attribute attribute;
  attribute.name = text.substr(0, equals);
  const std::string value = text.substr(equals + 1);
  if (value.front() == '[') {
    attribute.kind = AttributeKind::integers;
    const std::string inner = value.substr(1, value.size() - 2);
    if (inner.empty()) return attribute;
    for (const std::string_view item : split(inner, ',')) {
      attribute.integers.push_back(fixture_integer(item));
    }
  } else if (value.front() == '\'') {
    attribute.kind = AttributeKind::text;
    attribute.text = value.substr(1, value.size() - 2);
  } else if (value.back() == 'f') {
    attribute.kind = AttributeKind::real;
    attribute.real = std::stof(value);
  } else {
    attribute.kind = AttributeKind::integer;
    attribute.integer = fixture_integer(value);
  }
  return attribute;
}

inline Node fixture_node(std::istringstream& words, ObservedTensors& observed) {
  Node node;
  std::string word;
  words >> word;
  const std::size_t colon = word.find(':');
  if (colon != std::string::npos) node.domain = word.substr(0, colon);
  node.op_type = colon == std::string::npos ? word : word.substr(colon + 1);
  enum { kInputs, kOutputs, kAttributes } part = kInputs;
  while (words >> word) {
    if (word == "->") {
      part = kOutputs;
    } else if (word == ";") {
      part = kAttributes;
    } else if (part == kAttributes) {
      node.attributes.push_back(fixture_attribute(word));
    } else if (part == kInputs && word.front() == '@') {
      node.name = word.substr(1);
      std::replace(node.name.begin(), node.name.end(), '~', ' ');
    } else if (word == "-") {
      (part == kInputs ? node.inputs : node.outputs).emplace_back();
    } else if (part == kInputs) {
      node.inputs.push_back(word);
    } else {
      const auto fields = split(word, '|');
      node.outputs.emplace_back(fields[0]);
      observed[node.outputs.back()] = {fixture_type(fields[1]), fixture_dims(fields[2])};
    }
  }
  return node;
}

/// fixtures/`name`.txt.
inline Fixture load_fixture(const std::string& name) {
  const std::string path =
      std::string(NEUROLENS_SOURCE_DIR) + "/src/onnx/fixtures/" + name + ".txt";
  std::ifstream file(path);
  EXPECT_TRUE(file.good()) << path;
  Fixture fixture;
  std::string line;
  while (std::getline(file, line)) {
    std::istringstream words(line);
    std::string kind;
    words >> kind;
    if (kind == "N") {
      fixture.graph.nodes.push_back(fixture_node(words, fixture.observed));
      continue;
    }
    std::string tensor;
    std::string type;
    std::string dims;
    words >> tensor >> type >> dims;
    const ObservedTensor seen{fixture_type(type), fixture_dims(dims)};
    fixture.observed[tensor] = seen;
    if (kind == "W") {
      TensorInfo weight;
      weight.name = tensor;
      weight.type = seen.type;
      weight.dims = seen.dims;
      weight.size = packed_size(seen.type, *element_count(seen.dims)).value_or(Bytes{});
      fixture.graph.initializers.push_back(weight);
    } else {
      fixture.graph.inputs.push_back({tensor, {}});
    }
  }
  return fixture;
}

}  // namespace neurolens::onnx::testing_support
