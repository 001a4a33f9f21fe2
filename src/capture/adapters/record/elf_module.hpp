/// \file
/// One executable or shared object: unwinding rules, symbols, inlined calls, source lines.
/// All addresses are those of the file (as its section headers tell them), so that one instance
/// serves every process that maps it. Everything is found once and kept.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace neurolens::capture::record_detail {

/// How to find a register of the caller.
struct RegisterRule {
  enum class Kind : std::uint8_t { same, at_cfa, is_cfa, expression, undefined };
  Kind kind = Kind::same;
  std::int64_t offset = 0;       ///< From the canonical frame address.
  std::uint32_t expression = 0;  ///< Index into FrameRule's module.
};

/// Row of the unwinding table for one address.
struct FrameRule {
  bool valid = false;
  bool signal_frame = false;
  bool cfa_is_expression = false;
  std::uint8_t cfa_register = 7;
  std::int64_t cfa_offset = 0;
  std::uint32_t cfa_expression = 0;
  /// DWARF numbers of x86-64: rbx, rbp, rsp, r12-r15, program counter.
  static constexpr int kNumbers[] = {3, 6, 7, 12, 13, 14, 15, 16};
  RegisterRule registers[8];
};

/// One operation of a DWARF expression.
struct Operation {
  std::uint8_t atom = 0;
  std::uint64_t number = 0, number2 = 0;
};

struct SymbolFrame {
  std::string function;
  std::string file;
  std::uint32_t line = 0;
  bool inlined = false;  ///< Into the frame that follows.
};

class ElfModule {
 public:
  /// Never fails: a file that cannot be read is a module without rules and symbols.
  explicit ElfModule(std::string path);
  /// The vDSO: an ELF image in this process's own memory.
  ElfModule(std::string name, const void* image, std::size_t bytes);
  ~ElfModule();
  ElfModule(const ElfModule&) = delete;
  ElfModule& operator=(const ElfModule&) = delete;

  [[nodiscard]] const std::string& path() const;
  [[nodiscard]] const std::string& build_id() const;
  /// The file address of byte `offset` of the file; nullopt outside the loaded parts.
  [[nodiscard]] std::optional<std::uint64_t> address_of_offset(std::uint64_t offset) const;

  [[nodiscard]] const FrameRule& rule(std::uint64_t address);
  [[nodiscard]] const std::vector<Operation>& expression(std::uint32_t index) const;
  /// The function at `address` and the inlined calls within it, innermost first; never empty.
  [[nodiscard]] const std::vector<SymbolFrame>& symbolize(std::uint64_t address);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace neurolens::capture::record_detail
