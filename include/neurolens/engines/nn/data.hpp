/// \file
/// Datasets: labelled samples that can be gathered by index into one buffer.
/// Sources: memory, `.npy` and IDX files (memory-mapped, converted while gathering), CSV (read
/// whole), and a generator of stroke-rendered digits. Truncated or foreign files are refused with a
/// sentence.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "neurolens/base/json.hpp"
#include "neurolens/base/result.hpp"
#include "neurolens/base/units.hpp"
#include "neurolens/engines/nn/tensor.hpp"

namespace neurolens::nn {

/// Immutable, hence safe to share between threads.
class Dataset {
 public:
  virtual ~Dataset() = default;
  [[nodiscard]] virtual std::int64_t size() const = 0;
  [[nodiscard]] virtual const Shape& sample() const = 0;
  /// Labels lie in [0, classes()).
  [[nodiscard]] virtual std::int64_t classes() const = 0;
  /// Whether gathering computes (another number format, a scale) or only copies.
  [[nodiscard]] virtual bool converts() const { return false; }
  /// Writes the samples `index` one after the other. Requires indices in [0, size()).
  virtual void gather(std::span<const std::int64_t> index, float* x,
                      std::int32_t* labels) const = 0;
};

/// Samples held in memory; x has labels.size() * sample.elements() values.
/// Errors: bad_request when sizes do not match; out_of_range for a label < 0.
[[nodiscard]] Result<std::shared_ptr<const Dataset>> make_memory_dataset(
    Shape sample, std::vector<float> x, std::vector<std::int32_t> labels);

/// A view of some samples of `base`, in the given order.
[[nodiscard]] std::shared_ptr<const Dataset> make_subset(std::shared_ptr<const Dataset> base,
                                                         std::vector<std::int64_t> index);

/// Samples from `x_path` (any numeric type, first axis = samples) and labels from `y_path`
/// (integers). Values are multiplied by `scale`. Errors: not_found, io_error; data_corrupt for a
/// truncated file; bad_request for one that is not .npy, is in Fortran order, or does not match its
/// labels.
[[nodiscard]] Result<std::shared_ptr<const Dataset>> open_npy(const std::string& x_path,
                                                              const std::string& y_path,
                                                              double scale = 1.0);
/// The IDX form of the usual handwritten digits (unsigned bytes). Errors: as open_npy.
[[nodiscard]] Result<std::shared_ptr<const Dataset>> open_idx(const std::string& images_path,
                                                              const std::string& labels_path,
                                                              double scale = 1.0 / 255);
/// Numbers separated by commas, one sample a line; a first line of names is skipped. `label_column`
/// counts from 0, negative from the end. Errors: parse_error with file and line.
[[nodiscard]] Result<std::shared_ptr<const Dataset>> parse_csv(std::string_view text,
                                                               std::string_view where,
                                                               std::int64_t label_column = -1,
                                                               double scale = 1.0);

/// Options of the generator of digits: strokes under a random affine map, drawn with a soft pen.
struct DigitsOptions {
  std::int64_t count = 2000;
  std::int64_t size = 8;  ///< Pixels per side, [6, 64].
  double distortion =
      1.0;              ///< Scales rotation, shear, shift and stroke width; 0: ten fixed pictures.
  double noise = 0.08;  ///< Standard deviation added to each pixel.
  std::uint64_t seed = 1;
};
/// Samples [size * size] in about [0, 1], ten classes in equal shares. The same on every machine.
[[nodiscard]] std::shared_ptr<const Dataset> make_digits(const DigitsOptions& options);

/// (x - mean) * scale for each element of a sample; scale is 0 where the training set is constant.
struct Standard {
  std::vector<float> mean, scale;
};

/// A train and a test set.
struct DataPair {
  std::shared_ptr<const Dataset> train;
  std::shared_ptr<const Dataset> test;
  std::shared_ptr<const Standard> standard = {};  ///< What was done to both; null: nothing.
};
/// Both sets with each element shifted and scaled to mean 0 and standard deviation 1 over the
/// training set. Reads the training set twice.
[[nodiscard]] DataPair standardise(const DataPair& data);
/// Reads `data: {kind: digits|npy|idx|csv, ...}`; see docs/guides/nn.md. Relative paths start at
/// `base`.
[[nodiscard]] Result<DataPair> open_data(const json::Value& config, const std::string& base);

/// Where the time of batches went. `decode` and `copy` are spent in whichever thread gathers.
struct StallLedger {
  Nanoseconds wait;          ///< The consumer stood still.
  Nanoseconds longest_wait;  ///< For one batch.
  Nanoseconds decode;        ///< Gathering samples that are converted on the way.
  Nanoseconds copy;          ///< Gathering samples that are only copied.
  std::int64_t batches = 0;
  /// Both together.
  [[nodiscard]] Nanoseconds gather() const { return decode + copy; }
};

/// One batch, ready to use. Memory belongs to the loader and stays until the next call of next().
struct Batch {
  std::int64_t rows = 0;
  const float* x = nullptr;
  const std::int32_t* labels = nullptr;
  const std::uint64_t* samples = nullptr;  ///< [rows] indices into the dataset: ids of streams.
  StallLedger ledger = {};                 ///< Of this batch.
};

struct LoaderOptions {
  std::int64_t batch = 32;
  /// Batches gathered ahead by one thread; 0 gathers when asked. Memory grows with it.
  int prefetch = 0;
  bool shuffle = true;
  std::uint64_t seed = 1;
  bool drop_last = false;  ///< Leaves out a last batch that is not full.
};

/// Gathers batches of one epoch at a time into reusable buffers. The order is a function of (seed,
/// epoch). One consumer thread. Does not allocate while an epoch runs.
class BatchLoader {
 public:
  BatchLoader(std::shared_ptr<const Dataset> data, LoaderOptions options);
  ~BatchLoader();
  BatchLoader(const BatchLoader&) = delete;
  BatchLoader& operator=(const BatchLoader&) = delete;
  /// Starts epoch `epoch` at batch `first`.
  void start(std::int64_t epoch, std::int64_t first = 0);
  /// False at the end of the epoch.
  [[nodiscard]] bool next(Batch& batch);
  [[nodiscard]] std::int64_t batches() const;
  [[nodiscard]] const StallLedger& ledger() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace neurolens::nn
