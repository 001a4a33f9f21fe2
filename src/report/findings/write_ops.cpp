// Ops, their types, kernels, graph and place under the roof.
#include <fmt/format.h>

#include <algorithm>
#include <limits>

#include "headline.hpp"
#include "neurolens/analyze/roofline.hpp"
#include "sections.hpp"

namespace neurolens::report {
namespace {

constexpr double kNone = std::numeric_limits<double>::quiet_NaN();

double number(const std::optional<double>& value) {
  return value.value_or(kNone);
}
double number(const std::optional<std::int64_t>& value) {
  return value ? static_cast<double>(*value) : kNone;
}

std::string tensors_text(const std::vector<run::Tensor>& tensors) {
  std::string out;
  for (const auto& tensor : tensors) {
    if (!tensor.dtype && !tensor.shape) continue;
    if (!out.empty()) out += ", ";
    out += tensor.dtype.value_or("-");
    out += ' ';
    out += tensor.shape ? shape_text(*tensor.shape) : "-";
  }
  return out;
}

/// Settled observations that stand behind an op's time.
class SampleCounts {
 public:
  explicit SampleCounts(const run::Run& run) : run_(run) {
    const auto& rows = run.samples.iterations;
    for (std::size_t i = 0; i < rows.observed.size(); ++i) {
      if (rows.observed[i] != 0) usable_.push_back(rows.warmup[i] == 0 && rows.disturbed[i] == 0);
    }
  }
  [[nodiscard]] std::int64_t of(std::size_t op) const {
    if (op >= run_.samples.op_duration_ns.size()) return 0;
    const auto& column = run_.samples.op_duration_ns[op];
    std::int64_t count = 0;
    for (std::size_t i = 0; i < column.size(); ++i)
      count += usable_[i] && column[i] != run::kMissing ? 1 : 0;
    return count;
  }

