#include "neurolens/engines/nn/phase.hpp"

#include <cmath>

#include "neurolens/engines/nn/config.hpp"

namespace neurolens::nn {
namespace {

void read_four(Config& c, const char* key, std::array<double, 4>& out) {
  const auto values = c.numbers(key);
  if (values.empty()) return;
  if (values.size() != 4) {
    c.fail(Errc::out_of_range, std::string("\"") + key +
                                   "\" needs four numbers: active, sleep, interactive, inspired.");
    return;
  }
  for (std::size_t i = 0; i < 4; ++i) out[i] = values[i];
}

void read_table(Config& c, PhaseOptions& o) {
  const json::Value* table = c.member("table");
  if (table != nullptr) {
    const auto* rows = table->as_array();
    bool good = rows != nullptr && rows->size() == 4;
    for (std::size_t i = 0; good && i < 4; ++i) {
      const auto* row = (*rows)[i].as_array();
      good = row != nullptr && row->size() == 4;
      for (std::size_t j = 0; good && j < 4; ++j) {
        good = (*row)[j].is_number();
        if (good) o.table[i][j] = *(*row)[j].as_double();
      }
    }
    if (!good)
      c.fail(Errc::wrong_type, "\"table\" must be four rows of four probabilities.", table);
  }
  for (const auto& row : o.table) {
    double sum = 0;
    for (const double p : row) sum += p > 0 ? p : -1e9;
    if (std::abs(sum - 1) > 1e-6) {
      c.fail(Errc::out_of_range,
             "Each row of \"table\" must hold positive probabilities that sum to 1.", table);
    }
  }
}

}  // namespace

Result<PhaseOptions> read_phases(const json::Value& node) {
  Config c(node, "phases");
  PhaseOptions o;
  o.mode = static_cast<PhaseMode>(c.choice("mode", {"off", "dial", "controller"}, 0));
  o.awake = c.number("awake", o.awake, 0, 1);
  o.awake_training = c.number("awake_training", o.awake_training, 0, 1);
  read_table(c, o);
  read_four(c, "base", o.base);
  o.temperature = c.number("temperature", o.temperature, 1e-3, 1e3);
  o.guards = c.flag("guards", o.guards);
  o.exploration = c.number("exploration", o.exploration, 0, 0.999);
  o.stress_limit = c.number("stress_limit", o.stress_limit, 0, 1e6);
  o.debt_limit = c.number("debt_limit", o.debt_limit, 0, 1e6);
  o.energy_low = c.number("energy_low", o.energy_low, 0, 1e6);
  o.energy_high = c.number("energy_high", o.energy_high, 0, 1e6);
  o.activity_low = c.number("activity_low", o.activity_low, 0, 1);
  o.activity_high = c.number("activity_high", o.activity_high, 0, 1);
  o.bias_stress = c.number("bias_stress", o.bias_stress, -100, 100);
  o.bias_debt = c.number("bias_debt", o.bias_debt, -100, 100);
  o.bias_activity = c.number("bias_activity", o.bias_activity, -100, 100);
  o.bias_energy = c.number("bias_energy", o.bias_energy, -100, 100);
  o.circadian_gain = c.number("circadian_gain", o.circadian_gain, -100, 100);
  o.circadian_period = c.number("circadian_period", o.circadian_period, 1, 1e9);
  o.stress_smoothing = c.number("stress_smoothing", o.stress_smoothing, 0, 1);
  o.energy_start = c.number("energy_start", o.energy_start, 0, 1e6);
  o.energy_max = c.number("energy_max", o.energy_max, 1e-3, 1e6);
  o.energy_decay = c.number("energy_decay", o.energy_decay, 0, 1);
  o.energy_recovery = c.number("energy_recovery", o.energy_recovery, 0, 1e6);
  o.energy_cost = c.number("energy_cost", o.energy_cost, 0, 1e6);
  read_four(c, "debt_rate", o.debt_rate);
  o.debt_stressed_sleep = c.number("debt_stressed_sleep", o.debt_stressed_sleep, -10, 10);
  NEUROLENS_TRY(c.finish());
  return o;
}

template <class T>
kernels::PhaseRules<T> make_rules(const PhaseOptions& o, double clock) {
  kernels::PhaseRules<T> r;
  double base_sum = 0, running = 0;
  for (const double b : o.base) base_sum += b;
  for (std::size_t i = 0; i < 4; ++i) {
    for (std::size_t j = 0; j < 4; ++j) r.log_table[i][j] = T(std::log(o.table[i][j]));
    running += o.base[i];
    r.base[i] = T(running / base_sum);
    r.debt_rate[i] = T(o.debt_rate[i]);
  }
  r.inverse_temperature = T(1 / o.temperature);
  r.exploration = T(o.exploration);
  r.stress_limit = T(o.stress_limit), r.debt_limit = T(o.debt_limit);
  r.energy_low = T(o.energy_low), r.energy_high = T(o.energy_high);
  r.activity_low = T(o.activity_low), r.activity_high = T(o.activity_high);
  r.guards = o.guards;
  r.bias_energy = T(o.bias_energy), r.bias_activity = T(o.bias_activity);
  r.bias_stress = T(o.bias_stress), r.bias_debt = T(o.bias_debt);
  r.circadian = T(o.circadian_gain * std::sin(6.283185307179586 * clock / o.circadian_period));
  r.stress_smoothing = T(o.stress_smoothing);
  r.energy_decay = T(o.energy_decay), r.energy_recovery = T(o.energy_recovery);
  r.energy_cost = T(o.energy_cost), r.energy_max = T(o.energy_max);
  r.debt_stressed_sleep = T(o.debt_stressed_sleep);
  return r;
}
template kernels::PhaseRules<float> make_rules(const PhaseOptions&, double);
template kernels::PhaseRules<double> make_rules(const PhaseOptions&, double);

}  // namespace neurolens::nn
