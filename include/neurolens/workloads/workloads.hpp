/// \file
/// Engine set-ups by name: what `neurolens profile --workload` and bench run.
///
/// A specification is ENGINE:NAME?KEY=VALUE&KEY=VALUE, for example "pde:poisson?n=80&order=4" or
/// "nn:adaptive?batch=64&awake=0.5". Keys that are left out have the defaults that known() tells;
/// all of them appear in the Run. Values may hold %XX for '&', '?' and '%'.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "neurolens/base/result.hpp"
#include "neurolens/capture/engine.hpp"

namespace neurolens::workloads {

/// One set-up that can be named.
struct Known {
  std::string name;                             ///< "pde:poisson".
  std::string summary;                          ///< One line.
  std::map<std::string, std::string> defaults;  ///< Every key with its default.
};
/// All of them, by name.
[[nodiscard]] std::vector<Known> known();

/// A specification taken apart.
struct Specification {
  std::string name;
  std::map<std::string, std::string> options;  ///< Only those given.
};
/// Errors: bad_request with the part that is wrong.
[[nodiscard]] Result<Specification> parse(std::string_view text);

/// Whether `text` begins like a specification: ENGINE: with an engine that there is.
[[nodiscard]] bool is_specification(std::string_view text);

/// `specification` with further options "KEY=VALUE", which win over those it has. Values are taken
/// as they are and escaped here. Errors: bad_request.
[[nodiscard]] Result<std::string> with_options(std::string_view specification,
                                               const std::map<std::string, std::string>& options);

/// Whether name and keys are known, without preparing anything. Errors: not_found, bad_request.
[[nodiscard]] Status check(std::string_view text);

/// Prepares a workload: what it needs once (plans, networks, data) is done here, not in an
/// iteration. Errors: not_found (an unknown name), bad_request and out_of_range (an unknown key or
/// a bad value; the key is named), and those of the engines.
[[nodiscard]] Result<std::unique_ptr<capture::EngineWorkload>> make(std::string_view text);

}  // namespace neurolens::workloads
