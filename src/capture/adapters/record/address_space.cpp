#include "adapters/record/address_space.hpp"

#include <dwarf.h>
#include <sys/auxv.h>

#include <algorithm>
#include <cstring>
#include <fstream>
#include <optional>
#include <sstream>

namespace neurolens::capture::record_detail {
namespace {

constexpr std::size_t kMostFrames = 512;
constexpr int kBasePointer = 6, kStackPointer = 7, kCounter = 16;

/// The size of this process's own vDSO mapping.
std::size_t vdso_bytes(std::uint64_t start) {
  std::ifstream maps("/proc/self/maps");
  std::string line;
  while (std::getline(maps, line)) {
    unsigned long long begin = 0, end = 0;
    if (std::sscanf(line.c_str(), "%llx-%llx", &begin, &end) == 2 && begin == start)
      return end - begin;
  }
  return 0;
}

/// Registers of one frame, with the copied stack to read from.
struct Walker {
  const PerfSample& sample;
  std::uint64_t stack_begin;
  std::uint64_t registers[kRegisterCount];

  explicit Walker(const PerfSample& s) : sample(s), stack_begin(s.registers[kStackPointer]) {
    std::copy(std::begin(s.registers), std::end(s.registers), registers);
  }

  [[nodiscard]] bool read(std::uint64_t address, std::uint64_t& value) const {
    if (address < stack_begin || address - stack_begin + 8 > sample.stack.size()) return false;
    std::memcpy(&value, sample.stack.data() + (address - stack_begin), 8);
    return true;
  }

  /// The top of the stack after running a DWARF expression; only what unwinding tables use.
  [[nodiscard]] std::optional<std::uint64_t> evaluate(const std::vector<Operation>& ops,
                                                      std::uint64_t cfa) const {
    std::vector<std::uint64_t> stack;
    const auto pop = [&stack] {
      if (stack.empty()) return std::uint64_t{0};
      const std::uint64_t top = stack.back();
      stack.pop_back();
      return top;
    };
    for (const Operation& op : ops) {
      const auto as_signed = [](std::uint64_t v) { return static_cast<std::int64_t>(v); };
      if (op.atom >= DW_OP_lit0 && op.atom <= DW_OP_lit31) {
        stack.push_back(op.atom - DW_OP_lit0);
      } else if (op.atom >= DW_OP_breg0 && op.atom <= DW_OP_breg16) {
        stack.push_back(registers[op.atom - DW_OP_breg0] + op.number);
      } else if (op.atom == DW_OP_bregx && op.number < kRegisterCount) {
        stack.push_back(registers[op.number] + op.number2);
      } else {
        switch (op.atom) {
          case DW_OP_call_frame_cfa:
            stack.push_back(cfa);
            break;
          case DW_OP_const1u:
          case DW_OP_const1s:
          case DW_OP_const2u:
          case DW_OP_const2s:
          case DW_OP_const4u:
          case DW_OP_const4s:
          case DW_OP_const8u:
          case DW_OP_const8s:
          case DW_OP_constu:
          case DW_OP_consts:
            stack.push_back(op.number);
            break;
          case DW_OP_dup:
            if (!stack.empty()) stack.push_back(stack.back());
            break;
          case DW_OP_drop:
            pop();
            break;
          case DW_OP_plus_uconst:
            stack.push_back(pop() + op.number);
            break;
          case DW_OP_plus: {
            const auto b = pop();
            stack.push_back(pop() + b);
            break;
          }
          case DW_OP_minus: {
            const auto b = pop();
            stack.push_back(pop() - b);
            break;
          }
          case DW_OP_and: {
            const auto b = pop();
            stack.push_back(pop() & b);
            break;
          }
          case DW_OP_or: {
            const auto b = pop();
            stack.push_back(pop() | b);
            break;
          }
          case DW_OP_mul: {
            const auto b = pop();
            stack.push_back(pop() * b);
            break;
          }
          case DW_OP_shl: {
            const auto b = pop();
            stack.push_back(b < 64 ? pop() << b : (pop(), 0));
            break;
          }
          case DW_OP_shr: {
            const auto b = pop();
            stack.push_back(b < 64 ? pop() >> b : (pop(), 0));
            break;
          }
          case DW_OP_ge: {
            const auto b = pop();
            stack.push_back(as_signed(pop()) >= as_signed(b) ? 1 : 0);
            break;
          }
          case DW_OP_gt: {
            const auto b = pop();
            stack.push_back(as_signed(pop()) > as_signed(b) ? 1 : 0);
            break;
          }
          case DW_OP_le: {
            const auto b = pop();
            stack.push_back(as_signed(pop()) <= as_signed(b) ? 1 : 0);
            break;
          }
          case DW_OP_lt: {
            const auto b = pop();
            stack.push_back(as_signed(pop()) < as_signed(b) ? 1 : 0);
            break;
          }
          case DW_OP_eq: {
            const auto b = pop();
            stack.push_back(pop() == b ? 1 : 0);
            break;
          }
          case DW_OP_ne: {
            const auto b = pop();
            stack.push_back(pop() != b ? 1 : 0);
            break;
          }
          case DW_OP_deref: {
            std::uint64_t value = 0;
            if (!read(pop(), value)) return std::nullopt;
            stack.push_back(value);
            break;
          }
          case DW_OP_stack_value:
            break;
          default:
            return std::nullopt;
        }
      }
    }
    if (stack.empty()) return std::nullopt;
    return stack.back();
  }

