// YAML to Config. Knows the file's form; what the values mean is decided elsewhere.
#include "neurolens/bench/config.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "neurolens/base/document.hpp"
#include "neurolens/base/file_system.hpp"
#include "neurolens/base/text.hpp"
#include "neurolens/base/yaml.hpp"
#include "neurolens/bench/cells.hpp"

namespace neurolens::bench {
namespace {

using json::Value;

constexpr std::int64_t kMostSize = 1'000'000'000;
constexpr std::int64_t kMostThreads = 4096;
constexpr std::int64_t kMostRepeats = 1000;
constexpr std::int64_t kMostIterations = 100'000'000;
constexpr const char* kOwnTags[] = {kBenchTag, kBenchIdTag, kCellTag, kRepeatTag};
constexpr const char* kPrecisions[] = {"f32", "f16", "bf16", "int8"};

std::string stem(std::string_view path) {
  std::string name(file_name(path));
  if (const auto dot = name.rfind('.'); dot != std::string::npos && dot > 0) name.resize(dot);
  return name;
}

class Parser : private DocumentReader {
 public:
  using DocumentReader::DocumentReader;

  Result<Config> config(const Value& root) {
    NEUROLENS_TRY(want_object(root, "A matrix"));
    NEUROLENS_TRY(known_keys(root, {"name", "seed", "warmup", "stop", "repeats", "method", "models",
                                    "axes", "tags", "include", "exclude"}));
    out_.file = file();
    out_.name = stem(file());
    if (const Value* v = root.find("name")) {
      NEUROLENS_ASSIGN(out_.name, label(*v, "name"));
    }
    if (const Value* v = root.find("seed")) {
      NEUROLENS_ASSIGN(const auto seed, integer(*v, "seed", 0, INT64_MAX));
      out_.seed = static_cast<std::uint64_t>(seed);
    }
    if (const Value* v = root.find("warmup")) {
      NEUROLENS_ASSIGN(out_.warmup, integer(*v, "warmup", 0, kMostIterations));
    }
    if (const Value* v = root.find("stop")) NEUROLENS_TRY(stop(*v));
    if (const Value* v = root.find("repeats")) NEUROLENS_TRY(repeats(*v));
    if (const Value* v = root.find("method")) NEUROLENS_TRY(method(*v));
    if (const Value* v = root.find("tags")) {
      NEUROLENS_ASSIGN(out_.tags, labels(*v));
    }
    NEUROLENS_TRY(models(root));
    if (const Value* v = root.find("axes")) NEUROLENS_TRY(axes(*v));
    if (const Value* v = root.find("include")) NEUROLENS_TRY(rules(*v, "include", out_.include));
    if (const Value* v = root.find("exclude")) NEUROLENS_TRY(rules(*v, "exclude", out_.exclude));
    return std::move(out_);
  }

 private:
  /// A text that is shown and becomes part of keys: not empty, without control characters.
  Result<std::string> label(const Value& v, std::string_view key) const {
    NEUROLENS_ASSIGN(std::string name, text(v, key));
    if (name.empty() || printable(name) != name || name.find('/') != std::string::npos) {
      return wrong(
          v, Errc::bad_request,
          fmt::format("\"{}\" must not be empty and holds no \"/\" and no control character.",
                      key));
    }
    return name;
  }

  Status free_key(const Value& v, const std::string& key) const {
    if (std::find(std::begin(kOwnTags), std::end(kOwnTags), key) == std::end(kOwnTags)) return {};
    return wrong(v, Errc::duplicate_name,
                 fmt::format("The tag \"{}\" is set by the matrix itself.", key));
  }
  Result<std::map<std::string, std::string>> labels(const Value& v) const {
    NEUROLENS_ASSIGN(auto tags, text_map(v, "tags"));
    for (const auto& [key, value] : *v.as_object()) NEUROLENS_TRY(free_key(value, key));
    return tags;
  }

