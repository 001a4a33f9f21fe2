#include "run_core.hpp"
#include "modes.hpp"
namespace neurolens::exec::detail {
Status check_processes(const Compiled&) { return Error{}; }
Result<std::unique_ptr<Remote>> make_processes(RunCore&, std::uint32_t) { return Error{}; }
Result<std::unique_ptr<Reactor>> make_reactor() { return Error{}; }
}
