/// \file
/// Keeps signal handlers away from a stretch of code: the slow paths hold locks that a handler on
/// the same thread would wait for in vain.
#pragma once

#include <csignal>

namespace neurolens::probe {

class SignalBlock {
 public:
  SignalBlock() noexcept {
    sigset_t all;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before_);
  }
  ~SignalBlock() { pthread_sigmask(SIG_SETMASK, &before_, nullptr); }
  SignalBlock(const SignalBlock&) = delete;
  SignalBlock& operator=(const SignalBlock&) = delete;

 private:
  sigset_t before_{};
};

}  // namespace neurolens::probe