  Status stop(const Value& v) {
    NEUROLENS_TRY(want_object(v, "\"stop\""));
    NEUROLENS_TRY(known_keys(v, {"iterations", "interval", "time"}));
    if (const Value* n = v.find("iterations")) {
      NEUROLENS_ASSIGN(out_.stop.iterations, integer(*n, "iterations", 1, kMostIterations));
      for (const char* other : {"interval", "time"}) {
        if (const Value* both = v.find(other)) {
          return wrong(*both, Errc::bad_request,
                       "\"iterations\" fixes the length; leave \"interval\" and \"time\" out.");
        }
      }
    }
    if (const Value* r = v.find("interval")) {
      NEUROLENS_ASSIGN(out_.stop.interval_ratio, ratio(*r, "interval", 1e-6, 0.999));
    }
    if (const Value* t = v.find("time")) {
      NEUROLENS_ASSIGN(out_.stop.time, duration(*t, "time"));
      if (out_.stop.time.count < 1)
        return wrong(*t, Errc::out_of_range, "\"time\" must be longer than 0.");
    }
    return {};
  }

  Status repeats(const Value& v) {
    Repeats& r = out_.repeats;
    if (!v.is_object()) {
      NEUROLENS_ASSIGN(r.least, integer(v, "repeats", 1, kMostRepeats));
      r.most = r.least;
      return {};
    }
    NEUROLENS_TRY(known_keys(v, {"least", "most", "interval"}));
    for (const char* key : {"least", "most", "interval"}) {
      if (v.find(key) == nullptr)
        return wrong(v, Errc::missing_key,
                     "\"repeats\" is a number, or a map of \"least\", \"most\" and \"interval\".");
    }
    NEUROLENS_ASSIGN(r.least, integer(*v.find("least"), "least", 2, kMostRepeats));
    NEUROLENS_ASSIGN(r.most, integer(*v.find("most"), "most", r.least, kMostRepeats));
    NEUROLENS_ASSIGN(r.interval_ratio, ratio(*v.find("interval"), "interval", 1e-6, 10));
    return {};
  }

  Status method(const Value& v) {
    NEUROLENS_ASSIGN(const std::string name, text(v, "method"));
    const auto found = capture::method_from_name(name);
    if (!found) {
      return wrong(v, Errc::out_of_range,
                   "\"method\" must be one of observed, corrected, cut and auto.");
    }
    out_.method = *found;
    return {};
  }

  Status models(const Value& root) {
    const Value* list = root.find("models");
    if (list == nullptr) {
      return wrong(root, Errc::missing_key,
                   "A matrix needs \"models\": a list such as [{zoo: lenet}, {file: m.onnx}, "
                   "{workload: 'nn:mlp'}].");
    }
    if (!list->is_array() || list->as_array()->empty()) {
      return wrong(*list, list->is_array() ? Errc::out_of_range : Errc::wrong_type,
                   "\"models\" must be a list with at least one model.");
    }
    std::set<std::string> names;
    for (const Value& v : *list->as_array()) {
      NEUROLENS_ASSIGN(ModelSpec spec, model(v));
      if (!names.insert(spec.name).second) {
        return wrong(v, Errc::duplicate_name,
                     fmt::format("Two models are called \"{}\"; give one a \"name\".", spec.name));
      }
      out_.models.push_back(std::move(spec));
    }
    return {};
  }

