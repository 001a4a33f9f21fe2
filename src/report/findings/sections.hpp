/// \file
/// The parts of the findings document, each written as one member of the root.
#pragma once

#include "column.hpp"
#include "neurolens/report/findings.hpp"

namespace neurolens::report {

void write_headline(json::Writer& w, const Findings& findings);
void write_insights(json::Writer& w, const Findings& findings);
void write_ops(json::Writer& w, const Findings& findings);
void write_kernels(json::Writer& w, const Findings& findings);
void write_timeline(json::Writer& w, const run::Run& run);
void write_roofline(json::Writer& w, const Findings& findings);
void write_iterations(json::Writer& w, const Findings& findings);
void write_observer(json::Writer& w, const Findings& findings);
void write_memory(json::Writer& w, const run::Run& run);
void write_graph(json::Writer& w, const Findings& findings);
void write_profile(json::Writer& w, const run::Run& run);
void write_comparison(json::Writer& w, const Findings& findings);
void write_history(json::Writer& w, const Findings& findings);
void write_measured(json::Writer& w, const run::Run& run);
void write_explanations(json::Writer& w);

/// Members verdict ... blocks_to_settle of one object.
void write_verdict(json::Writer& w, const analyze::PairedVerdict& judged);
/// "f32 1x3x224x224, f32 64x3x7x7 -> f32 1x64x112x112"; empty when no shape is known.
[[nodiscard]] std::string shapes_of(const run::Op& op);

}  // namespace neurolens::report
