#include "adapters/record/elf_module.hpp"

#include <cxxabi.h>
#include <dwarf.h>
#include <elfutils/libdw.h>
#include <elfutils/libdwelf.h>
#include <fcntl.h>
#include <gelf.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <unordered_map>

namespace neurolens::capture::record_detail {
namespace {

struct Symbol {
  std::uint64_t address = 0, size = 0;
  std::string name;
};

/// Addresses of a compilation unit, or of a function within one.
struct DieRange {
  std::uint64_t begin = 0, end = 0;
  Dwarf_Off die = 0;
};

void add_ranges(Dwarf_Die* die, std::vector<DieRange>& out) {
  Dwarf_Addr base = 0, begin = 0, end = 0;
  for (ptrdiff_t at = 0; (at = dwarf_ranges(die, at, &base, &begin, &end)) > 0;) {
    if (begin < end) out.push_back({begin, end, dwarf_dieoffset(die)});
  }
}

void sort_ranges(std::vector<DieRange>& ranges) {
  std::sort(ranges.begin(), ranges.end(),
            [](const DieRange& a, const DieRange& b) { return a.begin < b.begin; });
}

const DieRange* range_at(const std::vector<DieRange>& ranges, std::uint64_t address) {
  auto after = std::upper_bound(ranges.begin(), ranges.end(), address,
                                [](std::uint64_t a, const DieRange& r) { return a < r.begin; });
  if (after == ranges.begin() || address >= (after - 1)->end) return nullptr;
  return &*(after - 1);
}

/// Functions with code below `parent`; clang puts them into namespaces and types.
void collect_functions(Dwarf_Die* parent, std::vector<DieRange>& out) {
  Dwarf_Die child;
  if (dwarf_child(parent, &child) != 0) return;
  do {
    const int tag = dwarf_tag(&child);
    if (tag == DW_TAG_subprogram) {
      add_ranges(&child, out);
    } else if (tag == DW_TAG_namespace || tag == DW_TAG_class_type ||
               tag == DW_TAG_structure_type) {
      collect_functions(&child, out);
    }
  } while (dwarf_siblingof(&child, &child) == 0);
}

/// The child of `parent` that holds `address`: an inlined call or a block.
bool inner_scope(Dwarf_Die* parent, std::uint64_t address, Dwarf_Die& found) {
  Dwarf_Die child;
  if (dwarf_child(parent, &child) != 0) return false;
  do {
    const int tag = dwarf_tag(&child);
    if (tag != DW_TAG_inlined_subroutine && tag != DW_TAG_lexical_block) continue;
    if (dwarf_haspc(&child, address) <= 0) continue;
    found = child;
    return true;
  } while (dwarf_siblingof(&child, &child) == 0);
  return false;
}

std::string demangle(const char* name) {
  if (name == nullptr) return "?";
  if (name[0] != '_' || name[1] != 'Z') return name;
  int status = 0;
  char* readable = abi::__cxa_demangle(name, nullptr, nullptr, &status);
  std::string text = status == 0 ? readable : name;
  std::free(readable);
  return text;
}

std::string hex(const unsigned char* bytes, std::size_t count) {
  static constexpr char kDigits[] = "0123456789abcdef";
  std::string text;
  for (std::size_t i = 0; i < count; ++i) {
    text += kDigits[bytes[i] >> 4];
    text += kDigits[bytes[i] & 15];
  }
  return text;
}

/// An open ELF file with what hangs on it.
struct Image {
  int fd = -1;
  Elf* elf = nullptr;
  Dwarf* dwarf = nullptr;

