// Error rates of the change-point search: series without a change that show one, and steps found.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <limits>
#include <numeric>
#include <vector>

#include "neurolens/analyze/change_points.hpp"
#include "neurolens/base/random.hpp"

namespace {

using namespace neurolens;

constexpr const char* kModels[] = {"normal", "5 % outliers of +30 %", "AR(.3)", "AR(.6)"};
constexpr double kSigma = 0.02;

/// Noise of one model; state carries over between points. Every model has innovations of 2 %.
class Noise {
 public:
  Noise(int model, std::uint64_t seed)
      : model_(model), random_(seed, static_cast<std::uint64_t>(model)) {}
  double next() {
    const double innovation = kSigma * random_.normal();
    if (model_ == 0) return innovation;
    if (model_ == 1) return innovation + (random_.uniform() < 0.05 ? 0.3 : 0);
    state_ = (model_ == 2 ? 0.3 : 0.6) * state_ + innovation;
    return state_;
  }
  void settle() {
    for (int i = 0; i < 50; ++i) (void)next();
  }

 private:
  int model_;
  Random random_;
  double state_ = 0;
};

std::vector<double> series(Noise& noise, std::size_t before, std::size_t after, double step) {
  noise.settle();
  std::vector<double> values;
  for (std::size_t t = 0; t < before + after; ++t)
    values.push_back((t < before ? 100 : 100 * (1 + step)) * std::exp(noise.next()));
  return values;
}

// --- what could be reached at all ------------------------------------------------------------

/// The best split of a series under AR(1) noise, by generalised least squares.
struct Peak {
  double statistic = 0;
  std::size_t split = 0;
};

/// Sums over a series of logarithms made white by `phi`: y = mean c + step z + white noise.
struct White {
  std::vector<double> y, c;
  double cc = 0, cy = 0, yy = 0;
  double phi = 0;

