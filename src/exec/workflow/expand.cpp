// Matrix expansion and references between steps.
#include <fmt/format.h>

#include <algorithm>
#include <queue>
#include <set>

#include "neurolens/base/file_system.hpp"
#include "neurolens/base/text.hpp"
#include "state.hpp"

namespace neurolens::exec {
namespace detail {
namespace {

constexpr std::size_t kMostSteps = 1'000'000;

std::string plain(const json::Value& value) {
  if (const std::string* text = value.as_string()) return *text;
  json::Writer writer;
  writer.value(value);
  return std::move(writer).take();
}

class Expander {
 public:
  explicit Expander(Workflow::State& state) : state_(state) {}

  Status run() {
    NEUROLENS_TRY(make_instances());
    for (std::uint32_t i = 0; i < state_.steps.size(); ++i) NEUROLENS_TRY(resolve(i));
    NameOf name_of = [this](std::uint32_t i) { return state_.steps[i].id; };
    auto topology =
        Topology::compile(static_cast<std::uint32_t>(state_.steps.size()), state_.edges, name_of);
    if (!topology.ok()) return std::move(topology).error().at(state_.definition.file);
    return {};
  }

 private:
  Error wrong(const StepDefinition& step, const std::string& key, Errc code,
              std::string message) const {
    return {code, std::move(message), place_text(state_.definition.file, place_of(step, key))};
  }

  Status make_instances() {
    const auto& definitions = state_.definition.steps;
    for (std::uint32_t d = 0; d < definitions.size(); ++d) {
      const StepDefinition& step = definitions[d];
      const auto [it, fresh] = by_id_.emplace(step.id, d);
      if (!fresh) {
        return wrong(
            step, "", Errc::duplicate_name,
            fmt::format("The step \"{}\" exists already, at {}.", step.id,
                        place_text(state_.definition.file, definitions[it->second].place)));
      }
      ids_.push_back(step.id);
      instances_.emplace_back();
      std::size_t cells = 1;
      for (const auto& [key, values] : step.matrix) {
        if (values.empty() || cells > kMostSteps / values.size()) {
          return wrong(
              step, "matrix", Errc::too_large,
              fmt::format("The matrix of \"{}\" is empty or larger than {}.", step.id, kMostSteps));
        }
        cells *= values.size();
      }
      if (state_.steps.size() + cells > kMostSteps) {
        return wrong(step, "matrix", Errc::too_large,
                     fmt::format("The workflow has more than {} steps.", kMostSteps));
      }
      for (std::size_t c = 0; c < cells; ++c) {
        StepInstance instance;
        instance.definition = d;
        std::string label;
        std::size_t rest = c;
        std::size_t block = cells;
        for (const auto& [key, values] : step.matrix) {
          block /= values.size();
          const json::Value& value = values[rest / block];
          rest %= block;
          instance.cell[key] = value;
          label += (label.empty() ? "" : ",") + key + "=" + plain(value);
        }
        instance.id = label.empty() ? step.id : fmt::format("{}[{}]", step.id, label);
        instances_.back().push_back(static_cast<std::uint32_t>(state_.steps.size()));
        state_.steps.push_back(std::move(instance));
      }
    }
    return {};
  }

  // Instances of `id` that an instance may mean: those that agree in the matrix keys they share,
  // when all of the other's keys are shared; else all of them.
  Result<std::vector<std::uint32_t>> targets(const StepInstance& from, const std::string& id,
                                             const std::string& key) const {
    const StepDefinition& step = state_.definition.steps[from.definition];
    const auto it = by_id_.find(id);
    if (it == by_id_.end()) {
      return wrong(step, key, Errc::not_found,
                   fmt::format("Step \"{}\" refers to the step \"{}\", which does not exist.{}",
                               step.id, id, did_you_mean(id, ids_)));
    }
    std::vector<std::uint32_t> out;
    for (const std::uint32_t i : instances_[it->second]) {
      const StepInstance& other = state_.steps[i];
      bool shares_all = true;
      bool agrees = true;
      for (const auto& [name, value] : other.cell) {
        const auto mine = from.cell.find(name);
        if (mine == from.cell.end()) {
          shares_all = false;
        } else if (plain(mine->second) != plain(value)) {
          agrees = false;
        }
      }
      if (!shares_all || agrees) out.push_back(i);
    }
    if (out.empty()) {
      return wrong(step, key, Errc::not_found,
                   fmt::format("No step \"{}\" has the matrix values of \"{}\".", id, from.id));
    }
    return out;
  }

