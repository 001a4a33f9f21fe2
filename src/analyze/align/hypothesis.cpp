#include "align/hypothesis.hpp"

#include <algorithm>

#include "align/key_table.hpp"

namespace neurolens::analyze {
namespace {

Key key_of(const Atom& atom, AtomKey key) {
  switch (key) {
    case AtomKey::exact:
      return atom.exact;
    case AtomKey::type:
      return atom.type;
    case AtomKey::family:
      return atom.family;
  }
  return atom.type;
}

std::vector<std::uint32_t> walk(const PlanView& view, WalkOrder order) {
  std::vector<std::uint32_t> atoms;
  atoms.reserve(view.atoms.size());
  const auto take = [&](std::uint32_t op) {
    for (auto i = view.first_atom[op]; i < view.first_atom[op + 1]; ++i) atoms.push_back(i);
  };
  if (order == WalkOrder::dataflow) {
    for (const auto op : view.order) take(op);
  } else {
    for (std::uint32_t op = 0; op < view.ops(); ++op) take(op);
  }
  return atoms;
}

}  // namespace

Pairing::Pairing(const PlanView& a, const PlanView& b)
    : a_(a), b_(b), to_b_(a.atoms.size(), kNone), to_a_(b.atoms.size(), kNone) {}

void Pairing::match(std::uint32_t i, std::uint32_t j) {
  to_b_[i] = j;
  to_a_[j] = i;
}

void Pairing::by_names() {
  by_unique_key(&Atom::name);
  by_unique_key(&Atom::output);
}

void Pairing::by_unique_key(Key Atom::*key) {
  struct Seen {
    std::uint32_t a = kNone;
    std::uint32_t b = kNone;
    bool twice = false;
  };
  KeyTable<Seen> seen(a_.atoms.size());
  const auto note = [&](std::uint32_t& place, Seen& s, std::uint32_t i) {
    s.twice = s.twice || place != kNone;
    place = i;
  };
  for (std::uint32_t i = 0; i < a_.atoms.size(); ++i) {
    if (a_.atoms[i].*key == 0) continue;
    Seen& s = seen[a_.atoms[i].*key];
    note(s.a, s, i);
  }
  for (std::uint32_t j = 0; j < b_.atoms.size(); ++j) {
    if (b_.atoms[j].*key == 0) continue;
    Seen* found = seen.find(b_.atoms[j].*key);
    if (found != nullptr) note(found->b, *found, j);
  }
  for (std::uint32_t i = 0; i < a_.atoms.size(); ++i) {
    if (a_.atoms[i].*key == 0 || to_b_[i] != kNone) continue;
    const Seen& s = seen[a_.atoms[i].*key];
    if (!s.twice && s.b != kNone && to_a_[s.b] == kNone) match(i, s.b);
  }
}

void Pairing::by_order(WalkOrder order, AtomKey key) {
  const auto walk_a = walk(a_, order);
  const auto walk_b = walk(b_, order);
  std::vector<std::uint32_t> place_b(b_.atoms.size());
  for (std::uint32_t p = 0; p < walk_b.size(); ++p) place_b[walk_b[p]] = p;
  std::vector<Pair> paired;
  for (std::uint32_t p = 0; p < walk_a.size(); ++p) {
    if (to_b_[walk_a[p]] != kNone) paired.emplace_back(p, place_b[to_b_[walk_a[p]]]);
  }
  auto chain = longest_chain(paired);
  chain.emplace_back(static_cast<std::uint32_t>(walk_a.size()),
                     static_cast<std::uint32_t>(walk_b.size()));
  std::vector<std::uint32_t> free_a;
  std::vector<std::uint32_t> free_b;
  std::vector<Key> keys_a;
  std::vector<Key> keys_b;
  std::uint32_t p = 0;
  std::uint32_t q = 0;
  for (const auto& [end_p, end_q] : chain) {
    free_a.clear();
    free_b.clear();
    keys_a.clear();
    keys_b.clear();
    for (; p < end_p; ++p) {
      if (to_b_[walk_a[p]] == kNone) {
        free_a.push_back(walk_a[p]);
        keys_a.push_back(key_of(a_.atoms[walk_a[p]], key));
      }
    }
    for (; q < end_q; ++q) {
      if (to_a_[walk_b[q]] == kNone) {
        free_b.push_back(walk_b[q]);
        keys_b.push_back(key_of(b_.atoms[walk_b[q]], key));
      }
    }
    if (!free_a.empty() && !free_b.empty()) {
      for (const auto& [i, j] : common_subsequence(keys_a, keys_b)) match(free_a[i], free_b[j]);
    }
    p = end_p + 1;
    q = end_q + 1;
  }
}

bool Pairing::op_free(const PlanView& view, const std::vector<std::uint32_t>& partner,
                      std::uint32_t op) const {
  for (auto i = view.first_atom[op]; i < view.first_atom[op + 1]; ++i) {
    if (partner[i] != kNone) return false;
  }
  return true;
}

/// Looks at the unpaired neighbours of `op` and of its partners for one of equal family that only
/// fits one way.
bool Pairing::pair_along(const Lists& lists_a, const Lists& lists_b, std::uint32_t op) {
  bool changed = false;
  for (auto i = a_.first_atom[op]; i < a_.first_atom[op + 1]; ++i) {
    if (to_b_[i] == kNone) continue;
    const std::uint32_t partner = b_.atoms[to_b_[i]].op;
    for (const auto* u = lists_a.first(op); u != lists_a.last(op); ++u) {
      if (!op_free(a_, to_b_, *u)) continue;
      const std::uint32_t atom = a_.first_atom[*u + 1] - 1;
      std::uint32_t fits = kNone;
      int count = 0;
      for (const auto* v = lists_b.first(partner); v != lists_b.last(partner); ++v) {
        const std::uint32_t other = b_.first_atom[*v + 1] - 1;
        if (!op_free(b_, to_a_, *v) || b_.atoms[other].family != a_.atoms[atom].family) continue;
        if (fits == other) continue;
        fits = other;
        ++count;
      }
      if (count == 1) {
        match(atom, fits);
        changed = true;
      }
    }
  }
  return changed;
}

void Pairing::by_neighbours() {
  constexpr int kRounds = 4;
  for (int round = 0; round < kRounds; ++round) {
    bool changed = false;
    for (std::uint32_t op = 0; op < a_.ops(); ++op) {
      changed = pair_along(a_.producers, b_.producers, op) || changed;
      changed = pair_along(a_.consumers, b_.consumers, op) || changed;
    }
    if (!changed) return;
  }
}

std::vector<Pair> Pairing::links() const {
  std::vector<Pair> links;
  for (std::uint32_t i = 0; i < to_b_.size(); ++i) {
    if (to_b_[i] != kNone) links.emplace_back(a_.atoms[i].op, b_.atoms[to_b_[i]].op);
  }
  std::sort(links.begin(), links.end());
  links.erase(std::unique(links.begin(), links.end()), links.end());
  return links;
}

bool Pairing::preserved(std::uint32_t producer, std::uint32_t consumer) const {
  for (auto i = a_.first_atom[consumer]; i < a_.first_atom[consumer + 1]; ++i) {
    if (to_b_[i] == kNone) continue;
    const std::uint32_t reader = b_.atoms[to_b_[i]].op;
    for (auto j = a_.first_atom[producer]; j < a_.first_atom[producer + 1]; ++j) {
      if (to_b_[j] == kNone) continue;
      const std::uint32_t writer = b_.atoms[to_b_[j]].op;
      if (reader == writer) return true;
      if (std::find(b_.producers.first(reader), b_.producers.last(reader), writer) !=
          b_.producers.last(reader))
        return true;
    }
  }
  return false;
}

std::size_t Pairing::score() const {
  std::size_t score = 0;
  for (std::size_t i = 0; i < to_b_.size(); ++i) {
    if (to_b_[i] == kNone) continue;
    const Atom& x = a_.atoms[i];
    const Atom& y = b_.atoms[to_b_[i]];
    score += x.exact == y.exact || x.type == y.type ? 2 : (x.family == y.family ? 1 : 0);
    if (x.exact == y.exact) ++score;
    if (x.output != 0 && x.output == y.output) score += 2;
  }
  for (std::uint32_t op = 0; op < a_.ops(); ++op) {
    for (const auto* p = a_.producers.first(op); p != a_.producers.last(op); ++p) {
      if (preserved(*p, op)) score += 2;
    }
  }
  return score;
}

std::size_t Pairing::bound() const {
  KeyTable<bool> outputs(b_.atoms.size());
  for (const auto& atom : b_.atoms) {
    if (atom.output != 0) outputs[atom.output] = true;
  }
  std::size_t shared = 0;
  for (const auto& atom : a_.atoms) shared += atom.output != 0 && outputs.find(atom.output) ? 1 : 0;
  return 3 * std::min(a_.atoms.size(), b_.atoms.size()) + 2 * shared +
         2 * a_.producers.items.size();
}

}  // namespace neurolens::analyze