  /// To the caller by the rules of `module`. False: no rule, or the stack was not copied that far.
  bool step(ElfModule& module, const FrameRule& rule) {
    std::uint64_t cfa =
        registers[rule.cfa_register % kRegisterCount] + static_cast<std::uint64_t>(rule.cfa_offset);
    if (rule.cfa_is_expression) {
      const auto value = evaluate(module.expression(rule.cfa_expression), 0);
      if (!value) return false;
      cfa = *value;
    }
    std::uint64_t next[kRegisterCount];
    std::copy(std::begin(registers), std::end(registers), next);
    next[kStackPointer] = cfa;
    for (std::size_t i = 0; i < std::size(FrameRule::kNumbers); ++i) {
      const int number = FrameRule::kNumbers[i];
      const RegisterRule& r = rule.registers[i];
      switch (r.kind) {
        case RegisterRule::Kind::at_cfa:
          if (!read(cfa + static_cast<std::uint64_t>(r.offset), next[number]) && number == kCounter)
            return false;
          break;
        case RegisterRule::Kind::is_cfa:
          next[number] = cfa + static_cast<std::uint64_t>(r.offset);
          break;
        case RegisterRule::Kind::expression: {
          const auto& ops = module.expression(r.expression);
          const auto place = evaluate(ops, cfa);
          const bool is_value = !ops.empty() && ops.back().atom == DW_OP_stack_value;
          if (!place || (!is_value && !read(*place, next[number]))) {
            if (number == kCounter) return false;
          } else if (is_value) {
            next[number] = *place;
          }
          break;
        }
        case RegisterRule::Kind::undefined:
          if (number == kCounter) next[number] = 0;  // the outermost frame says so this way
          break;
        case RegisterRule::Kind::same:
          break;
      }
    }
    if (next[kStackPointer] <= registers[kStackPointer] && next[kCounter] == registers[kCounter])
      return false;
    std::copy(std::begin(next), std::end(next), registers);
    return true;
  }

