// Error rates of the change-point search: series without a change that show one, and steps found.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
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
  return 0;
}
