// Reads the exported trace with Google's protobuf library and a description of the fields that was
// written from the field notes, and compares it with the Run event by event.
#include <google/protobuf/descriptor.pb.h>
#include <google/protobuf/dynamic_message.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>
#include <tuple>

#include "make_run.hpp"
#include "neurolens/report/export.hpp"
#include "source_dir.hpp"

namespace neurolens::report {
namespace {

namespace pb = google::protobuf;

/// Field access by name.
class Message {
 public:
  explicit Message(const pb::Message& message) : m_(&message) {}
  [[nodiscard]] bool has(const char* name) const { return reflection().HasField(*m_, field(name)); }
  [[nodiscard]] std::uint64_t number(const char* name) const {
    const auto* f = field(name);
    switch (f->cpp_type()) {
      case pb::FieldDescriptor::CPPTYPE_UINT64:
        return reflection().GetUInt64(*m_, f);
      case pb::FieldDescriptor::CPPTYPE_UINT32:
        return reflection().GetUInt32(*m_, f);
      case pb::FieldDescriptor::CPPTYPE_INT64:
        return static_cast<std::uint64_t>(reflection().GetInt64(*m_, f));
      case pb::FieldDescriptor::CPPTYPE_ENUM:
        return static_cast<std::uint64_t>(reflection().GetEnum(*m_, f)->number());
      default:
        return static_cast<std::uint64_t>(reflection().GetInt32(*m_, f));
    }
  }
  [[nodiscard]] double real(const char* name) const {
    return reflection().GetDouble(*m_, field(name));
  }
  [[nodiscard]] std::string text(const char* name) const {
    return reflection().GetString(*m_, field(name));
  }
  [[nodiscard]] Message sub(const char* name) const {
    return Message(reflection().GetMessage(*m_, field(name)));
  }
  [[nodiscard]] int size(const char* name) const {
    return reflection().FieldSize(*m_, field(name));
  }
  [[nodiscard]] Message at(const char* name, int i) const {
    return Message(reflection().GetRepeatedMessage(*m_, field(name), i));
  }
  [[nodiscard]] std::uint64_t number_at(const char* name, int i) const {
    return reflection().GetRepeatedUInt64(*m_, field(name), i);
  }
  /// Fields that the description does not know, in this message and below.
  [[nodiscard]] int unknown() const {
    int count = reflection().GetUnknownFields(*m_).field_count();
    std::vector<const pb::FieldDescriptor*> fields;
    reflection().ListFields(*m_, &fields);
    for (const auto* f : fields) {
      if (f->cpp_type() != pb::FieldDescriptor::CPPTYPE_MESSAGE) continue;
      if (!f->is_repeated()) {
        count += Message(reflection().GetMessage(*m_, f)).unknown();
        continue;
      }
      for (int i = 0; i < reflection().FieldSize(*m_, f); ++i)
        count += Message(reflection().GetRepeatedMessage(*m_, f, i)).unknown();
    }
    return count;
  }

 private:
  [[nodiscard]] const pb::Reflection& reflection() const { return *m_->GetReflection(); }
  [[nodiscard]] const pb::FieldDescriptor* field(const char* name) const {
    return m_->GetDescriptor()->FindFieldByName(name);
  }
  const pb::Message* m_;
};

using Slice = std::tuple<std::string, std::string, std::int64_t, std::int64_t, std::int64_t>;

/// Time, row, and frames "function|module|file|line", root first.
using Sample = std::tuple<std::int64_t, std::string, std::vector<std::string>>;

/// What the trace says: (track, name, begin, end, op) per slice, values per counter, flows.
struct Reading {
  std::vector<Slice> slices;
  std::map<std::string, std::vector<std::pair<std::int64_t, double>>> counters;
  std::vector<std::pair<std::int64_t, std::int64_t>> flows;  ///< Op at the start, op at the end.
  std::vector<Sample> samples;
  int unknown = 0;
};

class Reader {
 public:
  Reader() {
    // protoc turns the description into a descriptor; the parser is made from that at run time.
    static const std::string described = [] {
      const std::string folder = std::string(NEUROLENS_SOURCE_DIR) + "/tests/support";
      const std::string path = (std::filesystem::temp_directory_path() /
                                ("neurolens_perfetto_" + std::to_string(getpid())))
                                   .string();
      const std::string command = "protoc '-I" + folder + "' '--descriptor_set_out=" + path +
                                  "' '" + folder + "/perfetto_subset.proto'";
      EXPECT_EQ(std::system(command.c_str()), 0) << command;
      std::ifstream in(path, std::ios::binary);
      std::string bytes((std::istreambuf_iterator<char>(in)), std::istreambuf_iterator<char>());
      std::filesystem::remove(path);
      return bytes;
    }();
    pb::FileDescriptorSet set;
    EXPECT_TRUE(set.ParseFromString(described));
    const auto* file = pool_.BuildFile(set.file(0));
    trace_.reset(factory_.GetPrototype(file->FindMessageTypeByName("Trace"))->New());
  }

