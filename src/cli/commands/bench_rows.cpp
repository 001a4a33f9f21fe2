#include "bench_rows.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <set>

#include "bench_scaling.hpp"
#include "common.hpp"
#include "neurolens/analyze/summary.hpp"
#include "neurolens/base/json.hpp"
#include "neurolens/base/text.hpp"
#include "neurolens/report/table.hpp"

namespace neurolens::cli {
namespace {

using report::Align;
using report::Table;

std::string status_of(const bench::Cell& cell, const bench::CellOutcome& outcome) {
  if (!outcome.failure) return outcome.launches.empty() ? "not measured" : "measured";
  const Errc code = outcome.failure->code;
  // A model that was converted for the cell and that the runtime does not take, or dies of, says
  // that this precision cannot be had here, not that the user's model is bad.
  const bool converted =
      cell.precision == bench::Precision::f16 || cell.precision == bench::Precision::bf16;
  const bool cannot =
      code == Errc::unavailable || (converted && (code == Errc::refused || code == Errc::crashed));
  return cannot ? "not available" : "failed";
}

/// What one Run tells about its cell.
Status read_launch(store::Store& store, const bench::Launch& launch, BenchRow& row) {
  NEUROLENS_ASSIGN(const auto entry, store.resolve(launch.run_id));
  row.run_ids.push_back(entry.run_id);
  if (entry.headline.latency_ns) row.launches_ns.push_back(*entry.headline.latency_ns);
  if (entry.batch_size) row.batch_size = static_cast<double>(*entry.batch_size);
  if (const auto& peak = entry.headline.host_peak_bytes)
    row.host_peak_bytes = std::max(row.host_peak_bytes.value_or(0), *peak);
  return {};
}

/// A single launch has the interval of its own iterations.
Status read_interval(store::Store& store, BenchRow& row) {
  NEUROLENS_ASSIGN(const auto entry, store.resolve(row.run_ids.front()));
  NEUROLENS_ASSIGN(const auto run, store.load(entry));
  const auto summary = analyze::summarise(run);
  if (!summary.ok() || !summary->unobserved.interval) return {};
  row.low_ns = summary->unobserved.interval->low;
  row.high_ns = summary->unobserved.interval->high;
  return {};
}

Result<BenchRow> row_of(const bench::Config& config, const bench::Cell& cell,
                        const bench::CellOutcome& outcome, store::Store& store) {
  BenchRow row;
  for (const auto& axis : bench::axis_names(config))
    row.axes.emplace_back(axis, bench::axis_value(config, cell, axis).value_or(""));
  row.key = cell.key;
  row.status = status_of(cell, outcome);
  if (outcome.failure) row.reason = outcome.failure->text();
  for (const auto& launch : outcome.launches) NEUROLENS_TRY(read_launch(store, launch, row));
  if (const auto latency = bench::latency_of(outcome.launches)) {
    row.latency_ns = latency->value_ns;
    row.low_ns = latency->low_ns;
    row.high_ns = latency->high_ns;
    if (!row.low_ns) NEUROLENS_TRY(read_interval(store, row));
  }
  return row;
}

/// Cores that the first Run could use; all Runs of a matrix come from one machine.
Result<std::optional<double>> cores_of(const std::vector<BenchRow>& rows, store::Store& store) {
  for (const auto& row : rows) {
    if (row.run_ids.empty()) continue;
    NEUROLENS_ASSIGN(const auto entry, store.resolve(row.run_ids.front()));
    NEUROLENS_ASSIGN(const auto run, store.load(entry));
    const auto& used = run.host.cores_used;
    return std::optional(used && !used->empty() ? static_cast<double>(used->size())
                                                : static_cast<double>(run.host.cores_logical));
  }
  return std::optional<double>();
}

double largest(const BenchSummary& summary, const std::optional<double> BenchRow::*field) {
  double most = 0;
  for (const auto& row : summary.rows) most = std::max(most, (row.*field).value_or(0));
  return most;
}

/// In the unit of the latency beside it: cells of one matrix lie orders of magnitude apart.
std::string latency_interval(const BenchRow& row) {
  if (!row.latency_ns || !row.low_ns || !row.high_ns) return "-";
  const auto scale = report::time_scale(*row.latency_ns);
  return fmt::format("[{}, {}]", report::format_in(scale, *row.low_ns, *row.latency_ns),
                     report::format_in(scale, *row.high_ns, *row.latency_ns));
}

/// The cells as a table.
Table cell_table(const BenchSummary& summary) {
  Table table;
  for (const auto& axis : summary.varied)
    table.add_column(axis, axis == "model" ? Align::left : Align::right, axis == "model");
  const double biggest = largest(summary, &BenchRow::host_peak_bytes);
  const auto bytes = report::byte_scale(biggest);
  table.add_column("latency", Align::right);
  table.add_column("95 %", Align::right);
  table.add_column("per second", Align::right);
  table.add_column(fmt::format("memory [{}]", bytes.unit), Align::right);
  table.add_column("launches", Align::right);
  table.add_column("", Align::left, true);
  for (const auto& row : summary.rows) {
    std::vector<std::string> cells;
    for (const auto& axis : summary.varied) {
      const std::string value = row.axis(axis);
      cells.push_back(value.empty() ? "-" : printable(value));
    }
    cells.push_back(row.latency_ns ? report::format_time(*row.latency_ns) : "-");
    cells.push_back(latency_interval(row));
    const auto rate = row.throughput_per_second();
    cells.push_back(rate ? report::format_number(*rate) : "-");
    cells.push_back(row.host_peak_bytes ? report::format_in(bytes, *row.host_peak_bytes, biggest)
                                        : "-");
    cells.push_back(std::to_string(row.run_ids.size()));
    cells.push_back(row.status == "measured" ? ""
                    : row.reason.empty()     ? row.status
                                             : row.status + ": " + printable(row.reason));
    table.add_row(std::move(cells));
  }
  return table;
}

std::string list_text(const std::vector<double>& values, const char* format) {
  std::string text;
  for (const double v : values)
    text += (text.empty() ? "" : ", ") + fmt::format(fmt::runtime(format), v);
  return text;
}

std::string interval_text(const analyze::Interval& interval) {
  return fmt::format("[{:.3f}, {:.3f}]", interval.low, interval.high);
}

Table thread_table(const BenchScaling& scaling) {
  Table table;
  table.add_column("series", Align::left, true);
  for (const char* title : {"threads", "speed-up", "efficiency", "serial share"})
    table.add_column(title, Align::right);
  const bool laws = std::any_of(scaling.threads.begin(), scaling.threads.end(),
                                [](const ThreadSeries& s) { return s.law.has_value(); });
  for (const char* title :
       {"contention sigma", "95 %", "coherence kappa", "95 %", "best threads"}) {
    if (laws) table.add_column(title, Align::right);
  }
  for (const auto& s : scaling.threads) {
    const double efficiency = s.speedup.back() * s.threads.front() / s.threads.back();
    std::vector<std::string> cells{printable(s.series), list_text(s.threads, "{:g}"),
                                   list_text(s.speedup, "{:.2f}"), report::format_share(efficiency),
                                   s.serial_ratio ? fmt::format("{:.3f}", *s.serial_ratio) : "-"};
    if (s.law) {
      for (const auto& text :
           {fmt::format("{:.3f}", s.law->sigma), interval_text(s.law->sigma_interval),
            fmt::format("{:.4f}", s.law->kappa), interval_text(s.law->kappa_interval),
            std::isfinite(s.law->best_threads) ? fmt::format("{:.1f}", s.law->best_threads)
                                               : std::string("no bound")}) {
        cells.push_back(text);
      }
    } else if (laws) {
      cells.insert(cells.end(), 5, "-");
    }
    table.add_row(std::move(cells));
  }
  return table;
}

Table size_table(const BenchScaling& scaling) {
  Table table;
  table.add_column("over", Align::left);
  table.add_column("series", Align::left, true);
  for (const char* title : {"sizes", "exponent p", "95 %"}) table.add_column(title, Align::right);
  for (const auto& s : scaling.sizes) {
    table.add_row({s.axis, printable(s.series), list_text(s.sizes, "{:g}"),
                   fmt::format("{:.3f}", s.exponent),
                   s.interval ? interval_text(*s.interval) : "-"});
  }
  return table;
}

constexpr const char* kThreadNote =
    "Speed-up is throughput relative to the fewest threads; the serial share is Karp and Flatt's. "
    "sigma and kappa are those of the Universal Scalability Law, which needs 3 thread counts.";

/// What the table of threads cannot say: one line for each reason, none when it can.
std::string limits_note(const BenchScaling& scaling, std::optional<double> cores) {
  std::string note;
  if (std::any_of(scaling.threads.begin(), scaling.threads.end(),
                  [](const auto& s) { return !s.law; }))
    note += "No law where fewer than 3 thread counts were measured.\n";
  double least = std::numeric_limits<double>::infinity();
  for (const auto& s : scaling.threads) {
    if (!s.beyond_cores.empty()) least = std::min(least, s.beyond_cores.front());
  }
  if (cores && std::isfinite(least)) {
    note += fmt::format(
        "From {:g} threads on there were more threads than cores ({:g}): those points show how "
        "threads take turns, and a law through them does not foretell a larger machine.\n",
        least, *cores);
  }
  return note;
}

constexpr const char* kSizeNote =
    "time = c size^p; the interval needs 3 sizes. p near 0: the size costs nothing yet; p near 1: "
    "twice the size, twice the time.";

void write_row(json::Writer& w, const BenchRow& row) {
  w.begin_object().member("key", row.key).key("axes").begin_object();
  for (const auto& [name, value] : row.axes) {
    w.key(name);
    if (value.empty())
      w.null();
    else
      w.value(value);
  }
  w.end_object().member("status", row.status).key("reason");
  if (row.reason.empty())
    w.null();
  else
    w.value(row.reason);
  w.member("latency_ns", row.latency_ns).member("latency_low_ns", row.low_ns);
  w.member("latency_high_ns", row.high_ns);
  w.member("throughput_per_second", row.throughput_per_second());
  w.member("host_peak_bytes", row.host_peak_bytes);
  w.key("launches_ns").numbers(row.launches_ns).key("run_ids").begin_array();
  for (const auto& id : row.run_ids) w.value(id);
  w.end_array().end_object();
}

void write_interval(json::Writer& w, std::string_view key,
                    const std::optional<analyze::Interval>& interval) {
  w.key(key);
  if (!interval)
    w.null();
  else
    w.begin_array().value(interval->low).value(interval->high).end_array();
}

void write_scaling(json::Writer& w, const BenchScaling& scaling) {
  w.key("scaling").begin_object().key("threads").begin_array();
  for (const auto& s : scaling.threads) {
    w.begin_object().member("series", s.series).key("threads").numbers(s.threads);
    w.key("speedup_ratio").numbers(s.speedup).member("serial_ratio", s.serial_ratio);
    const auto number = [&](double v) { return s.law ? std::optional(v) : std::nullopt; };
    const analyze::UslFit law = s.law.value_or(analyze::UslFit{});
    w.member("sigma", number(law.sigma)).member("kappa", number(law.kappa));
    using Maybe = std::optional<analyze::Interval>;
    write_interval(w, "sigma_interval", s.law ? Maybe(law.sigma_interval) : Maybe());
    write_interval(w, "kappa_interval", s.law ? Maybe(law.kappa_interval) : Maybe());
    w.member("best_threads", number(law.best_threads));
    w.key("beyond_cores").numbers(s.beyond_cores).end_object();
  }
  w.end_array().key("size").begin_array();
  for (const auto& s : scaling.sizes) {
    w.begin_object().member("axis", s.axis).member("series", s.series);
    w.key("sizes").numbers(s.sizes).member("exponent", s.exponent);
    write_interval(w, "exponent_interval", s.interval);
    w.end_object();
  }
  w.end_array().end_object();
}

}  // namespace

std::string BenchRow::axis(const std::string& name) const {
  for (const auto& [axis, value] : axes) {
    if (axis == name) return value;
  }
  return "";
}

Result<BenchSummary> summarise_bench(const bench::Config& config,
                                     const std::vector<bench::Cell>& cells,
                                     const bench::MatrixResult& result, store::Store& store) {
  BenchSummary summary{config.name, result.bench_id, bench::axis_names(config), {}, {}};
  for (std::size_t c = 0; c < cells.size(); ++c) {
    NEUROLENS_ASSIGN(summary.rows.emplace_back(), row_of(config, cells[c], result.cells[c], store));
  }
  NEUROLENS_ASSIGN(summary.cores, cores_of(summary.rows, store));
  for (const auto& axis : summary.axes) {
    std::set<std::string> values;
    for (const auto& row : summary.rows) values.insert(row.axis(axis));
    if (values.size() > 1 || axis == "model") summary.varied.push_back(axis);
  }
  return summary;
}

std::string bench_csv(const BenchSummary& summary) {
  std::string text;
  for (const auto& axis : summary.axes) text += csv_cell(axis) + ",";
  text +=
      "status,launches,latency_ns,latency_low_ns,latency_high_ns,throughput_per_second,"
      "host_peak_bytes,run_ids,reason\n";
  const auto number = [](const std::optional<double>& v) { return v ? shortest(*v) : ""; };
  for (const auto& row : summary.rows) {
    for (const auto& [axis, value] : row.axes) text += csv_cell(value) + ",";
    text += fmt::format("{},{},{},{},{},{},{},{},{}\n", row.status, row.run_ids.size(),
                        number(row.latency_ns), number(row.low_ns), number(row.high_ns),
                        number(row.throughput_per_second()), number(row.host_peak_bytes),
                        fmt::join(row.run_ids, " "), csv_cell(row.reason));
  }
  return text;
}

std::string bench_markdown(const BenchSummary& summary) {
  std::string text =
      fmt::format("# {}\n\n{}", printable(summary.name), cell_table(summary).markdown());
  const BenchScaling scaling = scaling_of(summary);
  if (!scaling.threads.empty()) {
    text += fmt::format("\n## Scaling over threads\n\n{}\n{}\n{}", thread_table(scaling).markdown(),
                        kThreadNote, "\n" + limits_note(scaling, summary.cores));
  }
  if (!scaling.sizes.empty()) {
    text += fmt::format("\n## Scaling over size\n\n{}\n{}\n", size_table(scaling).markdown(),
                        kSizeNote);
  }
  return text;
}

std::string bench_text(const BenchSummary& summary, std::size_t width) {
  std::string text = cell_table(summary).text(width);
  const BenchScaling scaling = scaling_of(summary);
  if (!scaling.threads.empty()) {
    text += "\nscaling over threads\n" + thread_table(scaling).text(width) +
            limits_note(scaling, summary.cores);
  }
  if (!scaling.sizes.empty()) text += "\nscaling over size\n" + size_table(scaling).text(width);
  return text;
}

std::string bench_json(const BenchSummary& summary) {
  json::Writer w({2});
  w.begin_object().member("name", summary.name).member("bench_id", summary.bench_id);
  w.key("cells").begin_array();
  for (const auto& row : summary.rows) write_row(w, row);
  w.end_array();
  write_scaling(w, scaling_of(summary));
  w.end_object();
  return std::move(w).take() + "\n";
}

}  // namespace neurolens::cli
