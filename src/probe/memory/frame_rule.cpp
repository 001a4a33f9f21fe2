#include "memory/frame_rule.hpp"

#include <atomic>
#include <cstddef>
#include <cstring>

#include "memory/table.hpp"

// What the compiler's run-time library finds tables with; part of its binary interface, in no
// public header.
struct dwarf_eh_bases {
  void* text;
  void* data;
  void* function;
};
extern "C" const void* _Unwind_Find_FDE(void* pc, dwarf_eh_bases* bases);

namespace neurolens::probe::memory {
namespace {

constexpr unsigned kBasePointer = 6, kStackPointer = 7, kReturnAddress = 16;

/// Bytes of a table; after a read beyond the end everything reads as 0 and `ok` is false.
struct TableReader {
  const unsigned char* at;
  const unsigned char* end;
  bool ok = true;

  template <class T>
  T take() {
    T value{};
    if (!ok || static_cast<std::size_t>(end - at) < sizeof value) {
      ok = false;
      return value;
    }
    std::memcpy(&value, at, sizeof value);
    at += sizeof value;
    return value;
  }
  void skip(std::uint64_t bytes) {
    if (!ok || bytes > static_cast<std::uint64_t>(end - at)) {
      ok = false;
    } else {
      at += bytes;
    }
  }
  std::uint64_t uleb() {
    std::uint64_t value = 0;
    for (unsigned shift = 0;; shift += 7) {
      const auto byte = take<std::uint8_t>();
      if (shift < 64) value |= std::uint64_t{byte & 0x7Fu} << shift;
      if ((byte & 0x80) == 0) return value;
    }
  }
  std::int64_t sleb() {
    std::uint64_t value = 0;
    for (unsigned shift = 0;;) {
      const auto byte = take<std::uint8_t>();
      if (shift < 64) value |= std::uint64_t{byte & 0x7Fu} << shift;
      shift += 7;
      if ((byte & 0x80) != 0) continue;
      if ((byte & 0x40) != 0 && shift < 64) value |= ~std::uint64_t{0} << shift;
      return static_cast<std::int64_t>(value);
    }
  }
  void skip_pointer(std::uint8_t encoding) {
    constexpr std::uint8_t kOmitted = 0xFF, kAligned = 0x50;
    if (encoding == kOmitted) return;
    if (encoding == kAligned) ok = false;  // nobody makes these for code
    switch (encoding & 0x07) {
      case 0:
      case 4:
        return skip(8);
      case 1:
        return static_cast<void>(uleb());
      case 2:
        return skip(2);
      case 3:
        return skip(4);
      default:
        ok = false;
    }
  }
};

/// Where a register of the caller is.
struct Saved {
  enum class How : std::uint8_t { same, at_cfa, undefined, other };
  How how = How::same;
  std::int64_t offset = 0;
};

/// A row of the table.
struct Row {
  bool cfa_known = false;
  std::uint64_t cfa_register = 0;
  std::int64_t cfa_offset = 0;
  Saved base, return_address;

