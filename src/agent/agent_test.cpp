#include "neurolens/agent/agent.hpp"

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <random>
#include <sstream>
#include <stdexcept>

#include "neurolens/agent/mcp.hpp"
#include "source_dir.hpp"

namespace neurolens::agent {
namespace {

/// What the tasks below were given.
struct Seen {
  bool flag = false;
  std::string text, word;
  std::int64_t whole = 0;
  double number = 0;
  std::vector<std::string> texts;
  int runs = 0;
};

/// A task with a field of every kind; `body` decides how it ends.
class Probe final : public Task {
 public:
  Probe(Seen& seen, std::function<Result<Outcome>()> body) : seen_(seen), body_(std::move(body)) {
    const auto field = [this](std::string name, FieldKind kind, auto target) {
      fields_.push_back({std::move(name), kind, "Help.", {}, false, [target](FieldValue v) {
                           using T = std::remove_reference_t<decltype(*target)>;
                           *target = std::get<T>(std::move(v));
                         }});
    };
    field("path", FieldKind::text, &seen_.text);
    fields_.back().required = true;
    field("loud", FieldKind::flag, &seen_.flag);
    field("count", FieldKind::integer, &seen_.whole);
    field("rate", FieldKind::number, &seen_.number);
    field("method", FieldKind::choice, &seen_.word);
    fields_.back().words = {"auto", "cut"};
    field("command", FieldKind::texts, &seen_.texts);
  }
  [[nodiscard]] const std::vector<Field>& fields() const override { return fields_; }
  Result<Outcome> run() override {
    ++seen_.runs;
    return body_();
  }

 private:
  Seen& seen_;
  std::function<Result<Outcome>()> body_;
  std::vector<Field> fields_;
};

class AgentTest : public ::testing::Test {
 protected:
  AgentTest() {
    add("measure", [] { return Result<Outcome>(Outcome{1, "{\"answer\": [1, null, 2.5]}"}); });
    add("fail", [] { return Result<Outcome>(Error{Errc::unavailable, "No such luck.", "here"}); });
    add("throw", []() -> Result<Outcome> { throw std::runtime_error("boom"); });
    add("hungry", []() -> Result<Outcome> { throw std::bad_alloc(); });
    add("babble", [] { return Result<Outcome>(Outcome{0, "no JSON"}); });
  }
  void add(std::string name, std::function<Result<Outcome>()> body) {
    tasks_.push_back({std::move(name), "A task.",
                      [this, body] { return std::make_unique<Probe>(seen_, body); }});
  }
  Reply ask(std::string_view request) { return answer(request, tasks_); }

  Seen seen_;
  std::vector<TaskEntry> tasks_;
};

TEST_F(AgentTest, EveryKindOfFieldArrivesAndTheAnswerComesBack) {
  const Reply reply = ask(
      R"({"task": "measure", "path": "a.onnx", "loud": true, "count": -3.0, "rate": 2,
          "method": "cut", "command": ["x", "ü", ""]})");
  EXPECT_TRUE(reply.success);
  EXPECT_TRUE(reply.errors.empty());
  EXPECT_EQ(reply.exit_status, 1);
  EXPECT_EQ(exit_status_of(reply), 0);
  EXPECT_EQ(seen_.text, "a.onnx");
  EXPECT_TRUE(seen_.flag);
  EXPECT_EQ(seen_.whole, -3);
  EXPECT_EQ(seen_.number, 2);
  EXPECT_EQ(seen_.word, "cut");
  EXPECT_EQ(seen_.texts, (std::vector<std::string>{"x", "ü", ""}));
  EXPECT_EQ(to_json(reply, 0),
            "{\"task\":\"measure\",\"success\":true,\"exit_status\":1,\"data\":{\"answer\":[1,null,"
            "2.5]},\"errors\":[]}\n");
}

TEST_F(AgentTest, NumbersAreTextWhereTextIsAskedFor) {
  EXPECT_TRUE(ask(R"({"task": "measure", "path": 0.05})").success);
  EXPECT_EQ(seen_.text, "0.05");
  EXPECT_TRUE(ask(R"({"task": "measure", "path": 12})").success);
  EXPECT_EQ(seen_.text, "12");
}

TEST_F(AgentTest, EveryFaultIsReportedAndNothingRuns) {
  const Reply reply = ask(
      R"({"task": "measure", "pth": "a", "loud": 1, "count": 1.5, "rate": "x", "method": "cot",
          "command": ["a", 1], "a/b~c": null})");
  EXPECT_FALSE(reply.success);
  EXPECT_FALSE(reply.exit_status.has_value());
  EXPECT_TRUE(reply.data.is_null());
  std::vector<std::string> places;
  for (const Error& e : reply.errors) places.push_back(e.where);
  EXPECT_EQ(places, (std::vector<std::string>{"/pth", "/loud", "/count", "/rate", "/method",
                                              "/command", "/a~1b~0c", "/path"}));
  EXPECT_NE(reply.errors[0].message.find("Did you mean \"path\"?"), std::string::npos);
  EXPECT_NE(reply.errors[4].message.find("Did you mean \"cut\"?"), std::string::npos);
  EXPECT_EQ(exit_status_of(reply), 2);
  EXPECT_EQ(seen_.runs, 0);
}

