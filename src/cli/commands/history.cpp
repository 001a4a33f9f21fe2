#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "builtin.hpp"
#include "neurolens/analyze/change_events.hpp"
#include "neurolens/analyze/change_points.hpp"
#include "neurolens/base/json.hpp"
#include "neurolens/base/text.hpp"
#include "neurolens/report/table.hpp"
#include "store.hpp"

namespace neurolens::cli {
namespace {

constexpr const char* kAllOps = "ops";

/// An op that moved in an event.
struct OpChange {
  std::string name;
  analyze::ChangePoint change;
};

/// What happened between two Runs: a change of the metric, of ops, or of both.
struct Event {
  std::size_t place = 0;  ///< Position of the first Run after it.
  std::optional<analyze::ChangePoint> metric;
  std::vector<OpChange> ops;  ///< Largest change of time first.
};

struct Trend {
  std::string metric;
  std::vector<store::Point> points;  ///< With metric "ops": the Runs and their latency.
  std::vector<Event> events;
};

/// A trend as rows of dots with the level of each segment, largest value on top; changes are
/// marked below.
std::string plot(const Trend& trend, std::size_t width) {
  constexpr std::size_t kRows = 10;
  const auto& points = trend.points;
  const std::size_t columns = std::min(points.size(), std::max<std::size_t>(width, 40) - 12);
  const auto [low, high] = std::minmax_element(
      points.begin(), points.end(), [](const auto& a, const auto& b) { return a.value < b.value; });
  const double span = std::max(high->value - low->value, 1e-12 * std::abs(high->value) + 1e-300);
  std::vector<std::string> rows(kRows, std::string(columns, ' '));
  std::string marks(columns, ' ');
  const auto cell = [&](std::size_t i, double value) -> char& {
    const double height = std::clamp((value - low->value) / span, 0.0, 1.0);
    const auto row = static_cast<std::size_t>(std::lround(height * (kRows - 1)));
    return rows[kRows - 1 - row][i * columns / points.size()];
  };
  std::size_t begin = 0;
  const auto level = [&](std::size_t end, double value) {
    for (; begin < end; ++begin) cell(begin, value) = '-';
  };
  for (const auto& event : trend.events) {
    marks[event.place * columns / points.size()] = '^';
    if (!event.metric) continue;
    level(event.place, event.metric->before);
    if (&event == &trend.events.back()) level(points.size(), event.metric->after);
  }
  for (std::size_t i = 0; i < points.size(); ++i) cell(i, points[i].value) = '*';
  std::string text;
  for (std::size_t r = 0; r < kRows; ++r) {
    const std::string label = r == 0           ? report::format_number(high->value)
                              : r + 1 == kRows ? report::format_number(low->value)
                                               : "";
    text += fmt::format("{:>10} |{}\n", label, rows[r]);
  }
  return text + fmt::format("{:>10}  {}\n", "", marks);
}

/// Changes of every op, at the level of one in a thousand: there are many of them.
std::vector<analyze::SeriesChanges> changes_of_ops(const store::OpHistory& history, double delta) {
  std::vector<analyze::SeriesChanges> all;
  const analyze::ChangePointOptions options{
      .level = analyze::ChangeLevel::tenth_of_a_percent, .margin = 3, .delta = delta};
  for (const auto& op : history.ops)
    all.push_back({op.runs, analyze::find_changes(op.time_ns, options)});
  return all;
}

/// Joins the changes of a metric and those of the ops; with an empty `metric`, of the ops alone.
std::vector<Event> events_of(const std::vector<std::size_t>& positions,
                             std::vector<analyze::ChangePoint> metric,
                             const store::OpHistory& history, double delta) {
  auto series = changes_of_ops(history, delta);
  series.push_back({positions, std::move(metric)});
  const std::size_t last = series.size() - 1;
  std::vector<Event> events;
  for (const auto& found : analyze::group_changes(series)) {
    Event event{found.place, {}, {}};
    for (const auto& member : found.members) {
      if (member.series == last) {
        event.metric = member.change;
        event.place = series[last].runs[member.change.index];
      } else {
        event.ops.push_back({history.ops[member.series].name, member.change});
      }
    }
    std::sort(event.ops.begin(), event.ops.end(), [](const OpChange& a, const OpChange& b) {
      return std::abs(a.change.after - a.change.before) >
             std::abs(b.change.after - b.change.before);
    });
    events.push_back(std::move(event));
  }
  return events;
}

class History final : public Command {
 public:
  [[nodiscard]] std::string name() const override { return "history"; }
  [[nodiscard]] std::string summary() const override {
    return "show a trend over the store and where it changed";
  }
  void declare(Options& options) override {
    options.value(
        "--metric", "M", metric_,
        "latency (ns), throughput (per second), op:NAME (ns), or ops: every op, those that "
        "moved together as one event");
    filter_.declare(options);
    options.value("--delta", "RATIO", delta_, "Smallest change that counts (default: 0.01)");
    options.flag("--plot", plot_, "Draw it");
    options.flag("--json", json_, "One JSON document on stdout");
    options.example("neurolens history --metric latency --model resnet50 --plot");
  }
  Result<int> run(Context& context) override {
    NEUROLENS_ASSIGN(auto opened, open_store(context, filter_.folder, false));
    NEUROLENS_ASSIGN(const auto filter, filter_.filter());
    NEUROLENS_ASSIGN(const auto trend, find(opened, filter));
    context.terminal.out(json_ ? as_json(trend) : as_text(context, trend));
    return kDone;
  }

