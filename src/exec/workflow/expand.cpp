// Matrix expansion, references between steps, and every check that needs no run.
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
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

SourcePlace place_of(const StepDefinition& step, const std::string& key) {
  const auto it = step.places.find(key);
  return it != step.places.end() ? it->second : step.place;
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

bool executable(const std::string& program, const std::string& directory) {
  if (program.find('/') != std::string::npos) {
    return access(join_path(directory.empty() ? "." : directory, program).c_str(), X_OK) == 0;
  }
  const char* const path = std::getenv("PATH");
  for (const std::string_view folder : split(path != nullptr ? path : "/bin:/usr/bin", ':')) {
    if (access((std::string(folder.empty() ? "." : folder) + "/" + program).c_str(), X_OK) == 0)
      return true;
  }
  return false;
}

// The program a shell line begins with, when that can be told without being a shell.
std::string shell_program(const std::string& line) {
  static const std::set<std::string, std::less<>> kBuiltIn = {
      ".",        ":",     "[",     "alias", "bg",    "break",  "case",  "cd",   "command",
      "continue", "echo",  "eval",  "exec",  "exit",  "export", "false", "fg",   "for",
      "getopts",  "hash",  "if",    "jobs",  "kill",  "printf", "pwd",   "read", "readonly",
      "return",   "set",   "shift", "test",  "times", "trap",   "true",  "type", "ulimit",
      "umask",    "unset", "until", "wait",  "while"};
  const std::string_view text = trim(line);
  const std::size_t end = text.find_first_of(" \t\n;|&<>()$`\"'\\*?{}=!#~");
  const std::string_view word = text.substr(0, end);
  const bool whole = end == std::string_view::npos ||
                     std::string_view(" \t\n;|&<>").find(text[end]) != std::string_view::npos;
  return !whole || kBuiltIn.contains(word) ? "" : std::string(word);
}

std::string_view type_of(const json::Value& v) {
  return v.type_name();
}

bool fits(std::string_view have, std::string_view want) {
  return want == "any" || have == "any" || have == want || (want == "number" && have == "integer");
}

Status check_function(const Workflow::State& state, const StepInstance& s) {
  const StepDefinition& step = state.definition.steps[s.definition];
  const auto wrong = [&](const SourcePlace& place, Errc code, std::string message) {
    return Error{code, std::move(message), place_text(state.definition.file, place)};
  };
  const auto it = state.functions->find(step.function);
  if (it == state.functions->end()) {
    std::vector<std::string> known;
    for (const auto& [name, f] : *state.functions) known.push_back(name);
    return wrong(place_of(step, "call"), Errc::not_found,
                 fmt::format("No function \"{}\" is registered.{}", step.function,
                             did_you_mean(step.function, known)));
  }
  std::size_t next_template = 0;
  const std::function<void(const json::Value&)> skip = [&](const json::Value& v) {
    if (v.is_string()) ++next_template;
    if (v.is_array())
      for (const auto& e : *v.as_array()) skip(e);
    if (v.is_object())
      for (const auto& [k, e] : *v.as_object()) skip(e);
  };
  for (const auto& [name, value] : *step.inputs.as_object()) {
    const SourcePlace place{value.line, value.column};
    const auto declared = it->second.inputs.find(name);
    if (declared == it->second.inputs.end()) {
      std::vector<std::string> known;
      for (const auto& [n, t] : it->second.inputs) known.push_back(n);
      return wrong(place, Errc::unknown_key,
                   fmt::format("\"{}\" takes no input \"{}\".{}", step.function, name,
                               did_you_mean(name, known)));
    }
    std::string have(type_of(value));
    if (value.is_string()) {
      const Template& t = s.templates[next_template];
      // A text that is one reference takes over the type of what it refers to.
      if (t.size() == 1 && t[0].kind == TextPart::Kind::value) {
        const StepDefinition& source =
            state.definition.steps[state.steps[t[0].steps.front()].definition];
        have = source.function.empty() || !t[0].text.empty() || t[0].steps.size() > 1 ? "any" : "";
        if (have.empty()) {
          const auto f = state.functions->find(source.function);
          have = f != state.functions->end() ? f->second.output : "any";
        }
        if (!fits(have, declared->second)) {
          return wrong(
              place, Errc::wrong_type,
              fmt::format("The input \"{}\" of \"{}\" is of type {}, but step \"{}\" yields {}.",
                          name, step.id, declared->second, source.id, have));
        }
      }
    }
    skip(value);
    if (!fits(have, declared->second)) {
      return wrong(place, Errc::wrong_type,
                   fmt::format("The input \"{}\" of \"{}\" is of type {}, not {}.", name, step.id,
                               declared->second, have));
    }
  }
  for (const auto& [name, type] : it->second.inputs) {
    if (step.inputs.find(name) == nullptr) {
      return wrong(place_of(step, "call"), Errc::missing_key,
                   fmt::format("\"{}\" needs the input \"{}\" ({}).", step.function, name, type));
    }
  }
  return {};
}

bool all_literal(const Template& t) {
  return std::all_of(t.begin(), t.end(),
                     [](const TextPart& p) { return p.kind == TextPart::Kind::literal; });
}

// The nearest folder that exists must let us write.
bool can_write(const std::string& path) {
  if (access(path.c_str(), F_OK) == 0) return access(path.c_str(), W_OK) == 0;
  std::string folder = parent_path(path);
  while (access(folder.c_str(), F_OK) != 0 && folder != "." && folder != "/")
    folder = parent_path(folder);
  return access((folder + "/.").c_str(), W_OK | X_OK) == 0;
}

}  // namespace

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

