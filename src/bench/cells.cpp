#include "neurolens/bench/cells.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <numeric>

#include "neurolens/base/random.hpp"

namespace neurolens::bench {
namespace {

/// Streams of the seed besides those that a measurement uses itself.
constexpr std::uint64_t kOrderStream = std::uint64_t{1} << 40;
constexpr const char* kOption = "options.";
constexpr const char* kTag = "tags.";

bool matches(const Config& config, const Cell& cell, const Rule& rule) {
  for (const auto& [axis, wanted] : rule.values) {
    const auto value = axis_value(config, cell, axis);
    if (!value || std::find(wanted.begin(), wanted.end(), *value) == wanted.end()) return false;
  }
  return true;
}

bool wanted(const Config& config, const Cell& cell) {
  const auto hit = [&](const Rule& rule) { return matches(config, cell, rule); };
  const bool in =
      config.include.empty() || std::any_of(config.include.begin(), config.include.end(), hit);
  return in && std::none_of(config.exclude.begin(), config.exclude.end(), hit);
}

/// The cells so far times the values of one more axis.
template <class T, class Set>
void multiply(std::vector<Cell>& cells, const std::vector<T>& values, const Set& set) {
  if (values.empty()) return;
  std::vector<Cell> product;
  product.reserve(cells.size() * values.size());
  for (const auto& cell : cells) {
    for (const auto& value : values) set(product.emplace_back(cell), value);
  }
  cells = std::move(product);
}

bool varies(const Config& config, const std::string& axis) {
  const Axes& a = config.axes;
  if (axis == "model") return true;
  if (axis == "batch") return a.batch.size() > 1;
  if (axis == "sequence") return a.sequence.size() > 1;
  if (axis == "precision") return a.precision.size() > 1;
  if (axis == "threads") return a.threads.size() > 1;
  if (axis == "provider") return a.provider.size() > 1;
  if (axis == "optimisation") return a.optimisation.size() > 1;
  const auto named = [&](const char* kind, const auto& list) {
    return std::any_of(list.begin(), list.end(), [&](const auto& one) {
      return axis == kind + one.first && one.second.size() > 1;
    });
  };
  return named(kOption, a.options) || named(kTag, a.tags);
}

}  // namespace

std::optional<std::string> axis_value(const Config& config, const Cell& cell,
                                      const std::string& axis) {
  const auto number = [](const std::optional<std::int64_t>& n) {
    return n ? std::optional(std::to_string(*n)) : std::nullopt;
  };
  if (axis == "model") return config.models[cell.model].name;
  if (axis == "batch") return number(cell.batch);
  if (axis == "sequence") return number(cell.sequence);
  if (axis == "precision") return to_string(cell.precision);
  if (axis == "threads") return std::to_string(cell.threads);
  if (axis == "provider") return cell.provider;
  if (axis == "optimisation") return capture::to_string(cell.optimisation);
  for (const auto& [kind, map] : {std::pair{std::string_view(kOption), &cell.options},
                                  std::pair{std::string_view(kTag), &cell.tags}}) {
    if (!axis.starts_with(kind)) continue;
    const auto found = map->find(axis.substr(kind.size()));
    if (found != map->end()) return found->second;
  }
  return std::nullopt;
}

std::vector<std::string> axis_names(const Config& config) {
  std::vector<std::string> names{"model",   "batch",    "sequence",    "precision",
                                 "threads", "provider", "optimisation"};
  for (const auto& [key, values] : config.axes.options) names.push_back(kOption + key);
  for (const auto& [key, values] : config.axes.tags) names.push_back(kTag + key);
  return names;
}

Result<std::vector<Cell>> expand(const Config& config) {
  const Axes& a = config.axes;
  std::vector<std::size_t> models(config.models.size());
  std::iota(models.begin(), models.end(), std::size_t{0});
  std::vector<Cell> cells(1);
  multiply(cells, models, [](Cell& c, std::size_t m) { c.model = m; });
  for (const auto& label : a.tags) {
    multiply(cells, label.second, [&](Cell& c, const std::string& v) { c.tags[label.first] = v; });
  }
  for (const auto& option : a.options) {
    multiply(cells, option.second,
             [&](Cell& c, const std::string& v) { c.options[option.first] = v; });
  }
  multiply(cells, a.provider, [](Cell& c, const std::string& p) { c.provider = p; });
  multiply(cells, a.precision, [](Cell& c, Precision p) { c.precision = p; });
  multiply(cells, a.optimisation, [](Cell& c, capture::OptLevel o) { c.optimisation = o; });
  multiply(cells, a.sequence, [](Cell& c, std::int64_t n) { c.sequence = n; });
  multiply(cells, a.batch, [](Cell& c, std::int64_t n) { c.batch = n; });
  multiply(cells, a.threads, [](Cell& c, std::int64_t n) { c.threads = n; });
  std::erase_if(cells, [&](const Cell& c) { return !wanted(config, c); });
  if (cells.empty()) {
    return Error{Errc::bad_request, "\"include\" and \"exclude\" leave no cell to measure.",
                 config.file};
  }
  for (auto& cell : cells) {
    for (const auto& axis : axis_names(config)) {
      const auto value = varies(config, axis) ? axis_value(config, cell, axis) : std::nullopt;
      if (value) cell.key += fmt::format("{}{}={}", cell.key.empty() ? "" : " ", axis, *value);
    }
  }
  return cells;
}

std::vector<std::size_t> order_of_round(std::size_t cells, std::uint64_t seed, std::int64_t round) {
  std::vector<std::size_t> order(cells);
  std::iota(order.begin(), order.end(), std::size_t{0});
  Random random(seed, kOrderStream + static_cast<std::uint64_t>(round));
  for (std::size_t i = cells; i > 1; --i) std::swap(order[i - 1], order[random.below(i)]);
  return order;
}

std::map<std::string, std::string> engine_options(const Config& config, const Cell& cell) {
  const Axes defaults;
  auto options = config.models[cell.model].options;
  if (cell.batch) options["batch"] = std::to_string(*cell.batch);
  if (config.axes.threads != defaults.threads) options["threads"] = std::to_string(cell.threads);
  if (config.axes.precision != defaults.precision) options["precision"] = to_string(cell.precision);
  for (const auto& [key, value] : cell.options) options[key] = value;
  return options;
}

capture::CaptureRequest request_for(const Config& config, const Cell& cell,
                                    const std::string& path) {
  capture::CaptureRequest request;
  request.model_path = path;
  request.provider = cell.provider;
  request.iterations = config.stop.iterations;
  request.warmup = config.warmup;
  request.target_interval_ratio = config.stop.interval_ratio;
  request.time_limit = config.stop.time;
  request.threads = cell.threads;
  request.optimisation = cell.optimisation;
  request.batch = cell.batch.value_or(request.batch);
  request.sequence = cell.sequence.value_or(request.sequence);
  request.batch_given = cell.batch.has_value();
  request.sequence_given = cell.sequence.has_value();
  request.seed = config.seed;
  request.method = config.method;
  request.isolated = true;
  request.tags = config.tags;
  for (const auto* tags : {&config.models[cell.model].tags, &cell.tags}) {
    for (const auto& [key, value] : *tags) request.tags[key] = value;
  }
  auto& command = request.command;
  const auto option = [&](const char* name, const std::string& value) {
    command.insert(command.end(), {name, value});
  };
  if (config.models[cell.model].workload) {
    command = {"neurolens", "profile", "--workload", path, "--seed", std::to_string(config.seed)};
    if (config.warmup) option("--warmup", std::to_string(*config.warmup));
    if (config.stop.iterations) option("--iterations", std::to_string(*config.stop.iterations));
    return request;
  }
  command = {"neurolens", "profile", path, "--threads", std::to_string(cell.threads)};
  option("--opt", capture::to_string(cell.optimisation));
  option("--provider", cell.provider);
  option("--method", capture::to_string(config.method));
  option("--seed", std::to_string(config.seed));
  if (cell.batch) option("--batch", std::to_string(*cell.batch));
  if (cell.sequence) option("--sequence", std::to_string(*cell.sequence));
  if (config.warmup) option("--warmup", std::to_string(*config.warmup));
  if (config.stop.iterations) option("--iterations", std::to_string(*config.stop.iterations));
  return request;
}

}  // namespace neurolens::bench