  Result<Template> parse_text(StepInstance& from, std::uint32_t index, const std::string& text,
                              const std::string& key) {
    const StepDefinition& step = state_.definition.steps[from.definition];
    Template out;
    const auto literal = [&](std::string_view piece) {
      if (piece.empty()) return;
      if (out.empty() || out.back().kind != TextPart::Kind::literal)
        out.push_back({TextPart::Kind::literal, "", {}});
      out.back().text += piece;
    };
    std::size_t at = 0;
    while (at < text.size()) {
      const std::size_t open = text.find("${", at);
      literal(std::string_view(text).substr(at, open - at));
      if (open == std::string::npos) break;
      const std::size_t close = text.find('}', open);
      if (close == std::string::npos) {
        return wrong(step, key, Errc::parse_error,
                     fmt::format("\"{}\" has a \"${{\" without \"}}\".", text));
      }
      at = close + 1;
      const std::string name = text.substr(open + 2, close - open - 2);
      if (name.starts_with("matrix.")) {
        const auto it = from.cell.find(name.substr(7));
        if (it == from.cell.end()) {
          return wrong(
              step, key, Errc::not_found,
              fmt::format("\"${{{}}}\": step \"{}\" has no such matrix key.", name, step.id));
        }
        literal(plain(it->second));
      } else if (name.starts_with("steps.")) {
        NEUROLENS_TRY(reference(from, index, name, key, out));
      } else if (name == "run.directory") {
        out.push_back({TextPart::Kind::directory, "", {}});
      } else if (name.find('.') != std::string::npos) {
        return wrong(
            step, key, Errc::not_found,
            fmt::format("\"${{{}}}\" is no reference; known are ${{matrix.KEY}}, "
                        "${{steps.ID.value}}, ${{steps.ID.outputs.NAME}} and ${{run.directory}}.",
                        name));
      } else {
        literal(text.substr(open, close + 1 - open));  // a variable of the shell
      }
    }
    return out;
  }

  Status reference(StepInstance& from, std::uint32_t index, const std::string& name,
                   const std::string& key, Template& out) {
    const StepDefinition& step = state_.definition.steps[from.definition];
    const std::vector<std::string_view> parts = split(name, '.');
    const std::string id(parts[1]);
    const std::string_view what = parts.size() > 2 ? parts[2] : "";
    if ((what != "value" && what != "outputs") || (what == "outputs" && parts.size() != 4)) {
      return wrong(step, key, Errc::not_found,
                   fmt::format("\"${{{}}}\": a step has \"value\" and \"outputs.NAME\".", name));
    }
    NEUROLENS_ASSIGN(std::vector<std::uint32_t> found, targets(from, id, key));
    for (const std::uint32_t t : found) add_edge(t, index, EdgeRule::skip);
    TextPart part{what == "value" ? TextPart::Kind::value : TextPart::Kind::output, "", found};
    for (std::size_t i = 3; i < parts.size(); ++i)
      part.text += (i > 3 ? "." : "") + std::string(parts[i]);
    if (part.kind == TextPart::Kind::output) {
      const auto& outputs = state_.definition.steps[state_.steps[found.front()].definition].outputs;
      if (!outputs.contains(part.text)) {
        return wrong(step, key, Errc::not_found,
                     fmt::format("\"${{{}}}\": step \"{}\" declares no output \"{}\".", name, id,
                                 part.text));
      }
    }
    out.push_back(std::move(part));
    return {};
  }

  void add_edge(std::uint32_t from, std::uint32_t to, EdgeRule rule) {
    if (!seen_.emplace(from, to).second) return;
    state_.edges.push_back({from, to, rule});
  }

  Status input_templates(std::uint32_t index, const json::Value& value) {
    StepInstance& instance = state_.steps[index];
    if (const std::string* text = value.as_string()) {
      NEUROLENS_ASSIGN(Template t, parse_text(instance, index, *text, "with"));
      instance.templates.push_back(std::move(t));
    } else if (value.is_array()) {
      for (const json::Value& v : *value.as_array()) NEUROLENS_TRY(input_templates(index, v));
    } else if (value.is_object()) {
      for (const auto& [k, v] : *value.as_object()) NEUROLENS_TRY(input_templates(index, v));
    }
    return {};
  }