  Reading read(const std::string& bytes) {
    EXPECT_TRUE(trace_->ParseFromString(bytes));
    const Message trace(*trace_);
    out_.unknown = trace.unknown();
    for (int i = 0; i < trace.size("packet"); ++i) packet(trace.at("packet", i));
    for (const auto& [track, stack] : open_) EXPECT_TRUE(stack.empty()) << names_[track];
    for (const auto& [id, op] : starts_) {
      EXPECT_TRUE(ends_.contains(id));
      out_.flows.emplace_back(op, ends_[id]);
    }
    EXPECT_EQ(starts_.size(), ends_.size());
    return out_;
  }

 private:
  struct Open {
    std::string name;
    std::int64_t begin;
    std::int64_t op;
  };

  void packet(const Message& p) {
    if (p.has("interned_data")) {
      EXPECT_EQ(p.number("sequence_flags"), cleared_ ? 2U : 1U);
      cleared_ = true;
      intern(p.sub("interned_data"));
    }
    if (p.has("perf_sample")) sample(p);
    if (p.has("track_descriptor")) describe(p.sub("track_descriptor"));
    if (p.has("track_event"))
      event(static_cast<std::int64_t>(p.number("timestamp")), p.sub("track_event"));
  }

  void intern(const Message& data) {
    for (int i = 0; i < data.size("event_names"); ++i)
      interned_[data.at("event_names", i).number("iid")] = data.at("event_names", i).text("name");
    const auto texts = [&](const char* table) {
      std::map<std::uint64_t, std::string> out;
      for (int i = 0; i < data.size(table); ++i)
        out[data.at(table, i).number("iid")] = data.at(table, i).text("str");
      return out;
    };
    const auto functions = texts("function_names");
    const auto paths = texts("mapping_paths");
    const auto files = texts("source_paths");
    std::map<std::uint64_t, std::string> modules;
    for (int i = 0; i < data.size("mappings"); ++i) {
      const Message mapping = data.at("mappings", i);
      ASSERT_EQ(mapping.size("path_string_ids"), 1);
      modules[mapping.number("iid")] = paths.at(mapping.number_at("path_string_ids", 0));
    }
    for (int i = 0; i < data.size("frames"); ++i) {
      const Message frame = data.at("frames", i);
      EXPECT_TRUE(frame.has("rel_pc"));
      frames_[frame.number("iid")] =
          functions.at(frame.number("function_name_id")) + "|" +
          modules.at(frame.number("mapping_id")) + "|" +
          (frame.has("source_path_iid") ? files.at(frame.number("source_path_iid")) : "") + "|" +
          (frame.has("line_number") ? std::to_string(frame.number("line_number")) : "");
    }
    for (int i = 0; i < data.size("callstacks"); ++i) {
      const Message stack = data.at("callstacks", i);
      auto& frames = stacks_[stack.number("iid")];
      EXPECT_TRUE(frames.empty());  // a stack is told once
      for (int k = 0; k < stack.size("frame_ids"); ++k)
        frames.push_back(frames_.at(stack.number_at("frame_ids", k)));
    }
  }

  void sample(const Message& p) {
    const Message s = p.sub("perf_sample");
    EXPECT_EQ(s.number("pid"), 1U);
    EXPECT_TRUE(threads_.contains(s.number("tid")));
    out_.samples.emplace_back(p.number("timestamp"), threads_[s.number("tid")],
                              stacks_.at(s.number("callstack_iid")));
  }