  Saved* of(std::uint64_t number) {
    if (number == kBasePointer) return &base;
    return number == kReturnAddress ? &return_address : nullptr;
  }
  void set(std::uint64_t number, Saved::How how, std::int64_t offset = 0) {
    if (Saved* saved = of(number)) *saved = {how, offset};
  }
};

/// What the instructions of one function share.
struct Common {
  std::uint64_t code_step = 1;
  std::int64_t data_step = 1;
  std::uint8_t pointers = 0;  ///< Their encoding.
  bool sized = false;         ///< Whether functions carry augmentation data with its size.
  bool usable = false;
  TableReader instructions{nullptr, nullptr};
};

Common read_common(const unsigned char* entry) {
  Common common;
  std::uint32_t length = 0;
  std::memcpy(&length, entry, sizeof length);
  if (length == 0 || length == 0xFFFF'FFFF) return common;  // 64-bit tables
  TableReader in{entry + 4, entry + 4 + length};
  in.skip(4);  // 0: what tells it from a function's entry
  const auto version = in.take<std::uint8_t>();
  if (version != 1 && version != 3) return common;
  const char* letters = reinterpret_cast<const char*>(in.at);
  while (in.take<char>() != '\0' && in.ok) {
  }
  common.code_step = in.uleb();
  common.data_step = in.sleb();
  const std::uint64_t return_register = version == 1 ? in.take<std::uint8_t>() : in.uleb();
  if (!in.ok || return_register != kReturnAddress) return common;
  if (*letters == 'z') {
    common.sized = true;
    const std::uint64_t size = in.uleb();
    TableReader data = in;
    in.skip(size);
    for (++letters; *letters != '\0'; ++letters) {
      if (*letters == 'R') {
        common.pointers = data.take<std::uint8_t>();
      } else if (*letters == 'P') {
        data.skip_pointer(data.take<std::uint8_t>());
      } else if (*letters == 'L') {
        data.skip(1);
      } else {
        return common;  // a signal frame ('S'), or something from the future
      }
    }
    in.ok = in.ok && data.ok;
  } else if (*letters != '\0') {
    return common;
  }
  common.instructions = in;
  common.usable = in.ok;
  return common;
}

/// Carries out table instructions up to the row of `target`.
class Machine {
 public:
  Machine(const Common& common, std::uintptr_t begin, std::uintptr_t target)
      : common_(common), at_(begin), target_(target) {}

  /// False: something that this reader does not know.
  bool run(TableReader in) {
    while (in.ok && in.at < in.end && at_ <= target_) {
      if (!step(in)) return false;
    }
    return in.ok;
  }
  void end_of_common() { initial_ = row; }
  Row row;

 private:
  enum Code : std::uint8_t {
    kNop = 0x00,
    kAdvance1 = 0x02,
    kAdvance2 = 0x03,
    kAdvance4 = 0x04,
    kOffsetExtended = 0x05,
    kRestoreExtended = 0x06,
    kUndefined = 0x07,
    kSameValue = 0x08,
    kRegister = 0x09,
    kRememberState = 0x0A,
    kRestoreState = 0x0B,
    kCfa = 0x0C,
    kCfaRegister = 0x0D,
    kCfaOffset = 0x0E,
    kCfaExpression = 0x0F,
    kExpression = 0x10,
    kOffsetSigned = 0x11,
    kCfaSigned = 0x12,
    kCfaOffsetSigned = 0x13,
    kValueOffset = 0x14,
    kValueOffsetSigned = 0x15,
    kValueExpression = 0x16,
    kArgumentsSize = 0x2E,
  };

  void set_cfa(std::uint64_t number, std::int64_t offset) {
    row.cfa_known = true;
    row.cfa_register = number;
    row.cfa_offset = offset;
  }
  void restore(std::uint64_t number) {
    if (Saved* saved = row.of(number)) *saved = *initial_.of(number);
  }
  [[nodiscard]] std::int64_t scaled(std::uint64_t n) const {
    return static_cast<std::int64_t>(n) * common_.data_step;
  }
  void advance(std::uint64_t steps) { at_ += steps * common_.code_step; }

  bool step(TableReader& in) {
    const auto code = in.take<std::uint8_t>();
    const std::uint8_t low = code & 0x3F;
    switch (code >> 6) {
      case 1:
        advance(low);
        return true;
      case 2:
        row.set(low, Saved::How::at_cfa, scaled(in.uleb()));
        return true;
      case 3:
        restore(low);
        return true;
      default:
        return extended(code, in);
    }
  }

  bool extended(std::uint8_t code, TableReader& in) {
    switch (code) {
      case kNop:
        break;
      case kAdvance1:
        advance(in.take<std::uint8_t>());
        break;
      case kAdvance2:
        advance(in.take<std::uint16_t>());
        break;
      case kAdvance4:
        advance(in.take<std::uint32_t>());
        break;
      case kOffsetExtended: {
        const std::uint64_t number = in.uleb();
        row.set(number, Saved::How::at_cfa, scaled(in.uleb()));
        break;
      }
      case kOffsetSigned: {
        const std::uint64_t number = in.uleb();
        row.set(number, Saved::How::at_cfa, in.sleb() * common_.data_step);
        break;
      }
      case kRestoreExtended:
        restore(in.uleb());
        break;
      case kUndefined:
        row.set(in.uleb(), Saved::How::undefined);
        break;
      case kSameValue:
        row.set(in.uleb(), Saved::How::same);
        break;
      case kRegister:
      case kValueOffset:
      case kValueOffsetSigned: {
        row.set(in.uleb(), Saved::How::other);
        in.uleb();
        break;
      }
      case kExpression:
      case kValueExpression:
        row.set(in.uleb(), Saved::How::other);
        in.skip(in.uleb());
        break;
      case kRememberState:
        if (remembered_ == kMostRemembered) return false;
        stack_[remembered_++] = row;
        break;
      case kRestoreState:
        if (remembered_ == 0) return false;
        row = stack_[--remembered_];
        break;
      case kCfa: {
        const std::uint64_t number = in.uleb();
        set_cfa(number, static_cast<std::int64_t>(in.uleb()));
        break;
      }
      case kCfaSigned: {
        const std::uint64_t number = in.uleb();
        set_cfa(number, in.sleb() * common_.data_step);
        break;
      }
      case kCfaRegister:
        row.cfa_register = in.uleb();
        break;
      case kCfaOffset:
        row.cfa_offset = static_cast<std::int64_t>(in.uleb());
        break;
      case kCfaOffsetSigned:
        row.cfa_offset = in.sleb() * common_.data_step;
        break;
      case kCfaExpression:
        in.skip(in.uleb());
        row.cfa_known = false;
        break;
      case kArgumentsSize:
        in.uleb();
        break;
      default:
        return false;
    }
    return true;
  }

  static constexpr std::size_t kMostRemembered = 8;
  const Common& common_;
  std::uintptr_t at_, target_;
  Row initial_;
  Row stack_[kMostRemembered];
  std::size_t remembered_ = 0;
};

FrameRule rule_of(const Row& row) {
  if (row.return_address.how == Saved::How::undefined) {
    return FrameRule::special(FrameRule::Kind::last);
  }
  const bool cfa_is_plain =
      row.cfa_known && (row.cfa_register == kStackPointer || row.cfa_register == kBasePointer);
  const bool return_is_plain =
      row.return_address.how == Saved::How::at_cfa && row.return_address.offset == -8;
  if (!cfa_is_plain || !return_is_plain || row.base.how == Saved::How::other) {
    return FrameRule::special(FrameRule::Kind::unusual);
  }
  const bool saved = row.base.how == Saved::How::at_cfa;
  return FrameRule::usual(row.cfa_register == kBasePointer, row.cfa_offset, saved,
                          saved ? -row.base.offset : 0);
}

// --- rules seen before: 8192 sets of eight words; a word holds what is left of the mixed address
// besides the set's number, and the rule. Words are read and written whole, so that no two halves
// of different entries can meet.

constexpr unsigned kAddressBits = 48, kSetBits = 13, kWays = 8;
constexpr unsigned kTagBits = kAddressBits - kSetBits;
static_assert(kTagBits + FrameRule::kBits == 64);
constexpr std::uint64_t kTagMask = (std::uint64_t{1} << kTagBits) - 1;
constexpr std::uint64_t kRuleMask = (std::uint64_t{1} << FrameRule::kBits) - 1;

using Word = std::atomic<std::uint64_t>;
constexpr std::size_t kWords = std::size_t{kWays} << kSetBits;
constinit std::atomic<Word*> table{nullptr};

Word* get_table() noexcept {
  Word* words = table.load(std::memory_order_acquire);
  if (words != nullptr) return words;
  Word* fresh = map_array<Word>(kWords);
  if (fresh == nullptr) return nullptr;
  if (table.compare_exchange_strong(words, fresh, std::memory_order_acq_rel)) return fresh;
  munmap(fresh, kWords * sizeof(Word));
  return words;
}

/// One to one on 48 bits: multiplication by an odd number.
std::uint64_t mixed(std::uintptr_t pc) {
  return pc * 0x9E3779B97F4A7C15u & ((std::uint64_t{1} << kAddressBits) - 1);
}

}  // namespace

FrameRule read_frame_rule(std::uintptr_t pc) noexcept {
#if defined(__x86_64__)
  dwarf_eh_bases bases{};
  // NOLINTNEXTLINE(performance-no-int-to-ptr): a code address
  const void* found = _Unwind_Find_FDE(reinterpret_cast<void*>(pc), &bases);
  if (found == nullptr) return FrameRule::special(FrameRule::Kind::unusual);
  const auto* entry = static_cast<const unsigned char*>(found);
  std::uint32_t length = 0;
  std::int32_t back = 0;  // from where it stands to the common entry
  std::memcpy(&length, entry, sizeof length);
  std::memcpy(&back, entry + 4, sizeof back);
  if (length == 0xFFFF'FFFF) return FrameRule::special(FrameRule::Kind::unusual);
  const Common common = read_common(entry + 4 - back);
  TableReader in{entry + 8, entry + 4 + length};
  in.skip_pointer(common.pointers);         // the function's begin,
  in.skip_pointer(common.pointers & 0x0F);  // and its size
  if (common.sized) in.skip(in.uleb());
  if (!common.usable || !in.ok) return FrameRule::special(FrameRule::Kind::unusual);
  Machine machine(common, reinterpret_cast<std::uintptr_t>(bases.function), pc);
  bool known = machine.run(common.instructions);
  machine.end_of_common();
  known = known && machine.run(in);
  return known ? rule_of(machine.row) : FrameRule::special(FrameRule::Kind::unusual);
#else
  static_cast<void>(pc);
  return FrameRule::special(FrameRule::Kind::unusual);
#endif
}

FrameRule frame_rule(std::uintptr_t pc) noexcept {
  Word* words = get_table();
  if (words == nullptr || pc >> (kAddressBits - 1) != 0) return read_frame_rule(pc);
  const std::uint64_t key = mixed(pc);
  Word* set = words + (key >> kTagBits) * kWays;
  const std::uint64_t tag = key & kTagMask;
  unsigned free_way = static_cast<unsigned>(tag % kWays);  // somebody has to go
  for (unsigned way = 0; way < kWays; ++way) {
    const std::uint64_t word = set[way].load(std::memory_order_relaxed);
    if (word == 0) {
      free_way = way;
      break;
    }
    if (word >> FrameRule::kBits == tag) {
      return FrameRule::from_bits(static_cast<std::uint32_t>(word & kRuleMask));
    }
  }
  const FrameRule rule = read_frame_rule(pc);
  set[free_way].store(tag << FrameRule::kBits | rule.bits(), std::memory_order_relaxed);
  return rule;
}

void forget_frame_rules() noexcept {
  Word* words = table.load(std::memory_order_acquire);
  for (std::size_t i = 0; words != nullptr && i < kWords; ++i) {
    if (words[i].load(std::memory_order_relaxed) != 0) {
      words[i].store(0, std::memory_order_relaxed);
    }
  }
}

}  // namespace neurolens::probe::memory
