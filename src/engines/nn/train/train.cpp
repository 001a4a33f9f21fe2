#include "neurolens/engines/nn/train.hpp"

#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>

#include "neurolens/base/clock.hpp"
#include "neurolens/base/file_system.hpp"
#include "neurolens/base/yaml.hpp"
#include "neurolens/engines/nn/config.hpp"
#include "neurolens/engines/nn/onnx_export.hpp"

namespace neurolens::nn {
namespace {

// The model's `input` gives samples another shape ([8, 8] for 64 values); without it the data
// decide.
Result<Shape> input_shape(const json::Value& model, const DataPair& data) {
  const json::Value* node = model.find("input");
  if (node == nullptr) return data.train->sample();
  Shape shape;
  const auto* list = node->as_array();
  for (std::size_t i = 0; list != nullptr && i < list->size(); ++i) {
    const auto d = (*list)[i].as_int();
    if (!d || *d < 1) list = nullptr;
    if (d) shape.dims.push_back(*d);
    if (list == nullptr) break;
  }
  if (list == nullptr || list->empty()) {
    return Error{Errc::wrong_type, "\"input\" of the model must be a list of extents.",
                 place_of(*node)};
  }
  return shape;
}

Result<Prepared> build(const json::Value& config, const std::string& directory) {
  Config c(config, "configuration");
  const json::Value* model = c.member("model");
  const json::Value* data = c.member("data");
  const json::Value* options = c.member("train");
  if (model == nullptr || data == nullptr) {
    c.fail(Errc::missing_key, "A configuration needs the sections \"model\" and \"data\".");
  }
  NEUROLENS_TRY(c.finish());
  TrainOptions train_options;
  if (options != nullptr) {
    NEUROLENS_ASSIGN(train_options, read_train_options(*options));
  }
  if (!train_options.checkpoint.empty())
    train_options.checkpoint = join_path(directory, train_options.checkpoint);
  NEUROLENS_ASSIGN(DataPair pair, open_data(*data, directory));
  NEUROLENS_ASSIGN(const Shape shape, input_shape(*model, pair));
  json::Value bare = *model;  // Network::build knows no "input"
  if (auto* object = std::get_if<json::Object>(&bare.data())) {
    std::erase_if(*object, [](const json::Member& m) { return m.first == "input"; });
  }
  NEUROLENS_ASSIGN(Network<float> network, Network<float>::build(bare, shape));
  return Prepared{std::move(network), std::move(pair), train_options};
}

Error placed(Error error, const TrainRequest& request) {
  return request.where.empty() ? std::move(error) : std::move(error).at(request.where);
}

// A trainer on what was prepared; what does not fit together is a mistake of the configuration.
Result<std::unique_ptr<Trainer>> trainer_of(const TrainRequest& request, Prepared& p,
                                            ParallelFor& parallel) {
  auto trainer = Trainer::create(p.network, p.data, p.options, parallel);
  if (!trainer.ok() && trainer.error().code == Errc::bad_request)
    return placed(std::move(trainer).error(), request);
  return trainer;
}

// Whether any layer, however deep, has phases: {mode: dial}.
bool has_dial(const json::Value& node) {
  if (const auto* list = node.as_array()) return std::any_of(list->begin(), list->end(), has_dial);
  const auto* object = node.as_object();
  if (object == nullptr) return false;
  return std::any_of(object->begin(), object->end(), [](const json::Member& m) {
    const json::Value* mode = m.first == "phases" ? m.second.find("mode") : nullptr;
    const std::string* text = mode != nullptr ? mode->as_string() : nullptr;
    return (text != nullptr && *text == "dial") || has_dial(m.second);
  });
}

// A share of awake nodes that nothing heeds would be a wrong answer.
Status check_awake(const TrainRequest& request) {
  if (!request.awake) return {};
  NEUROLENS_ASSIGN(const json::Value config, yaml::parse(request.config));
  if (has_dial(config)) return {};
  return placed({Errc::bad_request,
                 "No layer has a dial, so a share of awake nodes changes nothing; give an adaptive "
                 "layer phases: {mode: dial}.",
                 ""},
                request);
}

Status resume(Trainer& trainer, const std::string& path) {
  if (path.empty()) return {};
  NEUROLENS_ASSIGN(const std::string bytes, system_files().read(path));
  Status restored = trainer.restore(bytes);
  if (!restored.ok()) return std::move(restored).error().at(path);
  return {};
}

// What was asked for, else what the configuration names, if it is there.
Result<std::string> choose_checkpoint(const TrainRequest& request, const std::string& named) {
  if (!request.resume.empty()) return request.resume;
  if (named.empty()) return std::string();
  NEUROLENS_ASSIGN(const auto there, system_files().info(named));
  return there ? named : std::string();
}

Status restore(const TrainRequest& request, const Prepared& p, Trainer& trainer) {
  NEUROLENS_ASSIGN(const std::string path, choose_checkpoint(request, p.options.checkpoint));
  return resume(trainer, path);
}

// Hands every event to the caller's observer and the logs.
class Fan final : public TrainObserver {
 public:
  void add(TrainObserver* o) {
    if (o != nullptr) observers_.push_back(o);
  }
  void on_step(const StepReport& r) override {
    for (auto* o : observers_) o->on_step(r);
  }
  void on_epoch(const EpochReport& r) override {
    for (auto* o : observers_) o->on_epoch(r);
  }