  void describe(const Message& d) {
    std::string name = d.has("thread") ? d.sub("thread").text("thread_name") : d.text("name");
    constexpr std::string_view kLane = " (overlapping)";
    if (name.ends_with(kLane)) name.resize(name.size() - kLane.size());
    names_[d.number("uuid")] = name;
    if (d.has("thread")) {
      EXPECT_TRUE(threads_.try_emplace(d.sub("thread").number("tid"), name).second);
    }
    if (d.has("process")) {
      EXPECT_FALSE(d.sub("process").text("process_name").empty());
    }
    if (!d.has("process")) {
      EXPECT_TRUE(names_.contains(d.number("parent_uuid")));
    }
  }

  void event(std::int64_t time, const Message& e) {
    const std::uint64_t track = e.number("track_uuid");
    EXPECT_TRUE(names_.contains(track));
    auto& stack = open_[track];
    if (e.number("type") == 1) {
      EXPECT_TRUE(interned_.contains(e.number("name_iid")));
      Open open{interned_[e.number("name_iid")], time, run::kMissing};
      for (int i = 0; i < e.size("debug_annotations"); ++i) {
        const Message fact = e.at("debug_annotations", i);
        if (fact.text("name") == "op_index")
          open.op = static_cast<std::int64_t>(fact.number("int_value"));
      }
      for (int i = 0; i < e.size("flow_ids"); ++i) starts_[e.number_at("flow_ids", i)] = open.op;
      for (int i = 0; i < e.size("terminating_flow_ids"); ++i)
        ends_[e.number_at("terminating_flow_ids", i)] = open.op;
      stack.push_back(open);
    } else if (e.number("type") == 2) {
      ASSERT_FALSE(stack.empty());
      out_.slices.emplace_back(names_[track], stack.back().name, stack.back().begin, time,
                               stack.back().op);
      stack.pop_back();
    } else {
      out_.counters[names_[track]].emplace_back(time, e.real("double_counter_value"));
    }
  }

