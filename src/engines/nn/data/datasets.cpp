#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>

#include "data/array_view.hpp"
#include "data/mapped_file.hpp"
#include "neurolens/base/file_system.hpp"
#include "neurolens/base/random.hpp"
#include "neurolens/base/text.hpp"
#include "neurolens/engines/nn/config.hpp"
#include "neurolens/engines/nn/data.hpp"

namespace neurolens::nn {
namespace {

class MemoryDataset final : public Dataset {
 public:
  MemoryDataset(Shape sample, std::vector<float> x, std::vector<std::int32_t> labels)
      : sample_(std::move(sample)), x_(std::move(x)), labels_(std::move(labels)) {
    for (const auto l : labels_) classes_ = std::max<std::int64_t>(classes_, l + 1);
  }
  std::int64_t size() const override { return static_cast<std::int64_t>(labels_.size()); }
  const Shape& sample() const override { return sample_; }
  std::int64_t classes() const override { return classes_; }
  void gather(std::span<const std::int64_t> index, float* x, std::int32_t* labels) const override {
    const std::int64_t n = sample_.elements();
    for (const auto i : index) {
      std::copy_n(x_.data() + i * n, n, x);
      x += n;
      *labels++ = labels_[static_cast<std::size_t>(i)];
    }
  }

 private:
  Shape sample_;
  std::vector<float> x_;
  std::vector<std::int32_t> labels_;
  std::int64_t classes_ = 0;
};

class ArrayDataset final : public Dataset {
 public:
  ArrayDataset(std::shared_ptr<const MappedFile> x_file, ArrayView x,
               std::vector<std::int32_t> labels, float scale)
      : file_(std::move(x_file)), x_(std::move(x)), labels_(std::move(labels)), scale_(scale) {
    sample_.dims.assign(x_.dims.begin() + 1, x_.dims.end());
    if (sample_.dims.empty()) sample_.dims = {1};
    for (const auto l : labels_) classes_ = std::max<std::int64_t>(classes_, l + 1);
  }
  std::int64_t size() const override { return static_cast<std::int64_t>(labels_.size()); }
  const Shape& sample() const override { return sample_; }
  std::int64_t classes() const override { return classes_; }
  bool converts() const override { return x_.element != Element::f32 || scale_ != 1.0f; }
  void gather(std::span<const std::int64_t> index, float* x, std::int32_t* labels) const override {
    const std::int64_t n = sample_.elements();
    for (const auto i : index) {
      x_.read(i * n, n, scale_, x);
      x += n;
      *labels++ = labels_[static_cast<std::size_t>(i)];
    }
  }

 private:
  std::shared_ptr<const MappedFile> file_;
  ArrayView x_;
  std::vector<std::int32_t> labels_;
  float scale_;
  Shape sample_;
  std::int64_t classes_ = 0;
};

class Subset final : public Dataset {
 public:
  Subset(std::shared_ptr<const Dataset> base, std::vector<std::int64_t> index)
      : base_(std::move(base)), index_(std::move(index)) {}
  std::int64_t size() const override { return static_cast<std::int64_t>(index_.size()); }
  const Shape& sample() const override { return base_->sample(); }
  std::int64_t classes() const override { return base_->classes(); }
  bool converts() const override { return base_->converts(); }
  void gather(std::span<const std::int64_t> index, float* x, std::int32_t* labels) const override {
    std::array<std::int64_t, 64> block;
    while (!index.empty()) {
      const std::size_t n = std::min(index.size(), block.size());
      for (std::size_t i = 0; i < n; ++i) block[i] = index_[static_cast<std::size_t>(index[i])];
      base_->gather({block.data(), n}, x, labels);
      x += static_cast<std::int64_t>(n) * base_->sample().elements();
      labels += n;
      index = index.subspan(n);
    }
  }

