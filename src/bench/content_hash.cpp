// What makes two configurations the same measurement.
#include <functional>

#include "neurolens/base/hash.hpp"
#include "neurolens/base/json.hpp"
#include "neurolens/bench/config.hpp"

namespace neurolens::bench {
namespace {

void write_tags(json::Writer& w, const std::map<std::string, std::string>& tags) {
  w.begin_object();
  for (const auto& [key, value] : tags) w.member(key, value);
  w.end_object();
}

template <class List, class Text>
void write_list(json::Writer& w, std::string_view key, const List& list, const Text& text) {
  w.key(key).begin_array();
  for (const auto& item : list) w.value(text(item));
  w.end_array();
}

void write_rules(json::Writer& w, std::string_view key, const std::vector<Rule>& rules) {
  w.key(key).begin_array();
  for (const auto& rule : rules) {
    w.begin_object();
    for (const auto& [axis, values] : rule.values) write_list(w, axis, values, std::identity());
    w.end_object();
  }
  w.end_array();
}

void write_axes(json::Writer& w, const Axes& a) {
  w.key("axes").begin_object();
  w.key("batch").numbers(a.batch).key("sequence").numbers(a.sequence);
  w.key("threads").numbers(a.threads);
  write_list(w, "precision", a.precision, [](Precision p) { return to_string(p); });
  write_list(w, "provider", a.provider, std::identity());
  write_list(w, "optimisation", a.optimisation,
             [](capture::OptLevel o) { return capture::to_string(o); });
  const auto named = [&](const char* kind, const auto& lists) {
    w.key(kind).begin_array();
    for (const auto& [key, values] : lists) {
      w.begin_object();
      write_list(w, key, values, std::identity());
      w.end_object();
    }
    w.end_array();
  };
  if (!a.options.empty()) named("options", a.options);
  named("tags", a.tags);
  w.end_object();
}

}  // namespace

std::string content_hash(const Config& config) {
  json::Writer w;
  w.begin_object().member("name", config.name).member("seed", config.seed);
  w.member("warmup", config.warmup).member("iterations", config.stop.iterations);
  w.member("interval", config.stop.interval_ratio).member("time", config.stop.time);
  w.key("repeats").begin_array().value(config.repeats.least).value(config.repeats.most);
  w.value(config.repeats.interval_ratio).end_array();
  w.member("method", capture::to_string(config.method)).key("models").begin_array();
  for (const auto& m : config.models) {
    w.begin_object().member("name", m.name).member("zoo", m.zoo).member("file", m.file);
    w.member("int8", m.int8).key("tags");
    write_tags(w, m.tags);
    if (m.workload) {
      w.member("workload", m.workload).key("options");
      write_tags(w, m.options);
    }
    w.end_object();
  }
  w.end_array().key("tags");
  write_tags(w, config.tags);
  write_axes(w, config.axes);
  write_rules(w, "include", config.include);
  write_rules(w, "exclude", config.exclude);
  w.end_object();
  return sha256(std::move(w).take());
}

}  // namespace neurolens::bench
