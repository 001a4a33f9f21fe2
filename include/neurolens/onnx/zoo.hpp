/// \file
/// Standard architectures with seeded random weights: something real to profile with no download.
/// Layer shapes are those of the publications, so parameter counts match to the last weight; nodes
/// are the ones that exporters of the field emit (opset 17). Weights are a pure function of (seed,
/// tensor, index), by Philox4x32-10, and scaled so that activations stay finite and of order one;
/// what such a network predicts means nothing.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "neurolens/base/file_system.hpp"
#include "neurolens/base/progress.hpp"
#include "neurolens/base/result.hpp"
#include "neurolens/onnx/graph.hpp"

namespace neurolens::onnx::zoo {

/// One architecture.
struct Entry {
  std::string name;  ///< What build() takes, such as "resnet50".
  std::string description;
  std::int64_t parameters = 0;               ///< As Model::parameter_count() counts.
  std::vector<Value> inputs;                 ///< With the default options.
  std::vector<Value> outputs;                ///< With the default options.
  std::optional<std::int64_t> sequence;      ///< Default sequence length; nullopt: there is none.
  std::optional<std::int64_t> max_sequence;  ///< Longest sequence that the architecture allows.
};

/// Sizes and seed of a model to build.
struct BuildOptions {
  /// Samples per run, in [0, 65536]. 0 leaves the dimension free under the name "batch".
  std::int64_t batch = 1;
  /// Tokens or steps per sample, in [0, Entry::max_sequence]; nullopt takes the entry's default, 0
  /// leaves the dimension free under the name "sequence". Only for entries that have a sequence.
  std::optional<std::int64_t> sequence = {};
  /// Same seed and options => the same file, bit for bit, on every machine.
  std::uint64_t seed = 1;
};

/// What was written.
struct BuildReport {
  std::int64_t parameters = 0;
  Bytes size;  ///< Of the file.
};

/// All entries, in the order of their size.
[[nodiscard]] std::vector<Entry> list();

/// Writes the model called `name` to `path`, which appears complete or not at all.
/// Memory: a few megabytes, whatever the size of the model; weights go straight to the file.
/// Errors: not_found for an unknown name (near ones are suggested); out_of_range and bad_request
/// for options that the architecture does not have; cancelled; those of writing.
[[nodiscard]] Result<BuildReport> build(std::string_view name, const std::string& path,
                                        const BuildOptions& options = {},
                                        FileSystem& files = system_files(),
                                        const Attention& attention = {});

/// The same as bytes in memory: for the small ones.
[[nodiscard]] Result<std::string> build_bytes(std::string_view name,
                                              const BuildOptions& options = {});

}  // namespace neurolens::onnx::zoo