TEST_F(AgentTest, WhatIsNoRequestIsRefused) {
  const auto code = [this](std::string_view text) {
    const Reply reply = ask(text);
    EXPECT_FALSE(reply.success) << text;
    EXPECT_EQ(reply.errors.size(), 1u) << text;
    EXPECT_EQ(exit_status_of(reply), 2) << text;
    return reply.errors.at(0).code;
  };
  EXPECT_EQ(code(""), Errc::parse_error);
  EXPECT_EQ(code("{\"task\": \"measure\""), Errc::parse_error);
  EXPECT_EQ(code("{} {}"), Errc::parse_error);
  EXPECT_EQ(code("{\"task\":\"measure\",\"task\":\"fail\"}"), Errc::parse_error);
  EXPECT_EQ(code(std::string(100'000, '[')), Errc::parse_error);
  EXPECT_EQ(code("[]"), Errc::wrong_type);
  EXPECT_EQ(code("{\"task\": 3}"), Errc::wrong_type);
  EXPECT_EQ(code("{}"), Errc::missing_key);
  EXPECT_EQ(code("{\"task\": \"mesure\"}"), Errc::bad_request);
  EXPECT_EQ(code("{\"task\": \"\"}"), Errc::bad_request);
  EXPECT_EQ(code(R"({"task": "measure", "path": "a\u0000b"})"), Errc::bad_request);
  EXPECT_EQ(code(std::string(kLargestRequest + 1, ' ')), Errc::too_large);
  EXPECT_EQ(seen_.runs, 0);
}

TEST_F(AgentTest, WhateverATaskDoesBecomesAReply) {
  const Reply failed = ask(R"({"task": "fail", "path": "p"})");
  EXPECT_EQ(failed.errors.at(0).where, "here");
  EXPECT_EQ(exit_status_of(failed), 3);
  EXPECT_EQ(ask(R"({"task": "throw", "path": "p"})").errors.at(0).code, Errc::internal);
  EXPECT_EQ(ask(R"({"task": "hungry", "path": "p"})").errors.at(0).code, Errc::out_of_memory);
  const Reply babbled = ask(R"({"task": "babble", "path": "p"})");
  EXPECT_TRUE(babbled.success);
  EXPECT_EQ(*babbled.data.find("text")->as_string(), "no JSON");
}

/// A JSON value by chance: any type, from plausible to absurd.
std::string any_value(std::mt19937_64& random) {
  static const char* const kValues[] = {
      "null", "true",    "0",        "-7",        "2.5",  "3.0",         "1e300",
      "\"\"", "\"cut\"", "\"auto\"", "\"é\"",     "[]",   "[\"a\"]",     "[\"a\", \"b\"]",
      "[1]",  "[null]",  "{}",       "[[\"a\"]]", "[{}]", "{\"a\": []}", "\"measure\""};
  return kValues[random() % std::size(kValues)];
}

std::string any_request(std::mt19937_64& random) {
  static const char* const kNames[] = {"path", "loud", "count", "rate", "method", "command"};
  static const char* const kTasks[] = {"\"measure\"", "\"measure\"", "\"measure\"",
                                       "\"fail\"",    "\"mesure\"",  "7"};
  std::string text = "{";
  if (random() % 16 != 0) text += std::string("\"task\":") + kTasks[random() % std::size(kTasks)];
  for (const char* name : kNames) {
    if (random() % 3 == 0) continue;
    // Mostly of the right kind, so that whole requests are valid often enough.
    static const std::vector<std::pair<std::string, std::string>> kGood{
        {"path", "\"p\""}, {"loud", "false"},      {"count", "4"},
        {"rate", "0.5"},   {"method", "\"auto\""}, {"command", "[\"ls\"]"}};
    std::string value = any_value(random);
    for (const auto& [good, fits] : kGood) {
      if (good == name && random() % 8 != 0) value = fits;
    }
    text += std::string(text.size() > 1 ? ",\"" : "\"") + name + "\":" + value;
  }
  if (random() % 16 == 0) text += std::string(text.size() > 1 ? "," : "") + "\"other\":1";
  return text + "}";
}

// The schema and the checker are made from one declaration; here each is held against the other
// by an independent implementation of JSON Schema.
TEST_F(AgentTest, ThousandsOfRequestsAreJudgedAsTheSchemaJudgesThem) {
  std::mt19937_64 random(20260726);
  std::string documents;
  std::vector<bool> accepted;
  for (int i = 0; i < 4000; ++i) {
    const std::string request = any_request(random);
    const int before = seen_.runs;
    const Reply reply = ask(request);
    accepted.push_back(seen_.runs > before);
    EXPECT_EQ(reply.success, reply.errors.empty());
    ASSERT_TRUE(json::parse(to_json(reply)).ok()) << request;
    documents += request + "\n";
  }
  std::string folder = (std::filesystem::temp_directory_path() / "neurolens_XXXXXX").string();
  ASSERT_NE(mkdtemp(folder.data()), nullptr);
  std::ofstream(folder + "/schema.json") << request_schema(tasks_);
  std::ofstream(folder + "/documents") << documents;
  const std::string command = std::string("/usr/bin/python3 ") + NEUROLENS_SOURCE_DIR +
                              "/tests/support/schema_oracle.py " + folder + "/schema.json " +
                              folder + "/documents > " + folder + "/verdicts";
  const int status = WEXITSTATUS(std::system(command.c_str()));
  std::ifstream verdicts(folder + "/verdicts");
  std::istringstream requests(documents);
  std::string request, differing;
  int valid = 0, verdict = 0;
  for (const bool was : accepted) {
    std::getline(requests, request);
    verdicts >> verdict;
    valid += verdict;
    if ((verdict == 1) != was) differing += request + "\n";
  }
  std::filesystem::remove_all(folder);
  if (status == 77) GTEST_SKIP() << "python3-jsonschema is not installed";
  EXPECT_EQ(status, 0);
  EXPECT_EQ(differing, "");
  EXPECT_GT(valid, 400);
  EXPECT_LT(valid, 3600);
}

// Damage of every kind to a good request: a reply each time, and never one that claims success
// without having run.
TEST_F(AgentTest, DamagedRequestsGetAReply) {
  const std::string good =
      R"({"task": "measure", "path": "a", "command": ["x", "y"], "rate": 1.5, "method": "cut"})";
  std::mt19937_64 random(7);
  for (int i = 0; i < 20'000; ++i) {
    std::string bad = good;
    for (auto edits = 1 + random() % 4; edits > 0; --edits) {
      const std::size_t at = random() % (bad.size() + 1);
      switch (random() % 4) {
        case 0:
          bad.erase(at, 1 + random() % 8);
          break;
        case 1:
          bad.insert(at, 1, static_cast<char>(random() & 0xff));
          break;
        case 2:
          bad.insert(at, bad.substr(random() % (bad.size() + 1), 10));
          break;
        default:
          if (at < bad.size()) bad[at] = static_cast<char>(random() & 0xff);
      }
    }
    const int before = seen_.runs;
    const Reply reply = ask(bad);
    EXPECT_EQ(reply.success, seen_.runs > before) << bad;
    EXPECT_TRUE(json::parse(to_json(reply, 0)).ok()) << bad;
  }
}

TEST_F(AgentTest, ToolsOfTheModelContextProtocol) {
  const auto say = [this](std::string_view message) {
    const auto line = mcp_answer(message, tasks_, "1.2.3");
    return line.value_or("");
  };
  EXPECT_EQ(say(R"({"jsonrpc": "2.0", "id": 1, "method": "initialize",
                    "params": {"protocolVersion": "2025-03-26"}})"),
            "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{\"protocolVersion\":\"2025-03-26\","
            "\"capabilities\":{\"tools\":{}},\"serverInfo\":{\"name\":\"neurolens\","
            "\"version\":\"1.2.3\"}}}");
  EXPECT_NE(say(R"({"jsonrpc": "2.0", "id": 1, "method": "initialize",
                    "params": {"protocolVersion": "1999-01-01"}})")
                .find("2025-06-18"),
            std::string::npos);
  EXPECT_EQ(say(R"({"jsonrpc": "2.0", "method": "notifications/initialized"})"), "");
  EXPECT_EQ(say(R"({"jsonrpc": "2.0", "id": "a", "method": "ping"})"),
            R"({"jsonrpc":"2.0","id":"a","result":{}})");
  const auto list = json::parse(say(R"({"jsonrpc": "2.0", "id": 2, "method": "tools/list"})"));
  const auto* tools = list->find("result")->find("tools")->as_array();
  ASSERT_EQ(tools->size(), tasks_.size());
  EXPECT_EQ(*tools->at(0).find("inputSchema")->find("type")->as_string(), "object");
  EXPECT_EQ(tools->at(0).find("inputSchema")->find("properties")->find("task"), nullptr);

  const auto call = [&](std::string_view params) {
    return json::parse(say(R"({"jsonrpc": "2.0", "id": 3, "method": "tools/call", "params": )" +
                           std::string(params) + "}"))
        .value();
  };
  const auto done = call(R"({"name": "measure", "arguments": {"path": "p"}})");
  EXPECT_EQ(done.find("result")->find("isError")->as_bool(), false);
  const json::Value* content = done.find("result")->find("structuredContent");
  EXPECT_EQ(content->find("success")->as_bool(), true);
  const auto text = json::parse(
      *done.find("result")->find("content")->as_array()->at(0).find("text")->as_string());
  EXPECT_EQ(*text->find("task")->as_string(), "measure");
  const auto wrong = call(R"({"name": "measure", "arguments": {"path": []}})");
  EXPECT_EQ(wrong.find("result")->find("isError")->as_bool(), true);

  const auto code = [](const json::Value& v) { return v.find("error")->find("code")->as_int(); };
  EXPECT_EQ(code(call(R"({"name": "mesure"})")), -32602);
  EXPECT_EQ(code(call(R"({"name": "measure", "arguments": 3})")), -32602);
  EXPECT_EQ(code(call("{}")), -32602);
  for (const auto& [message, expected] : std::vector<std::pair<std::string, int>>{
           {"{", -32700},
           {"[]", -32600},
           {"3", -32600},
           {R"({"id": 1})", -32600},
           {R"({"id": {}, "method": "ping"})", -32600},
           {R"({"id": 1, "method": 5})", -32600},
           {R"({"id": 1, "method": "resources/list"})", -32601}}) {
    EXPECT_EQ(code(json::parse(say(message)).value()), expected) << message;
  }
}

TEST(FieldsSchema, NamesTypesAndRequirements) {
  struct Plain final : Task {
    std::vector<Field> list{{"run", FieldKind::text, "The Run.", {}, true, {}},
                            {"by", FieldKind::choice, "Group.", {"op", "type"}, false, {}}};
    [[nodiscard]] const std::vector<Field>& fields() const override { return list; }
    Result<Outcome> run() override { return Outcome{}; }
  };
  const TaskEntry entry{"summary", "Read one Run.", [] { return std::make_unique<Plain>(); }};
  EXPECT_EQ(fields_schema(entry, false, 0),
            "{\"description\":\"Read one Run.\",\"type\":\"object\",\"properties\":{\"run\":{"
            "\"type\":[\"string\",\"number\"],\"description\":\"The Run.\"},\"by\":{\"enum\":["
            "\"op\",\"type\"],\"description\":\"Group.\"}},\"required\":[\"run\"],"
            "\"additionalProperties\":false}");
}

}  // namespace
}  // namespace neurolens::agent