  Image() = default;
  Image(const Image&) = delete;
  Image& operator=(const Image&) = delete;
  ~Image() {
    if (dwarf != nullptr) dwarf_end(dwarf);
    if (elf != nullptr) elf_end(elf);
    if (fd >= 0) close(fd);
  }
  bool open(const std::string& path) {
    fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
    if (fd < 0) return false;
    elf = elf_begin(fd, ELF_C_READ_MMAP, nullptr);
    if (elf != nullptr && elf_kind(elf) == ELF_K_ELF) return true;
    if (elf != nullptr) elf_end(elf);
    elf = nullptr;
    return false;
  }
  void open_dwarf() {
    if (elf != nullptr && dwarf == nullptr) dwarf = dwarf_begin_elf(elf, DWARF_C_READ, nullptr);
  }
  [[nodiscard]] std::string build_id() const {
    const void* bytes = nullptr;
    const ssize_t count = elf == nullptr ? -1 : dwelf_elf_gnu_build_id(elf, &bytes);
    return count > 0
               ? hex(static_cast<const unsigned char*>(bytes), static_cast<std::size_t>(count))
               : "";
  }
  [[nodiscard]] Elf_Scn* section(const char* name, GElf_Shdr& header) const {
    std::size_t names = 0;
    if (elf == nullptr || elf_getshdrstrndx(elf, &names) != 0) return nullptr;
    for (Elf_Scn* s = elf_nextscn(elf, nullptr); s != nullptr; s = elf_nextscn(elf, s)) {
      if (gelf_getshdr(s, &header) == nullptr) continue;
      const char* its_name = elf_strptr(elf, names, header.sh_name);
      if (its_name != nullptr && std::strcmp(its_name, name) == 0) return s;
    }
    return nullptr;
  }
};

}  // namespace

struct ElfModule::State {
  std::string path;
  std::string build_id;
  Image main;
  Image debug;  ///< Separate debug file, when there is one.
  struct Segment {
    std::uint64_t offset, bytes, address;
  };
  std::vector<Segment> segments;
  Dwarf_CFI* eh_cfi = nullptr;
  bool cfi_opened = false;
  std::unordered_map<std::uint64_t, FrameRule> rules;
  std::vector<std::vector<Operation>> expressions;
  bool symbols_read = false;
  std::vector<Symbol> symbols;
  std::vector<std::uint64_t> function_starts;  ///< From .eh_frame_hdr: for stripped files.
  std::vector<DieRange> units;
  std::unordered_map<Dwarf_Off, std::vector<DieRange>> functions_by_unit;
  std::unordered_map<std::uint64_t, std::vector<SymbolFrame>> frames;

  void prepare() {
    build_id = main.build_id();
    std::size_t count = 0;
    if (main.elf == nullptr || elf_getphdrnum(main.elf, &count) != 0) return;
    for (std::size_t i = 0; i < count; ++i) {
      GElf_Phdr p;
      if (gelf_getphdr(main.elf, static_cast<int>(i), &p) == nullptr || p.p_type != PT_LOAD)
        continue;
      segments.push_back({p.p_offset, p.p_filesz, p.p_vaddr});
    }
  }

  // ---- unwinding ----

  void open_cfi() {
    if (cfi_opened) return;
    cfi_opened = true;
    if (main.elf != nullptr) eh_cfi = dwarf_getcfi_elf(main.elf);
  }

  std::uint32_t keep(const Dwarf_Op* ops, std::size_t count) {
    std::vector<Operation> kept;
    for (std::size_t i = 0; i < count; ++i)
      kept.push_back({ops[i].atom, ops[i].number, ops[i].number2});
    expressions.push_back(std::move(kept));
    return static_cast<std::uint32_t>(expressions.size() - 1);
  }

  RegisterRule register_rule(Dwarf_Frame* frame, int number) {
    Dwarf_Op memory[3];
    Dwarf_Op* ops = nullptr;
    std::size_t count = 0;
    RegisterRule rule;
    if (dwarf_frame_register(frame, number, memory, &ops, &count) != 0) {
      rule.kind = RegisterRule::Kind::undefined;
    } else if (count == 0) {
      rule.kind = ops == nullptr ? RegisterRule::Kind::same : RegisterRule::Kind::undefined;
    } else if (ops[0].atom == DW_OP_call_frame_cfa && count == 1) {
      rule.kind = RegisterRule::Kind::at_cfa;
    } else if (ops[0].atom == DW_OP_call_frame_cfa && ops[1].atom == DW_OP_plus_uconst &&
               count == 2) {
      rule.kind = RegisterRule::Kind::at_cfa;
      rule.offset = static_cast<std::int64_t>(ops[1].number);
    } else if (ops[0].atom == DW_OP_call_frame_cfa && ops[count - 1].atom == DW_OP_stack_value &&
               count <= 3) {
      rule.kind = RegisterRule::Kind::is_cfa;
      rule.offset = count == 3 ? static_cast<std::int64_t>(ops[1].number) : 0;
    } else {
      rule.kind = RegisterRule::Kind::expression;
      rule.expression = keep(ops, count);
    }
    return rule;
  }

