// Programs that know nothing of neurolens, sampled: they must not notice, and the numbers must be
// about them.
#include <algorithm>
#include <cstdlib>
#include <map>
#include <sstream>

#include "json_schema.hpp"
#include "neurolens/base/json.hpp"
#include "neurolens/run/run.hpp"
#include "program.hpp"

namespace neurolens {
namespace {

class Record : public test_support::ProgramTest {
 protected:
  void SetUp() override {
    ProgramTest::SetUp();
    const auto outcome = run({"record", "--", "true"});
    if (outcome.status == 3) GTEST_SKIP() << outcome.err;
  }
  /// Without neurolens, by the shell, in the folder.
  test_support::Outcome plainly(const std::string& command) {
    const int status = std::system(
        ("cd " + folder_ + " && (" + command + ") >" + folder_ + ".o 2>" + folder_ + ".e").c_str());
    test_support::Outcome outcome;
    outcome.status = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
    outcome.out = system_files().read(folder_ + ".o").value_or("");
    outcome.err = system_files().read(folder_ + ".e").value_or("");
    std::filesystem::remove(folder_ + ".o");
    std::filesystem::remove(folder_ + ".e");
    return outcome;
  }
  /// The names in an array of objects.
  static std::vector<std::string> names_in(const json::Value& report, std::string_view key) {
    std::vector<std::string> names;
    for (const auto& item : *report.find(key)->as_array())
      names.push_back(*item.find("name")->as_string());
    return names;
  }
  json::Value parsed(const std::string& text) {
    auto tree = json::parse(text);
    EXPECT_TRUE(tree.ok()) << tree.error() << text.substr(0, 300);
    return tree.ok() ? std::move(tree).value() : json::Value();
  }
  void expect_schema(const std::string& text) {
    const std::string fault = test_support::schema_fault("schema/record.schema.json", text);
    EXPECT_TRUE(fault.empty() || fault == "skip") << fault << text.substr(0, 500);
  }
};

/// A C++ file of `functions` functions that keep an optimiser busy.
std::string large_source(int functions) {
  std::ostringstream text;
  text << "#include <map>\n#include <string>\n#include <vector>\n";
  for (int i = 0; i < functions; ++i) {
    text << "int f" << i << "(std::map<int, std::string>& m, std::vector<int>& v, int n) {\n"
         << "  for (int i = 0; i < n; ++i) { m[i * " << i + 1 << "] += std::to_string(n); "
         << "v.push_back(n % " << i + 3 << "); }\n"
         << "  return static_cast<int>(m.size() + v.size())"
         << (i > 0 ? " + f" + std::to_string(i - 1) + "(m, v, n / 2)" : "") << ";\n}\n";
  }
  return text.str();
}

TEST_F(Record, TheCompilerMakesTheSameObjectFile) {
  write("large.cpp", large_source(200));
  const std::string compiler = NEUROLENS_CXX;
  const auto plain = plainly(compiler + " -O2 -c large.cpp -o plain.o");
  ASSERT_EQ(plain.status, 0) << plain.err;
  const auto sampled =
      run({"record", "--json", "--", compiler, "-O2", "-c", "large.cpp", "-o", "sampled.o"});
  EXPECT_EQ(sampled.status, 0) << sampled.err;
  const std::string object = read("plain.o");
  EXPECT_GT(object.size(), 50'000U);
  EXPECT_TRUE(read("sampled.o") == object);
  const json::Value report = parsed(sampled.out);
  EXPECT_GT(*report.find("samples")->as_int(), 300);
  EXPECT_EQ(*report.find("lost")->as_int(), 0);
  // The work is in a process that the compiler's driver starts (gcc: cc1plus), not in the driver.
  const std::string busiest = names_in(report, "modules").at(0);
  EXPECT_TRUE(busiest.find("cc1plus") != std::string::npos ||
              busiest.find("clang") != std::string::npos ||
              busiest.find("LLVM") != std::string::npos)
      << busiest;
  expect_schema(sampled.out);
}

TEST_F(Record, ACompilersErrorsAreItsOwn) {
  write("wrong.cpp", "int main() { return missing; }\n");
  const std::string compiler = NEUROLENS_CXX;
  const auto plain = plainly(compiler + " -c wrong.cpp -o wrong.o");
  ASSERT_NE(plain.status, 0);
  const auto sampled = run({"record", "--", compiler, "-c", "wrong.cpp", "-o", "wrong.o"});
  EXPECT_EQ(sampled.status, plain.status);
  EXPECT_EQ(sampled.out, plain.out);
  EXPECT_TRUE(sampled.err.starts_with(plain.err)) << sampled.err;
}

TEST_F(Record, PythonRunsAScriptAsEver) {
  write("script.py",
        "import json, sys\n"
        "total = 0\n"
        "for i in range(400000):\n"
        "    total = (total * 31 + i) % 1000003\n"
        "    if i % 50000 == 0:\n"
        "        print(i, total)\n"
        "print(json.dumps({'total': total, 'arguments': sys.argv[1:]}))\n"
        "print('to stderr', file=sys.stderr)\n"
        "sys.exit(7)\n");
  const auto plain = plainly("/usr/bin/python3 script.py a 'b c' ''");
  if (plain.status != 7) GTEST_SKIP() << "/usr/bin/python3 is not here: " << plain.err;
  const auto sampled = run(
      {"record", "-o", "python.run.json", "--", "/usr/bin/python3", "script.py", "a", "b c", ""});
  EXPECT_EQ(sampled.status, 7);
  EXPECT_EQ(sampled.out, plain.out);
  EXPECT_TRUE(sampled.err.starts_with(plain.err)) << sampled.err;
  EXPECT_NE(sampled.err.find("samples by"), std::string::npos);
  EXPECT_EQ(run({"validate", "python.run.json"}).status, 0);
  // Its Run is one like any other.
  for (const std::vector<std::string>& command :
       std::vector<std::vector<std::string>>{{"summary", "python.run.json"},
                                             {"compare", "python.run.json", "python.run.json"},
                                             {"report", "python.run.json", "--html", "python.html"},
                                             {"export", "python.run.json", "--speedscope", "s.json",
                                              "--collapsed", "stacks", "--perfetto", "p"}}) {
    const auto outcome = run(command);
    EXPECT_EQ(outcome.status, 0) << command[0] << outcome.err;
  }
  const json::Value speedscope = parsed(read("s.json"));
  EXPECT_GT(speedscope.find("shared")->find("frames")->as_array()->size(), 5U);
  EXPECT_NE(read("stacks").find(';'), std::string::npos);
}

TEST_F(Record, LikeNamedFunctionsOfTwoLaunchesAreCompared) {
  write("script.py",
        "import json, re\n"
        "text = json.dumps([{'a': i, 'b': str(i) * 3} for i in range(20000)])\n"
        "for i in range(8):\n"
        "    json.loads(text); re.findall(r'\\d+', text); sorted(text[:200000])\n");
  std::map<std::string, int> common;  // names that both Runs have once
  std::map<std::string, int> counts[2];
  for (int i = 0; i < 2; ++i) {
    const std::string file = std::to_string(i) + ".json";
    const auto outcome = run({"record", "-o", file, "--", "/usr/bin/python3", "script.py"});
    if (outcome.status != 0) GTEST_SKIP() << "/usr/bin/python3 is not here: " << outcome.err;
    const auto kept = run::read_file(system_files(), at(file));
    ASSERT_TRUE(kept.ok()) << kept.error();
    for (const run::Op& op : kept->ops) ++counts[i][op.name];
  }
  for (const auto& [name, count] : counts[0]) {
    const auto other = counts[1].find(name);
    if (count == 1 && other != counts[1].end() && other->second == 1) common[name] = 0;
  }
  EXPECT_GT(common.size(), 5U);
  const auto compared = run({"compare", "0.json", "1.json", "--json"});
  ASSERT_NE(compared.out, "") << compared.err;
  const json::Value comparison = parsed(compared.out);
  for (const auto& op : *comparison.find("ops")->as_array()) {
    const auto at = common.find(*op.find("name")->as_string());
    if (at != common.end() && *op.find("alignment")->as_string() == "matched") ++at->second;
  }
  for (const auto& [name, matched] : common) EXPECT_EQ(matched, 1) << name;
}

TEST_F(Record, AProgramSeesTheSameOpenFilesAndEnvironment) {
  const std::string look = "ls /proc/self/fd; env | grep -v '^_='; umask; ulimit -a; trap";
  const auto plain = plainly("sh -c \"" + look + "\"");
  const auto sampled =
      plainly(std::string(NEUROLENS_PROGRAM) + " record -- sh -c \"" + look + "\"");
  EXPECT_EQ(sampled.out, plain.out);
}

TEST_F(Record, LittleLockedMemoryIsEnough) {
  // What somebody without rights and without locked memory of their own gets.
  const std::string nobody =
      "setpriv --reuid=65534 --regid=65534 --clear-groups prlimit --memlock=0 ";
  if (plainly(nobody + NEUROLENS_PROGRAM + " --version").status != 0)
    GTEST_SKIP() << "only root can become somebody else here";
  const auto outcome = plainly(nobody + NEUROLENS_PROGRAM +
                               " record --json --rate 1000 -- sh -c "
                               "'i=0; while [ $i -lt 400000 ]; do i=$((i+1)); done'");
  ASSERT_EQ(outcome.status, 0) << outcome.err;
  const json::Value report = parsed(outcome.out);
  EXPECT_GT(*report.find("samples")->as_int(), 100);
  // The buffers hold a hundredth of a second: on a busy machine some may be lost, and are counted.
  EXPECT_LT(*report.find("lost")->as_int(), *report.find("samples")->as_int() / 4);
}

TEST_F(Record, SignalsDoToAProgramWhatTheyAlwaysDo) {
  for (const char* name : {"INT", "QUIT", "PIPE", "TERM"}) {
    const std::string script = std::string("kill -") + name + " $$; echo survived";
    const auto outcome = run({"record", "--", "sh", "-c", script});
    EXPECT_EQ(outcome.out, "") << name;
    EXPECT_GT(outcome.status, 128) << name;
  }
}

TEST_F(Record, TerminatingTheObserverTerminatesTheProgram) {
  // Without --foreground timeout signals its child, then the whole group: the program and the
  // observer, which then counts two.
  for (const char* timeout : {"timeout --foreground 1 ", "timeout 1 "}) {
    const auto outcome = plainly(timeout + std::string(NEUROLENS_PROGRAM) +
                                 " record --json -- sh -c 'trap \"trap : TERM; echo bye; exit 5\" "
                                 "TERM; while :; do :; done'");
    ASSERT_TRUE(outcome.out.starts_with("bye\n{")) << timeout << outcome.out.substr(0, 100);
    EXPECT_EQ(parsed(outcome.out.substr(4)).find("exit_status")->as_int(), 5);
  }
}

/// Records a program that goes on for a while after it was told to end; `kills` signal the
/// observer, whose process is $observer. The program's process is in the file "pid" when they
/// begin.
std::string terminated(const std::string& at_term, const std::string& kills) {
  return std::string(NEUROLENS_PROGRAM) + " record --json -- sh -c 'trap \"" + at_term +
         "\" TERM; echo $$ >pid.new; mv pid.new pid; while :; do :; done' & observer=$!; "
         "until [ -e pid ]; do sleep .02; done; " +
         kills + " wait $observer; status=$?; kill -9 $(cat pid) 2>/dev/null; exit $status";
}

TEST_F(Record, SignalsWithinAMomentAreOne) {
  // The next one only when the one before was delivered: pending ones are one anyway.
  const std::string deliver =
      "kill -TERM $observer; "
      "while grep -qs \"^ShdPnd:.*[1-9a-f]\" /proc/$observer/status; do :; done; ";
  const auto outcome =
      plainly(terminated("trap : TERM; sleep .6; exit 5", deliver + deliver + deliver));
  EXPECT_EQ(outcome.status, 5) << outcome.err;
  ASSERT_TRUE(outcome.out.starts_with("{")) << outcome.out.substr(0, 100);
  EXPECT_EQ(parsed(outcome.out).find("exit_status")->as_int(), 5);
}

TEST_F(Record, ASecondSignalLaterEndsTheObserver) {
  const auto outcome =
      plainly(terminated(":", "kill -TERM $observer; sleep .5; kill -TERM $observer;"));
  EXPECT_EQ(outcome.status, 128 + SIGTERM) << outcome.err;
  EXPECT_EQ(outcome.out, "");
}

TEST_F(Record, CtrlCDetachesFromAProcess) {
  const pid_t child = fork();
  if (child == 0) {
    execl("/bin/sh", "sh", "-c", "while :; do :; done", nullptr);
    _exit(127);
  }
  const auto outcome =
      run({"record", "--json", "--pid", std::to_string(child)}, std::chrono::milliseconds(700));
  int status = 0;
  EXPECT_EQ(waitpid(child, &status, WNOHANG), 0) << "the process must go on";
  kill(child, SIGKILL);
  waitpid(child, &status, 0);
  EXPECT_EQ(outcome.status, 0) << outcome.err;
  const json::Value report = parsed(outcome.out);
  EXPECT_GT(*report.find("samples")->as_int(), 50);
  EXPECT_TRUE(report.find("exit_status")->is_null());
  expect_schema(outcome.out);
}

TEST_F(Record, AFunctionIsShownWithItsCallersCalleesAndLines) {
  write("work.cpp",
        "volatile double sink;\n"
        "namespace inner {\n"
        "__attribute__((noinline)) void leaf(int n) { for (int i = 0; i < n; ++i) sink = sink + i; "
        "}\n"
        "}\n"
        "__attribute__((noinline)) void middle(int n) { inner::leaf(n); sink = sink + 1; }\n"
        "__attribute__((noinline)) void other(int n) { inner::leaf(n); sink = sink + 2; }\n"
        "int main() { for (int i = 0; i < 3000; ++i) { middle(20000); other(5000); } }\n");
  ASSERT_EQ(plainly(std::string(NEUROLENS_CXX) + " -O1 -g work.cpp -o work").status, 0);
  const auto outcome =
      run({"record", "--json", "--function", "leaf", "--module", "work", "--", "./work"});
  ASSERT_EQ(outcome.status, 0) << outcome.err;
  const json::Value report = parsed(outcome.out);
  expect_schema(outcome.out);
  const auto* found = report.find("focus")->find("functions")->as_array();
  ASSERT_EQ(found->size(), 1U) << outcome.out;
  const json::Value& leaf = found->front();
  EXPECT_EQ(*leaf.find("name")->as_string(), "inner::leaf(int)");
  EXPECT_EQ(names_in(leaf, "callers"), (std::vector<std::string>{"middle(int)", "other(int)"}));
  EXPECT_NE(names_in(leaf, "lines").at(0).find("work.cpp:3"), std::string::npos);
  const json::Value& first = leaf.find("callers")->as_array()->front();
  const double share = *first.find("ratio")->find("value")->as_double();
  EXPECT_NEAR(share, 0.8, 0.15);
  for (const auto& f : *report.find("functions")->as_array())
    EXPECT_TRUE(f.find("module")->as_string()->ends_with("/work"));
  const auto text = run({"record", "--function", "laef", "--lines", "--", "./work"});
  EXPECT_NE(text.err.find("No sample shows a function laef."), std::string::npos) << text.err;
  EXPECT_NE(text.err.find("work.cpp:3"), std::string::npos) << text.err;
}

TEST_F(Record, TheThresholdIsAShare) {
  for (const char* wrong : {"0", "-1", "101%", "101", "nan", "five", "5%%", ""}) {
    const auto outcome = run({"record", "--threshold", wrong, "--", "true"});
    EXPECT_EQ(outcome.status, 2) << wrong;
    EXPECT_NE(outcome.err.find("--threshold"), std::string::npos) << outcome.err;
  }
  // 1 % to one reader, everything to another: nobody is asked to guess.
  for (const std::string ambiguous : {"1", "5", "1.0"}) {
    const auto outcome = run({"record", "--threshold", ambiguous, "--", "true"});
    EXPECT_EQ(outcome.status, 2) << ambiguous;
    EXPECT_NE(outcome.err.find("write " + ambiguous + "%"), std::string::npos) << outcome.err;
  }
  for (const auto& [text, share] :
       {std::pair{"0.5%", 0.005}, std::pair{"1%", 0.01}, std::pair{"0.05", 0.05}}) {
    const auto outcome = run({"record", "--json", "--threshold", text, "--", "true"});
    ASSERT_EQ(outcome.status, 0) << outcome.err;
    EXPECT_DOUBLE_EQ(*parsed(outcome.out).find("threshold_ratio")->as_double(), share);
  }
}

}  // namespace
}  // namespace neurolens
