// The tasks of an agent, asked for as a program would.
#include <algorithm>
#include <cstdlib>
#include <sstream>

#include "json_schema.hpp"
#include "make_run.hpp"
#include "neurolens/base/json.hpp"
#include "neurolens/run/run.hpp"
#include "program.hpp"

namespace neurolens {
namespace {

class Agent : public test_support::ProgramTest {
 protected:
  /// The reply to a request in a file, parsed, checked against the schema of replies.
  json::Value ask(const std::string& request) {
    write("request.json", request);
    outcome_ = run({"agent", "--request", "request.json"});
    expect_schema("agent_reply", outcome_.out);
    auto reply = json::parse(outcome_.out);
    EXPECT_TRUE(reply.ok()) << request << "\n" << outcome_.out << outcome_.err;
    return reply.ok() ? std::move(reply).value() : json::Value();
  }
  void expect_schema(const std::string& schema, const std::string& text) {
    const std::string fault = test_support::schema_fault("schema/" + schema + ".schema.json", text);
    EXPECT_TRUE(fault.empty() || fault == "skip") << schema << ": " << fault << text.substr(0, 500);
  }
  static std::string text_of(const json::Value& value) {
    json::Writer w;
    w.value(value);
    return std::move(w).take();
  }
  void write_run(const std::string& name, const run::Run& value) {
    ASSERT_TRUE(run::write_file(system_files(), at(name), value).ok());
  }

