#include "scene.h"

#include <algorithm>
#include <set>

#include "spanforge/base/error.h"

namespace spanforge::sample {
namespace {

constexpr size_t kPeople = 3;
constexpr double kUnanswerableShare = 0.4;  // of scenes, which hold three other questions
constexpr double kMainPersonShare = 0.95;   // of facts: about the person the scene is about
constexpr double kTwinShare = 0.02;         // of scenes: two facts of one kind

template <class T>
const T& pick(const std::vector<T>& from, CounterStream& random) {
  return from[random.next_below(from.size())];
}

template <class T>
void shuffle(std::vector<T>& items, CounterStream& random) {
  for (size_t i = items.size(); i > 1; --i) std::swap(items[i - 1], items[random.next_below(i)]);
}

// Distinct values, in random order.
template <class T>
std::vector<T> sample(std::vector<T> from, size_t count, CounterStream& random) {
  shuffle(from, random);
  from.resize(std::min(count, from.size()));
  return from;
}

// Names of one scene share no part, so that each part of a name identifies its person.
std::vector<std::string> make_names(const Lexicon& words, size_t count, CounterStream& random) {
  const auto first = sample(words.first_names, count, random);
  const auto last = sample(words.last_names, count, random);
  std::vector<std::string> names;
  for (size_t i = 0; i < count; ++i) names.push_back(first[i] + words.name_gap + last[i]);
  return names;
}

// The words of one scene: few of each, so that facts share them.
struct Vocabulary {
  std::vector<std::string> people;
  std::map<Slot, std::vector<std::string>> values;
  std::vector<Pair> places, things;
};

Vocabulary choose_words(const Lexicon& words, CounterStream& random) {
  Vocabulary chosen;
  chosen.people = make_names(words, kPeople, random);
  constexpr size_t kFew = 3;
  const auto few = [&](Slot slot, const std::vector<std::string>& from) {
    chosen.values[slot] = sample(from, kFew, random);
  };
  few('q', words.receivers);
  few('t', words.times);
  few('a', words.actions);
  const Feelings& feelings = random.next_below(2) == 0 ? words.good : words.bad;
  few('m', feelings.moods);
  few('r', feelings.reasons);
  few('n', words.counts);
  few('s', words.shops);
  few('c', words.costs);
  few('j', words.jobs);
  few('k', words.skills);
  few('v', words.vehicles);
  few('y', words.destinations);
  few('g', words.ages);
  few('h', words.homes);
  few('x', words.gifts);
  few('f', words.fees);
  chosen.places = sample(words.places, kFew, random);
  chosen.things = sample(words.things, kFew, random);
  return chosen;
}

Fact make_fact(const FactKind& kind, const Vocabulary& words, CounterStream& random) {
  Fact fact;
  fact.kind = &kind;
  const Pair& place = pick(words.places, random);
  const Pair& thing = pick(words.things, random);
  for (const Slot slot : kind.slots) {
    std::string& value = fact.values[slot];
    switch (slot) {
      case 'p':
        value = random.next_uniform() < kMainPersonShare ? words.people.front()
                                                         : pick(words.people, random);
        break;
      case 'l': value = place.first; break;
      case 'd': value = place.second; break;
      case 'o': value = thing.first; break;
      case 'u': value = thing.second; break;
      default: value = pick(words.values.at(slot), random);
    }
  }
  return fact;
}

// Fills a pattern, and records each slot's place in code points from `base`.
std::string fill(const std::string& pattern, const std::map<Slot, std::string>& values,
                 std::map<Slot, CharSpan>* places = nullptr, int32_t base = 0) {
  std::string out;
  for (size_t i = 0; i < pattern.size(); ++i) {
    if (pattern[i] != '{') {
      out += pattern[i];
      continue;
    }
    const Slot slot = pattern[++i];
    std::string value = values.at(slot);
    if (pattern[i + 1] == '^') {  // begins a sentence
      value[0] = static_cast<char>(value[0] >= 'a' && value[0] <= 'z' ? value[0] - 0x20 : value[0]);
      ++i;
    }
    const auto start = base + static_cast<int32_t>(count_code_points(out));
    out += value;
    if (places != nullptr) {
      (*places)[slot] = {start, base + static_cast<int32_t>(count_code_points(out))};
    }
    ++i;  // the closing brace
  }
  return out;
}

std::set<Slot> slots_of(const std::string& pattern) {
  std::set<Slot> slots;
  for (size_t i = 0; i + 1 < pattern.size(); ++i) {
    if (pattern[i] == '{') slots.insert(pattern[i + 1]);
  }
  return slots;
}

// The facts that agree with all the given values of a question's slots.
std::vector<const Fact*> matching(const std::vector<Fact>& facts, const FactKind* kind,
                                  const std::set<Slot>& slots,
                                  const std::map<Slot, std::string>& values) {
  std::vector<const Fact*> found;
  for (const Fact& fact : facts) {
    if (fact.kind == kind && std::all_of(slots.begin(), slots.end(), [&](Slot slot) {
          return fact.values.at(slot) == values.at(slot);
        })) {
      found.push_back(&fact);
    }
  }
  return found;
}

std::vector<Fact> make_facts(const Lexicon& words, FactCount count, const Vocabulary& chosen,
                             CounterStream& random) {
  std::vector<const FactKind*> kinds;
  for (const FactKind& kind : words.kinds) kinds.push_back(&kind);
  kinds = sample(kinds, count.least + random.next_below(count.most - count.least + 1), random);
  if (random.next_uniform() < kTwinShare) kinds.back() = kinds.front();
  std::vector<Fact> facts;
  for (const FactKind* kind : kinds) {
    Fact fact = make_fact(*kind, chosen, random);
    // Twins are about two people, and differ in more than the person.
    const auto repeats = [&](const Fact& other) {
      if (other.kind != fact.kind) return false;
      bool same_but_person = true;
      for (const auto& [slot, value] : fact.values) {
        same_but_person = same_but_person && (slot == 'p' || other.values.at(slot) == value);
      }
      return same_but_person || other.values.at('p') == fact.values.at('p');
    };
    while (std::any_of(facts.begin(), facts.end(), repeats))
      fact = make_fact(*kind, chosen, random);
    facts.push_back(std::move(fact));
  }
  shuffle(facts, random);
  return facts;
}

// A question about the scene's people that no fact answers: of a kind that the scene does not have,
// and in words that need not occur in it.
SceneQuestion ask_unanswerable(const Lexicon& words, const Vocabulary& chosen,
                               const std::vector<Fact>& facts, CounterStream& random) {
  const auto told = [&](const FactKind& kind) {
    return std::any_of(facts.begin(), facts.end(), [&](const Fact& f) { return f.kind == &kind; });
  };
  const FactKind* kind = &pick(words.kinds, random);
  while (told(*kind)) kind = &pick(words.kinds, random);
  Vocabulary outside = choose_words(words, random);
  outside.people = chosen.people;
  const Fact untold = make_fact(*kind, outside, random);
  return {fill(pick(kind->questions, random).text, untold.values), "", 0};
}

// Where a person is named first: one place for a name that occurs in several sentences.
CharSpan first_mention(const std::vector<Fact>& facts, const std::string& person) {
  for (const Fact& fact : facts) {
    if (fact.values.at('p') == person) return fact.places.at('p');
  }
  throw Error(ErrorCode::kBadData, {.where = "make_sample_data"}, "nobody is called " + person);
}

}  // namespace

Scene make_scene(const Lexicon& words, FactCount count, CounterStream& random) {
  const Vocabulary chosen = choose_words(words, random);
  std::vector<Fact> facts = make_facts(words, count, chosen, random);
  Scene scene;
  for (Fact& fact : facts) {
    if (!scene.context.empty()) scene.context += words.sentence_gap;
    const auto base = static_cast<int32_t>(count_code_points(scene.context));
    scene.context += fill(pick(fact.kind->statements, random), fact.values, &fact.places, base);
  }
  struct Candidate {
    const Fact* fact;
    const QuestionPattern* pattern;
  };
  std::vector<Candidate> candidates;
  for (const Fact& fact : facts) {
    for (const QuestionPattern& pattern : fact.kind->questions) {
      if (matching(facts, fact.kind, slots_of(pattern.text), fact.values).size() == 1) {
        candidates.push_back({&fact, &pattern});
      }
    }
  }
  shuffle(candidates, random);
  const size_t wanted = 3;
  std::set<std::pair<const Fact*, Slot>> asked;
  for (const Candidate& candidate : candidates) {
    if (scene.questions.size() == wanted) break;
    const Slot slot = candidate.pattern->answer;
    if (!asked.insert({candidate.fact, slot}).second) continue;
    CharSpan place = candidate.fact->places.at(slot);
    if (slot == 'p') place = first_mention(facts, candidate.fact->values.at(slot));
    scene.questions.push_back({fill(candidate.pattern->text, candidate.fact->values),
                               slice_code_points(scene.context, place.start, place.end),
                               place.start});
  }
  if (random.next_uniform() < kUnanswerableShare) {
    const size_t at = random.next_below(scene.questions.size() + 1);
    scene.questions.insert(scene.questions.begin() + static_cast<std::ptrdiff_t>(at),
                           ask_unanswerable(words, chosen, facts, random));
  }
  return scene;
}

}  // namespace spanforge::sample