 private:
  std::vector<TrainObserver*> observers_;
};

void write_evaluation(json::Writer& w, const Evaluation& e) {
  w.begin_object()
      .member("accuracy_ratio", e.accuracy)
      .member("loss", e.loss)
      .member("samples", e.samples);
  w.member("precision_ratio", e.precision)
      .member("recall_ratio", e.recall)
      .member("f1_ratio", e.f1)
      .end_object();
}

}  // namespace

Result<Prepared> prepare(const TrainRequest& request) {
  auto config = yaml::parse(request.config);
  if (!config.ok()) return placed(std::move(config).error(), request);
  auto prepared = build(*config, request.directory);
  if (!prepared.ok()) return placed(std::move(prepared).error(), request);
  return prepared;
}

Result<std::string> checkpoint_of(const TrainRequest& request) {
  if (!request.resume.empty()) return request.resume;
  auto config = yaml::parse(request.config);
  if (!config.ok()) return placed(std::move(config).error(), request);
  const json::Value* train = config->find("train");
  const json::Value* path = train != nullptr ? train->find("checkpoint") : nullptr;
  if (path == nullptr || path->as_string() == nullptr) return std::string();
  return choose_checkpoint(request, join_path(request.directory, *path->as_string()));
}

Result<TrainResult> train(const TrainRequest& request, TrainObserver* observer,
                          Attention attention) {
  NEUROLENS_ASSIGN(Prepared setup, prepare(request));
  NEUROLENS_TRY(check_awake(request));
  if (!setup.options.checkpoint.empty()) {
    NEUROLENS_ASSIGN(const auto probe, system_files().create_atomic(setup.options.checkpoint));
  }
  const auto pool = make_thread_pool(request.threads < 1 ? 1 : request.threads);
  NEUROLENS_ASSIGN(auto trainer, trainer_of(request, setup, *pool));
  NEUROLENS_TRY(resume(*trainer, request.resume));
  TrainResult result;
  if (!request.resume.empty()) result.resumed_at_step = static_cast<double>(trainer->steps_done());
  Fan fan;
  fan.add(observer);
  std::vector<std::unique_ptr<TrainObserver>> logs;
  for (const auto format : {LogFormat::csv, LogFormat::json}) {
    const std::string& path = format == LogFormat::csv ? request.csv_log : request.json_log;
    if (path.empty()) continue;
    NEUROLENS_ASSIGN(auto log, make_epoch_log(system_files(), path, format));
    fan.add(log.get());
    logs.push_back(std::move(log));
  }
  auto fit = trainer->fit(&fan, attention);
  if (!fit.ok() && fit.error().code == Errc::cancelled) {
    Error error = std::move(fit).error();
    error.message += setup.options.checkpoint.empty()
                         ? " Nothing was kept: the configuration names no checkpoint."
                         : " --resume " + setup.options.checkpoint + " goes on from there.";
    return error;
  }
  if (!fit.ok()) return std::move(fit).error();
  result.fit = std::move(fit).value();
  if (request.awake) result.fit.test = trainer->evaluate(*setup.data.test, *request.awake);
  result.model = setup.network.name();
  result.parameters = static_cast<std::int64_t>(setup.network.params().size());
  result.kernels = cpu_kernels(setup.options).name;
  return result;
}

Result<EvaluateResult> evaluate(const TrainRequest& request) {
  NEUROLENS_ASSIGN(Prepared setup, prepare(request));
  NEUROLENS_TRY(check_awake(request));
  NEUROLENS_ASSIGN(auto trainer, trainer_of(request, setup, serial()));
  NEUROLENS_TRY(restore(request, setup, *trainer));
  constexpr Nanoseconds kLongEnough{200'000'000};
  EvaluateResult out;
  Clock& clock = system_clock();
  const Nanoseconds start = clock.now();
  do {
    const Nanoseconds begin = clock.now();
    out.test = trainer->evaluate(*setup.data.test, request.awake.value_or(-1));
    const double seconds = 1e-9 * static_cast<double>((clock.now() - begin).count);
    out.samples_per_second =
        std::max(out.samples_per_second, static_cast<double>(out.test.samples) / seconds);
  } while (clock.now() - start < kLongEnough);
  return out;
}

Result<std::string> explain(const TrainRequest& request) {
  NEUROLENS_ASSIGN(const Prepared setup, prepare(request));
  const TrainOptions& o = setup.options;
  std::string text = explain(setup.network, o.batch, cpu_kernels(o));
  // What can be turned off, so that `compare --live` can say what it is worth.
  text += std::string("precision ") + (o.precision == Precision::bf16 ? "bf16" : "f32") +
          ", fusion " + (o.fusion ? "on" : "off") + ", plan " +
          (o.plan == PlanUse::once ? "once" : "every_step (each step allocates the arena anew)") +
          "\n";
  return text;
}

Result<std::string> export_onnx(const TrainRequest& request) {
  NEUROLENS_ASSIGN(Prepared setup, prepare(request));
  NEUROLENS_ASSIGN(auto trainer, trainer_of(request, setup, serial()));
  NEUROLENS_TRY(restore(request, setup, *trainer));
  auto bytes = to_onnx(setup.network, setup.data.standard.get());
  if (!bytes.ok() && !request.where.empty()) return std::move(bytes).error().at(request.where);
  return bytes;
}

std::string to_json(const EvaluateResult& result) {
  json::Writer w;
  w.begin_object().key("test");
  write_evaluation(w, result.test);
  w.member("samples_per_second", result.samples_per_second).end_object();
  return std::move(w).take();
}

std::string to_json(const TrainResult& r) {
  json::Writer w;
  w.begin_object()
      .member("model", r.model)
      .member("parameters", r.parameters)
      .member("kernels", r.kernels);
  w.member("steps", r.fit.steps)
      .member("epochs", r.fit.epochs)
      .member("stopped_early", r.fit.stopped_early);
  w.member("resumed_at_step", r.resumed_at_step);
  static constexpr const char* kNames[kTrainPhases] = {"data_ns", "forward_ns", "backward_ns",
                                                       "optimizer_ns", "other_ns"};
  w.key("phases").begin_object();
  for (std::size_t p = 0; p < kTrainPhases; ++p) w.member(kNames[p], r.fit.phases[p].count);
  w.end_object();
  w.key("stalls")
      .begin_object()
      .member("batches", r.fit.stalls.batches)
      .member("wait_ns", r.fit.stalls.wait.count)
      .member("longest_wait_ns", r.fit.stalls.longest_wait.count)
      .member("gather_ns", r.fit.stalls.gather().count)
      .member("decode_ns", r.fit.stalls.decode.count)
      .member("copy_ns", r.fit.stalls.copy.count)
      .end_object();
  w.member("arena_bytes", r.fit.arena.count);
  const auto memory = process_memory();
  w.key("memory_current_bytes")
      .value(memory ? std::optional<std::int64_t>(memory->current.count) : std::nullopt);
  w.key("memory_peak_bytes")
      .value(memory ? std::optional<std::int64_t>(memory->peak.count) : std::nullopt);
  w.member("samples_per_second", r.fit.samples_per_second);
  w.key("test");
  if (r.fit.test) {
    write_evaluation(w, *r.fit.test);
  } else {
    w.null();
  }
  w.key("step_time_ns");
  if (r.fit.median_step.count > 0) {
    w.value(r.fit.median_step.count);
  } else {
    w.null();
  }
  w.end_object();
  return std::move(w).take();
}

std::optional<ProcessMemory> process_memory() {
  rusage usage = {};
  std::FILE* file = std::fopen("/proc/self/statm", "r");
  if (file == nullptr || ::getrusage(RUSAGE_SELF, &usage) != 0) {
    if (file != nullptr) std::fclose(file);
    return std::nullopt;
  }
  long long total = 0, resident = 0;
  const int read = std::fscanf(file, "%lld %lld", &total, &resident);
  std::fclose(file);
  if (read != 2) return std::nullopt;
  return ProcessMemory{Bytes{resident * ::sysconf(_SC_PAGESIZE)},
                       Bytes{std::int64_t{usage.ru_maxrss} * 1024}};
}

}  // namespace neurolens::nn
