/// \file
/// The options of one workload while it is being prepared.
#pragma once

#include <memory>
#include <string>

#include "neurolens/workloads/workloads.hpp"

namespace neurolens::workloads {

/// Options with defaults filled in; typed access that names the key in its errors.
class Options {
 public:
  explicit Options(std::map<std::string, std::string> values) : values_(std::move(values)) {}

  [[nodiscard]] const std::string& text(const std::string& key) const { return values_.at(key); }
  [[nodiscard]] Result<std::int64_t> integer(const std::string& key, std::int64_t low,
                                             std::int64_t high) const;
  [[nodiscard]] Result<double> number(const std::string& key, double low, double high) const;
  /// Index of the value among `choices`.
  [[nodiscard]] Result<std::size_t> choice(const std::string& key,
                                           const std::vector<std::string>& choices) const;
  [[nodiscard]] const std::map<std::string, std::string>& all() const { return values_; }

 private:
  std::map<std::string, std::string> values_;
};

/// One kind of workload: what known() says of it, and how it is prepared.
struct Kind {
  Known facts;
  Result<std::unique_ptr<capture::EngineWorkload>> (*prepare)(const std::string& name,
                                                              const Options& options);
};
[[nodiscard]] std::vector<Kind> pde_kinds();
[[nodiscard]] std::vector<Kind> nn_kinds();

}  // namespace neurolens::workloads
