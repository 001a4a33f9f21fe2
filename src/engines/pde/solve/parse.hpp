/// \file
/// Texts of a SolveRequest turned into numbers and formulas.
#pragma once

#include "neurolens/engines/pde/solve.hpp"

namespace neurolens::pde {

/// A number, all of `text`. Errors: bad_request.
Result<double> parse_number(std::string_view text, std::string_view option);
/// "0.1,0.2" or "0:1:11". Errors: bad_request.
Result<std::vector<double>> parse_times(std::string_view text);
/// A formula in x, y, z, t, or `fallback` when empty. Errors: parse_error with the option in
/// `where`.
Result<ScalarData> parse_data(const std::string& text, double fallback, std::string_view option);
/// Pieces of "x=0,y=1" at top level: names and formulas. Errors: bad_request.
Result<std::vector<std::pair<std::string, std::string>>> parse_assignments(
    const std::vector<std::string>& texts, std::string_view option);

/// The branches of run_solve.
Result<SolveAnswer> run_evolution(const SolveRequest& request, Equation equation,
                                  const Context& context);
Result<SolveAnswer> run_ode(const SolveRequest& request, const Context& context);
Result<SolveAnswer> run_bvp(const SolveRequest& request, const Context& context);

}  // namespace neurolens::pde