  /// To the caller by the frame pointer, for code without tables.
  bool step_by_frame_pointer() {
    std::uint64_t frame = registers[kBasePointer], base = 0, counter = 0;
    if (frame < registers[kStackPointer] || !read(frame, base) || !read(frame + 8, counter) ||
        counter < 4096) {
      return false;
    }
    registers[kStackPointer] = frame + 16;
    registers[kBasePointer] = base;
    registers[kCounter] = counter;
    return true;
  }
};

}  // namespace

ElfModule* ModuleTable::get(const std::string& path) {
  const auto [at, fresh] = modules_.try_emplace(path);
  if (!fresh) return at->second.get();
  if (path == "[vdso]") {
    const std::uint64_t start = getauxval(AT_SYSINFO_EHDR);
    const std::size_t bytes = start == 0 ? 0 : vdso_bytes(start);
    // NOLINTNEXTLINE(performance-no-int-to-ptr): the kernel hands the address out as a number
    if (bytes > 0)
      at->second = std::make_unique<ElfModule>(path, reinterpret_cast<const void*>(start), bytes);
  } else if (!path.empty() && path[0] == '/' && !path.starts_with("//")) {
    at->second = std::make_unique<ElfModule>(path);
  }
  return at->second.get();
}

void AddressSpace::map(std::uint64_t start, std::uint64_t length, std::uint64_t offset,
                       ElfModule* module) {
  const std::uint64_t end = start + length;
  // What lay there before is cut or gone.
  auto at = mappings_.upper_bound(start);
  if (at != mappings_.begin()) --at;
  while (at != mappings_.end() && at->first < end) {
    const std::uint64_t old_start = at->first;
    const Mapping old = at->second;
    if (old.end <= start) {
      ++at;
      continue;
    }
    at = mappings_.erase(at);
    if (old_start < start) mappings_[old_start] = {start, old.offset, old.module};
    if (old.end > end)
      at = mappings_.insert({end, {old.end, old.offset + (end - old_start), old.module}}).first;
  }
  mappings_[start] = {end, offset, module};
}

void AddressSpace::read_maps(const std::string& text, ModuleTable& modules) {
  std::istringstream in(text);
  std::string line;
  while (std::getline(in, line)) {
    unsigned long long begin = 0, end = 0, offset = 0;
    char permissions[8] = {};
    int path_at = 0;
    if (std::sscanf(line.c_str(), "%llx-%llx %7s %llx %*s %*s %n", &begin, &end, permissions,
                    &offset, &path_at) < 4) {
      continue;
    }
    if (permissions[2] != 'x') continue;
    const std::string path = path_at > 0 && static_cast<std::size_t>(path_at) < line.size()
                                 ? line.substr(static_cast<std::size_t>(path_at))
                                 : "//anon";
    map(begin, end - begin, offset, modules.get(path));
  }
}

Place AddressSpace::find(std::uint64_t address) const {
  auto after = mappings_.upper_bound(address);
  if (after == mappings_.begin()) return {nullptr, address};
  --after;
  const Mapping& m = after->second;
  if (address >= m.end || m.module == nullptr) return {nullptr, address};
  const auto in_file = m.module->address_of_offset(address - after->first + m.offset);
  if (!in_file) return {nullptr, address};
  return {m.module, *in_file};
}

Unwound unwind(const PerfSample& sample, const AddressSpace& space) {
  Unwound result;
  Walker walker(sample);
  bool exact = true;  // the address is that of an instruction, not of the one after a call
  while (result.frames.size() < kMostFrames) {
    const std::uint64_t counter = walker.registers[kCounter];
    if (counter < 4096) {
      result.complete = !result.frames.empty();
      return result;
    }
    const Place place = space.find(exact ? counter : counter - 1);
    result.frames.push_back(place);
    const FrameRule* rule = place.module == nullptr ? nullptr : &place.module->rule(place.address);
    if (rule != nullptr && rule->valid) {
      if (!walker.step(*place.module, *rule)) return result;
      exact = rule->signal_frame;
    } else {
      if (!walker.step_by_frame_pointer()) return result;
      exact = false;
    }
  }
  return result;
}

}  // namespace neurolens::capture::record_detail
