// Values with mean 0 and standard deviation 1 over the training set.
#include <algorithm>
#include <cmath>
#include <numeric>

#include "neurolens/engines/nn/data.hpp"

namespace neurolens::nn {
namespace {

class Standardised final : public Dataset {
 public:
  Standardised(std::shared_ptr<const Dataset> base, std::shared_ptr<const Standard> standard)
      : base_(std::move(base)), standard_(std::move(standard)) {}
  std::int64_t size() const override { return base_->size(); }
  const Shape& sample() const override { return base_->sample(); }
  std::int64_t classes() const override { return base_->classes(); }
  bool converts() const override { return true; }
  void gather(std::span<const std::int64_t> index, float* x, std::int32_t* labels) const override {
    base_->gather(index, x, labels);
    const std::size_t n = standard_->mean.size();
    const float* mean = standard_->mean.data();
    const float* scale = standard_->scale.data();
    for (std::size_t r = 0; r < index.size(); ++r, x += n) {
      for (std::size_t i = 0; i < n; ++i) x[i] = (x[i] - mean[i]) * scale[i];
    }
  }

 private:
  std::shared_ptr<const Dataset> base_;
  std::shared_ptr<const Standard> standard_;
};

Standard standard_of(const Dataset& data) {
  constexpr std::int64_t kBlock = 256;
  const auto n = static_cast<std::size_t>(data.sample().elements());
  std::vector<double> sum(n), squares(n);
  std::vector<float> x(n * kBlock);
  std::vector<std::int32_t> labels(kBlock);
  std::vector<std::int64_t> index(kBlock);
  // Two passes: the mean first, then squares around it, which do not cancel.
  for (const bool second : {false, true}) {
    for (std::int64_t at = 0; at < data.size(); at += kBlock) {
      const auto rows = static_cast<std::size_t>(std::min(kBlock, data.size() - at));
      std::iota(index.begin(), index.end(), at);
      data.gather({index.data(), rows}, x.data(), labels.data());
      for (std::size_t r = 0; r < rows; ++r) {
        for (std::size_t i = 0; i < n; ++i) {
          const double value = double(x[r * n + i]);
          if (!second) sum[i] += value;
          if (second) squares[i] += (value - sum[i]) * (value - sum[i]);
        }
      }
    }
    if (!second) {
      for (double& s : sum) s /= static_cast<double>(data.size());
    }
  }
  Standard out;
  for (std::size_t i = 0; i < n; ++i) {
    const double deviation = std::sqrt(squares[i] / static_cast<double>(data.size()));
    const bool constant = !(deviation > 1e-7 * (1 + std::abs(sum[i])));
    out.mean.push_back(static_cast<float>(sum[i]));
    out.scale.push_back(constant ? 0.0f : static_cast<float>(1 / deviation));
  }
  return out;
}

}  // namespace

DataPair standardise(const DataPair& data) {
  auto standard = std::make_shared<const Standard>(standard_of(*data.train));
  return {std::make_shared<Standardised>(data.train, standard),
          std::make_shared<Standardised>(data.test, standard), standard};
}

}  // namespace neurolens::nn
