// The graph of a workflow as text, DOT or Mermaid.
#include <fmt/format.h>

#include "neurolens/base/text.hpp"
#include "state.hpp"

namespace neurolens::exec {
namespace {

std::string escaped(std::string_view text) {
  std::string out;
  for (const char c : printable(text)) {
    if (c == '"' || c == '\\') out += '\\';
    out += c;
  }
  return out;
}

std::string mermaid_text(std::string_view text) {
  std::string out;
  for (const char c : printable(text)) {
    if (c == '"') {
      out += "#quot;";
    } else {
      out += c;
    }
  }
  return out;
}

std::string describe(const Workflow::State& state, const StepInstance& s) {
  const StepDefinition& step = state.definition.steps[s.definition];
  if (!step.function.empty()) return "call " + step.function;
  std::string text = step.neurolens_command.empty() ? "" : "neurolens";
  for (const Template& word : s.words) {
    if (!text.empty()) text += ' ';
    for (const TextPart& p : word) {
      if (p.kind == TextPart::Kind::literal) {
        text += p.text;
      } else if (p.kind == TextPart::Kind::directory) {
        text += "${run.directory}";
      } else {
        text += "${" + state.steps[p.steps.front()].id +
                (p.kind == TextPart::Kind::value ? "}" : "." + p.text + "}");
      }
    }
  }
  return text;
}

std::string draw_text(const Workflow::State& state) {
  std::string out;
  for (const std::uint32_t i : detail::order_of(state)) {
    out += printable(state.steps[i].id) + "\n";
    for (const Edge& e : state.edges) {
      if (e.to != i) continue;
      out += fmt::format("  <- {}{}\n", printable(state.steps[e.from].id),
                         e.rule == EdgeRule::run_anyway ? " (any end)" : "");
    }
  }
  return out;
}

std::string draw_dot(const Workflow::State& state) {
  std::string out = fmt::format("digraph \"{}\" {{\n  rankdir=LR;\n  node [shape=box];\n",
                                escaped(state.definition.name));
  for (std::size_t i = 0; i < state.steps.size(); ++i) {
    out += fmt::format("  s{} [label=\"{}\"{}];\n", i, escaped(state.steps[i].id),
                       state.steps[i].condition ? ", style=dashed" : "");
  }
  for (const Edge& e : state.edges) {
    out += fmt::format("  s{} -> s{}{};\n", e.from, e.to,
                       e.rule == EdgeRule::run_anyway ? " [style=dotted]" : "");
  }
  return out + "}\n";
}

std::string draw_mermaid(const Workflow::State& state) {
  std::string out = "flowchart LR\n";
  for (std::size_t i = 0; i < state.steps.size(); ++i) {
    out += fmt::format("  s{}[\"{}\"]\n", i, mermaid_text(state.steps[i].id));
  }
  for (const Edge& e : state.edges) {
    out += fmt::format("  s{} {} s{}\n", e.from, e.rule == EdgeRule::run_anyway ? "-.->" : "-->",
                       e.to);
  }
  return out;
}

}  // namespace

std::string Workflow::draw(DrawFormat format) const {
  switch (format) {
    case DrawFormat::text:
      return draw_text(*state_);
    case DrawFormat::dot:
      return draw_dot(*state_);
    case DrawFormat::mermaid:
      return draw_mermaid(*state_);
  }
  return {};
}

std::string Workflow::plan() const {
  std::string out;
  for (const std::uint32_t i : detail::order_of(*state_)) {
    const StepInstance& s = state_->steps[i];
    std::string text = describe(*state_, s);
    for (char& c : text) {
      if (c == '\n') c = ' ';
    }
    out += fmt::format("{}: {}{}\n", printable(s.id), printable(text),
                       s.condition ? " (conditional)" : "");
  }
  return out;
}

}  // namespace neurolens::exec
