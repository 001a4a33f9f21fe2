/// \file
/// What `neurolens bench` measures with: models from files and the zoo, converted where a cell asks
/// for it, engines with the cell's options, the capture library in a process of its own, and the
/// store.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "command.hpp"
#include "neurolens/bench/matrix.hpp"
#include "neurolens/store/store.hpp"

namespace neurolens::cli {

/// What an engine's cell runs. The option `config`, a file, starts from the folder of the matrix as
/// files of models do. Errors: bad_request.
[[nodiscard]] Result<std::string> specification_of(const bench::Config& config,
                                                   const bench::Cell& cell);

class StoreWorkshop final : public bench::Workshop {
 public:
  /// Models that have to be made are kept below `folder`/models.
  StoreWorkshop(Context& context, store::Store& store, std::string folder, std::string ort_library);

  Result<std::string> model_file(const bench::Config& config, const bench::Cell& cell) override;
  Result<run::Run> measure(const capture::CaptureRequest& request) override;
  Result<run::Run> measure_engine(const capture::CaptureRequest& request) override;
  Result<bench::Launch> keep(const run::Run& run) override;
  Result<std::vector<std::pair<std::string, bench::Launch>>> kept(
      const std::string& bench_id) override;

 private:
  Result<std::string> original(const bench::Config& config, const bench::ModelSpec& model);
  Result<std::string> converted(const std::string& original, const bench::ModelSpec& model,
                                bench::Precision precision);

  Context& context_;
  store::Store& store_;
  std::string folder_;
  std::string ort_library_;
  std::vector<run::Ceiling> ceilings_;
};

}  // namespace neurolens::cli