  White(const std::vector<double>& logs, double correlation)
      : y(logs), c(logs.size(), 1 - correlation), phi(correlation) {
    c[0] = std::sqrt(1 - phi * phi);
    y[0] *= c[0];
    for (std::size_t t = 1; t < logs.size(); ++t) y[t] = logs[t] - phi * logs[t - 1];
    for (std::size_t t = 0; t < y.size(); ++t) {
      cc += c[t] * c[t];
      cy += c[t] * y[t];
      yy += y[t] * y[t];
    }
  }
  /// Sum of squares that a mean leaves over.
  [[nodiscard]] double rest() const { return yy - cy * cy / cc; }
  /// What a step before each point explains of that: calls visit(split, sum of squares).
  template <class Visit>
  void steps(const Visit& visit) const {
    constexpr std::size_t kMargin = 3;
    const double slope = 1 - phi;
    double tail_y = 0;  // of y behind the split
    for (std::size_t t = y.size() - 1; t >= kMargin; --t) {
      const double zy = y[t] + slope * tail_y;
      const auto behind = static_cast<double>(y.size() - 1 - t);
      const double zc = c[t] + slope * slope * behind;
      const double zz = 1 + slope * slope * behind;
      const double own = zz - zc * zc / cc;
      const double along = zy - zc * cy / cc;
      if (t + kMargin <= y.size() && own > 0) visit(t, along * along / own);
      tail_y += y[t];
    }
  }
};

/// Knows the correlation and the size of the innovations.
Peak known(const std::vector<double>& logs, double phi) {
  Peak best;
  White(logs, phi).steps([&](std::size_t t, double explained) {
    const double z = std::sqrt(explained) / kSigma;
    if (z > best.statistic) best = {z, t};
  });
  return best;
}

/// Knows neither: the likelihood ratio of "a step" to "no step", each with its own best
/// correlation.
Peak unknown(const std::vector<double>& logs) {
  double without = std::numeric_limits<double>::infinity();
  double with = without;
  Peak best;
  for (double phi = 0; phi < 0.96; phi += 0.05) {
    const White white(logs, phi);
    // The determinant of the covariance: 1 / (1 - phi^2), once for the series.
    const double weight = std::pow(1 - phi * phi, -1.0 / static_cast<double>(logs.size()));
    without = std::min(without, weight * white.rest());
    white.steps([&](std::size_t t, double explained) {
      const double left = weight * (white.rest() - explained);
      if (left < with) {
        with = left;
        best.split = t;
      }
    });
  }
  best.statistic = static_cast<double>(logs.size()) * std::log(without / with);
  return best;
}

std::vector<double> logs_of(std::vector<double> values) {
  for (auto& v : values) v = std::log(v);
  return values;
}

/// Found within 3 points of its place, in per cent, by a test that alarms for 1 of 100 series
/// without a change of its own length: `noises` are those that it must stay quiet under.
template <class Test>
double best_rate(int count, int model, const std::vector<int>& noises, std::size_t before,
                 const Test& test) {
  double critical = 0;
  for (const int quiet : noises) {
    Noise noise(quiet, 3000 + before);
    std::vector<double> null;
    for (int i = 0; i < count; ++i)
      null.push_back(test(logs_of(series(noise, before + 10, 0, 0))).statistic);
    std::sort(null.begin(), null.end());
    critical = std::max(critical, null[null.size() * 99 / 100]);
  }
  Noise noise(model, 2000 + before);
  int found = 0;
  for (int i = 0; i < count; ++i) {
    const Peak peak = test(logs_of(series(noise, before, 10, 0.05)));
    found += peak.statistic > critical && peak.split + 3 >= before && peak.split <= before + 3;
  }
  return 100.0 * found / count;
}

/// Normal scores of the ranks: outliers become as large as the largest of so many normal values.
std::vector<double> scores_of(const std::vector<double>& values) {
  std::vector<std::size_t> order(values.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::sort(order.begin(), order.end(),
            [&](std::size_t a, std::size_t b) { return values[a] < values[b]; });
  std::vector<double> scores(values.size());
  for (std::size_t i = 0; i < order.size(); ++i) {
    const double share = (static_cast<double>(i) + 1) / (static_cast<double>(values.size()) + 1);
    double low = -6;
    double high = 6;
    while (high - low > 1e-9) {  // the normal quantile by bisection
      const double middle = (low + high) / 2;
      (std::erfc(-middle / std::sqrt(2.0)) / 2 < share ? low : high) = middle;
    }
    scores[order[i]] = low;
  }
  return scores;
}

void print_bounds(int count) {
  fmt::print("\nthe same step, by tests that alarm for 1 of 100 series without a change\n");
  fmt::print("{:<44} {:>8} {:>8} {:>8}\n", "noise", "30", "40", "90 points before");
  const auto row = [&](int model, const char* how, const std::vector<int>& noises,
                       const auto& test) {
    fmt::print("{:<44}", fmt::format("{}, {}", kModels[model], how));
    for (const std::size_t before : {30U, 40U, 90U})
      fmt::print(" {:>6.1f} %", best_rate(count, model, noises, before, test));
    fmt::print("\n");
  };
  for (const int model : {0, 1, 2, 3}) {
    const double phi = model == 2 ? 0.3 : model == 3 ? 0.6 : 0;
    if (model != 1) {
      row(model, "correlation known", {model}, [&](const auto& logs) { return known(logs, phi); });
      row(model, "correlation unknown", {0, 2, 3}, unknown);
    }
    row(model, "unknown, by ranks", {0, 1, 2, 3},
        [](const auto& logs) { return unknown(scores_of(logs)); });
  }
}

}  // namespace

int main(int argc, char** argv) {
  const int count = argc > 1 ? std::atoi(argv[1]) : 2000;
  fmt::print("series without a change that show one (of {}, one-percent level)\n", count);
  fmt::print("{:<24} {:>8} {:>8} {:>8} {:>8}\n", "noise", "30", "60", "100", "200 points");
  for (int model = 0; model < 4; ++model) {
    fmt::print("{:<24}", kModels[model]);
    for (const std::size_t length : {30U, 60U, 100U, 200U}) {
      Noise noise(model, 1000 + length);
      int alarms = 0;
      for (int i = 0; i < count; ++i)
        alarms += analyze::find_changes(series(noise, length, 0, 0)).empty() ? 0 : 1;
      fmt::print(" {:>6.2f} %", 100.0 * alarms / count);
    }
    fmt::print("\n");
  }
  fmt::print("\na step of +5 % that lies 10 points back, found within 3 points of its place\n");
  fmt::print("{:<24} {:>8} {:>8} {:>8}\n", "noise", "30", "40", "90 points before");
  for (int model = 0; model < 4; ++model) {
    fmt::print("{:<24}", kModels[model]);
    for (const std::size_t before : {30U, 40U, 90U}) {
      Noise noise(model, 2000 + before);
      int found = 0;
      for (int i = 0; i < count; ++i) {
        const auto changes = analyze::find_changes(series(noise, before, 10, 0.05));
        found += std::any_of(
                     changes.begin(), changes.end(),
                     [&](const auto& c) { return c.index + 3 >= before && c.index <= before + 3; })
                     ? 1
                     : 0;
      }
      fmt::print(" {:>6.1f} %", 100.0 * found / count);
    }
    fmt::print("\n");
  }
  print_bounds(count);
  return 0;
}
