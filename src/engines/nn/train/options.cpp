#include <algorithm>
#include <cmath>

#include "neurolens/engines/nn/config.hpp"
#include "neurolens/engines/nn/trainer.hpp"

namespace neurolens::nn {
namespace {

constexpr std::int64_t kMany = std::int64_t{1} << 40;

Result<OptimizerOptions> read_optimizer(const json::Value& node) {
  Config c(node, "optimizer");
  OptimizerOptions o;
  o.kind = static_cast<OptimizerKind>(c.choice("type", {"adam", "adamw", "sgd"}, 0));
  o.learning_rate = c.number("learning_rate", o.kind == OptimizerKind::sgd ? 0.1 : 1e-3, 0, 1e3);
  if (o.kind == OptimizerKind::sgd) {
    o.momentum = c.number("momentum", 0, 0, 0.9999);
    o.nesterov = c.flag("nesterov", false);
  } else {
    o.beta1 = c.number("beta1", o.beta1, 0, 0.9999);
    o.beta2 = c.number("beta2", o.beta2, 0, 0.999999);
    o.epsilon = c.number("epsilon", o.epsilon, 1e-20, 1);
  }
  if (o.kind != OptimizerKind::adam) o.weight_decay = c.number("weight_decay", 0, 0, 10);
  NEUROLENS_TRY(c.finish());
  return o;
}

Result<ScheduleOptions> read_schedule(const json::Value& node) {
  Config c(node, "schedule");
  ScheduleOptions s;
  s.kind = static_cast<ScheduleKind>(c.choice("type", {"constant", "step", "cosine", "linear"}, 0));
  s.warmup_steps = c.integer("warmup_steps", 0, 0, kMany);
  if (s.kind == ScheduleKind::step) {
    s.every_steps = c.integer("every_steps", s.every_steps, 1, kMany);
    s.factor = c.number("factor", s.factor, 0, 1);
  }
  if (s.kind == ScheduleKind::cosine || s.kind == ScheduleKind::linear) {
    s.total_steps = c.integer("total_steps", 0, 0, kMany);
    s.floor_ratio = c.number("floor_ratio", 0, 0, 1);
  }
  NEUROLENS_TRY(c.finish());
  return s;
}

}  // namespace

Result<TrainOptions> read_train_options(const json::Value& config) {
  Config c(config, "train section");
  TrainOptions o;
  o.epochs = c.integer("epochs", o.epochs, 0, kMany);
  o.batch = c.integer("batch", o.batch, 1, 1 << 24);
  o.accumulate = c.integer("accumulate", o.accumulate, 1, 1 << 20);
  const json::Value* optimizer = c.member("optimizer");
  const json::Value* schedule = c.member("schedule");
  o.clip_norm = c.number("clip_norm", o.clip_norm, 0, 1e12);
  o.precision = static_cast<Precision>(c.choice("precision", {"f32", "bf16"}, 0));
  o.device = static_cast<Device>(c.choice("device", {"auto", "cpu", "cuda"}, 0));
  o.fusion = c.flag("fusion", true);
  if (!o.fusion && o.device == Device::cuda) {
    c.fail(Errc::bad_request, "\"fusion: false\" is for the CPU; leave it out with device cuda.",
           config.find("fusion"));
  }
  o.plan = static_cast<PlanUse>(c.choice("plan", {"once", "every_step"}, 0));
  o.loss_scale = c.number("loss_scale", 1.0, 1e-12, 1e12);
  o.shard_rows = c.integer("shard_rows", 0, 0, 1 << 24);
  o.seed = static_cast<std::uint64_t>(c.integer("seed", 1, 0, std::int64_t{1} << 62));
  o.shuffle = c.flag("shuffle", true);
  o.prefetch = static_cast<int>(c.integer("prefetch", 0, 0, 64));
  o.carry_state = c.choice("state", {"reset", "carried"}, 0) == 1;
  o.patience = c.integer("patience", 0, 0, kMany);
  o.min_delta = c.number("min_delta", 0, 0, 1e12);
  o.evaluate_every = c.integer("evaluate_every", 1, 1, kMany);
  o.checkpoint = c.text("checkpoint", "");
  o.checkpoint_every = c.integer("checkpoint_every", 1, 1, kMany);
  o.max_steps = c.integer("max_steps", 0, 0, kMany);
  NEUROLENS_TRY(c.finish());
  if (optimizer != nullptr) {
    NEUROLENS_ASSIGN(o.optimizer, read_optimizer(*optimizer));
  }
  if (schedule != nullptr) {
    NEUROLENS_ASSIGN(o.schedule, read_schedule(*schedule));
  }
  return o;
}

double learning_rate_at(const TrainOptions& options, std::int64_t step, std::int64_t steps) {
  const ScheduleOptions& s = options.schedule;
  const double base = options.optimizer.learning_rate;
  if (step < s.warmup_steps)
    return base * static_cast<double>(step + 1) / static_cast<double>(s.warmup_steps);
  const double since = static_cast<double>(step - s.warmup_steps);
  const auto total = static_cast<double>(
      std::max<std::int64_t>((s.total_steps > 0 ? s.total_steps : steps) - s.warmup_steps, 1));
  const double part = std::min(since / total, 1.0);
  switch (s.kind) {
    case ScheduleKind::constant:
      return base;
    case ScheduleKind::step:
      return base * std::pow(s.factor, std::floor(since / static_cast<double>(s.every_steps)));
    case ScheduleKind::cosine:
      return base * (s.floor_ratio +
                     (1 - s.floor_ratio) * 0.5 * (1 + std::cos(3.14159265358979324 * part)));
    case ScheduleKind::linear:
      return base * (1 - (1 - s.floor_ratio) * part);
  }
  return base;
}

const kernels::Kernels<float>& cpu_kernels(const TrainOptions& options) {
  const bool bf16 = options.precision == Precision::bf16;
  if (!options.fusion) return kernels::unfused_kernels(bf16);
  return bf16 ? kernels::bf16_kernels() : kernels::simd_kernels();
}

Nanoseconds StepReport::total() const {
  Nanoseconds sum;
  for (const auto p : phases) sum += p;
  return sum;
}

}  // namespace neurolens::nn
