#include "fact_cache.hpp"

#include <algorithm>

namespace neurolens::codebase {
namespace {

// Changes whenever a rule or a figure changes: old caches are then read anew.
constexpr std::size_t kDigest = 64;
constexpr std::size_t kBuffer = std::size_t{1} << 20;
constexpr std::string_view kMagic = "neurolens-facts-2\n";

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
  std::size_t left() const { return rest_.size(); }

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

bool walks_before(std::string_view a, std::string_view b) {
  // A folder's content comes where the folder's name does: '/' sorts before every other byte.
  const auto key = [](char c) { return c == '/' ? 0 : static_cast<unsigned char>(c) + 1; };
  return std::lexicographical_compare(a.begin(), a.end(), b.begin(), b.end(),
                                      [&key](char x, char y) { return key(x) < key(y); });
}

void FactCache::open(const std::string& path, FactsWanted* wanted) {
  path_ = path;
  wanted_ = *wanted;
  if (file_.load(path) != 0) return;
  std::string_view bytes = file_.view();
  if (bytes.size() < kMagic.size() + kDigest || !bytes.starts_with(kMagic)) return;
  const std::string_view body = bytes.substr(kMagic.size(), bytes.size() - kMagic.size() - kDigest);
  if (sha256(body) != bytes.substr(bytes.size() - kDigest)) return;
  In in(body);
  const auto held = in.number<unsigned>();
  if (!in.ok() || (held & bits(wanted_)) != bits(wanted_)) return;
  wanted->functions = wanted_.functions = (held & 1u) != 0;
  wanted->imports = wanted_.imports = (held & 2u) != 0;
  body_ = body;
  copied_ = cursor_ = body.size() - in.left();
  have_entry_ = read_entry();
}

bool FactCache::read_entry() {
  In in(body_.substr(cursor_));
  if (in.empty()) return false;
  entry_.name = in.text();
  entry_.size = in.number<std::uint64_t>();
  entry_.modified = static_cast<std::int64_t>(in.number<std::uint64_t>());
  entry_.inode = in.number<std::uint64_t>();
  entry_.record = in.text();
  if (!in.ok()) return false;
  entry_.bytes = body_.substr(cursor_, body_.size() - cursor_ - in.left());
  cursor_ += entry_.bytes.size();
  return true;
}

std::vector<FactCache::Known> FactCache::match(std::span<const WalkedFile> files) {
  std::vector<Known> known(files.size());
  for (std::size_t i = 0; i < files.size(); ++i) {
    const WalkedFile& file = files[i];
    while (have_entry_ && walks_before(entry_.name, file.path)) have_entry_ = read_entry();
    if (!have_entry_ || entry_.name != file.path) continue;
    if (entry_.size == file.size_bytes && entry_.modified == file.modified_ns &&
        entry_.inode == file.inode) {
      known[i] = {entry_.bytes, entry_.record};
    }
    have_entry_ = read_entry();
  }
  return known;
}

bool FactCache::decode(std::string_view record, FileFacts* facts) {
  In in(record);
  FileFacts made;
  if (!get(&in, &made)) return false;
  *facts = std::move(made);
  return true;
}

Status FactCache::append(std::span<const WalkedFile> files, std::span<const FileFacts> facts,
                         std::span<const Known> known) {
  for (std::size_t i = 0; i < files.size(); ++i) {
    const WalkedFile& file = files[i];
    if (!known[i].entry.empty()) {
      const auto at = static_cast<std::size_t>(known[i].entry.data() - body_.data());
      if (out_ == nullptr && at == copied_) {
        copied_ += known[i].entry.size();
        continue;
      }
      NEUROLENS_TRY(start_writing());
      NEUROLENS_TRY(write(known[i].entry));
      continue;
    }
    if (facts[i].error != 0 || (!facts[i].source && !needs_content(file.path))) continue;
    NEUROLENS_TRY(start_writing());
    Out record, entry;
    put(facts[i], &record);
    entry.text(file.path)
        .number(file.size_bytes)
        .number(static_cast<std::uint64_t>(file.modified_ns))
        .number(file.inode)
        .text(record.bytes);
    NEUROLENS_TRY(write(entry.bytes));
  }
  return {};
}

Status FactCache::start_writing() {
  if (out_ != nullptr) return {};
  NEUROLENS_ASSIGN(out_, system_files().create_atomic(path_));
  NEUROLENS_TRY(out_->write(kMagic));
  if (copied_ > 0) return write(body_.substr(0, copied_));
  Out first;
  first.number(bits(wanted_));
  return write(first.bytes);
}

Status FactCache::write(std::string_view bytes) {
  buffer_ += bytes;
  return buffer_.size() < kBuffer ? Status() : flush();
}

Status FactCache::flush() {
  digest_.update(buffer_);
  Status written = out_->write(buffer_);
  buffer_.clear();
  return written;
}

Status FactCache::finish() {
  if (out_ == nullptr && copied_ == body_.size() && !body_.empty()) return {};
  NEUROLENS_TRY(start_writing());
  NEUROLENS_TRY(flush());
  NEUROLENS_TRY(out_->write(digest_.finish()));
  return out_->commit();
}

}  // namespace neurolens::codebase
