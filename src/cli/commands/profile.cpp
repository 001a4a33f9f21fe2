#include "neurolens/capture/profile.hpp"

#include <fmt/format.h>

#include <charconv>

#include "builtin.hpp"
#include "common.hpp"
#include "neurolens/base/text.hpp"
#include "neurolens/capture/host.hpp"
#include "neurolens/capture/peaks.hpp"
#include "profile_program.hpp"
#include "profile_workload.hpp"

namespace neurolens::cli {
namespace {

constexpr std::string_view kOnnxSuffix = ".onnx";

Error bad_option(std::string_view option, std::string_view given, std::string_view wanted) {
  return {Errc::bad_request, fmt::format("\"{}\" is not of the form {}.", printable(given), wanted),
          std::string(option)};
}

/// "name=value", both not empty. The last '=' splits: tensor names may hold one.
Result<std::pair<std::string, std::string>> split_pair(std::string_view option,
                                                       const std::string& text,
                                                       std::string_view wanted) {
  const auto equals = text.rfind('=');
  if (equals == std::string::npos || equals == 0 || equals + 1 == text.size())
    return bad_option(option, text, wanted);
  return std::pair(text.substr(0, equals), text.substr(equals + 1));
}

/// "1x3x224x224"; "scalar" for rank 0.
Result<std::vector<std::int64_t>> parse_shape(const std::string& option_text,
                                              std::string_view text) {
  std::vector<std::int64_t> dims;
  if (text == "scalar") return dims;
  for (const auto piece : split(text, 'x')) {
    std::int64_t dim = 0;
    const auto [end, error] = std::from_chars(piece.data(), piece.data() + piece.size(), dim);
    if (error != std::errc{} || end != piece.data() + piece.size() || dim < 0) {
      return bad_option("--shape", option_text, "NAME=1x3x224x224 (or NAME=scalar)");
    }
    dims.push_back(dim);
  }
  return dims;
}

/// Where the Run goes when -o is absent: "dir/resnet50.onnx" -> "resnet50.run.json" in this
/// directory.
std::string default_run_path(const std::string& model) {
  std::string name(file_name(model));
  if (name.ends_with(kOnnxSuffix)) name.resize(name.size() - kOnnxSuffix.size());
  return name + ".run.json";
}

class Profile final : public Command {
 public:
  [[nodiscard]] std::string name() const override { return "profile"; }
  [[nodiscard]] std::string summary() const override {
    return "run a model under a backend and record a Run";
  }

  void declare(Options& options) override {
    options.positional("model", model_, "An ONNX model");
    options.rest("program", program_.command,
                 "Or, after --, a program linked with neurolens::probe");
    options.value("--workload", "SPEC", workload_,
                  "Or an engine of neurolens itself, such as pde:poisson?n=80 or nn:mlp?batch=64 "
                  "(what there is: docs/guides/workloads.md)");
    options.value("-o,--output", "RUN", output_,
                  "The Run to write; .zst compresses (default: MODEL.run.json here)");
    options.value(
        "--iterations", "N", request_.iterations,
        "Measured pairs of iterations (default: until the median is known to 1 %, at most 10 s)");
    options.value("--warmup", "N", request_.warmup,
                  "Pairs of iterations before these, kept apart (default: 5)");
    options.value("--threads", "N", threads_,
                  "Threads within an op; 0 lets the backend choose (default: 1)");
    options.value("--batch", "B", batch_, "Size of free batch dimensions (default: 1)");
    options.value("--sequence", "S", sequence_, "Size of free sequence dimensions (default: 128)");
    options.values("--shape", "NAME=1x3x224x224", shapes_, "Shape of one input; may be repeated");
    options.values("--input", "NAME=FILE", inputs_,
                   "Content of one input from a .npy or .pb file; may be repeated");
    options.choice("--opt", {"none", "basic", "extended", "all"}, opt_,
                   "Graph optimisation of the backend");
    options.value("--provider", "NAME", request_.provider, "Execution provider");
    options.choice("--method", {"auto", "observed", "corrected", "cut"}, method_,
                   "How the time of each op is found");
    options.value("--top", "K", top_, "Ops that cuts settle (default: 5)");
    options.value("--budget", "SECONDS", budget_, "Time that cuts may take (default: 20)");
    options.value("--stall-limit", "SECONDS", stall_limit_,
                  "Without a sign of life for this long the backend is ended (default: 300)");
    options.value("--peaks", "FILE", peaks_,
                  "Ceilings of this machine (default: what `neurolens peaks` kept)");
    options.value("--seed", "N", seed_,
                  "Seed of generated inputs and of the order of iterations (default: 1)");
    options.values("--tag", "K=V", tags_, "A label kept in the Run; may be repeated");
    options.value("--ort-library", "PATH", request_.ort_library,
                  "The ONNX Runtime library to load");
    options.flag("--json", json_, "The summary as one JSON document on stdout");
    options.example("neurolens profile model.onnx --threads 2 --shape input=8x3x224x224");
  }