 private:
  Result<Trend> find(store::Store& opened, const store::Filter& filter) const {
    const double delta = delta_.value_or(analyze::ChangePointOptions{}.delta);
    Trend trend{metric_, {}, {}};
    if (metric_ == kAllOps) {
      NEUROLENS_ASSIGN(auto history, opened.op_history(filter));
      trend.events = events_of({}, {}, history, delta);
      trend.points = std::move(history.runs);
      return trend;
    }
    NEUROLENS_ASSIGN(trend.points, opened.history(filter, metric_));
    std::vector<double> values;
    for (const auto& point : trend.points) values.push_back(point.value);
    analyze::ChangePointOptions options;
    options.delta = delta;
    auto changes = analyze::find_changes(values, options);
    if (changes.empty() || metric_.starts_with("op:")) {
      for (const auto& c : changes) trend.events.push_back({c.index, c, {}});
      return trend;
    }
    NEUROLENS_ASSIGN(auto history, opened.op_history(filter));
    join_ops(trend, std::move(changes), history, delta);
    return trend;
  }

  /// Says which ops moved with each change of the metric.
  static void join_ops(Trend& trend, std::vector<analyze::ChangePoint> changes,
                       const store::OpHistory& history, double delta) {
    std::vector<std::size_t> positions;  // of the points among all Runs, which may lack the metric
    std::size_t run = 0;
    for (const auto& point : trend.points) {
      while (history.runs[run].run_id != point.run_id) ++run;
      positions.push_back(run);
    }
    for (auto& event : events_of(positions, std::move(changes), history, delta)) {
      if (!event.metric) continue;
      event.place = event.metric->index;
      trend.events.push_back(std::move(event));
    }
  }

  static void write_change(json::Writer& w, const analyze::ChangePoint& c) {
    w.member("before", c.before).member("after", c.after).member("ratio", c.after / c.before);
  }

  static std::string as_json(const Trend& trend) {
    json::Writer w({2});
    w.begin_object().member("metric", trend.metric).key("points").begin_array();
    for (const auto& p : trend.points) {
      w.begin_object()
          .member("run_id", p.run_id)
          .member("created_at", p.created_at)
          .member("value", p.value)
          .end_object();
    }
    w.end_array().key("changes").begin_array();
    for (const auto& event : trend.events) {
      w.begin_object()
          .member("last_before", trend.points[event.place - 1].run_id)
          .member("first_after", trend.points[event.place].run_id);
      if (event.metric) write_change(w, *event.metric);
      w.key("ops").begin_array();
      for (const auto& op : event.ops) {
        w.begin_object().member("name", op.name);
        write_change(w, op.change);
        w.end_object();
      }
      w.end_array().end_object();
    }
    w.end_array().end_object();
    return std::move(w).take() + "\n";
  }

  static std::string percent(const analyze::ChangePoint& c) {
    return fmt::format("{:+.1f} %", 100 * (c.after / c.before - 1));
  }

  std::string as_text(const Context& context, const Trend& trend) const {
    const auto& points = trend.points;
    if (points.empty()) return "no Run has this figure\n";
    std::string text = fmt::format("{} over {} Runs, {} to {}\n", printable(metric_), points.size(),
                                   points.front().created_at.substr(0, 10),
                                   points.back().created_at.substr(0, 10));
    if (plot_) text += plot(trend, context.terminal.width() == 0 ? 100 : context.terminal.width());
    for (const auto& event : trend.events) text += event_text(trend, event);
    if (trend.events.empty())
      text += points.size() < 10 ? "fewer than 10 Runs: cannot tell whether it changed\n"
                                 : "no change found\n";
    return text;
  }

  std::string event_text(const Trend& trend, const Event& event) const {
    constexpr std::size_t kShown = 8;
    const auto value = [&](double v) {
      return metric_ == "throughput" ? report::format_number(v) : report::format_time(v);
    };
    const std::string between =
        fmt::format("between {} and {}", trend.points[event.place - 1].run_id.substr(0, 8),
                    trend.points[event.place].run_id.substr(0, 8));
    std::string text =
        event.metric ? fmt::format("changed by {} {}: {} -> {}\n", percent(*event.metric), between,
                                   value(event.metric->before), value(event.metric->after))
                     : fmt::format("{} {} moved {}\n", event.ops.size(),
                                   event.ops.size() == 1 ? "op" : "ops", between);
    for (std::size_t i = 0; i < std::min(event.ops.size(), kShown); ++i) {
      const auto& op = event.ops[i];
      text +=
          fmt::format("    {} {}: {} -> {}\n", printable(op.name), percent(op.change),
                      report::format_time(op.change.before), report::format_time(op.change.after));
    }
    if (event.ops.size() > kShown)
      text += fmt::format("    and {} more ops\n", event.ops.size() - kShown);
    return text;
  }

  std::string metric_ = "latency";
  FilterOptions filter_;
  std::optional<double> delta_;
  bool plot_ = false;
  bool json_ = false;
};

}  // namespace

std::unique_ptr<Command> make_history() {
  return std::make_unique<History>();
}

}  // namespace neurolens::cli
