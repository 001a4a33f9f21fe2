#include "fact_cache.hpp"

#include <algorithm>
#include <cstring>

#include "neurolens/base/file_system.hpp"
#include "neurolens/base/hash.hpp"

namespace neurolens::codebase {
namespace {

// Changes whenever a rule or a figure changes: old caches are then read anew.
constexpr std::string_view kMagic = "neurolens-facts-1\n";

class Out {
 public:
  template <class T>
  Out& number(T value) {
    auto rest = static_cast<std::uint64_t>(value);
    while (rest >= 0x80) {
      bytes.push_back(static_cast<char>(rest | 0x80));
      rest >>= 7;
    }
    bytes.push_back(static_cast<char>(rest));
    return *this;
  }
  Out& text(std::string_view value) {
    number(value.size());
    bytes.append(value);
    return *this;
  }
  std::string bytes;
};

class In {
 public:
  explicit In(std::string_view bytes) : rest_(bytes) {}
  template <class T>
  T number() {
    std::uint64_t value = 0;
    for (unsigned shift = 0; shift < 64; shift += 7) {
      if (rest_.empty()) {
        ok_ = false;
        return T{};
      }
      const auto byte = static_cast<unsigned char>(rest_.front());
      rest_.remove_prefix(1);
      value |= std::uint64_t{byte & 0x7fu} << shift;
      if (byte < 0x80) return static_cast<T>(value);
    }
    ok_ = false;
    return T{};
  }
  std::string_view text() {
    const auto size = number<std::size_t>();
    if (size > rest_.size()) {
      ok_ = false;
      return {};
    }
    const std::string_view out = rest_.substr(0, size);
    rest_.remove_prefix(size);
    return out;
  }
  /// A count that cannot exceed what is left (each item takes a byte at least).
  std::size_t count() {
    const auto n = number<std::size_t>();
    if (n <= rest_.size()) return n;
    ok_ = false;
    return 0;
  }
  bool ok() const { return ok_; }
  bool empty() const { return rest_.empty(); }

 private:
  std::string_view rest_;
  bool ok_ = true;
};

void put(const FileFacts& f, Out* out) {
  out->number(f.source ? 1 : 0);
  if (!f.source) return;
  const Measured& m = f.measured;
  out->text(info(f.language).name)
      .number(static_cast<unsigned>(f.by))
      .number(static_cast<unsigned>(f.kind));
  out->number(m.lines.total)
      .number(m.lines.code)
      .number(m.lines.comment)
      .number(m.lines.blank)
      .number(m.lines.doc);
  out->number(m.doubts).number(static_cast<unsigned>(m.encoding)).number(m.binary ? 1 : 0);
  out->number(m.functions.size());
  for (const FunctionMetrics& fn : m.functions) {
    out->text(fn.name)
        .number(fn.first_line)
        .number(fn.last_line)
        .number(fn.cyclomatic)
        .number(fn.cognitive);
    out->number(fn.nesting).number(fn.parameters);
  }
  out->number(f.imports.size());
  for (const RawImport& import : f.imports) {
    out->number(static_cast<unsigned>(import.form))
        .number(static_cast<unsigned>(import.kind))
        .number(import.line);
    out->number(import.level).text(import.target).number(import.names.size());
    for (const std::string& name : import.names) out->text(name);
  }
  out->text(f.summary).number(f.entry_point ? 1 : 0);
}

bool get(In* in, FileFacts* f) {
  f->source = in->number<unsigned>() != 0;
  if (!f->source) return in->ok();
  const auto language = language_named(in->text());
  if (!language) return false;
  f->language = *language;
  f->by = static_cast<IdentifiedBy>(in->number<unsigned>() & 3u);
  f->kind = static_cast<FileClass>(in->number<unsigned>() & 3u);
  Measured& m = f->measured;
  for (std::uint64_t* n :
       {&m.lines.total, &m.lines.code, &m.lines.comment, &m.lines.blank, &m.lines.doc}) {
    *n = in->number<std::uint64_t>();
  }
  m.doubts = in->number<std::uint16_t>();
  m.encoding = static_cast<Encoding>(std::min(in->number<unsigned>(), 5u));
  m.binary = in->number<unsigned>() != 0;
  m.functions.resize(in->count());
  for (FunctionMetrics& fn : m.functions) {
    fn.name = in->text();
    for (std::uint32_t* n : {&fn.first_line, &fn.last_line, &fn.cyclomatic, &fn.cognitive,
                             &fn.nesting, &fn.parameters}) {
      *n = in->number<std::uint32_t>();
    }
  }
  f->imports.resize(in->count());
  for (RawImport& import : f->imports) {
    import.form = static_cast<ImportForm>(std::min(in->number<unsigned>(), 9u));
    import.kind = static_cast<ImportKind>(std::min(in->number<unsigned>(), 5u));
    import.line = in->number<std::uint32_t>();
    import.level = in->number<std::uint8_t>();
    import.target = in->text();
    import.names.resize(in->count());
    for (std::string& name : import.names) name = in->text();
  }
  f->summary = in->text();
  f->entry_point = in->number<unsigned>() != 0;
  return in->ok() && in->empty();
}

unsigned bits(const FactsWanted& wanted) {
  return (wanted.functions ? 1u : 0u) | (wanted.imports ? 2u : 0u);
}

}  // namespace

void FactCache::load(const std::string& path, const FactsWanted& wanted) {
  auto read = system_files().read(path, Bytes{std::int64_t{4} << 30});
  if (!read.ok()) return;
  bytes_ = std::move(read).value();
  std::string_view body = bytes_;
  constexpr std::size_t kDigest = 64;
  if (body.size() < kMagic.size() + kDigest || !body.starts_with(kMagic)) return;
  const std::string_view digest = body.substr(kMagic.size(), kDigest);
  body.remove_prefix(kMagic.size() + kDigest);
  if (sha256(body) != digest) return;
  In in(body);
  if ((in.number<unsigned>() & bits(wanted)) != bits(wanted)) return;
  while (!in.empty() && in.ok()) {
    const std::string_view name = in.text();
    Slot slot;
    slot.size = in.number<std::uint64_t>();
    slot.modified = static_cast<std::int64_t>(in.number<std::uint64_t>());
    slot.inode = in.number<std::uint64_t>();
    slot.record = in.text();
    if (in.ok()) index_.emplace(name, slot);
  }
}

bool FactCache::take(const WalkedFile& file, FileFacts* facts) const {
  const auto found = index_.find(file.path);
  if (found == index_.end()) return false;
  const Slot& slot = found->second;
  if (slot.size != file.size_bytes || slot.modified != file.modified_ns || slot.inode != file.inode)
    return false;
  In in(slot.record);
  FileFacts made;
  if (!get(&in, &made)) return false;
  *facts = std::move(made);
  return true;
}

Status FactCache::save(const std::string& path, const Walk& walk,
                       const std::vector<FileFacts>& facts, const FactsWanted& wanted) {
  Out out;
  out.number(bits(wanted));
  for (std::size_t i = 0; i < facts.size(); ++i) {
    const WalkedFile& file = walk.files[i];
    if (facts[i].error != 0 || (!facts[i].source && !needs_content(file.path))) continue;
    Out record;
    put(facts[i], &record);
    out.text(file.path)
        .number(file.size_bytes)
        .number(static_cast<std::uint64_t>(file.modified_ns))
        .number(file.inode);
    out.text(record.bytes);
  }
  return system_files().write_atomic(path, std::string(kMagic) + sha256(out.bytes) + out.bytes);
}

}  // namespace neurolens::codebase