  pb::DescriptorPool pool_;
  pb::DynamicMessageFactory factory_{&pool_};
  std::unique_ptr<pb::Message> trace_;
  std::map<std::uint64_t, std::string> interned_, names_, threads_, frames_;
  std::map<std::uint64_t, std::vector<std::string>> stacks_;
  bool cleared_ = false;  ///< The first packet begins the sequence's tables.
  std::map<std::uint64_t, std::vector<Open>> open_;
  std::map<std::uint64_t, std::int64_t> starts_, ends_;
  Reading out_;
};

std::vector<Slice> slices_of(const run::Run& run) {
  std::vector<Slice> out;
  const run::Timeline& t = *run.timeline;
  for (std::size_t i = 0; i < t.begin_ns.size(); ++i) {
    out.emplace_back(t.tracks[static_cast<std::size_t>(t.track[i])].name,
                     t.names[static_cast<std::size_t>(t.name[i])], t.begin_ns[i],
                     t.begin_ns[i] + t.duration_ns[i], t.op[i]);
  }
  std::sort(out.begin(), out.end());
  return out;
}

void expect_equal(const run::Run& run, Reading& reading) {
  EXPECT_EQ(reading.unknown, 0);
  std::sort(reading.slices.begin(), reading.slices.end());
  EXPECT_EQ(reading.slices, slices_of(run));
  ASSERT_EQ(reading.counters.size(), run.counters.size());
  for (const auto& counter : run.counters) {
    const auto& read = reading.counters[counter.name];
    ASSERT_EQ(read.size(), counter.value.size());
    for (std::size_t i = 0; i < read.size(); ++i) {
      EXPECT_EQ(read[i].first, counter.time_ns[i]);
      EXPECT_EQ(read[i].second, counter.value[i]);
    }
  }
}

TEST(Perfetto, HoldsEveryEventAndCounterOfTheRun) {
  const run::Run run = test_support::make_run({.ops = 40});
  auto bytes = to_perfetto(run);
  ASSERT_TRUE(bytes.ok()) << bytes.error();
  Reading reading = Reader().read(*bytes);
  expect_equal(run, reading);
  EXPECT_TRUE(reading.flows.empty());
}

/// Slices that nest, that overlap, that are empty, that begin together, on threads and streams.
run::Run tangled(std::uint64_t seed) {
  run::Run run = test_support::make_run({.gpu = true});
  Random random(seed, 3);
  run::Timeline t;
  t.tracks = {{"main", "thread", 1, 1},
              {"worker", "thread", 1, 2},
              {"stream 7", "stream", 1, 7},
              {"copies", "async", 1, 9}};
  t.names = {"a", "b", "<c>", "\xff broken", "e\nf"};
  std::vector<std::tuple<std::int64_t, std::int64_t>> events;
  for (int i = 0; i < 400; ++i) events.emplace_back(random.below(4), random.below(1000));
  std::sort(events.begin(), events.end());
  for (const auto& [track, begin] : events) {
    t.track.push_back(track);
    t.begin_ns.push_back(begin);
    t.duration_ns.push_back(static_cast<std::int64_t>(random.below(60)));
    t.name.push_back(static_cast<std::int64_t>(random.below(3)));
    t.op.push_back(random.below(3) == 0 ? run::kMissing
                                        : static_cast<std::int64_t>(random.below(6)));
  }
  run.timeline = std::move(t);
  return run;
}

TEST(Perfetto, KeepsOverlappingEmptyAndNestedEvents) {
  for (std::uint64_t seed = 0; seed < 30; ++seed) {
    const run::Run run = tangled(seed);
    Reading reading = Reader().read(to_perfetto(run).value());
    expect_equal(run, reading);
    EXPECT_FALSE(reading.flows.empty());
    for (const auto& [from, to] : reading.flows) EXPECT_EQ(from, to);  // an op to its own kernel
  }
}

TEST(Perfetto, ConnectsALaunchWithItsKernelsOnly) {
  run::Run run = tangled(0);
  auto& t = *run.timeline;
  t.track = {0, 0, 2, 2, 2};
  t.begin_ns = {100, 200, 50, 150, 250};
  t.duration_ns = {10, 10, 10, 10, 10};
  t.name = {0, 0, 1, 1, 1};
  t.op = {3, 4, 3, 3, 4};  // the first kernel was launched before the window
  const Reading reading = Reader().read(to_perfetto(run).value());
  EXPECT_EQ(reading.flows, (std::vector<std::pair<std::int64_t, std::int64_t>>{{3, 3}, {4, 4}}));
}

// Shown red by writing stacks innermost first.
TEST(Perfetto, HoldsEverySampleWithItsStack) {
  run::Run run = test_support::make_run({.profile = true});
  run::Profile& p = *run.profile;
  p.sample_thread = {1, 77, 1, 77};  // the timeline has a row for thread 1
  run.timeline->tracks[0].id = 1;
  const std::string main = "main|sample|main.cpp|10";
  const std::string layer = "run_layer|sample|layer.cpp|42";
  const std::string product = "matmul|libblas.so||";
  const std::string row = run.timeline->tracks[0].name;
  std::vector<Sample> expected = {{0, row, {main, layer, product}},
                                  {1'000'000, "thread 77", {main, layer, product}},
                                  {2'000'000, row, {main, layer}},
                                  {3'000'000, "thread 77", {main}}};
  Reading reading = Reader().read(to_perfetto(run).value());
  EXPECT_EQ(reading.samples, expected);
  expect_equal(run, reading);  // the timeline is there as before

  p.sample_time_ns.clear();  // a thread's samples then stand one behind the other
  p.sample_thread.clear();
  run.timeline.reset();
  run.samples = {};
  reading = Reader().read(to_perfetto(run).value());
  ASSERT_EQ(reading.samples.size(), 4U);
  EXPECT_EQ(std::get<0>(reading.samples[3]), 3'000'000);
  EXPECT_EQ(std::get<1>(reading.samples[3]), "all threads");
  EXPECT_TRUE(reading.slices.empty());

  p.weight_unit = "bytes";  // those have no place in time
  EXPECT_EQ(to_perfetto(run).error().code, Errc::too_few_samples);
}

TEST(Perfetto, DrawsIterationsWhereThereIsNoTimeline) {
  run::Run run = test_support::make_run({.timeline = false});
  const Reading reading = Reader().read(to_perfetto(run).value());
  EXPECT_EQ(reading.slices.size(), run.samples.iterations.duration_ns.size());
  run.samples = {};
  EXPECT_EQ(to_perfetto(run).error().code, Errc::too_few_samples);
}

}  // namespace
}  // namespace neurolens::report
