#include "neurolens/engines/nn/trainer.hpp"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <numeric>

#include "neurolens/base/file_system.hpp"
#include "neurolens/probe/scope.hpp"
#include "train/checkpoint.hpp"
#include "train/denormals.hpp"

namespace neurolens::nn {
namespace {

using SteadyClock = std::chrono::steady_clock;
constexpr std::int64_t kReduceChunk = 1 << 14;

// Adds the time since the last mark to a phase.
class Lap {
 public:
  void mark(Nanoseconds& phase) {
    const auto now = SteadyClock::now();
    phase += Nanoseconds{std::chrono::duration_cast<std::chrono::nanoseconds>(now - last_).count()};
    last_ = now;
  }

 private:
  SteadyClock::time_point last_ = SteadyClock::now();
};

Nanoseconds& phase_of(StepReport& r, TrainPhase p) {
  return r.phases[static_cast<std::size_t>(p)];
}

std::int64_t count_correct(std::int64_t rows, std::int64_t classes, const float* logits,
                           const std::int32_t* labels) {
  std::int64_t correct = 0;
  for (std::int64_t r = 0; r < rows; ++r, logits += classes) {
    correct += std::max_element(logits, logits + classes) - logits == labels[r];
  }
  return correct;
}

// The GPU when it was asked for or is there, else the CPU.
Result<const kernels::Kernels<float>*> choose_kernels(const TrainOptions& o) {
  const auto* cpu = &cpu_kernels(o);
  if (o.device == Device::cpu || !o.fusion) return cpu;
  auto gpu = kernels::cuda_kernels();
  if (gpu.ok() || o.device == Device::cuda) return gpu;
  return cpu;
}

}  // namespace

// One shard: its own plan, loss and gradient.
struct Shard {
  std::unique_ptr<Plan<float>> plan;
  Buffer<float> dlogits, losses, grads;
  double loss = 0;
  std::int64_t correct = 0;
};

struct Trainer::State {
  Network<float>& network;
  DataPair data;
  TrainOptions options;
  ParallelFor& parallel;
  const kernels::Kernels<float>& kernels;
  std::int64_t classes;
  std::int64_t shard_rows;
  std::vector<std::unique_ptr<Shard>> shards;
  Buffer<float> first, second;  // moments, or velocity in `first`
  std::vector<std::uint64_t> row_ids;
  std::unique_ptr<StreamStates<float>> states;
  std::unique_ptr<Plan<float>> evaluation;
  BatchLoader loader;

  std::int64_t step = 0, epoch = 0, batch = 0;  // where training stands
  std::int64_t micro = 0;                       // batches since the last optimizer step
  double best_loss = 0;
  std::int64_t since_best = -1;

  State(Network<float>& n, DataPair d, const TrainOptions& o, ParallelFor& p,
        const kernels::Kernels<float>& k)
      : network(n),
        data(std::move(d)),
        options(o),
        parallel(p),
        kernels(k),
        classes(n.output().elements()),
        shard_rows(o.shard_rows > 0 ? std::min(o.shard_rows, o.batch) : o.batch),
        first(n.params().size()),
        second(o.optimizer.kind == OptimizerKind::sgd ? 0 : n.params().size()),
        loader(data.train, {o.batch, o.prefetch, o.shuffle, o.seed, o.carry_state}) {
    for (std::int64_t begin = 0; begin < o.batch; begin += shard_rows) {
      shards.push_back(std::make_unique<Shard>(
          Shard{std::make_unique<Plan<float>>(n, shard_rows, kernels),
                Buffer<float>(static_cast<std::size_t>(shard_rows * classes)),
                Buffer<float>(static_cast<std::size_t>(shard_rows)),
                Buffer<float>(n.params().size()), 0.0, 0}));
    }
    row_ids.resize(static_cast<std::size_t>(o.batch));
    std::iota(row_ids.begin(), row_ids.end(), std::uint64_t{0});
    if (o.carry_state) states = std::make_unique<StreamStates<float>>(n, o.batch);
  }

  std::int64_t size() const { return static_cast<std::int64_t>(network.params().size()); }
  std::int64_t total_steps() const {
    return options.epochs * loader.batches() / options.accumulate;
  }
  std::string optimizer_name() const {
    return options.optimizer.kind == OptimizerKind::sgd ? "sgd" : "adam";
  }

