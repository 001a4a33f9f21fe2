#include "neurolens/base/file_system.hpp"
#include "neurolens/base/json.hpp"
#include "neurolens/base/text.hpp"
#include "neurolens/engines/nn/trainer.hpp"

namespace neurolens::nn {
namespace {

// A log that cannot be written must not stop the training: lines are lost, the run goes on.
class EpochLog final : public TrainObserver {
 public:
  EpochLog(std::unique_ptr<OutputFile> file, LogFormat format, bool fresh)
      : file_(std::move(file)), format_(format) {
    if (format_ == LogFormat::csv && fresh) {
      (void)file_->write(
          "epoch,train_loss,train_accuracy,test_loss,test_accuracy,test_precision,test_recall,"
          "test_f1,samples_per_second\n");
    }
  }
  void on_epoch(const EpochReport& r) override {
    (void)file_->write((format_ == LogFormat::csv ? csv(r) : line(r)) + "\n");
    (void)file_->commit();
  }

 private:
  static std::string csv(const EpochReport& r) {
    std::string test = ",,,,";  // an epoch without an evaluation
    if (r.test) {
      test = shortest(r.test->loss);
      for (const double v : {r.test->accuracy, r.test->precision, r.test->recall, r.test->f1})
        test += "," + shortest(v);
    }
    return std::to_string(r.epoch) + "," + shortest(r.train_loss) + "," +
           shortest(r.train_accuracy) + "," + test + "," + shortest(r.samples_per_second);
  }
  static std::string line(const EpochReport& r) {
    json::Writer w;
    w.begin_object().member("epoch", r.epoch).member("train_loss", r.train_loss);
    w.member("train_accuracy_ratio", r.train_accuracy);
    w.key("test");
    if (r.test) {
      w.begin_object()
          .member("loss", r.test->loss)
          .member("accuracy_ratio", r.test->accuracy)
          .member("precision_ratio", r.test->precision)
          .member("recall_ratio", r.test->recall)
          .member("f1_ratio", r.test->f1)
          .end_object();
    } else {
      w.null();
    }
    w.member("samples_per_second", r.samples_per_second).end_object();
    return std::move(w).take();
  }
  std::unique_ptr<OutputFile> file_;
  LogFormat format_;
};

}  // namespace

Result<std::unique_ptr<TrainObserver>> make_epoch_log(FileSystem& files, const std::string& path,
                                                      LogFormat format) {
  NEUROLENS_ASSIGN(const auto info, files.info(path));
  NEUROLENS_ASSIGN(auto file, files.open_append(path));
  const bool fresh = !info || info->size.count == 0;
  return std::unique_ptr<TrainObserver>(std::make_unique<EpochLog>(std::move(file), format, fresh));
}

}  // namespace neurolens::nn