Status check(const Workflow::State& state) {
  std::map<std::string, const StepInstance*> writers;
  for (const StepInstance& s : state.steps) {
    const StepDefinition& step = state.definition.steps[s.definition];
    const auto wrong = [&](const std::string& key, Errc code, std::string message) {
      return Error{code, std::move(message),
                   place_text(state.definition.file, place_of(step, key))};
    };
    for (const TokenDemand& demand : step.policy.tokens) {
      const auto it = state.definition.tokens.find(demand.name);
      if (it == state.definition.tokens.end()) {
        std::vector<std::string> known;
        for (const auto& [name, amount] : state.definition.tokens) known.push_back(name);
        return wrong("tokens", Errc::not_found,
                     fmt::format("The token \"{}\" is not declared under \"tokens\" at the top.{}",
                                 demand.name, did_you_mean(demand.name, known)));
      }
      if (demand.amount > it->second) {
        return wrong("tokens", Errc::out_of_range,
                     fmt::format("Step \"{}\" needs {} of \"{}\", but there are only {}.", step.id,
                                 demand.amount, demand.name, it->second));
      }
    }
    if (!step.function.empty()) NEUROLENS_TRY(check_function(state, s));
    std::string program;
    if (!step.command.empty() && all_literal(s.words[0])) program = literal_text(s.words[0]);
    if (step.shell && !s.words[0].empty() && s.words[0][0].kind == TextPart::Kind::literal) {
      program = shell_program(s.words[0][0].text);
    }
    const std::string directory = all_literal(s.directory) ? literal_text(s.directory) : "";
    if (!program.empty() && all_literal(s.directory) && !executable(program, directory)) {
      return wrong("run", Errc::not_found,
                   fmt::format("Step \"{}\": there is no program \"{}\".", step.id, program));
    }
    if (!directory.empty() && access(directory.c_str(), X_OK) != 0) {
      return wrong("directory", Errc::not_found,
                   fmt::format("Step \"{}\": there is no directory \"{}\".", step.id, directory));
    }
    for (const auto& [name, path] : s.outputs) {
      if (!all_literal(path)) continue;
      const std::string where = literal_text(path);
      const auto [it, fresh] = writers.emplace(where, &s);
      if (!fresh) {
        return wrong(
            "outputs", Errc::duplicate_name,
            fmt::format("Steps \"{}\" and \"{}\" both write \"{}\".", it->second->id, s.id, where));
      }
      if (!can_write(join_path(directory.empty() ? "." : directory, where))) {
        return wrong("outputs", Errc::permission_denied,
                     fmt::format("Step \"{}\" cannot write its output \"{}\".", step.id, where));
      }
    }
  }
  return {};
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