  void forward_shard(const Batch& b, std::int64_t s) {
    NEUROLENS_SCOPE("train.forward");
    const FlushDenormals flush;
    Shard& shard = *shards[static_cast<std::size_t>(s)];
    const std::int64_t begin = s * shard_rows, rows = std::min(shard_rows, b.rows - begin);
    if (options.plan == PlanUse::every_step) {
      shard.plan.reset();  // the memory goes back first, as after a step without a plan
      shard.plan = std::make_unique<Plan<float>>(network, shard_rows, kernels);
    }
    PassOptions pass;
    pass.seed = options.seed;
    pass.step = static_cast<std::uint64_t>(step);
    pass.streams = (options.carry_state ? row_ids.data() : b.samples) + begin;
    const float* logits =
        shard.plan->forward(rows, b.x + begin * network.input().elements(), true, pass,
                            states.get(), s == 0 ? network.buffers().data() : nullptr);
    const auto scale =
        static_cast<float>(options.loss_scale / static_cast<double>(b.rows * options.accumulate));
    kernels.softmax_xent(rows, classes, logits, b.labels + begin, scale, shard.losses.data(),
                         shard.dlogits.data());
    shard.loss = kernels.sum(rows, shard.losses.data());
    shard.correct = count_correct(rows, classes, logits, b.labels + begin);
  }
  void backward_shard(std::int64_t s) {
    NEUROLENS_SCOPE("train.backward");
    const FlushDenormals flush;
    Shard& shard = *shards[static_cast<std::size_t>(s)];
    // Only the first shard's buffer lives across accumulated batches; the others are added to it
    // each time.
    shard.plan->backward(shard.dlogits.data(), shard.grads.data(), s == 0 && micro > 0);
  }
  void reduce(std::int64_t count) {
    if (count < 2) return;
    float* into = shards[0]->grads.data();
    parallel_for(parallel, (size() + kReduceChunk - 1) / kReduceChunk, [&](std::int64_t c) {
      const FlushDenormals flush;
      const std::int64_t at = c * kReduceChunk, n = std::min(kReduceChunk, size() - at);
      for (std::int64_t s = 1; s < count; ++s) {
        kernels.axpy(n, 1.0f, shards[static_cast<std::size_t>(s)]->grads.data() + at, into + at);
      }
    });
  }

  Error not_finite(const Batch& b, const char* what) const {
    std::string tensor;
    const std::int64_t in = kernels.first_not_finite(b.rows * network.input().elements(), b.x);
    const std::int64_t p = kernels.first_not_finite(size(), network.params().data());
    const std::int64_t g = kernels.first_not_finite(size(), shards[0]->grads.data());
    if (in >= 0) {
      tensor = "the input of row " + std::to_string(in / network.input().elements());
    } else if (p >= 0) {
      tensor = "the parameter " + network.name_of(p);
    } else if (g >= 0) {
      tensor = "the gradient of " + network.name_of(g);
    } else {
      tensor = "the output";
    }
    return Error{Errc::check_failed,
                 std::string("Training stopped at step ") + std::to_string(step + 1) + ": the " +
                     what + " is not finite; the first bad tensor is " + tensor +
                     ". Parameters and checkpoint are those before this step; try a lower learning "
                     "rate or clip_norm.",
                 ""};
  }

  void optimize(double rate, double gradient_scale) {
    NEUROLENS_SCOPE("train.optimizer");
    const double t = static_cast<double>(step + 1);
    const OptimizerOptions& o = options.optimizer;
    const std::int64_t chunks =
        parallel.threads() > 1 ? (size() + kReduceChunk - 1) / kReduceChunk : 1;
    parallel_for(parallel, chunks, [&](std::int64_t c) {
      const FlushDenormals flush;
      const std::int64_t at = chunks > 1 ? c * kReduceChunk : 0;
      const std::int64_t n = chunks > 1 ? std::min(kReduceChunk, size() - at) : size();
      float* p = network.params().data() + at;
      const float* g = shards[0]->grads.data() + at;
      if (o.kind == OptimizerKind::sgd) {
        kernels.sgd({n, p, g, o.momentum > 0 ? first.data() + at : nullptr,
                     static_cast<float>(gradient_scale), static_cast<float>(rate),
                     static_cast<float>(o.momentum), o.nesterov,
                     static_cast<float>(rate * o.weight_decay)});
        return;
      }
      kernels::Adam<float> a{
          n, p, g, first.data() + at, second.data() + at, static_cast<float>(gradient_scale)};
      a.beta1 = static_cast<float>(o.beta1), a.beta2 = static_cast<float>(o.beta2);
      a.epsilon = static_cast<float>(o.epsilon);
      a.step_size = static_cast<float>(rate / (1 - std::pow(o.beta1, t)));
      a.sqrt_correction2 = static_cast<float>(std::sqrt(1 - std::pow(o.beta2, t)));
      a.decay = static_cast<float>(rate * o.weight_decay);
      kernels.adam(a);
    });
  }

