#include "ode/dormand_prince.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>

namespace neurolens::pde {
namespace {

constexpr double kC[7] = {0, 0.2, 0.3, 0.8, 8.0 / 9, 1, 1};
constexpr double kA[7][6] = {
    {},
    {0.2},
    {3.0 / 40, 9.0 / 40},
    {44.0 / 45, -56.0 / 15, 32.0 / 9},
    {19372.0 / 6561, -25360.0 / 2187, 64448.0 / 6561, -212.0 / 729},
    {9017.0 / 3168, -355.0 / 33, 46732.0 / 5247, 49.0 / 176, -5103.0 / 18656},
    {35.0 / 384, 0, 500.0 / 1113, 125.0 / 192, -2187.0 / 6784, 11.0 / 84}};
constexpr double kError[7] = {71.0 / 57600,      0,          -71.0 / 16695, 71.0 / 1920,
                              -17253.0 / 339200, 22.0 / 525, -1.0 / 40};
constexpr double kDense[7] = {-12715105075.0 / 11282082432.0,  0,
                              87487479700.0 / 32700410799.0,   -10690763975.0 / 1880347072.0,
                              701980252875.0 / 199316789632.0, -1453857185.0 / 822651844.0,
                              69997945.0 / 29380423.0};
constexpr double kStabilityEdge = 3.25;
constexpr int kStiffStrikes = 15;

// One step's continuous extension.
struct Dense {
  double t = 0, h = 0;
  std::array<std::vector<double>, 5> r;
  void at(double time, std::vector<double>& y) const {
    const double s = (time - t) / h;
    for (std::size_t i = 0; i < y.size(); ++i)
      y[i] = r[0][i] + s * (r[1][i] + (1 - s) * (r[2][i] + s * (r[3][i] + (1 - s) * r[4][i])));
  }
};

class Stepper {
 public:
  Stepper(const OdeProblem& p, const OdeOptions& o, OdeResult& result)
      : p_(p), o_(o), result_(result) {}

  Result<bool> run(bool detect, double& t, std::vector<double>& y, std::size_t& next) {
    const std::size_t n = y.size();
    const double direction = o_.output_times.back() >= p_.start ? 1 : -1;
    const double end = o_.output_times.back();
    for (auto& k : k_) k.assign(n, 0.0);
    if (!evaluate(t, y, k_[0])) return refused(t);
    double h = direction * first_step(t, y, std::fabs(end - t));
    std::vector<double> stage(n), fresh(n), last_stage(n);
    std::vector<double> value;
    for (const OdeEvent& e : p_.events) value.push_back(e.value(t, y));
    int strikes = 0;
    double previous_error = 1e-4;
    while (next < o_.output_times.size()) {
      if (o_.attention.cancelled()) {
        result_.stopped = true;
        return false;
      }
      if (result_.steps + result_.rejected >= o_.max_steps)
        return Error{
            Errc::check_failed,
            fmt::format("{} steps were not enough; t = {:.6g} was reached.", o_.max_steps, t), ""};
      if (std::fabs(h) < 1e-14 * std::max(std::fabs(t), std::fabs(end - p_.start)))
        return Error{
            Errc::check_failed,
            fmt::format(
                "The tolerance cannot be met at t = {:.9g}: the step shrank to nothing. The "
                "solution may be singular there.",
                t),
            ""};
      if ((t + h - end) * direction > 0) h = end - t;
      bool good = true;
      for (int s = 1; s < 7 && good; ++s) {
        for (std::size_t i = 0; i < n; ++i) {
          double sum = 0;
          for (int j = 0; j < s; ++j) sum += kA[s][j] * k_[static_cast<std::size_t>(j)][i];
          stage[i] = y[i] + h * sum;
        }
        if (s == 5) last_stage = stage;
        good = evaluate(t + kC[s] * h, stage, k_[static_cast<std::size_t>(s)]);
      }
      fresh = stage;
      double error = 1e30;
      if (good) {
        error = 0;
        for (std::size_t i = 0; i < n; ++i) {
          double e = 0;
          for (std::size_t j = 0; j < 7; ++j) e += kError[j] * k_[j][i];
          const double size = std::max(std::fabs(y[i]), std::fabs(fresh[i]));
          const double scaled = h * e / (o_.absolute_tolerance + o_.relative_tolerance * size);
          error += scaled * scaled;
        }
        error = std::sqrt(error / static_cast<double>(n));
      }
      if (!(error <= 1)) {
        ++result_.rejected;
        h *= good && std::isfinite(error) ? std::max(0.2, 0.9 * std::pow(error, -0.2)) : 0.25;
        continue;
      }
      ++result_.steps;
      make_dense(t, h, y, fresh);
      if (stop_at_event(t, h, value)) {
        emit(next, hit_time_, direction);
        t = hit_time_;
        result_.ended_by_event = true;
        next = o_.output_times.size();
        return false;
      }
      emit(next, t + h, direction);
      if (detect && is_stiff(h, fresh, last_stage)) {
        if (++strikes >= kStiffStrikes) {
          t += h;
          y = fresh;
          return next < o_.output_times.size();
        }
      } else if (strikes > 0 && result_.steps % 6 == 0) {
        strikes = 0;
      }
      t = h == end - t ? end : t + h;
      y = fresh;
      std::swap(k_[0], k_[6]);
      // Proportional-integral control (Gustafsson).
      const double factor =
          0.9 * std::pow(std::max(error, 1e-10), -0.17) * std::pow(previous_error, 0.04);
      previous_error = std::max(error, 1e-4);
      h *= std::clamp(factor, 0.2, 10.0);
    }
    return false;
  }