  test_support::Outcome outcome_;
};

const std::string kSchema = std::string(NEUROLENS_SOURCE_DIR) + "/schema/agent_request.schema.json";

TEST_F(Agent, TheSchemaInTheRepositoryIsTheOneThatIsChecked) {
  const std::string made = run({"agent", "--schema"}).out;
  if (std::getenv("NEUROLENS_BLESS") != nullptr) {
    ASSERT_TRUE(system_files().write_atomic(kSchema, made).ok());
  }
  EXPECT_TRUE(system_files().read(kSchema).value_or("") == made)
      << "Commands or their options changed. If that is meant: `neurolens agent --schema > "
         "schema/agent_request.schema.json`";
}

TEST_F(Agent, AnswersAreThoseOfTheCommands) {
  write_run("a.run.json", test_support::make_run());
  write_run("b.run.json", test_support::make_run({.seed = 2, .time_scale = 1.3}));
  write("bad.json", "{\"schema_version\": \"1.0.0\"}");
  const std::vector<std::pair<std::string, std::vector<std::string>>> cases{
      {R"({"task": "summary", "run": "a.run.json", "by": "type"})",
       {"summary", "a.run.json", "--by", "type", "--json"}},
      {R"({"task": "compare", "baseline": "a.run.json", "candidate": "b.run.json", "top": 3})",
       {"compare", "a.run.json", "b.run.json", "--top", "3", "--json"}},
      {R"({"task": "fingerprint", "run": "a.run.json"})", {"fingerprint", "a.run.json", "--json"}},
      {R"({"task": "validate", "run": "bad.json"})", {"validate", "bad.json", "--json"}},
      {R"({"task": "zoo_list"})", {"zoo", "list", "--json"}}};
  for (const auto& [request, arguments] : cases) {
    const json::Value reply = ask(request);
    const auto command = run(arguments);
    const auto expected = json::parse(command.out);
    ASSERT_TRUE(expected.ok()) << command.err;
    EXPECT_EQ(reply.find("success")->as_bool(), true) << outcome_.out;
    EXPECT_EQ(reply.find("exit_status")->as_int(), command.status) << request;
    EXPECT_EQ(text_of(*reply.find("data")), text_of(*expected)) << request;
    EXPECT_EQ(outcome_.status, 0);
  }
}

TEST_F(Agent, ErrorsOfTheWorkAreInTheReply) {
  const json::Value reply = ask(R"({"task": "summary", "run": "none.json"})");
  EXPECT_EQ(reply.find("success")->as_bool(), false);
  EXPECT_TRUE(reply.find("data")->is_null());
  const json::Value& error = reply.find("errors")->as_array()->at(0);
  EXPECT_EQ(*error.find("code")->as_string(), "not_found");
  EXPECT_EQ(*error.find("where")->as_string(), "none.json");
  EXPECT_EQ(outcome_.status, 2);
  write("request.json", "");
  EXPECT_EQ(run({"agent", "--request", "nowhere.json"}).status, 2);
}

/// A value of a type that the schema of the field does not allow.
std::string wrong_value(const json::Value& schema) {
  const json::Value* type = schema.find("type");
  return type != nullptr && type->as_string() != nullptr && *type->as_string() == "array"
             ? "{\"a\": 1}"
             : "[[]]";
}

// For every task there is: each field with a value it cannot have, one by one in a single request,
// and a field that does not exist. Nothing may run, every fault must be named.
TEST_F(Agent, EveryFieldOfEveryTaskRefusesWhatItCannotHold) {
  const auto schema = json::parse(run({"agent", "--schema"}).out);
  ASSERT_TRUE(schema.ok());
  std::size_t tasks = 0, fields = 0;
  for (const auto& entry : *schema->find("oneOf")->as_array()) {
    std::string request = "{\"no such field\": 1";
    std::size_t wrong = 1;
    std::string name;
    for (const auto& [field, about] : *entry.find("properties")->as_object()) {
      if (field == "task") {
        name = *about.find("const")->as_string();
        request += ", \"task\": " + json::quote(name);
        continue;
      }
      EXPECT_FALSE(about.find("description")->as_string()->empty()) << name << "." << field;
      request += ", " + json::quote(field) + ": " + wrong_value(about);
      ++wrong;
    }
    write("request.json", request + "}");
    const auto outcome = run({"agent", "--request", "request.json"});
    EXPECT_EQ(outcome.status, 2) << name << outcome.err;
    const auto reply = json::parse(outcome.out);
    ASSERT_TRUE(reply.ok()) << name << outcome.out;
    EXPECT_EQ(reply->find("success")->as_bool(), false);
    // Required fields that are wrong are given nonetheless.
    EXPECT_EQ(reply->find("errors")->as_array()->size(), wrong) << name << outcome.out;
    ++tasks;
    fields += wrong - 1;
  }
  EXPECT_GE(tasks, 40U);
  EXPECT_GE(fields, 200U);
}

TEST_F(Agent, RequestsComeFromStdinAndOnlyTheReplyGoesToStdout) {
  // The program that is profiled writes to stdout and reads stdin: neither may mix with ours.
  const std::string request =
      R"({"task": "analyze_bottlenecks", "threshold": "10%", "command":
         ["sh", "-c", "echo noise; cat; i=0; while [ $i -lt 200000 ]; do i=$((i+1)); done"]})";
  write("stdin.json", request + std::string(100'000, ' '));
  const std::string command = std::string("cd ") + folder_ + " && " + NEUROLENS_PROGRAM +
                              " agent < stdin.json > reply.json 2> noise";
  const int status = WEXITSTATUS(std::system(command.c_str()));
  const auto reply = json::parse(read("reply.json"));
  ASSERT_TRUE(reply.ok()) << read("reply.json");
  if (status == 3) GTEST_SKIP() << read("reply.json");
  EXPECT_EQ(status, 0) << read("reply.json");
  EXPECT_EQ(read("noise"), "noise\n");
  EXPECT_GT(*reply->find("data")->find("samples")->as_int(), 20);
  EXPECT_EQ(*reply->find("data")->find("threshold_ratio")->as_double(), 0.1);
  expect_schema("record", text_of(*reply->find("data")));
}

TEST_F(Agent, ServesToolsLineByLine) {
  write_run("a.run.json", test_support::make_run());
  write(
      "messages",
      R"({"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": {}})"
      "\n\n"
      R"({"jsonrpc": "2.0", "method": "notifications/initialized"})"
      "\n"
      R"({"jsonrpc": "2.0", "id": 2, "method": "tools/list"})"
      "\n"
      R"({"jsonrpc": "2.0", "id": 3, "method": "tools/call", "params": {"name": "summary", "arguments": {"run": "a.run.json"}}})"
      "\nno JSON\n");
  const std::string command = std::string("cd ") + folder_ + " && " + NEUROLENS_PROGRAM +
                              " agent --mcp < messages > replies 2> errors";
  EXPECT_EQ(WEXITSTATUS(std::system(command.c_str())), 0);
  const std::string replies = read("replies");
  EXPECT_EQ(read("errors"), "");
  ASSERT_EQ(std::count(replies.begin(), replies.end(), '\n'), 4) << replies.substr(0, 500);
  std::istringstream lines(replies);
  std::string line;
  for (int i = 0; i < 3; ++i) std::getline(lines, line);
  const auto called = json::parse(line);
  ASSERT_TRUE(called.ok()) << line;
  EXPECT_EQ(*called->find("id")->as_int(), 3);
  expect_schema("agent_reply", text_of(*called->find("result")->find("structuredContent")));
}

TEST_F(Agent, ProgramsAreProfiledByFunctionModuleAndMemory) {
  const std::string work =
      R"x("command": ["/usr/bin/python3", "-c", "print(sum(i * i for i in range(2000000)))"])x";
  json::Value reply = ask(
      R"({"task": "profile_function", "function": "main", "rate": 2000, "output": "p.run.json", )" +
      work + "}");
  if (outcome_.status == 3) GTEST_SKIP() << outcome_.out;
  ASSERT_EQ(outcome_.status, 0) << outcome_.out;
  EXPECT_EQ(*reply.find("data")->find("rate_hz")->as_double(), 2000);
  EXPECT_EQ(*reply.find("data")->find("focus")->find("asked")->as_string(), "main");
  expect_schema("record", text_of(*reply.find("data")));
  // The Run says how to make it again.
  const auto run = run::read_file(system_files(), at("p.run.json"));
  ASSERT_TRUE(run.ok()) << run.error();
  const auto& line = run->config.command;
  ASSERT_GT(line.size(), 6U);
  EXPECT_EQ(line[1], "record");
  EXPECT_EQ(line[line.size() - 4], "--");

  reply = ask(R"({"task": "profile_module", )" + work + "}");
  EXPECT_GT(reply.find("data")->find("modules")->as_array()->size(), 0U) << outcome_.out;

  reply = ask(R"({"task": "profile_memory", )" + work + "}");
  if (reply.find("success")->as_bool() == false) {  // sanitizers bring their own malloc
    EXPECT_EQ(*reply.find("errors")->as_array()->at(0).find("code")->as_string(), "unavailable");
    return;
  }
  EXPECT_GT(*reply.find("data")->find("memory")->find("allocations")->as_int(), 100);
  expect_schema("record", text_of(*reply.find("data")));
}

TEST_F(Agent, ModelsAreProfiled) {
  json::Value reply = ask(R"({"task": "zoo_build", "name": "lenet", "output": "lenet.onnx"})");
  ASSERT_EQ(outcome_.status, 0) << outcome_.out;
  reply = ask(
      R"({"task": "profile_model", "model": "lenet.onnx", "iterations": 5, "output": "l.run.json"})");
  if (outcome_.status == 3) GTEST_SKIP() << outcome_.out;
  ASSERT_EQ(outcome_.status, 0) << outcome_.out;
  expect_schema("summary", text_of(*reply.find("data")));
  EXPECT_EQ(run({"validate", "l.run.json"}).status, 0);
  reply = ask(R"({"task": "profile_model"})");
  EXPECT_EQ(*reply.find("errors")->as_array()->at(0).find("code")->as_string(), "missing_key");
}

}  // namespace
}  // namespace neurolens
