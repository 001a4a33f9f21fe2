/// \file
/// Training as one request: configuration in, result out. What the command line wraps.
/// A configuration is YAML with three sections: `model` (name, seed, input, layers), `data`,
/// `train`; see docs/guides/nn.md.
#pragma once

#include <optional>
#include <string>

#include "neurolens/engines/nn/trainer.hpp"

namespace neurolens::nn {

struct TrainRequest {
  std::string config = {};           ///< The YAML text.
  std::string where = {};            ///< Its file name, for sentences.
  std::string directory = ".";       ///< Relative paths of the configuration start here.
  std::string resume = {};           ///< A checkpoint to go on from; empty: none.
  int threads = 1;                   ///< >= 1. The result does not depend on it.
  std::optional<double> awake = {};  ///< Share of awake nodes in the final evaluation, in [0, 1].
  std::string csv_log = {};          ///< One line per epoch; empty: none.
  std::string json_log = {};         ///< The same as JSON lines.
};

/// What train() hands back; to_json() writes it.
struct TrainResult {
  std::string model;
  std::int64_t parameters = 0;
  std::string kernels;
  FitSummary fit;
  std::optional<double> resumed_at_step;
};

/// A configuration, read and built: what train() starts from.
struct Prepared {
  Network<float> network;
  DataPair data;
  TrainOptions options;
};
/// Errors: those of reading the configuration (with file, line and column) and the data.
[[nodiscard]] Result<Prepared> prepare(const TrainRequest& request);

/// The checkpoint that evaluate() and export_onnx() would use: that of the request, else that of
/// the configuration if its file is there, else none (empty): the untrained network. Errors: those
/// of reading the configuration.
[[nodiscard]] Result<std::string> checkpoint_of(const TrainRequest& request);

/// Trains to the end of the configuration. Errors: those of prepare() and of a checkpoint;
/// bad_request when `awake` is given and no layer has a dial; those of Trainer::fit. A checkpoint
/// that could not be written is found out before the first step.
[[nodiscard]] Result<TrainResult> train(const TrainRequest& request,
                                        TrainObserver* observer = nullptr,
                                        Attention attention = {});
/// Evaluates the checkpoint of the request (see checkpoint_of()) on the test data.
/// Repeats the pass for a fifth of a second to say how fast it is.
struct EvaluateResult {
  Evaluation test;
  double samples_per_second = 0;  ///< Of the fastest pass, gathering included; one thread.
};
[[nodiscard]] Result<EvaluateResult> evaluate(const TrainRequest& request);
/// The plan of the configuration as text; trains nothing.
[[nodiscard]] Result<std::string> explain(const TrainRequest& request);
/// The checkpoint of the request (see checkpoint_of()) as an ONNX file's bytes.
[[nodiscard]] Result<std::string> export_onnx(const TrainRequest& request);

/// `{"model", "parameters", ..., "test": {"accuracy_ratio", "loss", ...}, "step_time_ns", ...}`.
[[nodiscard]] std::string to_json(const TrainResult& result);
[[nodiscard]] std::string to_json(const EvaluateResult& result);

/// Resident memory of this process, present and greatest; nullopt where the system does not say.
struct ProcessMemory {
  Bytes current, peak;
};
[[nodiscard]] std::optional<ProcessMemory> process_memory();

}  // namespace neurolens::nn
