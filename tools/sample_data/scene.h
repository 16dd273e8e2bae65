#pragma once
// Scenes: a few people, a few facts about each, told in sentences, and questions about them.
//
// A scene has three or four facts of two kinds. Facts of one kind share words on purpose (the same
// place, the same action, the same thing), so a question is decided by which person, place and
// action go together, not by any one word of it. A question is kept when the scene answers it in
// one way only; one in about eight asks for what the scene does not say, by exchanging a word of an
// answerable question.

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
  std::string answer;        // "" where the scene does not say
  int32_t answer_start = 0;  // code points
};

struct Scene {
  std::string context;
  std::vector<SceneQuestion> questions;
};

// Builds one scene from the stream; equal streams build equal scenes.
Scene make_scene(const Lexicon& words, CounterStream& random);

}  // namespace spanforge::sample