  Result<ModelSpec> model(const Value& v) const {
    ModelSpec spec;
    if (v.is_string()) {
      spec.file = *v.as_string();
    } else {
      NEUROLENS_TRY(want_object(v, "A model"));
      NEUROLENS_TRY(known_keys(v, {"zoo", "file", "workload", "name", "int8", "options", "tags"}));
      const auto count = [&](const char* key) { return v.find(key) != nullptr ? 1 : 0; };
      if (count("zoo") + count("file") + count("workload") != 1) {
        return wrong(v, Errc::missing_key,
                     "A model needs exactly one of \"zoo\", \"file\" and \"workload\".");
      }
      for (const char* key : {"int8", "options"}) {
        const bool of_engine = key == std::string_view("options");
        if (count(key) == 1 && of_engine != (count("workload") == 1)) {
          return wrong(*v.find(key), Errc::bad_request,
                       fmt::format("\"{}\" goes with {}.", key,
                                   of_engine ? "a workload" : "a model, not a workload"));
        }
      }
      for (const auto& [key, target] :
           {std::pair{"zoo", &spec.zoo}, std::pair{"file", &spec.file},
            std::pair{"workload", &spec.workload}, std::pair{"int8", &spec.int8}}) {
        const Value* found = v.find(key);
        if (found == nullptr) continue;
        NEUROLENS_ASSIGN(*target, text(*found, key));
        if ((*target)->empty())
          return wrong(*found, Errc::out_of_range, fmt::format("\"{}\" is empty.", key));
      }
      if (const Value* tags = v.find("tags")) {
        NEUROLENS_ASSIGN(spec.tags, labels(*tags));
      }
      if (const Value* options = v.find("options")) {
        NEUROLENS_TRY(want_object(*options, "\"options\""));
        for (const auto& [key, value] : *options->as_object()) {
          NEUROLENS_ASSIGN(spec.options[key], option_value(value, key));
        }
      }
    }
    spec.name = spec.zoo ? *spec.zoo : spec.workload ? *spec.workload : stem(*spec.file);
    if (const Value* name = v.find("name")) {
      NEUROLENS_ASSIGN(spec.name, label(*name, "name"));
    }
    if (spec.name.empty()) return wrong(v, Errc::out_of_range, "The model has no name.");
    return spec;
  }

  /// An option of an engine: text, a number or true and false, as they are written.
  Result<std::string> option_value(const Value& v, std::string_view key) const {
    if (const auto* s = v.as_string()) return *s;
    if (const auto b = v.as_bool()) return std::string(*b ? "on" : "off");
    if (const auto i = v.as_int()) return std::to_string(*i);
    if (const auto d = v.as_double()) return shortest(*d);
    return wrong(v, Errc::wrong_type,
                 fmt::format("The option \"{}\" must be a text or a number.", printable(key)));
  }

  /// The values of an axis; `read` makes one. Not empty, no value twice.
  template <class T, class Read>
  Status axis(const Value& v, std::string_view key, std::vector<T>& target, const Read& read) {
    if (!v.is_array()) {
      return wrong(v, Errc::wrong_type,
                   fmt::format("The axis \"{}\" must be a list, not {}.", key, v.type_name()));
    }
    if (v.as_array()->empty()) {
      return wrong(v, Errc::out_of_range,
                   fmt::format("The axis \"{}\" is empty; leave it out or give it a value.", key));
    }
    std::vector<T> values;
    std::set<T> seen;
    for (const Value& item : *v.as_array()) {
      NEUROLENS_ASSIGN(T value, read(item));
      if (!seen.insert(value).second) {
        return wrong(item, Errc::duplicate_name,
                     fmt::format("The axis \"{}\" holds this value twice.", key));
      }
      values.push_back(std::move(value));
    }
    target = std::move(values);
    return count_cells(v, static_cast<std::int64_t>(target.size()));
  }

  /// The axis that makes the matrix too large is the place of the error.
  Status count_cells(const Value& v, std::int64_t values) {
    if (values <= kMostCells && cells_ <= kMostCells / values) {
      cells_ *= values;
      return {};
    }
    return wrong(v, Errc::too_large,
                 fmt::format("With this axis the matrix has more than {} cells; make an axis "
                             "shorter or split the matrix.",
                             kMostCells));
  }

