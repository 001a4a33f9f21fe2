/// \file
/// Systems of ordinary differential equations given as formulas: what ode and bvp share.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <vector>

#include "neurolens/base/json.hpp"
#include "neurolens/engines/pde/solve.hpp"

namespace neurolens::pde {

struct System {
  std::vector<std::string> names;      ///< Components.
  std::vector<std::string> variables;  ///< The independent one, then the components.
  std::vector<Expression> derivative;
};

/// `independent` is t or x. Errors: bad_request, too_large, duplicate_name, parse_error.
Result<System> parse_system(const SolveRequest& request, const std::string& independent);

/// Each call is a phase of its own when somebody observes.
OdeFunction function_of(const System& system, PhaseObserver* observer);

/// Initial values or guesses per component, in terms of the independent variable. Errors:
/// bad_request, parse_error.
Result<std::vector<Expression>> parse_initial(const SolveRequest& request, const System& system,
                                              const std::string& independent, bool required);

/// The lines of a table as a picture, when asked for.
void add_table(const SolveRequest& request, const std::string& title, SolveAnswer& answer);

/// max |first component - exact| over the points `at`; empty without --exact. Errors: parse_error.
Result<std::optional<double>> error_against(const SolveRequest& request,
                                            const std::string& independent,
                                            std::span<const double> at,
                                            std::span<const std::vector<double>> values);

/// Members y_NAME: a column of the table each.
void write_columns(json::Writer& w, const SolveAnswer& answer);

}  // namespace neurolens::pde
