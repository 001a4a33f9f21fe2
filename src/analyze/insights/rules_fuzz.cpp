// Any text as a rule file, and any text as a condition: it is refused with a place, or it can be
// applied to a Run.
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "neurolens/analyze/insights.hpp"
#include "variables.hpp"

namespace {

using namespace neurolens;

const run::Run& sample() {
  static const run::Run run = [] {
    run::Run out;
    out.ops.resize(3);
    for (auto& op : out.ops) {
      op.name = "op";
      op.type = "Conv";
      op.estimate = run::Estimate{1000, 900, 1100, 1200, "observed"};
    }
    out.samples.iterations.begin_ns = {0, 4000};
    out.samples.iterations.duration_ns = {3000, 3100};
    out.samples.iterations.observed = {0, 1};
    out.samples.iterations.warmup = {0, 0};
    out.samples.iterations.disturbed = {0, 0};
    return out;
  }();
  return run;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  static const auto summary = analyze::summarise(sample()).value();
  const analyze::InsightInput input{sample(), summary};
  const auto rules = analyze::RuleSet().with(text);
  if (rules.ok()) {
    (void)analyze::find_insights(input, *rules);
  } else if (rules.error().message.empty()) {
    std::abort();
  }

  analyze::ExpressionFault fault;
  const analyze::ScopeNames names(analyze::RuleScope::run);
  const auto compiled = analyze::Expression::compile(text, names, {}, fault);
  if (!compiled) {
    if (fault.message.empty() || fault.offset > size) std::abort();
    return 0;
  }
  const analyze::RunFacts facts;
  analyze::Scene scene;
  scene.input = &input;
  scene.facts = &facts;
  const analyze::SceneValues values(scene);
  (void)compiled->holds(values);
  (void)compiled->number(values);
  return 0;
}
