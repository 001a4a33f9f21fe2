#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "builtin.hpp"
#include "neurolens/analyze/change_points.hpp"
#include "neurolens/base/json.hpp"
#include "neurolens/base/text.hpp"
#include "neurolens/report/table.hpp"
#include "store.hpp"

namespace neurolens::cli {
namespace {

/// A trend as rows of dots, largest value on top; changes are marked below.
std::string plot(const std::vector<store::Point>& points,
                 const std::vector<analyze::ChangePoint>& changes, std::size_t width) {
  constexpr std::size_t kRows = 10;
  const std::size_t columns = std::min(points.size(), std::max<std::size_t>(width, 40) - 12);
  const auto [low, high] = std::minmax_element(
      points.begin(), points.end(), [](const auto& a, const auto& b) { return a.value < b.value; });
  const double span = std::max(high->value - low->value, 1e-12 * std::abs(high->value) + 1e-300);
  std::vector<std::string> rows(kRows, std::string(columns, ' '));
  std::string marks(columns, ' ');
  for (std::size_t i = 0; i < points.size(); ++i) {
    const std::size_t column = i * columns / points.size();
    const auto row =
        static_cast<std::size_t>(std::lround((points[i].value - low->value) / span * (kRows - 1)));
    rows[kRows - 1 - row][column] = '*';
  }
  for (const auto& change : changes) marks[change.index * columns / points.size()] = '^';
  std::string text;
  for (std::size_t r = 0; r < kRows; ++r) {
    const std::string label = r == 0           ? report::format_number(high->value)
                              : r + 1 == kRows ? report::format_number(low->value)
                                               : "";
    text += fmt::format("{:>10} |{}\n", label, rows[r]);
  }
  return text + fmt::format("{:>10}  {}\n", "", marks);
}

class History final : public Command {
 public:
  [[nodiscard]] std::string name() const override { return "history"; }
  [[nodiscard]] std::string summary() const override {
    return "show a trend over the store and where it changed";
  }
  void declare(Options& options) override {
    options.value("--metric", "M", metric_,
                  "latency (ns), throughput (per second) or op:NAME (ns)");
    options.value("--model", "NAME", model_, "Name of the workload; * and ? are wildcards");
    options.value("--delta", "RATIO", delta_, "Smallest change that counts (default: 0.01)");
    options.flag("--plot", plot_, "Draw it");
    options.value("--store", "PATH", folder_, "Folder of the store");
    options.flag("--json", json_, "One JSON document on stdout");
    options.example("neurolens history --metric latency --model resnet50 --plot");
  }
  Result<int> run(Context& context) override {
    NEUROLENS_ASSIGN(auto opened, open_store(context, folder_, false));
    store::Filter filter;
    filter.model = model_;
    NEUROLENS_ASSIGN(const auto points, opened.history(filter, metric_));
    std::vector<double> values;
    for (const auto& point : points) values.push_back(point.value);
    analyze::ChangePointOptions options;
    options.delta = delta_.value_or(options.delta);
    const auto changes = analyze::find_changes(values, options);
    context.terminal.out(json_ ? as_json(points, changes) : as_text(context, points, changes));
    return kDone;
  }

 private:
  [[nodiscard]] std::string as_json(const std::vector<store::Point>& points,
                                    const std::vector<analyze::ChangePoint>& changes) const {
    json::Writer w({2});
    w.begin_object().member("metric", metric_).key("points").begin_array();
    for (const auto& p : points) {
      w.begin_object()
          .member("run_id", p.run_id)
          .member("created_at", p.created_at)
          .member("value", p.value)
          .end_object();
    }
    w.end_array().key("changes").begin_array();
    for (const auto& c : changes) {
      w.begin_object()
          .member("last_before", points[c.index - 1].run_id)
          .member("first_after", points[c.index].run_id);
      w.member("before", c.before)
          .member("after", c.after)
          .member("ratio", c.after / c.before)
          .end_object();
    }
    w.end_array().end_object();
    return std::move(w).take() + "\n";
  }
  [[nodiscard]] std::string as_text(const Context& context, const std::vector<store::Point>& points,
                                    const std::vector<analyze::ChangePoint>& changes) const {
    if (points.empty()) return "no Run has this figure\n";
    std::string text = fmt::format("{} over {} Runs, {} to {}\n", printable(metric_), points.size(),
                                   points.front().created_at.substr(0, 10),
                                   points.back().created_at.substr(0, 10));
    if (plot_)
      text += plot(points, changes, context.terminal.width() == 0 ? 100 : context.terminal.width());
    const auto value = [&](double v) {
      return metric_ == "throughput" ? report::format_number(v) : report::format_time(v);
    };
    for (const auto& c : changes) {
      text += fmt::format("changed by {:+.1f} % between {} and {}: {} -> {}\n",
                          100 * (c.after / c.before - 1), points[c.index - 1].run_id.substr(0, 8),
                          points[c.index].run_id.substr(0, 8), value(c.before), value(c.after));
    }
    if (changes.empty())
      text += points.size() < 10 ? "fewer than 10 Runs: cannot tell whether it changed\n"
                                 : "no change found\n";
    return text;
  }

  std::string metric_ = "latency";
  std::optional<std::string> model_;
  std::optional<std::string> folder_;
  std::optional<double> delta_;
  bool plot_ = false;
  bool json_ = false;
};

}  // namespace

std::unique_ptr<Command> make_history() {
  return std::make_unique<History>();
}

}  // namespace neurolens::cli