  bool fill_rule(Dwarf_CFI* cfi, std::uint64_t address, FrameRule& rule) {
    Dwarf_Frame* frame = nullptr;
    if (cfi == nullptr || dwarf_cfi_addrframe(cfi, address, &frame) != 0) return false;
    bool signal = false;
    const int return_register = dwarf_frame_info(frame, nullptr, nullptr, &signal);
    Dwarf_Op* ops = nullptr;
    std::size_t count = 0;
    const bool known =
        return_register == 16 && dwarf_frame_cfa(frame, &ops, &count) == 0 && count > 0;
    if (known) {
      rule.valid = true;
      rule.signal_frame = signal;
      if (count == 1 && ops[0].atom == DW_OP_bregx) {
        rule.cfa_register = static_cast<std::uint8_t>(ops[0].number);
        rule.cfa_offset = static_cast<std::int64_t>(ops[0].number2);
      } else if (count == 1 && ops[0].atom >= DW_OP_breg0 && ops[0].atom <= DW_OP_breg31) {
        rule.cfa_register = static_cast<std::uint8_t>(ops[0].atom - DW_OP_breg0);
        rule.cfa_offset = static_cast<std::int64_t>(ops[0].number);
      } else {
        rule.cfa_is_expression = true;
        rule.cfa_expression = keep(ops, count);
      }
      for (std::size_t i = 0; i < std::size(FrameRule::kNumbers); ++i) {
        rule.registers[i] = register_rule(frame, FrameRule::kNumbers[i]);
      }
    }
    std::free(frame);
    return known;
  }

  // ---- symbols ----

  void open_debug_file() {
    std::vector<std::string> candidates;
    if (build_id.size() > 2) {
      candidates.push_back("/usr/lib/debug/.build-id/" + build_id.substr(0, 2) + "/" +
                           build_id.substr(2) + ".debug");
    }
    GElf_Word checksum = 0;
    if (const char* link =
            main.elf == nullptr ? nullptr : dwelf_elf_gnu_debuglink(main.elf, &checksum)) {
      const std::string folder = path.substr(0, path.rfind('/') + 1);
      candidates.push_back(folder + link);
      candidates.push_back(folder + ".debug/" + link);
      candidates.push_back("/usr/lib/debug" + folder + link);
    }
    for (const std::string& candidate : candidates) {
      if (candidate == path || access(candidate.c_str(), R_OK) != 0) continue;
      Image trial;
      if (!trial.open(candidate)) continue;
      if (!build_id.empty() && trial.build_id() != build_id) continue;
      std::swap(debug.fd, trial.fd);
      std::swap(debug.elf, trial.elf);
      return;
    }
  }

  void read_symbols_of(const Image& image, std::uint32_t type) {
    if (image.elf == nullptr) return;
    for (Elf_Scn* s = elf_nextscn(image.elf, nullptr); s != nullptr;
         s = elf_nextscn(image.elf, s)) {
      GElf_Shdr header;
      if (gelf_getshdr(s, &header) == nullptr || header.sh_type != type || header.sh_entsize == 0)
        continue;
      Elf_Data* data = elf_getdata(s, nullptr);
      if (data == nullptr) continue;
      const auto count = static_cast<int>(header.sh_size / header.sh_entsize);
      for (int i = 0; i < count; ++i) {
        GElf_Sym symbol;
        if (gelf_getsym(data, i, &symbol) == nullptr || symbol.st_shndx == SHN_UNDEF) continue;
        const int kind = GELF_ST_TYPE(symbol.st_info);
        if (kind != STT_FUNC && kind != STT_GNU_IFUNC) continue;
        if (const char* name = elf_strptr(image.elf, header.sh_link, symbol.st_name)) {
          symbols.push_back({symbol.st_value, symbol.st_size, name});
        }
      }
    }
  }

  /// The sorted table of functions that unwinding needs survives stripping.
  void read_function_starts() {
    GElf_Shdr header;
    Elf_Scn* s = main.section(".eh_frame_hdr", header);
    Elf_Data* data = s == nullptr ? nullptr : elf_rawdata(s, nullptr);
    if (data == nullptr || data->d_size < 12) return;
    const auto* p = static_cast<const unsigned char*>(data->d_buf);
    constexpr unsigned char kSigned4 = 0x0B, kUnsigned4 = 0x03, kRelativeToTable = 0x30;
    if (p[0] != 1 || (p[2] & 0x0F) != kUnsigned4 || p[3] != (kRelativeToTable | kSigned4)) return;
    std::uint32_t count = 0;
    std::memcpy(&count, p + 8, sizeof count);
    for (std::size_t at = 12; count > 0 && at + 8 <= data->d_size; at += 8, --count) {
      std::int32_t offset = 0;
      std::memcpy(&offset, p + at, sizeof offset);
      function_starts.push_back(header.sh_addr + static_cast<std::uint64_t>(std::int64_t{offset}));
    }
  }

