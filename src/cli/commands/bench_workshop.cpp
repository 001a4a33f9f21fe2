#include "bench_workshop.hpp"

#include <fmt/format.h>

#include <charconv>

#include "common.hpp"
#include "neurolens/base/text.hpp"
#include "neurolens/capture/host.hpp"
#include "neurolens/capture/peaks.hpp"
#include "neurolens/capture/profile.hpp"
#include "neurolens/onnx/convert_precision.hpp"
#include "neurolens/onnx/zoo.hpp"
#include "neurolens/workloads/workloads.hpp"
#include "store.hpp"

namespace neurolens::cli {
namespace {

/// The ceilings that `neurolens peaks` kept for this machine, if it did.
std::vector<run::Ceiling> known_ceilings(FileSystem& files) {
  const auto text = files.read(capture::peaks_cache_path(capture::read_host().facts));
  if (!text.ok()) return {};
  const auto peaks = capture::peaks_from_json(*text);
  return peaks.ok() ? capture::ceilings_of(*peaks) : std::vector<run::Ceiling>{};
}

bool has_sequence(const std::string& architecture) {
  for (const auto& entry : onnx::zoo::list()) {
    if (entry.name == architecture) return entry.sequence.has_value();
  }
  return false;
}

}  // namespace

Result<std::string> specification_of(const bench::Config& config, const bench::Cell& cell) {
  const std::string& engine = *config.models[cell.model].workload;
  auto options = bench::engine_options(config, cell);
  NEUROLENS_ASSIGN(const auto own, workloads::parse(engine));
  if (const auto inside = own.options.find("config"); inside != own.options.end())
    options.insert(*inside);
  if (const auto file = options.find("config"); file != options.end())
    file->second = join_path(parent_path(config.file), file->second);
  return workloads::with_options(engine, options);
}

StoreWorkshop::StoreWorkshop(Context& context, store::Store& store, std::string folder,
                             std::string ort_library)
    : context_(context),
      store_(store),
      folder_(std::move(folder)),
      ort_library_(std::move(ort_library)),
      ceilings_(known_ceilings(context.files)) {}

Result<std::string> StoreWorkshop::model_file(const bench::Config& config,
                                              const bench::Cell& cell) {
  const bench::ModelSpec& model = config.models[cell.model];
  if (model.workload) return specification_of(config, cell);
  if (cell.precision == bench::Precision::int8) {
    if (model.int8) return join_path(parent_path(config.file), *model.int8);
    return Error{Errc::unavailable,
                 "int8 is not available here: it needs a quantised model; name one beside the "
                 "model as \"int8: FILE\".",
                 model.name};
  }
  NEUROLENS_ASSIGN(const std::string path, original(config, model));
  if (cell.precision == bench::Precision::f32) return path;
  return converted(path, model, cell.precision);
}

Result<std::string> StoreWorkshop::original(const bench::Config& config,
                                            const bench::ModelSpec& model) {
  if (model.file) return join_path(parent_path(config.file), *model.file);
  const std::string place = folder_ + "/models/f32";
  const std::string path = fmt::format("{}/{}.onnx", place, model.name);
  NEUROLENS_ASSIGN(const auto there, context_.files.info(path));
  if (there) return path;
  NEUROLENS_TRY(context_.files.make_directories(place));
  onnx::zoo::BuildOptions options;
  options.batch = 0;  // free: one file serves every cell
  if (has_sequence(*model.zoo)) options.sequence = 0;
  options.seed = config.seed;
  const auto built =
      onnx::zoo::build(*model.zoo, path, options, context_.files, context_.attention);
  if (!built.ok()) return built.error();
  return path;
}

Result<std::string> StoreWorkshop::converted(const std::string& original,
                                             const bench::ModelSpec& model,
                                             bench::Precision precision) {
  const std::string place = fmt::format("{}/models/{}", folder_, bench::to_string(precision));
  const std::string path = fmt::format("{}/{}.onnx", place, model.name);
  NEUROLENS_ASSIGN(const auto there, context_.files.info(path));
  if (there) return path;
  NEUROLENS_ASSIGN(const auto loaded, onnx::Model::load(original));
  NEUROLENS_ASSIGN(
      const auto made,
      onnx::convert_precision(loaded, precision == bench::Precision::f16 ? onnx::DType::float16
                                                                         : onnx::DType::bfloat16));
  NEUROLENS_TRY(context_.files.make_directories(place));
  NEUROLENS_TRY(made.model.save(path, context_.files));
  return path;
}

Result<run::Run> StoreWorkshop::measure(const capture::CaptureRequest& request) {
  auto wanted = request;
  wanted.ort_library = ort_library_;
  NEUROLENS_ASSIGN(run::Run measured, capture::profile_model(wanted));
  measured.ceilings = ceilings_;
  return measured;
}

Result<run::Run> StoreWorkshop::measure_engine(const capture::CaptureRequest& request) {
  capture::EngineOptions options;
  options.iterations = request.iterations;
  options.warmup = request.warmup;
  options.target_interval_ratio = request.target_interval_ratio;
  options.time_limit = request.time_limit;
  options.seed = request.seed;
  options.attention = request.attention;
  capture::ProgramFacts facts = facts_of(context_);
  facts.argv = request.command;
  facts.tags = request.tags;
  NEUROLENS_ASSIGN(
      run::Run measured,
      capture::profile_engine_isolated(
          request.model_path, [&] { return workloads::make(request.model_path); }, options, facts));
  measured.ceilings = ceilings_;
  return measured;
}

Result<bench::Launch> StoreWorkshop::keep(const run::Run& run) {
  NEUROLENS_ASSIGN(const auto headline, headline_of(run));
  NEUROLENS_ASSIGN(const auto entry, store_.add(run, headline));
  return bench::Launch{0, entry.run_id, entry.headline.latency_ns};
}

Result<std::vector<std::pair<std::string, bench::Launch>>> StoreWorkshop::kept(
    const std::string& bench_id) {
  store::Filter filter;
  filter.tags = {{bench::kBenchIdTag, bench_id}};
  filter.sort = store::Sort::oldest;
  NEUROLENS_ASSIGN(const auto entries, store_.list(filter));
  std::vector<std::pair<std::string, bench::Launch>> found;
  for (const auto& entry : entries) {
    const auto cell = entry.tags.find(bench::kCellTag);
    const auto repeat = entry.tags.find(bench::kRepeatTag);
    if (cell == entry.tags.end() || repeat == entry.tags.end()) continue;
    bench::Launch launch{0, entry.run_id, entry.headline.latency_ns};
    const char* end = repeat->second.data() + repeat->second.size();
    if (std::from_chars(repeat->second.data(), end, launch.repeat).ptr != end) continue;
    found.emplace_back(cell->second, std::move(launch));
  }
  return found;
}

}  // namespace neurolens::cli