 private:
  bool evaluate(double t, const std::vector<double>& y, std::vector<double>& out) {
    ++result_.evaluations;
    if (!p_.f(t, y, out)) return false;
    return std::all_of(out.begin(), out.end(), [](double v) { return std::isfinite(v); });
  }
  static Error refused(double t) {
    return {Errc::check_failed,
            fmt::format("The right-hand side is not a finite number at t = {:.9g}.", t), ""};
  }

  double first_step(double t, const std::vector<double>& y, double length) {
    if (o_.first_step > 0) return std::min(o_.first_step, length);
    double d0 = 0;
    double d1 = 0;
    for (std::size_t i = 0; i < y.size(); ++i) {
      const double scale = o_.absolute_tolerance + o_.relative_tolerance * std::fabs(y[i]);
      d0 = std::max(d0, std::fabs(y[i]) / std::max(scale, 1e-300));
      d1 = std::max(d1, std::fabs(k_[0][i]) / std::max(scale, 1e-300));
    }
    (void)t;
    const double guess = d0 > 1e-5 && d1 > 1e-5 ? 0.01 * d0 / d1 : 1e-6;
    return std::min({guess, 0.1 * length, d1 > 0 ? std::pow(0.01 / d1, 0.2) * length : length});
  }

  void make_dense(double t, double h, const std::vector<double>& y,
                  const std::vector<double>& fresh) {
    dense_.t = t;
    dense_.h = h;
    for (auto& r : dense_.r) r.resize(y.size());
    for (std::size_t i = 0; i < y.size(); ++i) {
      const double difference = fresh[i] - y[i];
      const double bend = h * k_[0][i] - difference;
      double last = 0;
      for (std::size_t j = 0; j < 7; ++j) last += kDense[j] * k_[j][i];
      dense_.r[0][i] = y[i];
      dense_.r[1][i] = difference;
      dense_.r[2][i] = bend;
      dense_.r[3][i] = difference - h * k_[6][i] - bend;
      dense_.r[4][i] = h * last;
    }
  }

  void emit(std::size_t& next, double reached, double direction) {
    while (next < o_.output_times.size() && (o_.output_times[next] - reached) * direction <= 0) {
      std::vector<double> y(dense_.r[0].size());
      dense_.at(o_.output_times[next], y);
      result_.times.push_back(o_.output_times[next++]);
      result_.states.push_back(std::move(y));
    }
  }

  // Finds zeros of the event functions within the step; true when a terminal one was met.
  bool stop_at_event(double t, double h, std::vector<double>& value) {
    std::vector<std::pair<double, std::size_t>> hits;
    std::vector<double> y(dense_.r[0].size());
    for (std::size_t e = 0; e < p_.events.size(); ++e) {
      dense_.at(t + h, y);
      const double after = p_.events[e].value(t + h, y);
      const double before = value[e];
      value[e] = after;
      const bool rising = before < 0 && after >= 0;
      const bool falling = before > 0 && after <= 0;
      if (!(p_.events[e].direction >= 0 && rising) && !(p_.events[e].direction <= 0 && falling))
        continue;
      double low = 0;
      double high = 1;
      for (int i = 0; i < 60; ++i) {
        const double middle = (low + high) / 2;
        dense_.at(t + middle * h, y);
        const double v = p_.events[e].value(t + middle * h, y);
        if ((v < 0) == (before < 0) && v != 0)
          low = middle;
        else
          high = middle;
      }
      hits.emplace_back(high, e);
    }
    std::sort(hits.begin(), hits.end());
    for (const auto& [where, e] : hits) {
      hit_time_ = t + where * h;
      dense_.at(hit_time_, y);
      result_.hits.push_back({hit_time_, e, y});
      if (p_.events[e].terminal) return true;
    }
    return false;
  }

  bool is_stiff(double h, const std::vector<double>& fresh,
                const std::vector<double>& last_stage) const {
    double up = 0;
    double down = 0;
    for (std::size_t i = 0; i < fresh.size(); ++i) {
      up += (k_[6][i] - k_[5][i]) * (k_[6][i] - k_[5][i]);
      down += (fresh[i] - last_stage[i]) * (fresh[i] - last_stage[i]);
    }
    return down > 0 && std::fabs(h) * std::sqrt(up / down) > kStabilityEdge;
  }

  const OdeProblem& p_;
  const OdeOptions& o_;
  OdeResult& result_;
  std::array<std::vector<double>, 7> k_;
  Dense dense_;
  double hit_time_ = 0;
};

}  // namespace

Result<bool> run_dormand_prince(const OdeProblem& problem, const OdeOptions& options,
                                bool detect_stiffness, double& t, std::vector<double>& y,
                                std::size_t& next, OdeResult& result) {
  return Stepper(problem, options, result).run(detect_stiffness, t, y, next);
}

}  // namespace neurolens::pde