  void index_units(Dwarf* dwarf) {
    Dwarf_Off offset = 0, next = 0;
    std::size_t header_bytes = 0;
    while (dwarf_nextcu(dwarf, offset, &next, &header_bytes, nullptr, nullptr, nullptr) == 0) {
      Dwarf_Die unit;
      if (dwarf_offdie(dwarf, offset + header_bytes, &unit) != nullptr) add_ranges(&unit, units);
      offset = next;
    }
    sort_ranges(units);
  }

  const std::vector<DieRange>& functions_of(Dwarf_Die* unit) {
    const auto [at, fresh] = functions_by_unit.try_emplace(dwarf_dieoffset(unit));
    if (fresh) {
      collect_functions(unit, at->second);
      sort_ranges(at->second);
    }
    return at->second;
  }

  Dwarf* dwarf() { return debug.dwarf != nullptr ? debug.dwarf : main.dwarf; }

  void read_symbols() {
    if (symbols_read) return;
    symbols_read = true;
    open_debug_file();
    read_symbols_of(debug, SHT_SYMTAB);
    if (symbols.empty()) read_symbols_of(main, SHT_SYMTAB);
    if (symbols.empty()) read_symbols_of(main, SHT_DYNSYM);
    // Of several names at one address the shortest is the one without decorations.
    std::sort(symbols.begin(), symbols.end(), [](const Symbol& a, const Symbol& b) {
      if (a.address != b.address) return a.address < b.address;
      if ((a.size != 0) != (b.size != 0)) return a.size != 0;
      return a.name.size() != b.name.size() ? a.name.size() < b.name.size() : a.name < b.name;
    });
    symbols.erase(
        std::unique(symbols.begin(), symbols.end(),
                    [](const Symbol& a, const Symbol& b) { return a.address == b.address; }),
        symbols.end());
    read_function_starts();
    debug.open_dwarf();
    if (debug.dwarf == nullptr) main.open_dwarf();
    if (dwarf() != nullptr) index_units(dwarf());
  }

  [[nodiscard]] const Symbol* symbol_at(std::uint64_t address) const {
    auto after = std::upper_bound(symbols.begin(), symbols.end(), address,
                                  [](std::uint64_t a, const Symbol& s) { return a < s.address; });
    if (after == symbols.begin()) return nullptr;
    const Symbol& s = *(after - 1);
    const bool inside = s.size != 0 ? address < s.address + s.size
                                    : after == symbols.end() || address < after->address;
    return inside ? &s : nullptr;
  }

  std::string fallback_name(std::uint64_t address) const {
    std::uint64_t start = address;
    auto after = std::upper_bound(function_starts.begin(), function_starts.end(), address);
    if (after != function_starts.begin()) start = *(after - 1);
    char text[32];
    std::snprintf(text, sizeof text, "+0x%llx]", static_cast<unsigned long long>(start));
    return "[" + path.substr(path.rfind('/') + 1) + text;
  }

  static std::string die_name(Dwarf_Die* die) {
    Dwarf_Attribute attribute;
    for (const unsigned name : {unsigned{DW_AT_linkage_name}, unsigned{DW_AT_MIPS_linkage_name}}) {
      if (dwarf_attr_integrate(die, name, &attribute) == nullptr) continue;
      if (const char* text = dwarf_formstring(&attribute)) return demangle(text);
    }
    if (dwarf_attr_integrate(die, DW_AT_name, &attribute) != nullptr) {
      if (const char* text = dwarf_formstring(&attribute)) return text;
    }
    return "?";
  }

  static std::uint32_t number_of(Dwarf_Die* die, unsigned attribute_name) {
    Dwarf_Attribute attribute;
    Dwarf_Word value = 0;
    if (dwarf_attr(die, attribute_name, &attribute) == nullptr ||
        dwarf_formudata(&attribute, &value) != 0)
      return 0;
    return static_cast<std::uint32_t>(value);
  }