  Result<int> run(Context& context) override {
    if (int{model_.has_value()} + int{workload_.has_value()} + int{!program_.command.empty()} !=
        1) {
      return Error{Errc::bad_request,
                   "Name one thing to run: a model, --workload, or a program after --.", ""};
    }
    if (workload_) return run_workload(context);
    if (!model_) return run_program(context);
    request_.model_path = *model_;
    const std::string path = output_.value_or(default_run_path(request_.model_path));
    NEUROLENS_TRY(fill_request(context));
    NEUROLENS_ASSIGN(const auto ceilings, load_ceilings(context));
    NEUROLENS_TRY(check_writable(context, path));
    NEUROLENS_ASSIGN(run::Run measured, capture::profile_model(request_));
    measured.ceilings = ceilings;
    NEUROLENS_TRY(keep_and_show(context, measured, path, json_));
    return kDone;
  }

 private:
  Result<int> run_program(Context& context) {
    program_.output = output_.value_or(default_run_path(program_.command[0]));
    program_.json = json_;
    const std::int64_t warmup = request_.warmup.value_or(0);
    if (warmup < 0 || warmup > 1'000'000) {
      return Error{Errc::out_of_range, "Warm-up iterations lie in [0, 1000000].", "--warmup"};
    }
    program_.warmup = static_cast<std::uint32_t>(warmup);
    NEUROLENS_ASSIGN(program_.tags, tags());
    return profile_program(context, program_);
  }

  Result<std::map<std::string, std::string>> tags() const {
    std::map<std::string, std::string> out;
    for (const auto& text : tags_) {
      NEUROLENS_ASSIGN(const auto pair, split_pair("--tag", text, "KEY=VALUE"));
      out[pair.first] = pair.second;
    }
    return out;
  }

  Result<int> run_workload(Context& context) {
    WorkloadRequest wanted;
    wanted.specification = *workload_;
    wanted.output = output_.value_or(workload_run_path(*workload_));
    wanted.json = json_;
    wanted.options.iterations = request_.iterations;
    wanted.options.warmup = request_.warmup;
    NEUROLENS_ASSIGN(wanted.options.seed, seed_from(seed_));
    NEUROLENS_ASSIGN(wanted.ceilings, load_ceilings(context));
    NEUROLENS_ASSIGN(wanted.tags, tags());
    return profile_workload(context, wanted);
  }

  Status fill_request(Context& context) {
    if (batch_) request_.batch = *batch_;
    if (sequence_) request_.sequence = *sequence_;
    request_.batch_given = batch_.has_value();
    request_.sequence_given = sequence_.has_value();
    request_.threads = threads_.value_or(request_.threads);
    request_.top = top_.value_or(request_.top);
    if (budget_) request_.budget = Nanoseconds{static_cast<std::int64_t>(*budget_ * 1e9)};
    if (stall_limit_) {
      if (!(*stall_limit_ > 0 && *stall_limit_ <= 1e6)) {
        return Error{Errc::out_of_range, "The limit lies in (0, 1000000] seconds.",
                     "--stall-limit"};
      }
      request_.stall_limit = Nanoseconds{static_cast<std::int64_t>(*stall_limit_ * 1e9)};
    }
    NEUROLENS_ASSIGN(request_.seed, seed_from(seed_));
    request_.optimisation = *capture::opt_level_from_name(opt_);
    request_.method = *capture::method_from_name(method_);
    for (const auto& text : shapes_) {
      NEUROLENS_ASSIGN(const auto pair, split_pair("--shape", text, "NAME=1x3x224x224"));
      NEUROLENS_ASSIGN(request_.shapes[pair.first], parse_shape(text, pair.second));
    }
    for (const auto& text : inputs_) {
      const auto equals =
          text.find('=');  // a path may hold '=', a tensor name with one needs none here
      if (equals == std::string::npos || equals == 0 || equals + 1 == text.size()) {
        return bad_option("--input", text, "NAME=FILE.npy");
      }
      request_.inputs[text.substr(0, equals)] = text.substr(equals + 1);
    }
    NEUROLENS_ASSIGN(request_.tags, tags());
    request_.command = context.argv;
    request_.isolated = true;
    request_.attention = context.attention;
    return {};
  }

  /// The ceilings to record: the file that was asked for, else this machine's, else none.
  Result<std::vector<run::Ceiling>> load_ceilings(Context& context) {
    const std::string path = peaks_.value_or(capture::peaks_cache_path(capture::read_host().facts));
    auto text = context.files.read(path);
    if (!text.ok()) {
      if (!peaks_) return std::vector<run::Ceiling>{};
      return std::move(text).error();
    }
    auto peaks = capture::peaks_from_json(*text);
    if (!peaks.ok()) return std::move(peaks).error().at(path);
    return capture::ceilings_of(*peaks);
  }

  capture::CaptureRequest request_;
  std::optional<std::string> model_;
  ProgramRequest program_;
  std::optional<std::string> workload_;
  std::optional<std::string> output_;
  std::optional<std::string> peaks_;
  std::optional<std::int64_t> batch_;
  std::optional<std::int64_t> sequence_;
  std::optional<std::int64_t> threads_;
  std::optional<std::int64_t> top_;
  std::optional<std::int64_t> seed_;
  std::optional<double> budget_;
  std::optional<double> stall_limit_;
  std::vector<std::string> shapes_;
  std::vector<std::string> inputs_;
  std::vector<std::string> tags_;
  std::string opt_ = "all";
  std::string method_ = "auto";
  bool json_ = false;
};

}  // namespace

std::unique_ptr<Command> make_profile() {
  return std::make_unique<Profile>();
}

}  // namespace neurolens::cli
