/// \file
/// The phase controller of the adaptive cell: when a node works, rests, talks or is inspired.
/// P(next | phase) = softmax((log T[phase] + bias) / temperature), with biases from stress, rest
/// debt and the circadian clock (towards sleep), activity (towards interactive) and energy (towards
/// inspired). Before the table, in this order: with probability `exploration` a draw from the base
/// weights; the guards stress > limit, debt > limit, energy < low (all: sleep), energy > high with
/// activity < low (inspired), activity > high (interactive).
#pragma once

#include <array>
#include <cstdint>

#include "neurolens/base/json.hpp"
#include "neurolens/base/result.hpp"
#include "neurolens/engines/kernels/kernels.hpp"

namespace neurolens::nn {

/// Index of a phase in tables and in the stream state.
enum class Phase : std::uint8_t { active = 0, sleep = 1, interactive = 2, inspired = 3 };

/// How nodes fall asleep.
enum class PhaseMode : std::uint8_t {
  off,         ///< Every node is active, always.
  dial,        ///< A given share of the nodes, drawn anew for every stream and step, is awake.
  controller,  ///< The table, guards and energy budget below.
};

/// Every number of the controller. Defaults are those of the founding system where it had them.
struct PhaseOptions {
  PhaseMode mode = PhaseMode::off;
  /// Dial: share of nodes awake, in [0, 1]; lowering it saves time in proportion.
  double awake = 1.0;
  /// Dial: the share in training passes; below 1 the network learns to do without some nodes.
  double awake_training = 1.0;
  /// Row: from; column: to. Rows sum to 1.
  std::array<std::array<double, 4>, 4> table = {
      {{.80, .04, .15, .01}, {.15, .80, .04, .01}, {.15, .04, .80, .01}, {.10, .05, .05, .80}}};
  std::array<double, 4> base = {.6, .1, .25, .05};  ///< Weights of an exploring node.
  double temperature = 1.0;                         ///< > 0; raising it flattens the table.
  bool guards = true;
  double exploration = 0.1;  ///< In [0, 1).
  double stress_limit = 5, debt_limit = 0.6;
  double energy_low = 2, energy_high = 20, activity_low = 0.3, activity_high = 0.7;
  double bias_stress = 0.1, bias_debt = 1.0, bias_activity = 0.5, bias_energy = 0.5;
  double circadian_gain = 0.5, circadian_period = 100;  ///< Period in steps of a stream.
  double stress_smoothing = 0.3;
  double energy_start = 10, energy_max = 50;
  double energy_decay = 0.01;    ///< lambda: share lost per step.
  double energy_recovery = 1.0;  ///< r: gained per step asleep.
  double energy_cost = 0.3;      ///< c: paid per step and unit of activity.
  std::array<double, 4> debt_rate = {0.05, -0.1, 0.03, 0.0};
  double debt_stressed_sleep = -0.07;
};

/// Reads the keys of `phases: {...}`. Errors: those of Config::finish; out_of_range when a row of
/// the table does not sum to 1.
[[nodiscard]] Result<PhaseOptions> read_phases(const json::Value& node);

/// The kernel's form at `clock` steps of a stream's life.
template <class T>
[[nodiscard]] kernels::PhaseRules<T> make_rules(const PhaseOptions& options, double clock);

}  // namespace neurolens::nn
