#include "neurolens/analyze/insights.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cassert>

#include "neurolens/base/figures.hpp"
#include "neurolens/base/text.hpp"
#include "rules.hpp"

namespace neurolens::analyze {
namespace {

Evidence evidence_of(std::size_t slot, const Scene& scene) {
  const Variable& variable = variables()[slot];
  const RuleValue value = variable.value(scene);
  Evidence out{std::string(variable.name),
               std::string(variable.label),
               {},
               std::string(variable.unit),
               text_of(value, variable.unit)};
  if (const auto* truth = std::get_if<bool>(&value)) out.value = *truth;
  if (const auto* number = std::get_if<double>(&value)) out.value = *number;
  if (const auto* text = std::get_if<std::string_view>(&value)) out.value = std::string(*text);
  return out;
}

/// One firing of a rule.
struct Hit {
  Scene scene;
  Maybe gain_ns;
  double weight_ns = 0;  ///< Time concerned, to order hits without a gain.
};

class Judge {
 public:
  Judge(const InsightInput& input, const RuleSet& rules)
      : input_(input), rules_(rules.rules()), surroundings_(survey(input)) {}

  std::vector<Insight> all() {
    for (const auto& rule : rules_.list) {
      auto hits = find(rule);
      std::stable_sort(hits.begin(), hits.end(), [](const Hit& a, const Hit& b) {
        return std::pair(a.gain_ns.value_or(0), a.weight_ns) >
               std::pair(b.gain_ns.value_or(0), b.weight_ns);
      });
      // One that is left over is named rather than called "1 more".
      const std::size_t named =
          hits.size() == rule.limit + 1 ? hits.size() : std::min(hits.size(), rule.limit);
      for (std::size_t i = 0; i < named; ++i) out_.push_back(report(rule, hits[i]));
      if (named < hits.size()) out_.push_back(sum_up(rule, std::span(hits).subspan(named)));
    }
    std::stable_sort(out_.begin(), out_.end(), [](const Insight& a, const Insight& b) {
      return std::tuple(a.gain_ns.has_value(), a.gain_ns.value_or(0), a.severity) >
             std::tuple(b.gain_ns.has_value(), b.gain_ns.value_or(0), b.severity);
    });
    return std::move(out_);
  }

 private:
  [[nodiscard]] Scene whole() const { return {&input_, &surroundings_.run}; }

  std::vector<Hit> find(const Rule& rule) const {
    std::vector<Hit> hits;
    const auto look = [&](const Scene& scene, double weight_ns, double most_ns) {
      const SceneValues values(scene);
      if (!rule.when.holds(values)) return;
      Maybe gain = rule.gain_ns ? rule.gain_ns->number(values) : Maybe();
      if (gain) gain = std::clamp(*gain, 0.0, std::max(most_ns, 0.0));
      hits.push_back({scene, gain, weight_ns});
    };
    if (rule.scope == RuleScope::run) {
      const double most = surroundings_.run.time_ns.value_or(input_.summary.total_ns);
      look(whole(), most, most);
    } else if (rule.scope == RuleScope::op) {
      for (const auto& op : input_.summary.ops) {
        Scene scene = whole();
        scene.op = &op;
        scene.op_facts = &surroundings_.ops[op.op.index()];
        const double reach = op.time_ns + scene.op_facts->chain_ns;
        look(scene, op.time_ns, reach);
      }
    } else if (input_.comparison != nullptr) {
      for (const auto& change : input_.comparison->ops) {
        Scene scene = whole();
        scene.change = &change;
        const double now = change.time.candidate.value_or(0);
        look(scene, now, now);
      }
    }
    return hits;
  }

  [[nodiscard]] static std::vector<run::OpId> ops_of(const Scene& scene) {
    if (scene.op != nullptr) return {scene.op->op};
    return scene.change != nullptr ? scene.change->group.candidate : std::vector<run::OpId>{};
  }

  /// Lowers the confidence where the numbers beneath are shaky, and says why.
  void weigh(const Rule& rule, const Scene& scene, Insight& out) const {
    out.confidence = rule.confidence;
    out.confidence_reason = rule.basis;
    if (rule.judges_measurement) return;
    const auto lower = [&](std::string reason) {
      out.confidence = out.confidence == Confidence::high ? Confidence::medium : Confidence::low;
      if (!out.confidence_reason.empty()) out.confidence_reason += "; ";
      out.confidence_reason += reason;
    };
    if (input_.run.overhead.integrity != "ok")
      lower("lowered: the integrity of the measurement is " + input_.run.overhead.integrity);
    constexpr double kDistorting = 1.2;
    const double observed = input_.summary.observed_ratio.value_or(1);
    if (scene.op != nullptr && scene.op->method == "observed" && observed > kDistorting)
      lower(fmt::format("lowered: observing took {:.3g}x the time, and this time includes it",
                        observed));
    constexpr double kWide = 0.3;
    if (scene.op != nullptr && scene.op->interval &&
        scene.op->interval->high - scene.op->interval->low > kWide * scene.op->time_ns)
      lower("lowered: the interval of its time is wide");
    if (scene.change != nullptr && !scene.change->discovered)
      lower("lowered: it does not stand the test against many comparisons");
  }

  void finish(Insight& out) const {
    const auto time = surroundings_.run.time_ns;
    if (out.gain_ns && time && *time > 0) out.gain_ratio = *out.gain_ns / *time;
  }

