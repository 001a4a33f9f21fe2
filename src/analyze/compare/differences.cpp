#include <fmt/format.h>

#include "neurolens/analyze/compare.hpp"

namespace neurolens::analyze {
namespace {

template <class T>
std::string spell(const std::optional<T>& value) {
  return value ? fmt::format("{}", *value) : "-";
}

std::string spell_inputs(const std::vector<run::Tensor>& inputs, bool shapes) {
  std::string text;
  for (const auto& input : inputs) {
    if (!text.empty()) text += ", ";
    if (!shapes) {
      text += input.dtype.value_or("?");
    } else {
      text += input.shape ? fmt::format("{}", fmt::join(*input.shape, "x")) : "?";
    }
  }
  return text;
}

std::string spell_gpus(const std::vector<run::Gpu>& gpus) {
  std::string text;
  for (const auto& gpu : gpus) text += (text.empty() ? "" : ", ") + gpu.model;
  return text.empty() ? "none" : text;
}

}  // namespace

std::vector<Difference> find_differences(const run::Run& a, const run::Run& b) {
  std::vector<Difference> out;
  const auto check = [&](const char* field, std::string x, std::string y, bool blocking) {
    if (x != y) out.push_back({field, std::move(x), std::move(y), blocking});
  };
  check("host.architecture", a.host.architecture, b.host.architecture, true);
  check("host.cpu_model", a.host.cpu_model, b.host.cpu_model, true);
  check("host.gpus", spell_gpus(a.host.gpus), spell_gpus(b.host.gpus), true);
  check("host.cores_logical", fmt::format("{}", a.host.cores_logical),
        fmt::format("{}", b.host.cores_logical), false);
  check("host.name", spell(a.host.name), spell(b.host.name), false);
  check("host.governor", spell(a.host.governor), spell(b.host.governor), false);
  check("host.kernel", a.host.kernel, b.host.kernel, false);
  check("host.os", a.host.os, b.host.os, false);
  check("software.backend", a.software.backend, b.software.backend, false);
  check("software.backend_version", spell(a.software.backend_version),
        spell(b.software.backend_version), false);
  check("software.provider", spell(a.software.provider), spell(b.software.provider), false);
  check("software.precision", spell(a.software.precision), spell(b.software.precision), false);
  check("software.threads", spell(a.software.threads), spell(b.software.threads), false);
  check("software.optimisation", spell(a.software.optimisation), spell(b.software.optimisation),
        false);
  check("software.library_hash", spell(a.software.library_hash), spell(b.software.library_hash),
        false);
  check("neurolens_version", a.neurolens_version, b.neurolens_version, false);
  check("workload.kind", a.workload.kind, b.workload.kind, true);
  check("workload.name", a.workload.name, b.workload.name, false);
  check("workload.content_hash", spell(a.workload.content_hash), spell(b.workload.content_hash),
        false);
  check("workload.parameters", spell(a.workload.parameters), spell(b.workload.parameters), false);
  check("workload.inputs", spell_inputs(a.workload.inputs, true),
        spell_inputs(b.workload.inputs, true), true);
  check("workload.dtypes", spell_inputs(a.workload.inputs, false),
        spell_inputs(b.workload.inputs, false), false);
  check("workload.batch_size", spell(a.workload.batch_size), spell(b.workload.batch_size), true);
  check("workload.sequence_length", spell(a.workload.sequence_length),
        spell(b.workload.sequence_length), true);
  check("config.method", spell(a.config.method), spell(b.config.method), false);
  return out;
}

}  // namespace neurolens::analyze
