#include "adapters/onnxruntime/assemble.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>

#include "adapters/onnxruntime/dtypes.hpp"
#include "fit/order_statistics.hpp"
#include "neurolens/base/clock.hpp"
#include "neurolens/base/hash.hpp"
#include "neurolens/base/text.hpp"

#ifndef NEUROLENS_VERSION
#define NEUROLENS_VERSION "0"
#endif

namespace neurolens::capture::ort {
namespace {

run::Tensor port_tensor(const Port& port, const std::vector<std::int64_t>* dims) {
  run::Tensor out;
  out.name = to_valid_utf8(port.name);
  if (const auto* type = tensor_inside(port.type)) out.dtype = run_dtype(type->element);
  if (dims != nullptr && port.type.is_tensor()) out.shape = *dims;
  return out;
}

/// The family that a Run names as its precision; empty where the schema has no word for it.
std::string precision_name(onnx::DType type) {
  const std::string name = run_dtype(type);
  if (name.starts_with("f8") || name.starts_with("float8")) return "f8";
  if (name.starts_with("f4") || name.starts_with("float4")) return "";
  return name;
}

void add_weight_bytes(const onnx::Graph& graph, std::map<std::string, double>& bytes) {
  for (const auto& tensor : graph.initializers) {
    const bool eight = tensor.type == onnx::DType::int8 || tensor.type == onnx::DType::uint8;
    if (onnx::is_floating(tensor.type) || eight) {
      bytes[eight ? "int8" : precision_name(tensor.type)] += static_cast<double>(tensor.size.count);
    }
  }
}

/// The type of nearly all weights; "mixed" when no type has 95 % of the bytes.
std::optional<std::string> precision_of(const onnx::Graph& graph, const std::vector<Port>& inputs) {
  std::map<std::string, double> bytes;
  add_weight_bytes(graph, bytes);
  if (bytes.empty()) {
    for (const auto& port : inputs) {
      const auto* type = tensor_inside(port.type);
      if (type != nullptr && onnx::is_floating(type->element))
        bytes[precision_name(type->element)] += 1;
    }
  }
  double sum = 0;
  for (const auto& [name, size] : bytes) sum += size;
  if (sum <= 0) return std::nullopt;
  for (const auto& [name, size] : bytes) {
    if (size >= 0.95 * sum) return name.empty() ? std::nullopt : std::optional(name);
  }
  return "mixed";
}

run::Software software_of(const CaptureRequest& request, const Library& library,
                          const onnx::Model& model, const RuntimeSession& session) {
  run::Software out;
  out.backend = "onnxruntime";
  out.backend_version = library.version();
  out.provider = request.provider == "cpu" ? "CPUExecutionProvider" : request.provider;
  out.precision = precision_of(model.graph(), session.inputs());
  if (request.threads > 0) out.threads = request.threads;
  out.threads_between = 1;
  out.optimisation = to_string(request.optimisation);
  const std::string build = library.build_info();
  if (!build.empty()) out.build = build;
  return out;
}

run::Workload workload_of(const CaptureRequest& request, const onnx::Model& model,
                          const RuntimeSession& session, const PreparedFeeds& feeds,
                          const Measurement& measured) {
  run::Workload out;
  out.kind = "onnx_model";
  out.name = to_valid_utf8(file_name(request.model_path));
  out.path = to_valid_utf8(request.model_path);
  out.content_hash = model.content_hash();
  out.size_bytes = model.file_size().count + model.external_size().count;
  for (const auto& opset : model.opset_imports())
    out.opsets[to_valid_utf8(opset.domain)] = opset.version;
  if (!model.producer().empty()) out.producer = to_valid_utf8(model.producer());
  out.parameters = model.parameter_count();
  for (std::size_t i = 0; i < session.inputs().size(); ++i) {
    out.inputs.push_back(port_tensor(session.inputs()[i], &feeds.shapes.dims[i]));
  }
  for (std::size_t i = 0; i < session.outputs().size(); ++i) {
    const auto dims =
        i < measured.output_types.size() ? measured.output_types[i].fixed_shape() : std::nullopt;
    out.outputs.push_back(port_tensor(session.outputs()[i], dims ? &*dims : nullptr));
  }
  if (feeds.shapes.batch_used) out.batch_size = request.batch;
  if (feeds.shapes.sequence_used) out.sequence_length = request.sequence;
  return out;
}

run::Config config_of(const CaptureRequest& request, const Library& library,
                      const Measurement& measured) {
  run::Config out;
  out.command = request.command;
  out.method = to_string(request.method);
  out.warmup_iterations = measured.warmup;
  out.iterations = request.iterations;
  if (!request.iterations) out.time_limit_ns = request.time_limit.count;
  out.seed = static_cast<std::int64_t>(request.seed);
  out.options["library"] = to_valid_utf8(library.path());
  out.options["batch"] = std::to_string(request.batch);
  out.options["sequence"] = std::to_string(request.sequence);
  if (!request.iterations)
    out.options["target_interval_ratio"] = shortest(request.target_interval_ratio);
  for (const auto& [name, dims] : request.shapes)
    out.options["shape:" + to_valid_utf8(name)] = describe_dims(dims);
  for (const auto& [name, path] : request.inputs)
    out.options["input:" + to_valid_utf8(name)] = to_valid_utf8(path);
  return out;
}

/// The kept iteration whose length is nearest to the median becomes the timeline.
std::optional<run::Timeline> timeline_of(const run::Iterations& rows, const OpCollector& ops,
                                         const Plan& plan) {
  std::vector<std::size_t> observed;
  for (std::size_t i = 0; i < rows.observed.size(); ++i) {
    if (rows.observed[i] != 0) observed.push_back(i);
  }
  const auto good = usable_samples(rows);
  const double middle = median(usable_durations(rows, true));
  std::optional<std::size_t> best;
  for (const auto k : good) {
    if (k >= ops.iterations().size() || ops.iterations()[k].executions.empty()) continue;
    const auto distance = [&](std::size_t at) {
      return std::abs(static_cast<double>(rows.duration_ns[observed[at]]) - middle);
    };
    if (!best || distance(k) < distance(*best)) best = k;
  }
  if (!best) return std::nullopt;
  const CollectedIteration& chosen = ops.iterations()[*best];
  const auto row = observed[*best];
  const std::int64_t slack =
      std::max<std::int64_t>(rows.duration_ns[row] - chosen.duration_us * 1000, 0);
  const std::int64_t begin = rows.begin_ns[row] + slack / 2;

  std::map<std::size_t, std::int64_t> place;  // collected op -> op of the Run
  for (std::size_t i = 0; i < plan.collected.size(); ++i)
    place[plan.collected[i]] = static_cast<std::int64_t>(i);
  run::Timeline out;
  std::map<std::int64_t, std::int64_t> tracks;
  std::map<std::string, std::int64_t> names;
  std::vector<Execution> events = chosen.executions;
  std::stable_sort(events.begin(), events.end(), [](const Execution& a, const Execution& b) {
    return std::tuple(a.thread, a.begin_us, -a.duration_us) <
           std::tuple(b.thread, b.begin_us, -b.duration_us);
  });
  for (const auto& event : events) {
    const auto op = place.find(event.op);
    if (op == place.end()) continue;
    const auto [track, new_track] =
        tracks.emplace(event.thread, static_cast<std::int64_t>(tracks.size()));
    if (new_track)
      out.tracks.push_back(
          {fmt::format("thread {}", event.thread), "thread", std::nullopt, event.thread});
    const std::string& label = plan.ops[static_cast<std::size_t>(op->second)].name;
    const auto [name, new_name] = names.emplace(label, static_cast<std::int64_t>(names.size()));
    if (new_name) out.names.push_back(label);
    out.track.push_back(track->second);
    out.name.push_back(name->second);
    out.op.push_back(op->second);
    out.begin_ns.push_back(begin + event.begin_us * 1000);
    out.duration_ns.push_back(event.duration_us * 1000);
  }
  return out;
}

run::Overhead overhead_of(const run::Iterations& rows, const Measurement& measured) {
  run::Overhead out;
  const double observed = median(usable_durations(rows, true));
  const double unobserved = median(usable_durations(rows, false));
  if (observed > 0 && unobserved > 0) out.observed_ratio = observed / unobserved;
  out.events_lost = measured.events_lost;
  if (measured.events_lost > 0) {
    out.reasons.push_back(
        fmt::format("{} events of the runtime's profiler were lost.", measured.events_lost));
  }
  if (measured.machine_busy) {
    out.reasons.emplace_back(
        "More than half of the iterations ran on a disturbed machine, so none was left out.");
  }
  out.integrity = out.reasons.empty() ? "ok" : "suspect";
  return out;
}

}  // namespace

std::vector<std::size_t> usable_rows(const run::Iterations& rows, bool observed) {
  std::vector<std::size_t> out;
  for (std::size_t i = 0; i < rows.duration_ns.size(); ++i) {
    if ((rows.observed[i] != 0) == observed && rows.warmup[i] == 0 && rows.disturbed[i] == 0)
      out.push_back(i);
  }
  if (!out.empty()) return out;
  // Everything was disturbed on this side: better those than nothing.
  for (std::size_t i = 0; i < rows.duration_ns.size(); ++i) {
    if ((rows.observed[i] != 0) == observed && rows.warmup[i] == 0) out.push_back(i);
  }
  return out;
}

std::vector<double> usable_durations(const run::Iterations& rows, bool observed) {
  std::vector<double> out;
  for (const auto row : usable_rows(rows, observed))
    out.push_back(static_cast<double>(rows.duration_ns[row]));
  return out;
}

std::vector<std::size_t> usable_samples(const run::Iterations& rows) {
  std::vector<std::size_t> position(rows.observed.size(), 0);
  std::size_t next = 0;
  for (std::size_t i = 0; i < rows.observed.size(); ++i) {
    position[i] = next;
    if (rows.observed[i] != 0) ++next;
  }
  std::vector<std::size_t> out;
  for (const auto row : usable_rows(rows, true)) out.push_back(position[row]);
  return out;
}

run::Run assemble(const CaptureRequest& request, const Host& host, const Library& library,
                  const onnx::Model& model, const RuntimeSession& session,
                  const PreparedFeeds& feeds, const Measurement& measured, const Plan& plan) {
  run::Run out;
  out.run_id = make_uuid();
  out.created_at = to_rfc3339(system_clock().wall());
  out.neurolens_version = NEUROLENS_VERSION;
  if (measured.stopped) {
    out.status = "partial";
    out.status_reason = measured.stopped;
  }
  out.host = host.facts;
  out.software = software_of(request, library, model, session);
  out.workload = workload_of(request, model, session, feeds, measured);
  out.config = config_of(request, library, measured);
  out.tags = request.tags;
  out.ops = plan.ops;
  out.samples.iterations = measured.iterations;
  for (const auto index : plan.collected)
    out.samples.op_duration_ns.push_back(measured.ops.column(index));
  out.timeline = timeline_of(measured.iterations, measured.ops, plan);
  out.overhead = overhead_of(measured.iterations, measured);
  if (measured.before.resident) out.memory.host_before_bytes = measured.before.resident->count;
  if (measured.peak.peak_resident) out.memory.host_peak_bytes = measured.peak.peak_resident->count;
  for (const auto* notes : {&feeds.notes, &measured.notes, &plan.notes}) {
    for (const auto& note : *notes) out.notes.push_back(to_valid_utf8(note));
  }
  return out;
}

}  // namespace neurolens::capture::ort
