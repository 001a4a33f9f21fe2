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
    : a_(a),
      b_(b),
      sides_{Side{&a, std::vector<std::uint32_t>(a.atoms.size(), kNone)},
             Side{&b, std::vector<std::uint32_t>(b.atoms.size(), kNone)}},
      to_b_(sides_[0].to),
      to_a_(sides_[1].to) {}

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

/// `reader` reads `writer`, or what an op without a partner made of it: optimisers put changes of
/// shape around a fusion.
bool Pairing::reads(const PlanView& view, const std::vector<std::uint32_t>& partner,
                    std::uint32_t reader, std::uint32_t writer) const {
  for (const auto* p = view.producers.first(reader); p != view.producers.last(reader); ++p) {
    if (*p == writer) return true;
    if (!op_free(view, partner, *p)) continue;
    if (std::find(view.producers.first(*p), view.producers.last(*p), writer) !=
        view.producers.last(*p))
      return true;
  }
  return false;
}

bool Pairing::preserved(int side, std::uint32_t producer, std::uint32_t consumer) const {
  const auto& [view, to] = sides_[static_cast<std::size_t>(side)];
  const PlanView& other = *sides_[static_cast<std::size_t>(1 - side)].view;
  for (auto i = view->first_atom[consumer]; i < view->first_atom[consumer + 1]; ++i) {
    if (to[i] == kNone) continue;
    const std::uint32_t reader = other.atoms[to[i]].op;
    for (auto j = view->first_atom[producer]; j < view->first_atom[producer + 1]; ++j) {
      if (to[j] == kNone) continue;
      const std::uint32_t writer = other.atoms[to[j]].op;
      if (reader == writer ||
          reads(other, sides_[static_cast<std::size_t>(1 - side)].to, reader, writer))
        return true;
    }
  }
  return false;
}

std::size_t Pairing::preserved_edges(int side) const {
  const PlanView& view = *sides_[static_cast<std::size_t>(side)].view;
  std::size_t count = 0;
  for (std::uint32_t op = 0; op < view.ops(); ++op) {
    for (const auto* p = view.producers.first(op); p != view.producers.last(op); ++p)
      count += preserved(side, *p, op) ? 1 : 0;
  }
  return count;
}

std::size_t Pairing::pair_score(std::uint32_t i, std::uint32_t j) const {
  if (i == kNone || j == kNone) return 0;
  const Atom& x = a_.atoms[i];
  const Atom& y = b_.atoms[j];
  std::size_t score = x.exact == y.exact || x.type == y.type ? 2 : (x.family == y.family ? 1 : 0);
  if (x.exact == y.exact) ++score;
  if (x.inputs != 0 && x.inputs == y.inputs) ++score;
  if (x.result != 0 && x.result == y.result) ++score;
  if (x.output != 0 && x.output == y.output) score += 2;
  return score;
}

std::size_t Pairing::score() const {
  std::size_t score = 2 * (preserved_edges(0) + preserved_edges(1));
  for (std::uint32_t i = 0; i < to_b_.size(); ++i) score += pair_score(i, to_b_[i]);
  return score;
}

std::size_t Pairing::around(const std::array<std::uint32_t, 4>& atoms) const {
  std::size_t score = 0;
  for (std::size_t k = 0; k < atoms.size(); ++k) {
    const int side = k < 2 ? 0 : 1;
    const PlanView& view = *sides_[static_cast<std::size_t>(side)].view;
    if (atoms[k] == kNone) continue;
    const std::uint32_t op = view.atoms[atoms[k]].op;
    // Two atoms of one op: its edges count once.
    if (k % 2 == 1 && atoms[k - 1] != kNone && view.atoms[atoms[k - 1]].op == op) continue;
    for (const auto* p = view.producers.first(op); p != view.producers.last(op); ++p)
      score += preserved(side, *p, op) ? 2 : 0;
    for (const auto* c = view.consumers.first(op); c != view.consumers.last(op); ++c)
      score += preserved(side, op, *c) ? 2 : 0;
  }
  for (std::size_t k = 0; k < 2; ++k) {
    if (atoms[k] != kNone) score += pair_score(atoms[k], to_b_[atoms[k]]);
  }
  return score;
}

/// A pair that a name vouches for.
bool Pairing::named_alike(int side, std::uint32_t own, std::uint32_t partner) const {
  if (own == kNone || partner == kNone) return false;
  const Atom& x = sides_[static_cast<std::size_t>(side)].view->atoms[own];
  const Atom& y = sides_[static_cast<std::size_t>(1 - side)].view->atoms[partner];
  return (x.output != 0 && x.output == y.output) || (x.name != 0 && x.name == y.name);
}