  Status resolve(std::uint32_t index) {
    StepInstance& s = state_.steps[index];
    const StepDefinition& step = state_.definition.steps[s.definition];
    for (const std::string& id : step.after) {
      NEUROLENS_ASSIGN(const std::vector<std::uint32_t> found, targets(s, id, "after"));
      for (const std::uint32_t t : found) add_edge(t, index, EdgeRule::skip);
    }
    const auto add_text = [&](const std::string& text, const std::string& key,
                              Template& to) -> Status {
      NEUROLENS_ASSIGN(to, parse_text(s, index, text, key));
      return {};
    };
    if (step.shell) {
      s.words.resize(1);
      NEUROLENS_TRY(add_text(*step.shell, "run", s.words[0]));
    }
    for (const auto* list : {&step.command, &step.neurolens_command}) {
      for (const std::string& word : *list) {
        s.words.emplace_back();
        NEUROLENS_TRY(add_text(word, list == &step.command ? "run" : "neurolens", s.words.back()));
      }
    }
    for (const auto& [k, v] : step.environment) NEUROLENS_TRY(add_text(v, "env", s.environment[k]));
    for (const auto& [k, v] : step.outputs) NEUROLENS_TRY(add_text(v, "outputs", s.outputs[k]));
    NEUROLENS_TRY(add_text(step.directory, "directory", s.directory));
    if (step.condition) {
      s.condition.emplace();
      NEUROLENS_TRY(add_text(*step.condition, "if", *s.condition));
    }
    if (step.inputs.is_object()) NEUROLENS_TRY(input_templates(index, step.inputs));
    for (const std::string& id : step.after_any_end) {
      NEUROLENS_ASSIGN(const std::vector<std::uint32_t> found, targets(s, id, "after_any_end"));
      for (const std::uint32_t t : found) add_edge(t, index, EdgeRule::run_anyway);
    }
    return {};
  }

  Workflow::State& state_;
  std::map<std::string, std::uint32_t> by_id_;
  std::vector<std::string> ids_;
  std::vector<std::vector<std::uint32_t>> instances_;
  std::set<std::pair<std::uint32_t, std::uint32_t>> seen_;
};

}  // namespace

SourcePlace place_of(const StepDefinition& step, const std::string& key) {
  const auto it = step.places.find(key);
  return it != step.places.end() ? it->second : step.place;
}

std::string place_text(const std::string& file, const SourcePlace& place) {
  if (place.line == 0) return file;
  const std::string text = fmt::format("line {}, column {}", place.line, place.column);
  return file.empty() ? text : file + ": " + text;
}

std::string literal_text(const Template& parts) {
  std::string text;
  for (const TextPart& p : parts) text += p.text;
  return text;
}

Status expand(Workflow::State& state) {
  return Expander(state).run();
}

std::vector<std::uint32_t> order_of(const Workflow::State& state) {
  std::vector<std::uint32_t> left(state.steps.size(), 0);
  std::vector<std::vector<std::uint32_t>> next(state.steps.size());
  for (const Edge& e : state.edges) {
    ++left[e.to];
    next[e.from].push_back(e.to);
  }
  std::priority_queue<std::uint32_t, std::vector<std::uint32_t>, std::greater<>> ready;
  for (std::uint32_t i = 0; i < left.size(); ++i) {
    if (left[i] == 0) ready.push(i);
  }
  std::vector<std::uint32_t> order;
  while (!ready.empty()) {
    order.push_back(ready.top());
    ready.pop();
    for (const std::uint32_t t : next[order.back()]) {
      if (--left[t] == 0) ready.push(t);
    }
  }
  return order;
}

}  // namespace detail

Workflow::Workflow(std::unique_ptr<State> state) : state_(std::move(state)) {}
Workflow::~Workflow() = default;
Workflow::Workflow(Workflow&&) noexcept = default;
Workflow& Workflow::operator=(Workflow&&) noexcept = default;

const std::string& Workflow::name() const {
  return state_->definition.name;
}

std::vector<std::string> Workflow::steps() const {
  std::vector<std::string> out;
  for (const StepInstance& s : state_->steps) out.push_back(s.id);
  return out;
}

Result<Workflow> Workflow::make(WorkflowDefinition definition, const WorkflowFunctions& functions) {
  auto state = std::make_unique<State>();
  state->definition = std::move(definition);
  state->functions = &functions;
  NEUROLENS_TRY(detail::expand(*state));
  NEUROLENS_TRY(detail::check(*state));
  return Workflow(std::move(state));
}

}  // namespace neurolens::exec