 private:
  const run::Run& run_;
  std::vector<bool> usable_;
};

void write_optional_ints(json::Writer& w, std::string_view key,
                         const std::optional<std::vector<std::int64_t>>& values) {
  w.key(key);
  values ? w.numbers(*values) : w.null();
}

}  // namespace

std::string shapes_of(const run::Op& op) {
  const std::string in = tensors_text(op.inputs);
  const std::string out = tensors_text(op.outputs);
  return in.empty() && out.empty() ? "" : in + " -> " + out;
}

void write_ops(json::Writer& w, const Findings& findings) {
  const run::Run& run = *findings.run;
  const std::size_t count = run.ops.size();
  std::vector<const analyze::OpSummary*> rows(count, nullptr);
  for (const auto& op : findings.summary.ops) rows[op.op.index()] = &op;
  const analyze::Roofline roof(run);
  const SampleCounts samples(run);

  Coded type, phase, provider, method, bound, shapes;
  std::vector<double> time, low, high, raw, share, flops, bytes, memory, ideal, ratio, intensity,
      flop_rate, byte_rate;
  std::vector<std::int64_t> observations;
  for (std::size_t i = 0; i < count; ++i) {
    const run::Op& op = run.ops[i];
    const analyze::OpSummary& row = *rows[i];
    const bool timed = !row.method.empty();
    const auto point = roof.point(op, row.time_ns);
    const std::string text = shapes_of(op);
    type.add(op.type);
    phase.add(op.phase);
    provider.add(op.provider);
    method.add(timed ? std::optional<std::string_view>(row.method) : std::nullopt);
    bound.add(row.bound);
    shapes.add(text.empty() ? std::nullopt : std::optional<std::string_view>(text));
    time.push_back(timed ? row.time_ns : kNone);
    low.push_back(row.interval ? row.interval->low : kNone);
    high.push_back(row.interval ? row.interval->high : kNone);
    raw.push_back(number(row.raw_time_ns));
    share.push_back(timed ? row.share_ratio : kNone);
    flops.push_back(number(row.flops));
    bytes.push_back(number(row.bytes));
    memory.push_back(number(op.memory_bytes));
    ideal.push_back(point ? point->ideal_ns : kNone);
    ratio.push_back(number(row.roof_ratio));
    intensity.push_back(point ? number(point->intensity) : kNone);
    flop_rate.push_back(point ? point->flops_per_second : kNone);
    byte_rate.push_back(point ? point->bytes_per_second : kNone);
    observations.push_back(samples.of(i));
  }

  w.key("ops").begin_object().member("count", static_cast<std::uint64_t>(count));
  w.key("name").begin_array();
  for (const auto& op : run.ops) w.value(op.name);
  w.end_array();
  type.write(w, "type");
  phase.write(w, "phase");
  provider.write(w, "provider");
  method.write(w, "method");
  bound.write(w, "bound");
  shapes.write(w, "shapes");
  w.key("original_nodes").begin_array();
  for (const auto& op : run.ops) {
    w.begin_array();
    for (const auto& node : op.original_nodes) w.value(node.name);
    w.end_array();
  }
  w.end_array();
  write_numbers(w, "time_ns", time);
  write_numbers(w, "low_ns", low);
  write_numbers(w, "high_ns", high);
  write_numbers(w, "raw_ns", raw);
  write_numbers(w, "share_ratio", share);
  w.key("samples").numbers(observations);
  w.key("flops").numbers(flops);
  w.key("bytes").numbers(bytes);
  w.key("memory_bytes").numbers(memory);
  write_numbers(w, "ideal_ns", ideal);
  write_numbers(w, "roof_ratio", ratio);
  write_numbers(w, "intensity_flops_per_byte", intensity);
  write_numbers(w, "flops_per_second", flop_rate);
  write_numbers(w, "bytes_per_second", byte_rate);
  w.end_object();

  w.key("types").begin_array();
  for (const auto& row : findings.summary.types) {
    w.begin_object().member("type", row.type);
    w.member("count", static_cast<std::uint64_t>(row.count))
        .member("time_ns", rounded(row.time_ns));
    w.member("share_ratio", rounded(row.share_ratio)).member("flops", row.flops);
    w.member("bytes", row.bytes).end_object();
  }
  w.end_array();
}

void write_kernels(json::Writer& w, const Findings& findings) {
  w.key("kernels").begin_array();
  for (std::size_t i = 0; i < findings.run->ops.size(); ++i) {
    for (const auto& kernel : findings.run->ops[i].kernels) {
      w.begin_object().member("op", static_cast<std::uint64_t>(i)).member("name", kernel.name);
      w.member("time_ns", kernel.time_ns).member("launches", kernel.launches);
      write_optional_ints(w, "grid", kernel.grid);
      write_optional_ints(w, "block", kernel.block);
      w.key("counters").begin_object();
      for (const auto& [name, value] : kernel.counters) w.member(name, rounded(value));
      w.end_object().end_object();
    }
  }
  w.end_array();
}

void write_roofline(json::Writer& w, const Findings& findings) {
  const run::Run& run = *findings.run;
  w.key("roofline");
  const analyze::Roofline roof(run);
  if (!roof.usable()) {
    w.null();
    return;
  }
  // Ceilings that this Run's ops were held against: recognised by their value.
  std::vector<double> used;
  for (const char* dtype : {"f32", "f64", "f16", "bf16", "i8"}) {
    const bool appears = std::any_of(run.ops.begin(), run.ops.end(), [&](const auto& op) {
      return std::any_of(op.inputs.begin(), op.inputs.end(),
                         [&](const auto& t) { return t.dtype == std::string(dtype); });
    });
    if (const auto ceiling = roof.compute(dtype); appears && ceiling) used.push_back(*ceiling);
  }
  for (std::int64_t size = 1; size > 0 && size < (std::int64_t{1} << 50); size *= 4) {
    if (const auto level = roof.memory(size)) used.push_back(level->bytes_per_second);
  }
  w.begin_object().key("ceilings").begin_array();
  for (const auto& c : run.ceilings) {
    const bool compute = c.unit == "flops_per_second";
    w.begin_object().member("name", c.name).member("kind", compute ? "compute" : "memory");
    std::string label = c.name;
    std::replace(label.begin(), label.end(), '_', ' ');
    w.member("label", label).member("value", rounded(c.value));
    w.member("low", rounded(c.low)).member("high", rounded(c.high));
    w.member("used", std::find(used.begin(), used.end(), c.value) != used.end()).end_object();
  }
  w.end_array();
  w.member("threads", std::max<std::int64_t>(1, run.software.threads.value_or(1)));
  std::uint64_t unplaced = 0;
  for (const auto& op : findings.summary.ops) unplaced += op.time_ns > 0 && !op.roof_ratio ? 1 : 0;
  w.member("unplaced", unplaced).end_object();
}

void write_graph(json::Writer& w, const Findings& findings) {
  w.key("critical_path");
  if (findings.path) {
    std::vector<std::int64_t> ops;
    for (const auto op : findings.path->ops) ops.push_back(op.value);
    w.begin_object().key("ops").numbers(ops);
    w.member("time_ns", rounded(findings.path->time_ns));
    w.member("total_ns", rounded(findings.path->total_ns));
    w.member("parallelism_ratio", rounded(findings.path->total_ns / findings.path->time_ns));
    w.end_object();
  } else {
    w.null();
  }
  w.key("graph");
  if (findings.edges.empty()) {
    w.null();
    return;
  }
  std::vector<std::int64_t> from, to;
  for (const auto& edge : findings.edges) {
    from.push_back(edge.from.value);
    to.push_back(edge.to.value);
  }
  w.begin_object();
  write_column(w, "from", from);
  write_column(w, "to", to);
  w.end_object();
}

}  // namespace neurolens::report