  [[nodiscard]] Insight report(const Rule& rule, const Hit& hit) const {
    Insight out;
    out.rule = rule.id;
    out.title = rule.title.fill(hit.scene);
    out.message = rule.message.fill(hit.scene);
    out.scope = rule.scope;
    out.severity = rule.severity;
    weigh(rule, hit.scene, out);
    out.gain_ns = hit.gain_ns;
    out.ops = ops_of(hit.scene);
    for (const auto slot : rule.evidence) out.evidence.push_back(evidence_of(slot, hit.scene));
    for (const auto& text : rule.suggestions) out.suggestions.push_back(text.fill(hit.scene));
    out.next_step = rule.next.fill(hit.scene);
    out.references = rule.references;
    finish(out);
    return out;
  }

  [[nodiscard]] static std::string_view name_of(const Scene& scene) {
    return scene.op != nullptr ? std::string_view(scene.op->name)
                               : std::string_view(scene.change->name);
  }

  /// The hits beyond a rule's limit as one finding.
  [[nodiscard]] Insight sum_up(const Rule& rule, std::span<const Hit> hits) const {
    constexpr std::size_t kNamed = 4;
    constexpr std::size_t kWidest = 40;
    Insight out = report(rule, hits.front());
    std::string words = rule.id;
    std::replace(words.begin(), words.end(), '-', ' ');
    out.title = fmt::format("{} more ops: {}", hits.size(), words);
    out.message = "The same holds for ";
    double weight = 0;
    Maybe gain;
    out.ops.clear();
    for (std::size_t i = 0; i < hits.size(); ++i) {
      if (i < kNamed) out.message += elide_middle(name_of(hits[i].scene), kWidest) + ", ";
      const auto ops = ops_of(hits[i].scene);
      out.ops.insert(out.ops.end(), ops.begin(), ops.end());
      if (hits[i].gain_ns) gain = gain.value_or(0) + *hits[i].gain_ns;
      weight += hits[i].weight_ns;
    }
    if (hits.size() > kNamed) {
      out.message += fmt::format("and {} others", hits.size() - kNamed);
    } else {
      out.message.resize(out.message.size() - 2);
    }
    out.message += fmt::format("; together they take {}.", format_time(weight));
    out.gain_ns = gain;
    const double count = static_cast<double>(hits.size());
    out.evidence = {{"count", "ops", count, "count", text_of(count, "count")},
                    {"time_ns", "their time", weight, "ns", format_time(weight)}};
    finish(out);
    return out;
  }

  const InsightInput& input_;
  const RuleSet::Rules& rules_;
  Surroundings surroundings_;
  std::vector<Insight> out_;
};

}  // namespace

std::string_view to_string(RuleScope scope) noexcept {
  constexpr std::string_view kWords[] = {"op", "run", "delta"};
  return kWords[static_cast<std::size_t>(scope)];
}

std::string_view to_string(Severity severity) noexcept {
  constexpr std::string_view kWords[] = {"info", "notice", "warning", "critical"};
  return kWords[static_cast<std::size_t>(severity)];
}

std::string_view to_string(Confidence confidence) noexcept {
  constexpr std::string_view kWords[] = {"low", "medium", "high"};
  return kWords[static_cast<std::size_t>(confidence)];
}

std::optional<double> lost_ns(const OpChange& change) {
  const bool unknown = (!change.group.baseline.empty() && !change.time.baseline) ||
                       (!change.group.candidate.empty() && !change.time.candidate);
  if (unknown) return {};
  return change.time.candidate.value_or(0) - change.time.baseline.value_or(0);
}

RuleSet::RuleSet() : rules_(std::make_shared<const Rules>()) {}

const RuleSet& RuleSet::builtin() {
  static const RuleSet rules = [] {
    RuleSet all;
    for (const auto text : embedded_rules()) {
      auto more = all.with(text);
      assert(more.ok());  // the embedded rules are compiled by a test
      if (more.ok()) all = std::move(more).value();
    }
    return all;
  }();
  return rules;
}

Result<RuleSet> RuleSet::with(std::string_view yaml) const {
  NEUROLENS_ASSIGN(RuleFile file, read_rules(yaml));
  Rules merged = *rules_;
  const auto find = [&](const std::string& id) {
    return std::find_if(merged.list.begin(), merged.list.end(),
                        [&](const Rule& rule) { return rule.id == id; });
  };
  for (const auto& id : file.disabled) {
    const auto at = find(id);
    if (at == merged.list.end()) {
      const auto known = ids();
      return Error{
          Errc::not_found,
          fmt::format("There is no rule \"{}\" to disable.{}", id, did_you_mean(id, known)), ""};
    }
    merged.list.erase(at);
  }
  for (auto& rule : file.rules) {
    const auto at = find(rule.id);
    if (at != merged.list.end()) {
      *at = std::move(rule);
    } else {
      merged.list.push_back(std::move(rule));
    }
  }
  RuleSet out;
  out.rules_ = std::make_shared<const Rules>(std::move(merged));
  return out;
}

std::vector<std::string> RuleSet::ids() const {
  std::vector<std::string> ids;
  for (const auto& rule : rules_->list) ids.push_back(rule.id);
  return ids;
}

std::vector<Insight> find_insights(const InsightInput& input, const RuleSet& rules) {
  return Judge(input, rules).all();
}

}  // namespace neurolens::analyze