  // One batch: gradients, and an optimizer step when enough batches are in.
  Result<StepReport> advance(const Batch& b) {
    NEUROLENS_ITERATION("train.step", step);
    StepReport r;
    Lap lap;
    const std::int64_t count = (b.rows + shard_rows - 1) / shard_rows;
    parallel_for(parallel, count, [&](std::int64_t s) { forward_shard(b, s); });
    std::int64_t correct = 0;
    for (std::int64_t s = 0; s < count; ++s) {
      r.loss += shards[static_cast<std::size_t>(s)]->loss / static_cast<double>(b.rows);
      correct += shards[static_cast<std::size_t>(s)]->correct;
    }
    r.rows = b.rows;
    r.accuracy = static_cast<double>(correct) / static_cast<double>(b.rows);
    lap.mark(phase_of(r, TrainPhase::forward));
    if (!std::isfinite(r.loss)) return not_finite(b, "loss");
    parallel_for(parallel, count, [&](std::int64_t s) { backward_shard(s); });
    reduce(count);
    lap.mark(phase_of(r, TrainPhase::backward));
    if (++micro < options.accumulate) return r;

    const double squares = kernels.sum_squares(size(), shards[0]->grads.data());
    r.gradient_norm = std::sqrt(squares) / options.loss_scale;
    if (!std::isfinite(squares)) {
      micro = 0;
      return not_finite(b, "gradient");
    }
    r.learning_rate = learning_rate_at(options, step, total_steps());
    const bool clip = options.clip_norm > 0 && r.gradient_norm > options.clip_norm;
    optimize(r.learning_rate,
             (clip ? options.clip_norm / r.gradient_norm : 1.0) / options.loss_scale);
    for (std::int64_t s = 0; states != nullptr && s < b.rows; ++s) states->commit(s);
    lap.mark(phase_of(r, TrainPhase::optimizer));
    micro = 0;
    r.step = ++step;
    r.epoch = epoch;
    return r;
  }

