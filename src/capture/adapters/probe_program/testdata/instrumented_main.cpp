// Ten iterations of 1 ms and 3 ms of sleep under two scopes, and a thousand tiny scopes.
#include <unistd.h>

#include "neurolens/probe/scope.hpp"

int main(int argc, char**) {
  for (int i = 0; i < 10; ++i) {
    NEUROLENS_ITERATION("step", i);
    {
      NEUROLENS_NAMED_SCOPE(scope, "short");
      NEUROLENS_VALUE(scope, "bytes", std::int64_t{4096});
      usleep(1000);
    }
    NEUROLENS_SCOPE("long");
    usleep(3000);
    for (int k = 0; k < 1000; ++k) {
      NEUROLENS_SCOPE("tiny");
    }
  }
  return argc > 1 ? 5 : 0;
}
