#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <fstream>
#include <set>

#include "data/array_view.hpp"
#include "neurolens/base/file_system.hpp"
#include "neurolens/base/yaml.hpp"
#include "neurolens/engines/nn/data.hpp"

namespace neurolens::nn {
namespace {

std::string temp_file(const std::string& name, const std::string& bytes) {
  const std::string path = testing::TempDir() + name;
  std::ofstream(path, std::ios::binary) << bytes;
  return path;
}

std::string npy(const std::string& descr, const std::string& shape, const std::string& data,
                const std::string& order = "False") {
  std::string header =
      "{'descr': '" + descr + "', 'fortran_order': " + order + ", 'shape': " + shape + ", }";
  header.resize((header.size() + 10 + 63) / 64 * 64 - 10, ' ');
  std::string out("\x93NUMPY\x01\x00", 8);
  out += static_cast<char>(header.size() & 255);
  out += static_cast<char>(header.size() >> 8);
  return out + header + data;
}

template <class U>
std::string raw(const std::vector<U>& values) {
  return {reinterpret_cast<const char*>(values.data()), values.size() * sizeof(U)};
}

TEST(Npy, GathersByIndexAndScales) {
  const auto x = temp_file("nn_x.npy", npy("<f4", "(3, 2)", raw<float>({1, 2, 3, 4, 5, 6})));
  const auto y = temp_file("nn_y.npy", npy("<i8", "(3,)", raw<std::int64_t>({0, 2, 1})));
  const auto data = open_npy(x, y, 10);
  ASSERT_TRUE(data.ok()) << data.error();
  EXPECT_EQ((*data)->size(), 3);
  EXPECT_EQ((*data)->classes(), 3);
  EXPECT_EQ((*data)->sample().text(), "[2]");
  const std::int64_t index[2] = {2, 0};
  float out[4];
  std::int32_t labels[2];
  (*data)->gather(index, out, labels);
  EXPECT_EQ(std::vector<float>(out, out + 4), (std::vector<float>{50, 60, 10, 20}));
  EXPECT_EQ(labels[0], 1);
}

TEST(Npy, SaysWhatIsWrong) {
  const auto good = npy("<f4", "(3, 2)", raw<float>({1, 2, 3, 4, 5, 6}));
  for (std::size_t n = 0; n < good.size(); ++n) {  // truncation anywhere is an error, never a crash
    EXPECT_FALSE(parse_npy(std::string_view(good).substr(0, n)).ok()) << n;
  }
  EXPECT_EQ(parse_npy(std::string_view(good).substr(0, good.size() - 1)).error().code,
            Errc::data_corrupt);
  EXPECT_NE(parse_npy(npy("<f4", "(2,)", "12345678", "True")).error().message.find("Fortran"),
            std::string::npos);
  EXPECT_NE(parse_npy(npy("<c8", "(1,)", "12345678")).error().message.find("<c8"),
            std::string::npos);
  EXPECT_FALSE(parse_npy(npy("|u1", "(99999999999, 99999999999)", "")).ok());
  const auto x = temp_file("nn_x2.npy", good);
  const auto y = temp_file("nn_y2.npy", npy("|u1", "(2,)", "ab"));
  const auto data = open_npy(x, y);
  ASSERT_FALSE(data.ok());
  EXPECT_NE(data.error().message.find("2 labels for 3 samples"), std::string::npos);
  EXPECT_EQ(open_npy("/no/such/file.npy", y).error().code, Errc::not_found);
}

TEST(Idx, ReadsImagesAndRefusesTruncatedOnes) {
  const std::string images("\0\0\x08\x03\0\0\0\x02\0\0\0\x01\0\0\0\x02\xFF\x00\x33\x66", 20);
  const std::string labels("\0\0\x08\x01\0\0\0\x02\x07\x01", 10);
  const auto data = open_idx(temp_file("nn_i.idx", images), temp_file("nn_l.idx", labels));
  ASSERT_TRUE(data.ok()) << data.error();
  EXPECT_EQ((*data)->sample().text(), "[1, 2]");
  EXPECT_EQ((*data)->classes(), 8);
  float out[2];
  std::int32_t label = 0;
  const std::int64_t index[1] = {1};
  (*data)->gather(index, out, &label);
  EXPECT_FLOAT_EQ(out[0], 0.2f);
  EXPECT_EQ(label, 1);
  for (std::size_t n = 0; n < images.size(); ++n)
    EXPECT_FALSE(parse_idx(std::string_view(images).substr(0, n)).ok());
}

TEST(Csv, ReadsNumbersAndNamesTheBadLine) {
  const auto data = parse_csv("a,b,label\n1,2,0\n3,4,1\r\n\n", "t.csv");
  ASSERT_TRUE(data.ok()) << data.error();
  EXPECT_EQ((*data)->size(), 2);
  EXPECT_EQ((*data)->sample().text(), "[2]");
  EXPECT_EQ(parse_csv("1,2,0\n3,x,1\n", "t.csv").error().where, "t.csv: line 2");
  EXPECT_NE(parse_csv("1,2,0\n3,1\n", "t.csv").error().message.find("2 fields"), std::string::npos);
  EXPECT_NE(parse_csv("1,2,0.5\n", "t.csv").error().message.find("whole number"),
            std::string::npos);
  EXPECT_FALSE(parse_csv("", "t.csv").ok());
}

TEST(Digits, AreTheSameEverywhereAndInEqualShares) {
  DigitsOptions o;
  o.count = 100;
  const auto a = make_digits(o), b = make_digits(o);
  std::vector<std::int64_t> index(100);
  for (std::size_t i = 0; i < 100; ++i) index[i] = static_cast<std::int64_t>(i);
  std::vector<float> x(6400), z(6400);
  std::vector<std::int32_t> labels(100);
  a->gather(index, x.data(), labels.data());
  b->gather(index, z.data(), labels.data());
  EXPECT_EQ(x, z);
  for (int d = 0; d < 10; ++d) EXPECT_EQ(std::count(labels.begin(), labels.end(), d), 10);
  EXPECT_EQ(a->classes(), 10);
}

TEST(Loader, GivesEverySampleOncePerEpochWithAnyPrefetch) {
  DigitsOptions o;
  o.count = 103;
  const auto data = make_digits(o);
  std::vector<std::uint64_t> first_order;
  for (const int prefetch : {0, 1, 3}) {
    LoaderOptions options;
    options.batch = 10, options.prefetch = prefetch;
    BatchLoader loader(data, options);
    EXPECT_EQ(loader.batches(), 11);
    for (std::int64_t epoch = 0; epoch < 3; ++epoch) {
      loader.start(epoch);
      std::vector<std::uint64_t> order;
      Batch batch;
      while (loader.next(batch)) {
        for (std::int64_t r = 0; r < batch.rows; ++r) {
          order.push_back(batch.samples[r]);
          EXPECT_EQ(batch.labels[r], static_cast<std::int32_t>(batch.samples[r] % 10));
        }
      }
      EXPECT_EQ(std::set<std::uint64_t>(order.begin(), order.end()).size(), 103u);
      if (epoch == 1) {
        if (first_order.empty()) first_order = order;
        EXPECT_EQ(order, first_order);  // a function of (seed, epoch), not of the prefetch
      }
    }
    loader.start(1, 4);  // resumes within an epoch
    Batch batch;
    ASSERT_TRUE(loader.next(batch));
    EXPECT_EQ(batch.samples[0], first_order[40]);
    EXPECT_EQ(loader.ledger().batches, 34);
    EXPECT_GT(loader.ledger().copy.count, 0);
    EXPECT_EQ(loader.ledger().decode.count, 0);  // digits are kept as floats
    EXPECT_EQ(loader.ledger().gather(), loader.ledger().copy);
    EXPECT_EQ(batch.ledger.batches, 1);
    EXPECT_LE(batch.ledger.wait, loader.ledger().longest_wait);
    EXPECT_LE(loader.ledger().longest_wait, loader.ledger().wait);
  }
}

// Mean 0 and deviation 1 over the training set; the test set is shifted by the same amounts, and an
// element that never changes becomes 0 instead of infinity.
TEST(Standardise, MeetsItsFormulaOverTheTrainingSet) {
  const auto train =
      make_memory_dataset(Shape{{3}}, {1, 7, 2, 3, 7, 2, 5, 7, 2, 7, 7, 8}, {0, 1, 0, 1});
  const auto test = make_memory_dataset(Shape{{3}}, {4, 9, 0}, {1});
  const DataPair pair = standardise({*train, *test});
  ASSERT_NE(pair.standard, nullptr);
  const std::int64_t index[] = {0, 1, 2, 3};
  float x[12] = {}, y[3] = {};
  std::int32_t labels[4] = {};
  pair.train->gather(index, x, labels);
  EXPECT_EQ(labels[3], 1);
  for (int i = 0; i < 3; ++i) {
    double mean = 0, squares = 0;
    for (int r = 0; r < 4; ++r)
      mean += x[3 * r + i] / 4.0, squares += x[3 * r + i] * x[3 * r + i] / 4.0;
    EXPECT_NEAR(mean, 0, 1e-6);
    EXPECT_NEAR(squares, i == 1 ? 0 : 1, 1e-6);
  }
  EXPECT_TRUE(pair.train->converts());
  EXPECT_FALSE((*train)->converts());
  BatchLoader loader(pair.train, {4});
  loader.start(0);
  Batch batch;
  ASSERT_TRUE(loader.next(batch));
  EXPECT_GT(batch.ledger.decode.count, 0);
  EXPECT_EQ(batch.ledger.copy.count, 0);
  pair.test->gather({index, 1}, y, labels);
  EXPECT_NEAR(y[0], 0, 1e-6);  // 4 is the mean of 1, 3, 5, 7
  EXPECT_EQ(y[1], 0);
  EXPECT_NEAR(y[2], (0 - 3.5) / std::sqrt(6.75), 1e-6);
}

// Beyond the block in which a subset asks its base, and in any order.
TEST(Subset, GathersManySamplesInTheOrderAsked) {
  std::vector<float> x(200);
  std::vector<std::int32_t> labels(200);
  for (int i = 0; i < 200; ++i)
    x[static_cast<std::size_t>(i)] = static_cast<float>(i), labels[static_cast<std::size_t>(i)] = i;
  const auto base = make_memory_dataset(Shape{{1}}, x, labels);
  std::vector<std::int64_t> back, odd;
  for (std::int64_t i = 199; i >= 0; --i) back.push_back(i);
  const auto subset = make_subset(*base, back);
  for (std::int64_t i = 1; i < 200; i += 2) odd.push_back(i);
  std::vector<float> got(100);
  std::vector<std::int32_t> said(100);
  subset->gather(odd, got.data(), said.data());
  for (std::size_t i = 0; i < 100; ++i) {
    EXPECT_EQ(got[i], static_cast<float>(199 - odd[i]));
    EXPECT_EQ(said[i], 199 - odd[i]);
  }
}

TEST(OpenData, NamesUnknownKeys) {
  const auto config = yaml::parse("{kind: digits, coun: 5}");
  const auto data = open_data(*config, ".");
  ASSERT_FALSE(data.ok());
  EXPECT_EQ(data.error().code, Errc::unknown_key);
  EXPECT_NE(data.error().message.find("count"), std::string::npos);
}

}  // namespace
}  // namespace neurolens::nn
