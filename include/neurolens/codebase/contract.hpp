/// \file
/// Rules that a dependency graph must keep, in YAML, and the places where it does not.
///
///     name: rooms
///     modules:                      # optional; see ModuleMap
///       base: [src/base/**, include/x/base/**]
///     contracts:
///       - name: pipeline
///         type: layers              # each layer may use those below it, never up, and not its
///         layers: [ui, [report, gate], core, base]   # siblings unless `siblings: true`
///       - name: engines stay apart
///         type: independence        # none may reach another, not even indirectly
///         modules: [nn, pde]
///       - name: no network in the core
///         type: forbidden           # from may not reach to; direct edges only with
///         from: [core]              # `indirect: false`
///         to: [net]
///       - name: room table
///         type: allowed             # a module listed may use what is named and nothing else
///         allowed: {report: [core, base], base: [], cli: "*"}
///       - name: private parts
///         type: public              # modules may use only these files of each other, and these
///         public: [include/**]      # files no others; tests are no exception
///       - name: every file has a module
///         type: covered             # each of these files belongs to an entry of `modules`
///         files: [src/**, include/**]
///     exceptions:
///       - {from: ui, to: core, reason: until the view model is split}   # reason is required
///
/// Imports of test files count in `public`, and elsewhere with `include_tests: true`, or alone with
/// `only_tests: true`. A name matches a module of that name and those below it ("core" matches
/// "core/x"). Self-edges, type-only and inactive imports never breach. An exception that nothing
/// needs is reported.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "neurolens/codebase/deps.hpp"

namespace neurolens::codebase {

/// What a rule demands; see the head of this file.
enum class ContractType : std::uint8_t {
  layers,
  independence,
  forbidden,
  allowed,
  public_files,
  covered
};

struct ContractRule {
  std::string name;
  ContractType type = ContractType::layers;
  std::vector<std::vector<std::string>> layers;  ///< Highest first; siblings share an entry.
  std::vector<std::string> from, to;             ///< forbidden; independence uses `from`.
  bool indirect = true;
  /// allowed: module -> what it may use; "*" allows anything.
  std::vector<std::pair<std::string, std::vector<std::string>>> allowed;
  std::vector<std::string> files;  ///< Globs of `public` and `covered`; see glob_match().
  bool siblings = false;           ///< layers: those of one entry may use each other.
  bool include_tests = false;      ///< On: imports of test files count as well.
  bool only_tests = false;         ///< On: nothing but imports of test files counts.
};

/// A breach that is allowed, and why.
struct ContractException {
  std::string from, to, reason;
  int line = 0;
};

/// The rules that a code base promises to keep.
struct Contract {
  std::string name;
  ModuleMap modules;
  std::vector<ContractRule> rules;
  std::vector<ContractException> exceptions;
};

/// Reads a contract. Errors: parse_error, unknown_key, missing_key, wrong_type with file:line.
[[nodiscard]] Result<Contract> parse_contract(std::string_view yaml, const std::string& file);

struct Breach {
  std::string rule;   ///< Name of the contract's rule.
  std::string where;  ///< "file:line" of the first import of the chain.
  std::vector<std::string>
      chain;  ///< Modules, from the one that may not to the one that it may not use.
  std::vector<std::string> places;  ///< "file:line" of each step.
  std::string sentence;             ///< For a person.
};

struct ContractVerdict {
  std::vector<Breach> breaches;  ///< Sorted by rule, then place. Empty: the contract is kept.
  std::vector<ContractException> unneeded;  ///< Exceptions that excuse nothing.
  std::size_t imports = 0;                  ///< Imports looked at.
  [[nodiscard]] bool kept() const { return breaches.empty(); }
};

/// Checks a report against a contract, with the contract's modules (the report's own where it has
/// none).
[[nodiscard]] ContractVerdict check_contract(const Contract& contract, const DepsReport& report);

/// The verdict for people, and as one JSON document.
[[nodiscard]] std::string contract_text(const ContractVerdict& verdict);
[[nodiscard]] std::string contract_json(const Contract& contract, const ContractVerdict& verdict);

}  // namespace neurolens::codebase
