#include "solve/answer.hpp"

#include <fmt/format.h>

#include "neurolens/engines/pde/field_io.hpp"

namespace neurolens::pde {

std::string duration(Nanoseconds t) {
  const auto ns = static_cast<double>(t.count);
  if (ns < 1e4) return fmt::format("{:.0f} ns", ns);
  if (ns < 1e7) return fmt::format("{:.1f} us", ns * 1e-3);
  if (ns < 1e10) return fmt::format("{:.1f} ms", ns * 1e-6);
  return fmt::format("{:.2f} s", ns * 1e-9);
}

std::string error_text(const std::optional<double>& error, const std::optional<double>& estimate) {
  std::string out;
  if (error) out += fmt::format(", error {:.3e}", *error);
  if (estimate) out += fmt::format(", estimated discretisation error {:.1e}", *estimate);
  return out;
}

void write_report(json::Writer& w, const Report& r) {
  w.member("method", r.method).member("details", r.details).member("why", r.why);
  w.member("unknowns", static_cast<std::int64_t>(r.unknowns))
      .member("iterations", static_cast<std::int64_t>(r.iterations));
  w.member("time_ns", r.time).member("plan_time_ns", r.plan_time).member("memory_bytes", r.memory);
}

Result<Boundary> boundary_of(const SolveRequest& r, int dimensions) {
  Boundary boundary = Boundary::all({ConditionKind::dirichlet, 0.0});
  for (const std::string& text : r.boundary)
    NEUROLENS_TRY(parse_boundary(text, dimensions, boundary));
  return boundary;
}

void add_pictures(const SolveRequest& r, const Field& field, std::string title,
                  PhaseObserver* observer, SolveAnswer& answer) {
  if (!r.want_svg && !r.want_png && !r.want_npy) return;
  const Phase phase(observer, "output");
  PlotOptions options;
  options.title = std::move(title);
  if (r.want_svg) answer.svg = plot_svg(field, options);
  if (r.want_png) answer.png = plot_png(field, options);
  if (r.want_npy) answer.npy = to_npy(field);
}

void add_pictures(const SolveRequest& r, const FieldF32& field, std::string title,
                  PhaseObserver* observer, SolveAnswer& answer) {
  SolveRequest plots = r;
  plots.want_npy = false;
  if (r.want_svg || r.want_png)
    add_pictures(plots, to_f64(field), std::move(title), observer, answer);
  if (r.want_npy) answer.npy = to_npy(field);
}

void add_convergence(const SolveRequest& r, std::span<const ConvergenceRow> rows, json::Writer& w,
                     SolveAnswer& answer) {
  const auto asked = static_cast<std::size_t>(r.convergence);
  if (rows.size() < asked) {
    answer.stopped = true;
    answer.text += fmt::format("stopped after {} of {} grids\n", rows.size(), asked);
  }
  w.key("convergence").begin_array();
  answer.text += fmt::format("{:>14} {:>12} {:>7} {:>12}\n", "points", "error", "order", "time");
  for (const ConvergenceRow& row : rows) {
    w.begin_object()
        .member("grid", row.grid.text())
        .member("error_max", row.error_max)
        .member("order", row.order)
        .member("time_ns", row.time)
        .end_object();
    answer.text +=
        fmt::format("{:>14} {:>12.3e} {:>7} {:>12}\n", row.grid.text(), row.error_max,
                    row.order ? fmt::format("{:.2f}", *row.order) : "-", duration(row.time));
  }
  w.end_array();
}

}  // namespace neurolens::pde