  Status write_checkpoint(const Trainer& trainer) const {
    if (options.checkpoint.empty()) return {};
    return system_files().write_atomic(options.checkpoint, trainer.checkpoint());
  }
};

Trainer::Trainer(std::unique_ptr<State> state) : state_(std::move(state)) {}
Trainer::~Trainer() = default;

Result<std::unique_ptr<Trainer>> Trainer::create(Network<float>& network, DataPair data,
                                                 const TrainOptions& options,
                                                 ParallelFor& parallel) {
  if (network.input().elements() != data.train->sample().elements()) {
    return Error{Errc::bad_request,
                 "The model takes samples " + network.input().text() + ", the data hold samples " +
                     data.train->sample().text() + ".",
                 ""};
  }
  const std::int64_t classes = std::max(data.train->classes(), data.test->classes());
  if (network.output().elements() < classes) {
    return Error{Errc::bad_request,
                 "The last layer has " + std::to_string(network.output().elements()) +
                     " outputs, the data have " + std::to_string(classes) + " classes.",
                 ""};
  }
  if (options.carry_state && data.train->size() < options.batch) {
    return Error{Errc::bad_request,
                 "With carried state a batch must not be larger than the training set.", ""};
  }
  NEUROLENS_ASSIGN(const kernels::Kernels<float>* kernels, choose_kernels(options));
  try {
    return std::unique_ptr<Trainer>(new Trainer(
        std::make_unique<State>(network, std::move(data), options, parallel, *kernels)));
  } catch (const std::bad_alloc&) {
    return Error{Errc::out_of_memory,
                 "The plan for a batch of " + std::to_string(options.batch) +
                     " does not fit into memory; use a smaller batch or model.",
                 ""};
  }
}

Result<StepReport> Trainer::step(const Batch& batch) {
  return state_->advance(batch);
}
std::int64_t Trainer::steps_done() const {
  return state_->step;
}

Evaluation Trainer::evaluate(const Dataset& data, double awake) {
  State& s = *state_;
  const std::int64_t rows = std::min<std::int64_t>(s.options.batch, 256);
  if (!s.evaluation) s.evaluation = std::make_unique<Plan<float>>(s.network, rows, s.kernels);
  std::vector<float> x(static_cast<std::size_t>(rows * s.network.input().elements())),
      losses(static_cast<std::size_t>(rows));
  std::vector<std::int32_t> labels(static_cast<std::size_t>(rows));
  std::vector<std::int64_t> index(static_cast<std::size_t>(rows));
  std::vector<std::uint64_t> streams(static_cast<std::size_t>(rows));
  std::vector<std::int64_t> hits(static_cast<std::size_t>(s.classes)), said(hits), occurs(hits);
  Evaluation e;
  std::int64_t correct = 0;
  for (std::int64_t at = 0; at < data.size(); at += rows) {
    const std::int64_t n = std::min(rows, data.size() - at);
    std::iota(index.begin(), index.end(), at);
    std::iota(streams.begin(), streams.end(), static_cast<std::uint64_t>(at));
    data.gather({index.data(), static_cast<std::size_t>(n)}, x.data(), labels.data());
    PassOptions pass;
    pass.seed = s.options.seed ^ 0xE7A1u;
    pass.streams = streams.data();
    pass.awake = awake;
    const float* logits = s.evaluation->forward(n, x.data(), false, pass);
    s.kernels.softmax_xent(n, s.classes, logits, labels.data(), 1.0f, losses.data(), nullptr);
    e.loss += s.kernels.sum(n, losses.data());
    for (std::int64_t r = 0; r < n; ++r) {
      const float* row = logits + r * s.classes;
      const auto guess = static_cast<std::size_t>(std::max_element(row, row + s.classes) - row);
      const auto truth = static_cast<std::size_t>(labels[static_cast<std::size_t>(r)]);
      ++said[guess], ++occurs[truth];
      if (guess == truth) ++hits[truth], ++correct;
    }
  }
  e.samples = data.size();
  e.loss /= static_cast<double>(std::max<std::int64_t>(e.samples, 1));
  e.accuracy =
      static_cast<double>(correct) / static_cast<double>(std::max<std::int64_t>(e.samples, 1));
  double kinds = 0;
  for (std::size_t c = 0; c < hits.size(); ++c) {
    if (occurs[c] == 0) continue;
    const double h = static_cast<double>(hits[c]);
    const double p = said[c] > 0 ? h / static_cast<double>(said[c]) : 0,
                 r = h / static_cast<double>(occurs[c]);
    e.precision += p, e.recall += r, e.f1 += p + r > 0 ? 2 * p * r / (p + r) : 0;
    ++kinds;
  }
  if (kinds > 0) e.precision /= kinds, e.recall /= kinds, e.f1 /= kinds;
  return e;
}

Result<FitSummary> Trainer::fit(TrainObserver* observer, Attention attention) {
  State& s = *state_;
  FitSummary summary;
  std::vector<std::int64_t> recent;
  recent.reserve(1024);
  double seconds = 0, samples = 0;
  bool limit = false;
  const auto total =
      static_cast<double>(std::max<std::int64_t>(s.options.epochs * s.loader.batches(), 1));
  for (; s.epoch < s.options.epochs && !limit; ++s.epoch, s.batch = 0) {
    s.loader.start(s.epoch, s.batch);
    EpochReport report;
    report.epoch = s.epoch;
    double rows = 0, epoch_seconds = 0;
    Batch batch;
    while (true) {
      StepReport data_part;
      Lap lap;
      {
        NEUROLENS_SCOPE("train.data");
        if (!s.loader.next(batch)) break;
      }
      lap.mark(phase_of(data_part, TrainPhase::data));
      NEUROLENS_ASSIGN(StepReport r, s.advance(batch));
      phase_of(r, TrainPhase::data) = phase_of(data_part, TrainPhase::data);
      ++s.batch;
      Lap other;
      const double n = static_cast<double>(r.rows);
      report.train_loss += r.loss * n, report.train_accuracy += r.accuracy * n;
      rows += n;
      if (observer != nullptr && r.step > 0) observer->on_step(r);
      attention.report("training",
                       static_cast<double>(s.epoch * s.loader.batches() + s.batch) / total);
      other.mark(phase_of(r, TrainPhase::other));
      for (std::size_t p = 0; p < kTrainPhases; ++p) summary.phases[p] += r.phases[p];
      if (recent.size() < 1024) {
        recent.push_back(r.total().count);
      } else {
        recent[static_cast<std::size_t>(s.step) % 1024] = r.total().count;
      }
      epoch_seconds += static_cast<double>(r.total().count) * 1e-9;
      limit = s.options.max_steps > 0 && s.step >= s.options.max_steps;
      if (attention.cancelled()) {
        NEUROLENS_TRY(s.write_checkpoint(*this));
        return Error{Errc::cancelled,
                     "Training was stopped after step " + std::to_string(s.step) + ".", ""};
      }
      if (limit) break;
    }
    seconds += epoch_seconds, samples += rows;
    if (limit && s.batch < s.loader.batches())
      break;  // in the middle of an epoch: resume goes on here
    report.train_loss /= std::max(rows, 1.0), report.train_accuracy /= std::max(rows, 1.0);
    report.samples_per_second = epoch_seconds > 0 ? rows / epoch_seconds : 0;
    const bool last = s.epoch + 1 == s.options.epochs || limit;
    if (last || (s.epoch + 1) % s.options.evaluate_every == 0) report.test = evaluate(*s.data.test);
    if (observer != nullptr) observer->on_epoch(report);
    if (report.test) {
      summary.test = report.test;
      if (s.since_best < 0 || report.test->loss < s.best_loss - s.options.min_delta) {
        s.best_loss = report.test->loss, s.since_best = 0;
      } else {
        ++s.since_best;
      }
    }
    summary.stopped_early = s.options.patience > 0 && s.since_best >= s.options.patience;
    if (summary.stopped_early || last || (s.epoch + 1) % s.options.checkpoint_every == 0) {
      // The checkpoint stands at the start of the next epoch.
      ++s.epoch;
      const std::int64_t batch_before = std::exchange(s.batch, 0);
      const Status written = s.write_checkpoint(*this);
      --s.epoch;
      s.batch = batch_before;
      NEUROLENS_TRY(written);
    }
    if (summary.stopped_early) {
      ++s.epoch, s.batch = 0;
      break;
    }
  }
  if (limit && s.batch > 0) NEUROLENS_TRY(s.write_checkpoint(*this));
  if (!summary.test) summary.test = evaluate(*s.data.test);
  summary.steps = s.step, summary.epochs = s.epoch;
  summary.samples_per_second = seconds > 0 ? samples / seconds : 0;
  if (!recent.empty()) {
    std::nth_element(recent.begin(),
                     recent.begin() + static_cast<std::ptrdiff_t>(recent.size() / 2), recent.end());
    summary.median_step = Nanoseconds{recent[recent.size() / 2]};
  }
  summary.stalls = s.loader.ledger();
  std::size_t bytes = (s.first.size() + s.second.size()) * sizeof(float);
  for (const auto& shard : s.shards)
    bytes += shard->plan->arena_bytes() + shard->grads.size() * sizeof(float);
  summary.arena = Bytes{static_cast<std::int64_t>(bytes)};
  return summary;
}

std::string Trainer::checkpoint() const {
  const State& s = *state_;
  Checkpoint c;
  c.signature = s.network.signature();
  c.optimizer = s.optimizer_name();
  c.step = s.step, c.epoch = s.epoch, c.batch = s.batch;
  c.best_loss = s.best_loss, c.since_best = s.since_best;
  const auto& network = std::as_const(s.network);
  c.params.assign(network.params().begin(), network.params().end());
  c.first.assign(s.first.data(), s.first.data() + s.first.size());
  c.second.assign(s.second.data(), s.second.data() + s.second.size());
  c.buffers.assign(network.buffers().begin(), network.buffers().end());
  if (s.states != nullptr) c.states = s.states->save();
  return encode(c);
}

Status Trainer::restore(std::string_view checkpoint) {
  State& s = *state_;
  NEUROLENS_ASSIGN(const Checkpoint c, decode(checkpoint));
  if (c.signature != s.network.signature()) {
    return Error{
        Errc::bad_request,
        "The checkpoint belongs to another model: its parameters have other names or shapes.", ""};
  }
  if (c.optimizer != s.optimizer_name() || c.first.size() != s.first.size() ||
      c.second.size() != s.second.size() || c.params.size() != s.network.params().size() ||
      c.buffers.size() != s.network.buffers().size()) {
    return Error{Errc::bad_request,
                 "The checkpoint was made with another optimizer (" + c.optimizer + ").", ""};
  }
  if (s.states != nullptr) NEUROLENS_TRY(s.states->load(c.states));
  std::copy(c.params.begin(), c.params.end(), s.network.params().begin());
  std::copy(c.buffers.begin(), c.buffers.end(), s.network.buffers().begin());
  std::copy(c.first.begin(), c.first.end(), s.first.data());
  std::copy(c.second.begin(), c.second.end(), s.second.data());
  s.step = c.step, s.epoch = c.epoch, s.batch = c.batch, s.micro = 0;
  s.best_loss = c.best_loss, s.since_best = c.since_best;
  return {};
}

}  // namespace neurolens::nn
