/// \file
/// Runs by name: a file, or a Run in the store. Shared by every command that reads one.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "command.hpp"
#include "neurolens/base/json.hpp"
#include "neurolens/run/types.hpp"
#include "neurolens/store/store.hpp"

namespace neurolens::cli {

/// Options that choose Runs, shared by ls and history.
struct FilterOptions {
  std::optional<std::string> folder;
  std::optional<std::string> backend, model, precision, host, since, until;
  std::vector<std::string> tags;

  void declare(Options& options);
  /// Errors: bad_request for a tag without value.
  [[nodiscard]] Result<store::Filter> filter() const;
};

/// Opens the store that --store names, else the default one.
Result<store::Store> open_store(Context& context, const std::optional<std::string>& folder,
                                bool create);

/// True when `name` means a file (it exists, or looks like a path) and not a Run of the store.
Result<bool> names_a_file(Context& context, const std::string& name);

/// The Run called `name`: a file if there is one of that name, else "@latest", "@baseline:NAME" or
/// the beginning of an id in the store. A baseline is the one of the model, host and settings of
/// `like`, where one is given.
Result<run::Run> load_run(Context& context, const std::string& name,
                          const std::optional<std::string>& folder = {},
                          const run::Run* like = nullptr);

/// The figures that the store keeps beside a Run.
Result<store::Headline> headline_of(const run::Run& run);

/// One entry as a JSON object, see schema/ls.schema.json.
void write_entry(json::Writer& w, const store::Entry& entry);

}  // namespace neurolens::cli
