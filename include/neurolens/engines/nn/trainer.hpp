/// \file
/// Training: fit and evaluate with optimizers, schedules, clipping, accumulation, early stopping
/// and checkpoints, over several threads if asked, with the same result for any number of them.
/// Determinism: the batch is cut into shards of `shard_rows` rows whatever the threads; gradients
/// are added in the order of shards. Random draws are functions of (seed, step, sample). So a run
/// is a function of its configuration, and a resumed run equals one that was never stopped, bit for
/// bit (on one instruction set).
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "neurolens/base/progress.hpp"
#include "neurolens/base/result.hpp"
#include "neurolens/base/units.hpp"
#include "neurolens/engines/nn/data.hpp"
#include "neurolens/engines/nn/model.hpp"
#include "neurolens/engines/nn/parallel.hpp"

namespace neurolens {
class FileSystem;
}

namespace neurolens::nn {

enum class OptimizerKind : std::uint8_t { adam, adamw, sgd };
enum class ScheduleKind : std::uint8_t { constant, step, cosine, linear };
enum class Precision : std::uint8_t { f32, bf16 };
/// Where kernels run. `any` takes the GPU when there is one and falls back to the CPU.
enum class Device : std::uint8_t { any, cpu, cuda };
/// When memory is laid out: before the first step, or anew for every step as without a plan.
enum class PlanUse : std::uint8_t { once, every_step };
/// Where a step's time goes.
enum class TrainPhase : std::uint8_t { data, forward, backward, optimizer, other };
inline constexpr std::size_t kTrainPhases = 5;

struct OptimizerOptions {
  OptimizerKind kind = OptimizerKind::adam;
  double learning_rate = 1e-3;
  double beta1 = 0.9, beta2 = 0.999, epsilon = 1e-8;
  double momentum = 0.0;      ///< SGD.
  bool nesterov = false;      ///< SGD.
  double weight_decay = 0.0;  ///< Decoupled; with adam it must be 0 (use adamw).
};

struct ScheduleOptions {
  ScheduleKind kind = ScheduleKind::constant;
  std::int64_t warmup_steps = 0;    ///< Linear rise from 0.
  std::int64_t every_steps = 1000;  ///< step: multiply by `factor` each time.
  double factor = 0.5;
  std::int64_t total_steps = 0;  ///< cosine, linear: the end; 0: the steps of all epochs.
  double floor_ratio = 0.0;      ///< cosine, linear: final share of the learning rate.
};

struct TrainOptions {
  std::int64_t epochs = 10;
  std::int64_t batch = 32;
  std::int64_t accumulate = 1;  ///< Batches per optimizer step.
  OptimizerOptions optimizer;
  ScheduleOptions schedule;
  double clip_norm = 1.0;  ///< Global gradient norm; 0: no clipping.
  Precision precision = Precision::f32;
  Device device = Device::any;
  /// Both change the time of a step and never its result (beyond rounding): turned off, they show
  /// what the optimisation is worth. See also `compaction` and `row_order` of the adaptive layer.
  bool fusion = true;            ///< false: every operation goes over memory on its own; CPU only.
  PlanUse plan = PlanUse::once;  ///< every_step: a step allocates.
  /// bf16 has the range of float, so 1 is right unless gradients underflow.
  double loss_scale = 1.0;
  /// Rows per shard; 0: the whole batch is one. Lower it to use threads.
  std::int64_t shard_rows = 0;
  std::uint64_t seed = 1;  ///< Order of samples and random draws.
  bool shuffle = true;
  int prefetch = 0;
  /// Row r of every batch continues stream r; otherwise every sample starts afresh.
  bool carry_state = false;
  /// Epochs without improvement of the test loss before stopping; 0: never.
  std::int64_t patience = 0;
  double min_delta = 0.0;
  std::int64_t evaluate_every = 1;    ///< Epochs.
  std::string checkpoint;             ///< Path; empty: none.
  std::int64_t checkpoint_every = 1;  ///< Epochs.
  /// Stops (and writes a checkpoint) after so many steps in all; 0: no limit.
  std::int64_t max_steps = 0;
};

/// Reads the keys of `train: {...}`. Errors: those of Config::finish.
[[nodiscard]] Result<TrainOptions> read_train_options(const json::Value& config);

/// The kernels of these options on the CPU.
[[nodiscard]] const kernels::Kernels<float>& cpu_kernels(const TrainOptions& options);

/// The learning rate of step `step` (from 0) out of `steps`.
[[nodiscard]] double learning_rate_at(const TrainOptions& options, std::int64_t step,
                                      std::int64_t steps);

struct Evaluation {
  std::int64_t samples = 0;
  double loss = 0;                           ///< Mean cross-entropy, nats.
  double accuracy = 0;                       ///< Ratio.
  double precision = 0, recall = 0, f1 = 0;  ///< Means over classes that occur.
};

struct StepReport {
  std::int64_t step = 0;   ///< From 1.
  std::int64_t epoch = 0;  ///< From 0.
  std::int64_t rows = 0;
  double loss = 0;
  double accuracy = 0;
  double gradient_norm = 0;  ///< Before clipping.
  double learning_rate = 0;
  Nanoseconds phases[kTrainPhases];
  [[nodiscard]] Nanoseconds total() const;
};

/// Sums of one epoch; `test` is there when the epoch ended with an evaluation.
struct EpochReport {
  std::int64_t epoch = 0;
  double train_loss = 0, train_accuracy = 0;
  std::optional<Evaluation> test;
  double samples_per_second = 0;
};

/// Receives events on the training thread. All OPTIONAL.
class TrainObserver {
 public:
  virtual ~TrainObserver() = default;
  virtual void on_step(const StepReport& report) { (void)report; }
  virtual void on_epoch(const EpochReport& report) { (void)report; }
};

/// Writes one line per epoch, as CSV or JSON, to a growing file. Errors: those of
/// FileSystem::open_append.
enum class LogFormat : std::uint8_t { csv, json };
[[nodiscard]] Result<std::unique_ptr<TrainObserver>> make_epoch_log(FileSystem& files,
                                                                    const std::string& path,
                                                                    LogFormat format);

struct FitSummary {
  std::int64_t steps = 0, epochs = 0;
  bool stopped_early = false;
  std::optional<Evaluation> test;
  Nanoseconds phases[kTrainPhases];  ///< Sums over the steps of this run.
  Nanoseconds median_step;           ///< Of the last 1,024 steps at most; 0 when there was none.
  double samples_per_second = 0;
  StallLedger stalls;
  Bytes arena;  ///< All plans, gradients and moments.
};

/// Trains one network. Keeps references to network and parallel. Not thread-safe.
class Trainer {
 public:
  /// Errors: bad_request when the network does not fit the data (both shapes named); unavailable
  /// when a GPU was asked for and there is none; out_of_memory.
  [[nodiscard]] static Result<std::unique_ptr<Trainer>> create(Network<float>& network,
                                                               DataPair data,
                                                               const TrainOptions& options,
                                                               ParallelFor& parallel = serial());
  ~Trainer();

  /// Trains to the end of the configuration, from where this trainer stands.
  /// Errors: check_failed when the loss or a gradient is not finite (the step and the first bad
  /// tensor are named; parameters and checkpoint are those before the step); cancelled (a
  /// checkpoint was written); those of writing a checkpoint.
  [[nodiscard]] Result<FitSummary> fit(TrainObserver* observer = nullptr, Attention attention = {});

  /// One optimizer step on one batch. Allocates nothing. Errors: check_failed as in fit.
  [[nodiscard]] Result<StepReport> step(const Batch& batch);

  /// Inference over a dataset; changes no state. `awake` < 0: as configured.
  [[nodiscard]] Evaluation evaluate(const Dataset& data, double awake = -1);

  /// Everything needed to go on, as bytes; see docs/guides/nn.md for the format.
  [[nodiscard]] std::string checkpoint() const;
  /// Errors: data_corrupt for a truncated or damaged checkpoint; newer_version; bad_request when it
  /// belongs to another model or optimizer. Nothing changes then.
  [[nodiscard]] Status restore(std::string_view checkpoint);

  [[nodiscard]] std::int64_t steps_done() const;

 private:
  struct State;
  explicit Trainer(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace neurolens::nn
