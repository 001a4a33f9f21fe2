/// \file
/// Graphs of known composition: chains of parts, each of a kind that can be repeated at will.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "model/model_writer.hpp"

namespace neurolens::capture::true_cost {

/// Adds the nodes of one part that turns tensor `in` into `out` of the same shape. Names of its
/// nodes are `name`, or `name` + "/..." when it has several.
using Append = void (*)(ModelSpec& model, const std::string& in, const std::string& out,
                        const std::string& name);

struct Part {
  const char* kind;
  Append append;
};

struct Case {
  const char* name;
  std::vector<std::int64_t> dims;  ///< Of every tensor between parts.
  std::vector<Part> parts;
  int more = 8;  ///< Parts that the longer graphs of the truth have in addition.
};

[[nodiscard]] std::vector<Case> cases();
/// The model of `parts`; part i is named KIND#i.
[[nodiscard]] ModelSpec chain(const std::vector<std::int64_t>& dims,
                              const std::vector<Part>& parts);

}  // namespace neurolens::capture::true_cost
