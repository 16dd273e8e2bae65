#pragma once
// Scenes: a few people, a few facts about each as sentences, and questions about them.
//
// A scene has a few facts of different kinds, nearly all about one person, so that the kind a
// question asks for decides it. In one scene of fifty, two facts are of one kind, and only names
// and words of the question distinguish them. A question is kept if the scene gives exactly one
// answer; about one in seven asks for a kind that the scene does not have.

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "lexicon.h"
#include "spanforge/base/random.h"
#include "spanforge/base/utf8.h"

namespace spanforge::sample {

struct Fact {
  const FactKind* kind = nullptr;
  std::map<Slot, std::string> values;
  std::map<Slot, CharSpan> places;  // of the values in the context, code points
};

struct SceneQuestion {
  std::string text;
  std::string answer;        // "" if the scene does not say
  int32_t answer_start = 0;  // code points
};

struct FactCount {
  size_t least, most;
};

struct Scene {
  std::string context;
  std::vector<SceneQuestion> questions;
};

// Builds one scene from the stream. Equal streams build equal scenes.
Scene make_scene(const Lexicon& words, FactCount count, CounterStream& random);

}  // namespace spanforge::sample