  Result<Precision> precision(const Value& v) const {
    NEUROLENS_ASSIGN(const std::string name, text(v, "precision"));
    if (const auto found = precision_from_name(name)) return *found;
    return wrong(v, Errc::out_of_range, "\"precision\" knows f32, f16, bf16 and int8.");
  }
  Result<capture::OptLevel> optimisation(const Value& v) const {
    NEUROLENS_ASSIGN(const std::string name, text(v, "optimisation"));
    if (const auto found = capture::opt_level_from_name(name)) return *found;
    return wrong(v, Errc::out_of_range, "\"optimisation\" knows none, basic, extended and all.");
  }

  Status axes(const Value& v) {
    NEUROLENS_TRY(want_object(v, "\"axes\""));
    axes_ = &v;
    NEUROLENS_TRY(known_keys(v, {"batch", "sequence", "precision", "threads", "provider",
                                 "optimisation", "options", "tags"}));
    NEUROLENS_TRY(axes_fit_models(v));
    cells_ = static_cast<std::int64_t>(out_.models.size());
    NEUROLENS_TRY(count_cells(v, 1));
    const auto size = [&](std::string_view key) {
      return [this, key](const Value& item) { return integer(item, key, 1, kMostSize); };
    };
    Axes& a = out_.axes;
    for (const auto& [key, list] : *v.as_object()) {
      if (key == "batch") NEUROLENS_TRY(axis(list, key, a.batch, size("batch")));
      if (key == "sequence") NEUROLENS_TRY(axis(list, key, a.sequence, size("sequence")));
      if (key == "precision") {
        NEUROLENS_TRY(axis(list, key, a.precision, [&](const Value& i) { return precision(i); }));
      }
      if (key == "threads") {
        NEUROLENS_TRY(axis(list, key, a.threads,
                           [&](const Value& i) { return integer(i, "threads", 0, kMostThreads); }));
      }
      if (key == "provider") {
        NEUROLENS_TRY(
            axis(list, key, a.provider, [&](const Value& i) { return label(i, "provider"); }));
      }
      if (key == "optimisation") {
        NEUROLENS_TRY(
            axis(list, key, a.optimisation, [&](const Value& i) { return optimisation(i); }));
      }
      if (key == "options") NEUROLENS_TRY(option_axes(list));
      if (key == "tags") NEUROLENS_TRY(tag_axes(list));
    }
    return {};
  }

  /// Options mean nothing to models, and some axes nothing to engines.
  Status axes_fit_models(const Value& v) const {
    const auto engines = std::count_if(out_.models.begin(), out_.models.end(),
                                       [](const ModelSpec& m) { return m.workload.has_value(); });
    const Value* options = v.find("options");
    if (options != nullptr && engines != static_cast<std::ptrdiff_t>(out_.models.size())) {
      return wrong(*options, Errc::bad_request,
                   "The axis \"options\" is for engines: every model of such a matrix must be a "
                   "\"workload\".");
    }
    for (const char* key : {"sequence", "provider", "optimisation"}) {
      if (engines > 0 && v.find(key) != nullptr) {
        return wrong(*v.find(key), Errc::bad_request,
                     fmt::format("The axis \"{}\" is not for engines; their settings are an axis "
                                 "of \"options\".",
                                 key));
      }
    }
    return {};
  }

  Status option_axes(const Value& v) {
    NEUROLENS_TRY(want_object(v, "The axis \"options\""));
    for (const auto& [key, list] : *v.as_object()) {
      for (const char* own : {"batch", "threads", "precision"}) {
        if (key == own && axes_->find(own) != nullptr) {
          return wrong(list, Errc::duplicate_name,
                       fmt::format("\"{}\" is an axis of its own already.", own));
        }
      }
      out_.axes.options.emplace_back(key, std::vector<std::string>());
      NEUROLENS_TRY(axis(list, key, out_.axes.options.back().second,
                         [&, name = key](const Value& i) { return option_value(i, name); }));
    }
    return {};
  }

