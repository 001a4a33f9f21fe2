/// \file
/// The manifest made searchable, in SQLite. A pure function of the manifest: rows are keyed by the
/// offset of the line they come from, so an index that was rebuilt equals one that grew.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "manifest.hpp"
#include "neurolens/store/store.hpp"

namespace neurolens::store {

class Index {
 public:
  /// Opens or makes the file. Errors: data_corrupt when it is no index of this version.
  static Result<Index> open(const std::string& path);
  Index(Index&&) noexcept;
  Index& operator=(Index&&) noexcept;
  ~Index();

  /// Takes in what the manifest says beyond what is indexed already. Safe with several processes.
  Status catch_up(FileSystem& files, const std::string& manifest);

  Result<std::vector<Entry>> list(const Filter& filter);
  /// Runs whose id begins with `prefix`, at most `most`.
  Result<std::vector<Entry>> begins_with(const std::string& prefix, int most);
  Result<std::vector<std::pair<Baseline, std::string>>>
  baselines();  ///< With the run_id, entry not filled in.
  Result<std::vector<Point>> history(const Filter& filter, const std::string& metric);
  Result<OpHistory> op_history(const Filter& filter);
  Result<std::vector<std::string>> op_names(int most);
  Result<std::string> dump();

 private:
  struct State;
  explicit Index(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace neurolens::store