  /// Inlined calls and the source line, from DWARF; empty without it.
  std::vector<SymbolFrame> dwarf_frames(std::uint64_t address) {
    std::vector<SymbolFrame> result;
    const DieRange* range = range_at(units, address);
    Dwarf_Die unit;
    if (range == nullptr || dwarf_offdie(dwarf(), range->die, &unit) == nullptr) return result;
    SymbolFrame current;
    if (Dwarf_Line* line = dwarf_getsrc_die(&unit, address)) {
      int number = 0;
      dwarf_lineno(line, &number);
      current.line = static_cast<std::uint32_t>(std::max(0, number));
      if (const char* file = dwarf_linesrc(line, nullptr, nullptr)) current.file = file;
    }
    const DieRange* function = range_at(functions_of(&unit), address);
    Dwarf_Die scope;
    if (function == nullptr || dwarf_offdie(dwarf(), function->die, &scope) == nullptr) {
      if (!current.file.empty()) result.push_back(current);
      return result;
    }
    // From the function inwards; blocks only lead on.
    std::vector<Dwarf_Die> calls{scope};
    while (inner_scope(&scope, address, scope)) {
      if (dwarf_tag(&scope) == DW_TAG_inlined_subroutine) calls.push_back(scope);
    }
    Dwarf_Files* files = nullptr;
    std::size_t file_count = 0;
    dwarf_getsrcfiles(&unit, &files, &file_count);
    for (std::size_t i = calls.size(); i-- > 0;) {
      current.function = die_name(&calls[i]);
      current.inlined = i > 0;
      result.push_back(current);
      // The next frame stands where this call was written.
      current.line = number_of(&calls[i], DW_AT_call_line);
      const std::uint32_t file = number_of(&calls[i], DW_AT_call_file);
      const char* source =
          file < file_count ? dwarf_filesrc(files, file, nullptr, nullptr) : nullptr;
      if (source != nullptr) current.file = source;
    }
    return result;
  }

  std::vector<SymbolFrame> find_frames(std::uint64_t address) {
    read_symbols();
    std::vector<SymbolFrame> result;
    if (!units.empty()) result = dwarf_frames(address);
    const Symbol* symbol = symbol_at(address);
    if (result.empty()) result.emplace_back();
    SymbolFrame& outer = result.back();
    // The symbol table's name is that of the code that runs (a clone, an alias); DWARF's is the
    // source's.
    if (outer.function.empty() || outer.function == "?") {
      outer.function = symbol != nullptr ? demangle(symbol->name.c_str()) : fallback_name(address);
    }
    return result;
  }
};

ElfModule::ElfModule(std::string path) : state_(std::make_unique<State>()) {
  static const unsigned version = elf_version(EV_CURRENT);
  static_cast<void>(version);
  state_->path = std::move(path);
  state_->main.open(state_->path);
  state_->prepare();
}

ElfModule::ElfModule(std::string name, const void* image, std::size_t bytes)
    : state_(std::make_unique<State>()) {
  static const unsigned version = elf_version(EV_CURRENT);
  static_cast<void>(version);
  state_->path = std::move(name);
  // elfutils promises not to write in this mode.
  state_->main.elf = elf_memory(const_cast<char*>(static_cast<const char*>(image)), bytes);
  state_->prepare();
}

ElfModule::~ElfModule() {
  if (state_->eh_cfi != nullptr) dwarf_cfi_end(state_->eh_cfi);
}

const std::string& ElfModule::path() const {
  return state_->path;
}
const std::string& ElfModule::build_id() const {
  return state_->build_id;
}

std::optional<std::uint64_t> ElfModule::address_of_offset(std::uint64_t offset) const {
  for (const State::Segment& s : state_->segments) {
    if (offset >= s.offset && offset < s.offset + s.bytes) return offset - s.offset + s.address;
  }
  return std::nullopt;
}

const FrameRule& ElfModule::rule(std::uint64_t address) {
  const auto [at, fresh] = state_->rules.try_emplace(address);
  if (fresh) {
    state_->open_cfi();
    if (!state_->fill_rule(state_->eh_cfi, address, at->second)) {
      // .debug_frame, for what was built without .eh_frame.
      state_->read_symbols();
      Dwarf* dwarf = state_->dwarf();
      if (dwarf != nullptr) state_->fill_rule(dwarf_getcfi(dwarf), address, at->second);
    }
  }
  return at->second;
}

const std::vector<Operation>& ElfModule::expression(std::uint32_t index) const {
  return state_->expressions[index];
}

const std::vector<SymbolFrame>& ElfModule::symbolize(std::uint64_t address) {
  const auto [at, fresh] = state_->frames.try_emplace(address);
  if (fresh) at->second = state_->find_frames(address);
  return at->second;
}

}  // namespace neurolens::capture::record_detail