 private:
  std::shared_ptr<const Dataset> base_;
  std::vector<std::int64_t> index_;
};

using Parser = Result<ArrayView> (*)(std::string_view);

Result<std::shared_ptr<const Dataset>> open_arrays(const std::string& x_path,
                                                   const std::string& y_path, double scale,
                                                   Parser parse) {
  NEUROLENS_ASSIGN(auto x_file, MappedFile::open(x_path));
  NEUROLENS_ASSIGN(const auto y_file, MappedFile::open(y_path));
  auto x = parse(x_file->bytes());
  if (!x.ok()) return std::move(x).error().at(x_path);
  auto y = parse(y_file->bytes());
  if (!y.ok()) return std::move(y).error().at(y_path);
  if (x->dims.empty() || y->dims.size() != 1 || x->dims[0] != y->dims[0]) {
    return Error{
        Errc::bad_request,
        "The labels do not match the samples: " + std::to_string(y->count()) + " labels for " +
            (x->dims.empty() ? "a single number" : std::to_string(x->dims[0]) + " samples") + ".",
        y_path};
  }
  if (x->count() == 0) return Error{Errc::bad_request, "The dataset holds no values.", x_path};
  std::vector<std::int32_t> labels;
  for (std::int64_t i = 0; i < y->dims[0]; ++i) {
    const std::int64_t label = y->integer(i);
    if (label < 0 || label > 1'000'000) {
      return Error{Errc::out_of_range,
                   "Label " + std::to_string(i) + " is not an integer in [0, 1000000].", y_path};
    }
    labels.push_back(static_cast<std::int32_t>(label));
  }
  return std::shared_ptr<const Dataset>(std::make_shared<ArrayDataset>(
      std::move(x_file), std::move(x).value(), std::move(labels), static_cast<float>(scale)));
}

}  // namespace

Result<std::shared_ptr<const Dataset>> make_memory_dataset(Shape sample, std::vector<float> x,
                                                           std::vector<std::int32_t> labels) {
  if (x.size() != labels.size() * static_cast<std::size_t>(sample.elements())) {
    return Error{Errc::bad_request,
                 std::to_string(labels.size()) + " samples of " + sample.text() + " need " +
                     std::to_string(labels.size() * static_cast<std::size_t>(sample.elements())) +
                     " values, not " + std::to_string(x.size()) + ".",
                 ""};
  }
  for (const auto l : labels) {
    if (l < 0) return Error{Errc::out_of_range, "Labels must not be negative.", ""};
  }
  return std::shared_ptr<const Dataset>(
      std::make_shared<MemoryDataset>(std::move(sample), std::move(x), std::move(labels)));
}

std::shared_ptr<const Dataset> make_subset(std::shared_ptr<const Dataset> base,
                                           std::vector<std::int64_t> index) {
  return std::make_shared<Subset>(std::move(base), std::move(index));
}

Result<std::shared_ptr<const Dataset>> open_npy(const std::string& x_path,
                                                const std::string& y_path, double scale) {
  return open_arrays(x_path, y_path, scale, parse_npy);
}

Result<std::shared_ptr<const Dataset>> open_idx(const std::string& images_path,
                                                const std::string& labels_path, double scale) {
  return open_arrays(images_path, labels_path, scale, parse_idx);
}

Result<std::shared_ptr<const Dataset>> parse_csv(std::string_view text, std::string_view where,
                                                 std::int64_t label_column, double scale) {
  std::vector<float> x, row;
  std::vector<std::int32_t> labels;
  std::int64_t columns = 0, line_number = 0;
  const auto bad = [&](const std::string& message) {
    return Error{Errc::parse_error, message,
                 std::string(where) + ": line " + std::to_string(line_number)};
  };
  while (!text.empty()) {
    const auto end = text.find('\n');
    const auto line = trim(text.substr(0, end));
    text = end == std::string_view::npos ? std::string_view() : text.substr(end + 1);
    ++line_number;
    if (line.empty()) continue;
    row.clear();
    bool numbers = true;
    for (const auto field : split(line, ',')) {
      const auto digits = trim(field);
      double value = 0;
      const auto [stop, error] =
          std::from_chars(digits.data(), digits.data() + digits.size(), value);
      numbers = numbers && error == std::errc() && stop == digits.data() + digits.size() &&
                std::isfinite(value);
      row.push_back(static_cast<float>(value));
    }
    if (!numbers && columns == 0 && line_number == 1) continue;  // names
    if (!numbers) return bad("A field is not a number.");
    if (columns == 0) columns = static_cast<std::int64_t>(row.size());
    if (static_cast<std::int64_t>(row.size()) != columns) {
      return bad("This line has " + std::to_string(row.size()) + " fields, the first one " +
                 std::to_string(columns) + ".");
    }
    const std::int64_t at = label_column < 0 ? columns + label_column : label_column;
    if (at < 0 || at >= columns || columns < 2) return bad("There is no label column there.");
    const float label = row[static_cast<std::size_t>(at)];
    if (label < 0 || label > 1e6f || label != std::floor(label))
      return bad("The label is not a whole number >= 0.");
    labels.push_back(static_cast<std::int32_t>(label));
    for (std::int64_t c = 0; c < columns; ++c) {
      if (c != at) x.push_back(row[static_cast<std::size_t>(c)] * static_cast<float>(scale));
    }
  }
  if (labels.empty())
    return Error{Errc::parse_error, "The file holds no samples.", std::string(where)};
  return make_memory_dataset(Shape{{columns - 1}}, std::move(x), std::move(labels));
}

Result<DataPair> open_data(const json::Value& config, const std::string& base) {
  Config c(config, "data");
  const std::size_t kind = c.choice("kind", {"digits", "npy", "idx", "csv"}, 0);
  const auto seed = static_cast<std::uint64_t>(c.integer("seed", 1, 0, std::int64_t{1} << 62));
  const double holdout = c.number("holdout", 0.2, 0.01, 0.99);
  const bool standard = c.flag("standardise", false);
  std::shared_ptr<const Dataset> all;
  DigitsOptions digits;
  if (kind == 0) {
    digits.count = c.integer("count", digits.count, 10, 10'000'000);
    digits.size = c.integer("size", digits.size, 6, 64);
    digits.distortion = c.number("distortion", digits.distortion, 0, 3);
    digits.noise = c.number("noise", digits.noise, 0, 10);
    digits.seed = seed;
  }
  const double scale =
      kind == 0 ? 1.0 : c.number("scale", kind == 2 ? 1.0 / 255 : 1.0, -1e12, 1e12);
  const std::string x =
      kind == 0 ? "" : join_path(base, c.required_text(kind == 3 ? "file" : "samples"));
  const std::string y = kind == 1 || kind == 2 ? join_path(base, c.required_text("labels")) : "";
  const std::int64_t label = kind == 3 ? c.integer("label_column", -1, -1'000'000, 1'000'000) : -1;
  NEUROLENS_TRY(c.finish());
  if (kind == 0) all = make_digits(digits);
  if (kind == 1) {
    NEUROLENS_ASSIGN(all, open_npy(x, y, scale));
  }
  if (kind == 2) {
    NEUROLENS_ASSIGN(all, open_idx(x, y, scale));
  }
  if (kind == 3) {
    NEUROLENS_ASSIGN(const std::string text, system_files().read(x));
    NEUROLENS_ASSIGN(all, parse_csv(text, x, label, scale));
  }
  std::vector<std::int64_t> order(static_cast<std::size_t>(all->size()));
  for (std::size_t i = 0; i < order.size(); ++i) order[i] = static_cast<std::int64_t>(i);
  Random random(seed, 0x5EED);
  for (std::size_t i = order.size(); i > 1; --i) std::swap(order[i - 1], order[random.below(i)]);
  const auto test = std::clamp<std::int64_t>(
      static_cast<std::int64_t>(holdout * static_cast<double>(all->size())), 1, all->size() - 1);
  if (all->size() < 2) return Error{Errc::bad_request, "A dataset needs at least two samples.", ""};
  DataPair pair;
  pair.test = make_subset(all, {order.begin(), order.begin() + test});
  pair.train = make_subset(all, {order.begin() + test, order.end()});
  return standard ? standardise(pair) : pair;
}

}  // namespace neurolens::nn
