/// \file
/// How to get from a frame to its caller's, for code that keeps to what compilers nearly always do:
/// the frame's end (CFA) at a fixed distance from the stack or base pointer, the return address
/// right below it, the base pointer kept or saved in the frame. Read from the unwinding tables
/// (DWARF call frame information, as the System V ABI for x86-64 has it). What needs more than that
/// (expressions, signal frames, other registers) is said to, and left to the run-time library.
#pragma once

#include <cstdint>

namespace neurolens::probe::memory {

/// Fits a machine word, so that a table of them can be read and written without locks.
class FrameRule {
 public:
  enum class Kind : std::uint8_t {
    usual = 1,
    last = 2,     ///< The outermost frame.
    unusual = 3,  ///< Only the run-time library can go on from here.
  };
  static constexpr int kBits = 29;

  [[nodiscard]] static constexpr FrameRule special(Kind kind) {
    return FrameRule(static_cast<std::uint32_t>(kind));
  }
  /// `unusual` when the distances do not fit: 64 KiB for the frame, 32 KiB for the saved pointer.
  [[nodiscard]] static constexpr FrameRule usual(bool cfa_from_base, std::int64_t cfa_offset,
                                                 bool base_saved, std::int64_t saved_below) {
    if (cfa_offset < 8 || cfa_offset % 8 != 0 || cfa_offset / 8 >= 1 << 13 || saved_below < 0 ||
        saved_below % 8 != 0 || saved_below / 8 >= 1 << 12) {
      return special(Kind::unusual);
    }
    return FrameRule(static_cast<std::uint32_t>(Kind::usual) | (cfa_from_base ? 4u : 0u) |
                     (base_saved ? 8u : 0u) | static_cast<std::uint32_t>(cfa_offset / 8) << 4 |
                     static_cast<std::uint32_t>(saved_below / 8) << 17);
  }
  [[nodiscard]] static constexpr FrameRule from_bits(std::uint32_t bits) { return FrameRule(bits); }
  [[nodiscard]] constexpr std::uint32_t bits() const { return bits_; }

  [[nodiscard]] constexpr Kind kind() const { return static_cast<Kind>(bits_ & 3); }
  [[nodiscard]] constexpr bool cfa_from_base() const { return (bits_ & 4) != 0; }
  [[nodiscard]] constexpr std::uint64_t cfa_offset() const { return (bits_ >> 4 & 0x1FFF) * 8u; }
  [[nodiscard]] constexpr bool base_saved() const { return (bits_ & 8) != 0; }
  /// The base pointer's place, that many bytes below the CFA.
  [[nodiscard]] constexpr std::uint64_t saved_below() const { return (bits_ >> 17) * 8u; }

 private:
  explicit constexpr FrameRule(std::uint32_t bits) : bits_(bits) {}
  std::uint32_t bits_;
};

/// The rule at code address `pc`, from the tables of the object that holds it. Slow: keep it.
/// Threads: safe. Never allocates.
[[nodiscard]] FrameRule read_frame_rule(std::uintptr_t pc) noexcept;

/// The same by a table of rules seen before. Threads: safe.
[[nodiscard]] FrameRule frame_rule(std::uintptr_t pc) noexcept;
/// Code has gone or may have changed: forgets all rules.
void forget_frame_rules() noexcept;

}  // namespace neurolens::probe::memory