  Status tag_axes(const Value& v) {
    NEUROLENS_TRY(want_object(v, "The axis \"tags\""));
    for (const auto& [key, list] : *v.as_object()) {
      NEUROLENS_TRY(free_key(list, key));
      out_.axes.tags.emplace_back(key, std::vector<std::string>());
      NEUROLENS_TRY(axis(list, key, out_.axes.tags.back().second,
                         [&](const Value& i) { return label(i, "tags"); }));
    }
    return {};
  }

  Status rules(const Value& v, std::string_view key, std::vector<Rule>& target) const {
    if (!v.is_array()) {
      return wrong(v, Errc::wrong_type,
                   fmt::format("\"{}\" must be a list of maps, not {}.", key, v.type_name()));
    }
    for (const Value& item : *v.as_array()) {
      NEUROLENS_TRY(want_object(item, "A rule"));
      NEUROLENS_TRY(known_keys(item, axis_names(out_)));
      if (item.as_object()->empty())
        return wrong(item, Errc::out_of_range, "The rule names no axis, so it says nothing.");
      Rule rule;
      for (const auto& [axis, wanted] : *item.as_object()) {
        NEUROLENS_ASSIGN(rule.values[axis], rule_values(wanted, axis));
      }
      target.push_back(std::move(rule));
    }
    return {};
  }

  /// One value or a list; each must be a value of the axis, or the rule could not mean anything.
  Result<std::vector<std::string>> rule_values(const Value& v, const std::string& axis) const {
    const std::vector<std::string> known = values_of(axis);
    const auto one = [&](const Value& item) -> Result<std::string> {
      NEUROLENS_ASSIGN(std::string value, text(item, axis));
      if (std::find(known.begin(), known.end(), value) != known.end()) return value;
      return wrong(item, Errc::not_found,
                   fmt::format("\"{}\" is no value of the axis \"{}\".{}", printable(value), axis,
                               did_you_mean(value, known)));
    };
    std::vector<std::string> values;
    if (!v.is_array()) {
      NEUROLENS_ASSIGN(values.emplace_back(), one(v));
      return values;
    }
    for (const Value& item : *v.as_array()) {
      NEUROLENS_ASSIGN(values.emplace_back(), one(item));
    }
    return values;
  }

  [[nodiscard]] std::vector<std::string> values_of(const std::string& axis) const {
    std::vector<std::string> values;
    const Axes& a = out_.axes;
    const auto numbers = [&](const std::vector<std::int64_t>& list) {
      for (const auto n : list) values.push_back(std::to_string(n));
    };
    if (axis == "model") {
      for (const auto& m : out_.models) values.push_back(m.name);
    }
    if (axis == "batch") numbers(a.batch);
    if (axis == "sequence") numbers(a.sequence);
    if (axis == "threads") numbers(a.threads);
    if (axis == "provider") values = a.provider;
    if (axis == "precision") {
      for (const auto p : a.precision) values.emplace_back(to_string(p));
    }
    if (axis == "optimisation") {
      for (const auto o : a.optimisation) values.emplace_back(capture::to_string(o));
    }
    for (const auto& [key, list] : a.options) {
      if (axis == "options." + key) values = list;
    }
    for (const auto& [key, list] : a.tags) {
      if (axis == "tags." + key) values = list;
    }
    return values;
  }

  Config out_;
  std::int64_t cells_ = 1;
  const Value* axes_ = nullptr;  ///< The section "axes".
};

}  // namespace

const char* to_string(Precision precision) {
  return kPrecisions[static_cast<std::size_t>(precision)];
}

std::optional<Precision> precision_from_name(std::string_view name) {
  for (std::size_t i = 0; i < std::size(kPrecisions); ++i) {
    if (name == kPrecisions[i]) return static_cast<Precision>(i);
  }
  return std::nullopt;
}

Result<Config> parse_config(std::string_view yaml, const std::string& file) {
  auto tree = yaml::parse(yaml);
  if (!tree.ok()) return std::move(tree).error().at(file);
  return Parser(file).config(*tree);
}

}  // namespace neurolens::bench
