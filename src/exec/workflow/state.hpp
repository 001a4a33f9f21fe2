/// \file
/// A workflow after checking and matrix expansion.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "neurolens/exec/topology.hpp"
#include "neurolens/exec/workflow.hpp"

namespace neurolens::exec {

/// A piece of a text: literal, or a reference to a step's value or output.
struct TextPart {
  enum class Kind : std::uint8_t { literal, value, output, directory };
  Kind kind = Kind::literal;
  std::string text;                  ///< The literal, the path of members, or the output's name.
  std::vector<std::uint32_t> steps;  ///< Instances referred to.
};
using Template = std::vector<TextPart>;

/// One step of the expanded graph.
struct StepInstance {
  std::string id;
  std::uint32_t definition = 0;
  std::map<std::string, json::Value> cell;                  ///< Values of its matrix keys.
  std::vector<Template> words;                              ///< Command, or one text for the shell.
  std::vector<std::pair<std::string, json::Value>> inputs;  ///< Strings in them are in `templates`.
  std::vector<Template> templates;  ///< Of string inputs, in the order of a depth-first walk.
  std::map<std::string, Template> environment;
  std::map<std::string, Template> outputs;
  Template directory;
  std::optional<Template> condition;
};

struct Workflow::State {
  WorkflowDefinition definition;
  const WorkflowFunctions* functions = nullptr;
  std::vector<StepInstance> steps;
  std::vector<Edge> edges;
};

namespace detail {

/// Of a key of a step; of the step where the key was not written.
[[nodiscard]] SourcePlace place_of(const StepDefinition& step, const std::string& key);
/// "FILE: line L, column C".
[[nodiscard]] std::string place_text(const std::string& file, const SourcePlace& place);
/// Matrix expansion, references, edges. Errors: see Workflow::make.
[[nodiscard]] Status expand(Workflow::State& state);
/// Programs, functions and their types, output folders. Errors: see Workflow::make.
[[nodiscard]] Status check(const Workflow::State& state);
/// Order of the steps by dependency, then by file.
[[nodiscard]] std::vector<std::uint32_t> order_of(const Workflow::State& state);
/// A template without references as one text.
[[nodiscard]] std::string literal_text(const Template& parts);

}  // namespace detail
}  // namespace neurolens::exec