/// Gives atom `i` of `side` the partner `j`, whose own gets what `i` had; back again when that
/// preserves no more than before.
bool Pairing::exchange(int side, std::uint32_t i, std::uint32_t j) {
  auto& to = sides_[static_cast<std::size_t>(side)].to;
  auto& from = sides_[static_cast<std::size_t>(1 - side)].to;
  const std::uint32_t had = to[i];
  const std::uint32_t other = from[j];
  if (had == j || named_alike(side, i, had) || named_alike(side, other, j)) return false;
  const std::array<std::uint32_t, 4> atoms =
      side == 0 ? std::array{i, other, j, had} : std::array{j, had, i, other};
  const auto set = [&](std::uint32_t own, std::uint32_t partner) {
    if (own != kNone) to[own] = partner;
    if (partner != kNone) from[partner] = own;
  };
  const std::size_t before = around(atoms);
  set(i, j);
  set(other, had);
  if (around(atoms) > before) return true;
  set(i, had);
  set(other, j);
  return false;
}

/// Tries the atoms of `op` on those ops of the other side that the partners of `anchor` reach along
/// `lists`.
bool Pairing::exchange_towards(int side, std::uint32_t op, const Lists& lists,
                               std::uint32_t anchor) {
  constexpr std::ptrdiff_t kMostTried = 16;
  const PlanView& view = *sides_[static_cast<std::size_t>(side)].view;
  const auto& to = sides_[static_cast<std::size_t>(side)].to;
  const PlanView& other = *sides_[static_cast<std::size_t>(1 - side)].view;
  const auto try_on = [&](std::uint32_t candidate) {
    for (auto i = view.first_atom[op]; i < view.first_atom[op + 1]; ++i) {
      for (auto j = other.first_atom[candidate]; j < other.first_atom[candidate + 1]; ++j) {
        if (view.atoms[i].family == other.atoms[j].family && exchange(side, i, j)) return true;
      }
    }
    return false;
  };
  for (auto k = view.first_atom[anchor]; k < view.first_atom[anchor + 1]; ++k) {
    if (to[k] == kNone) continue;
    const std::uint32_t partner = other.atoms[to[k]].op;
    if (try_on(partner)) return true;  // both may have become part of it
    const auto* end = std::min(lists.last(partner), lists.first(partner) + kMostTried);
    for (const auto* c = lists.first(partner); c < end; ++c) {
      if (try_on(*c)) return true;
    }
  }
  return false;
}

bool Pairing::reads_otherwise(int side, std::uint32_t op) const {
  const auto& [view, to] = sides_[static_cast<std::size_t>(side)];
  const PlanView& other = *sides_[static_cast<std::size_t>(1 - side)].view;
  const std::uint32_t i = view->first_atom[op];
  return to[i] != kNone && view->atoms[i].inputs != 0 && other.atoms[to[i]].inputs != 0 &&
         view->atoms[i].inputs != other.atoms[to[i]].inputs;
}

void Pairing::by_exchange() {
  constexpr int kRounds = 4;
  for (int round = 0; round < kRounds; ++round) {
    bool changed = false;
    for (int side = 0; side < 2; ++side) {
      const PlanView& view = *sides_[static_cast<std::size_t>(side)].view;
      const PlanView& other = *sides_[static_cast<std::size_t>(1 - side)].view;
      for (std::uint32_t op = 0; op < view.ops(); ++op) {
        for (const auto* p = view.producers.first(op); p != view.producers.last(op); ++p) {
          if (preserved(side, *p, op)) {
            // Siblings that feed one op, with each other's inputs.
            if (reads_otherwise(side, *p))
              changed = exchange_towards(side, *p, other.producers, op) || changed;
            continue;
          }
          changed = exchange_towards(side, op, other.consumers, *p) ||
                    exchange_towards(side, *p, other.producers, op) || changed;
        }
      }
    }
    if (!changed) return;
  }
}

std::size_t Pairing::bound() const {
  KeyTable<bool> outputs(b_.atoms.size());
  for (const auto& atom : b_.atoms) {
    if (atom.output != 0) outputs[atom.output] = true;
  }
  std::size_t shared = 0;
  for (const auto& atom : a_.atoms) shared += atom.output != 0 && outputs.find(atom.output) ? 1 : 0;
  return 5 * std::min(a_.atoms.size(), b_.atoms.size()) + 2 * shared +
         2 * (a_.producers.items.size() + b_.producers.items.size());
}

}  // namespace neurolens::analyze
