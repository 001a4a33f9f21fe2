// Libraries that carry scopes come and go while a session records.
#include <dlfcn.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <map>
#include <string>

#include "neurolens/probe/scope.hpp"
#include "neurolens/probe/session.hpp"
#include "neurolens/probe/trace.hpp"

namespace neurolens::probe {
namespace {

class PluginTest : public ::testing::Test {
 protected:
  PluginTest() {
    char name[] = "/tmp/neurolens_plugin_XXXXXX";
    folder_ = mkdtemp(name);
  }
  ~PluginTest() override { std::filesystem::remove_all(folder_); }
  std::string folder_;
};

TEST_F(PluginTest, SitesOutliveTheLibraryTheyCameFrom) {
  SessionOptions options;
  options.path = folder_ + "/host.nlp";
  ASSERT_TRUE(start(options).ok());
  for (int round = 0; round < 3; ++round) {
    void* plugin = dlopen(NEUROLENS_PLUGIN_SHARED, RTLD_NOW | RTLD_LOCAL);
    ASSERT_NE(plugin, nullptr) << dlerror();
    const auto work = reinterpret_cast<void (*)(int)>(dlsym(plugin, "plugin_work"));
    ASSERT_NE(work, nullptr);
    NEUROLENS_SCOPE("host");
    work(10);
    ASSERT_EQ(dlclose(plugin), 0);
  }
  ASSERT_TRUE(stop().ok());
  const auto summary_info = [&] {
    TraceInfo info;
    auto summary = summarize_trace(options.path, &info);
    std::map<std::string, std::uint64_t> counts;
    for (const SiteSummary& s : *summary) counts[info.sites[s.site.index()].name] += s.count;
    return counts;
  };
  EXPECT_EQ(summary_info(),
            (std::map<std::string, std::uint64_t>{{"host", 3}, {"in the plugin", 30}}));
}

TEST_F(PluginTest, AnUnloadedCopyOfTheProbeKeepsItsSessionWhole) {
  using Session = int (*)(const char*, int, int);
  for (int round = 0; round < 3; ++round) {
    void* plugin = dlopen(NEUROLENS_PLUGIN_ALONE, RTLD_NOW | RTLD_LOCAL);
    ASSERT_NE(plugin, nullptr) << dlerror();
    const auto session = reinterpret_cast<Session>(dlsym(plugin, "plugin_session"));
    ASSERT_NE(session, nullptr);
    const std::string path = folder_ + "/plugin" + std::to_string(round);
    // The last session is left running: its writer thread must not lose its code.
    EXPECT_EQ(session(path.c_str(), 1000, round == 2 ? 1 : 0), 0);
    dlclose(plugin);
    usleep(10'000);
  }
  EXPECT_EQ(read_trace(folder_ + "/plugin1")->info.events, 2000u);
}

}  // namespace
}  // namespace neurolens::probe
