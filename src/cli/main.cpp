#include <time.h>

#include <atomic>
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <exception>

#include "command.hpp"

namespace {

neurolens::CancelToken g_cancel;  // written by the signal handler

/// Signals of one kind that arrive within this time are one: `timeout` and others signal their
/// child and then its whole group.
constexpr std::int64_t kOneMomentNs = 200'000'000;

/// When the first SIGINT and SIGTERM came; 0: not yet.
std::atomic<std::int64_t> g_first_interrupt_ns{0}, g_first_termination_ns{0};
static_assert(std::atomic<std::int64_t>::is_always_lock_free, "a signal handler uses it");

/// The first Ctrl-C asks the work to stop and keep what it has; the second ends the program.
void on_interrupt(int signal) {
  timespec t{};
  clock_gettime(CLOCK_MONOTONIC, &t);
  const std::int64_t now = std::int64_t{t.tv_sec} * 1'000'000'000 + t.tv_nsec;
  std::int64_t first = 0;
  if ((signal == SIGINT ? g_first_interrupt_ns : g_first_termination_ns)
          .compare_exchange_strong(first, now)) {
    g_cancel.cancel();
  } else if (now - first >= kOneMomentNs) {
    std::signal(signal, SIG_DFL);
    std::raise(signal);  // strikes when this handler returns
  }
}

/// Turns a deadly signal into the error that its system call returns anyway (a closed pipe, a file
/// size limit). Handled, not ignored: programs that are launched would inherit "ignored".
void let_the_call_fail(int /*signal*/) {}

}  // namespace

int main(int argc, char** argv) {
  using namespace neurolens;
  std::signal(SIGPIPE, let_the_call_fail);
  std::signal(SIGXFSZ, let_the_call_fail);
  // Who starts us with Ctrl-C ignored (a shell's background job) means it, also for programs that
  // we start.
  if (std::signal(SIGINT, on_interrupt) == SIG_IGN) std::signal(SIGINT, SIG_IGN);
  std::signal(SIGTERM, on_interrupt);
  cli::Terminal terminal;
  cli::Context context{
      terminal, system_files(), system_clock(), {&terminal.progress(), &g_cancel}, {}};
  try {
    return cli::run_program(cli::builtin_commands(), std::vector<std::string>(argv, argv + argc),
                            context);
  } catch (const std::bad_alloc&) {
    std::fputs("neurolens: Memory ran out; try a smaller input or a machine with more.\n", stderr);
    return exit_status_of(Errc::out_of_memory);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "neurolens: A fault of neurolens itself: %s. Please report it.\n",
                 error.what());
    return exit_status_of(Errc::internal);
  }
}
