#include "lexicon.h"

namespace spanforge::sample {
namespace {

std::vector<FactKind> english_kinds() {
  return {
      {"ptdla",
       {"{p} was {a} {d} {l} {t}.", "{d^} {l}, {p} was {a} {t}.", "{t^}, {p} was {a} {d} {l}.",
        "{p} spent some time {a} {d} {l} {t}."},
       {{"Who was {a} {d} {l}?", 'p'},
        {"Who was {a} {d} {l} {t}?", 'p'},
        {"Where was {p} {a}?", 'l'},
        {"Where was {p} {a} {t}?", 'l'},
        {"What was {p} doing {d} {l}?", 'a'},
        {"What was {p} doing {d} {l} {t}?", 'a'},
        {"When was {p} {a}?", 't'},
        {"When was {p} {a} {d} {l}?", 't'}}},
      {"pmr",
       {"{p} felt {m} because {r}.", "Because {r}, {p} felt {m}.", "{p} was {m}: {r}.",
        "As {r}, {p} seemed {m}."},
       {{"Why did {p} feel {m}?", 'r'},
        {"Why was {p} {m}?", 'r'},
        {"How did {p} feel?", 'm'},
        {"Who felt {m} because {r}?", 'p'}}},
      {"pnos",
       {"{p} bought {n} {o} at {s}.", "At {s}, {p} picked out {n} {o}.",
        "{p} came back from {s} with {n} {o}."},
       {{"How many {o} did {p} buy?", 'n'},
        {"How many {o} did {p} get at {s}?", 'n'},
        {"What did {p} buy at {s}?", 'o'},
        {"Who bought {o} at {s}?", 'p'},
        {"Where did {p} buy {o}?", 's'}}},
      {"pqx",
       {"{p} gave {q} {x}.", "{q^} received {x} from {p}.", "{p} sent {x} to {q}."},
       {{"Who got {x} from {p}?", 'q'},
        {"To whom did {p} give {x}?", 'q'},
        {"Who gave {x} to {q}?", 'p'},
        {"What did {p} give to {q}?", 'x'}}},
      {"pjk",
       {"{p} is a {j} who is good at {k}.", "{p} works as a {j} and enjoys {k}.",
        "Besides being a {j}, {p} loves {k}."},
       {{"What is the job of {p}?", 'j'},
        {"What does {p} work as?", 'j'},
        {"What does {p} like doing?", 'k'},
        {"Who works as a {j}?", 'p'},
        {"Which person likes {k}?", 'p'}}},
      {"pfc",
       {"{p} paid {c} for {f}.", "{f^} cost {p} {c}.", "For {f}, {p} spent {c}."},
       {{"How much did {p} pay for {f}?", 'c'},
        {"How much did {f} cost {p}?", 'c'},
        {"What did {p} pay {c} for?", 'f'},
        {"Who paid {c} for {f}?", 'p'}}},
      {"pvy",
       {"{p} went to {y} by {v}.", "By {v}, {p} travelled to {y}.", "{p} took a {v} to {y}."},
       {{"Which city did {p} visit?", 'y'},
        {"Where did {p} go?", 'y'},
        {"How did {p} get to {y}?", 'v'},
        {"What did {p} take to {y}?", 'v'},
        {"Who went to {y}?", 'p'}}},
      {"phg",
       {"{p} is {g} years old and lives on {h}.", "{p}, who lives on {h}, is {g} years old.",
        "On {h} lives {p}, now {g} years old."},
       {{"Where does {p} live?", 'h'},
        {"On which street does {p} live?", 'h'},
        {"How old is {p}?", 'g'},
        {"Who lives on {h}?", 'p'}}},
  };
}

Lexicon make_english_lexicon() {
  Lexicon words;
  words.code = "en";
  words.sentence_gap = " ";
  words.name_gap = " ";
  words.first_names = {"Anna",   "Ben",    "Clara",  "David",  "Ella",  "Frank",  "Grace",
                       "Henry",  "Irene",  "Jack",   "Kate",   "Leo",   "Maria",  "Nora",
                       "Oscar",  "Paula",  "Quinn",  "Rosa",   "Simon", "Tara",   "Victor",
                       "Wendy",  "Yusuf",  "Zoe",    "Amir",   "Bella", "Carlos", "Diana",
                       "Emil",   "Fiona",  "Gustav", "Helen",  "Ivan",  "Julia",  "Karim",
                       "Lucy",   "Martin", "Nina",   "Olga",   "Peter", "Ruth",   "Samuel",
                       "Thomas", "Ursula", "Vera",   "Walter", "Hugo",  "Sophie"};
  words.last_names = {"Adler",   "Baker",   "Carter", "Dawson", "Evans",  "Fisher",  "Garcia",
                      "Hughes",  "Ibsen",   "Jensen", "Keller", "Lopez",  "Meyer",   "Nolan",
                      "Ortega",  "Parker",  "Quist",  "Rossi",  "Silva",  "Turner",  "Ueda",
                      "Vogel",   "Walsh",   "Young",  "Zeman",  "Archer", "Brandt",  "Collins",
                      "Duarte",  "Eriksen", "Foster", "Grant",  "Harper", "Ivanova", "Jordan",
                      "Kovacs",  "Lambert", "Moreau", "Novak",  "Olsen",  "Porter",  "Reyes",
                      "Schmidt", "Tanaka",  "Weber",  "Wright", "Stone",  "Hill"};
  words.receivers = {"a neighbor",        "the twins",     "an uncle",    "a cousin",
                     "the landlord",      "an old friend", "a classmate", "the coach",
                     "a niece",           "the caretaker", "a roommate",  "an aunt",
                     "the new colleague", "a grandmother", "the mayor",   "a nephew"};
  words.times = {"at dawn",        "in the morning",   "at noon",          "in the afternoon",
                 "in the evening", "at midnight",      "on Monday",        "on Tuesday",
                 "on Wednesday",   "on Thursday",      "on Friday",        "on Saturday",
                 "on Sunday",      "last week",        "yesterday",        "after school",
                 "after work",     "before breakfast", "during the storm", "in spring",
                 "in summer",      "in autumn",        "in winter",        "in March",
                 "in June",        "in October"};
  words.places = {{"the river", "by"},        {"the park", "in"},      {"the library", "in"},
                  {"the kitchen", "in"},      {"the yard", "in"},      {"the beach", "on"},
                  {"the balcony", "on"},      {"the station", "at"},   {"the market square", "in"},
                  {"the harbor", "at"},       {"the tea house", "at"}, {"the garden", "in"},
                  {"the lake", "by"},         {"the bridge", "on"},    {"the orchard", "in"},
                  {"the forest", "in"},       {"the museum", "at"},    {"the gym", "at"},
                  {"the studio", "in"},       {"the rooftop", "on"},   {"the old mill", "behind"},
                  {"the classroom", "in"},    {"the barn", "behind"},  {"the church", "near"},
                  {"the lighthouse", "near"}, {"the stadium", "at"},   {"the cabin", "in"},
                  {"the meadow", "in"},       {"the workshop", "in"},  {"the castle", "near"}};
  words.actions = {"fishing",          "painting",         "reading a novel", "running",
                   "singing",          "dancing",          "cooking soup",    "planting roses",
                   "playing chess",    "writing letters",  "taking photos",   "flying a kite",
                   "practicing piano", "drinking tea",     "walking a dog",   "playing football",
                   "fixing a bicycle", "learning French",  "feeding pigeons", "listening to music",
                   "baking bread",     "doing homework",   "watching birds",  "collecting shells",
                   "telling stories",  "knitting a scarf", "picking berries", "sketching trees",
                   "repairing a boat", "counting stars",   "building a fire", "washing windows"};
  words.good.moods = {"happy",   "excited",  "proud",   "touched", "calm",
                      "hopeful", "cheerful", "curious", "relieved"};
  words.bad.moods = {"sad",    "nervous", "disappointed", "angry", "scared",
                     "gloomy", "tired",   "restless",     "lonely"};
  words.good.reasons = {"a letter came from far away", "the exam went well",
                        "a long trip was near",        "the first concert was close",
                        "the lost cat came home",      "an old album turned up",
                        "the team won a medal",        "the tomatoes were ripe",
                        "the teacher said thanks",     "the sea was warm",
                        "the fever was gone",          "the drawing won a prize",
                        "some guests arrived early",   "the book was in stock",
                        "the radio worked again",      "the poem was printed",
                        "the wallet was found"};
  words.bad.reasons = {
      "the new umbrella was lost",    "the match ended badly",    "a close friend moved away",
      "the cake was burnt",           "the flight was cancelled", "the phone fell and broke",
      "the bus never came",           "the last train had left",  "the rain would not stop",
      "strange noises came at night", "nobody kept the promise",  "the old tree was cut down",
      "the shop closed for good"};
  words.counts = {"two",  "three", "four",   "five",   "six",     "seven",  "eight",
                  "nine", "ten",   "eleven", "twelve", "fifteen", "twenty", "thirty"};
  words.things = {{"apples", ""},    {"oranges", ""}, {"pencils", ""}, {"brushes", ""},
                  {"novels", ""},    {"maps", ""},    {"towels", ""},  {"umbrellas", ""},
                  {"chairs", ""},    {"cups", ""},    {"shirts", ""},  {"sweaters", ""},
                  {"muffins", ""},   {"records", ""}, {"grapes", ""},  {"cookies", ""},
                  {"boots", ""},     {"baskets", ""}, {"lamps", ""},   {"marbles", ""},
                  {"notebooks", ""}, {"onions", ""},  {"plates", ""},  {"carrots", ""}};
  words.gifts = {"a rose",  "a lily",     "a vase",      "a scarf",       "a stamp album",
                 "a bell",  "a lantern",  "a paint box", "a puzzle",      "a flute",
                 "a mask",  "a card",     "a brooch",    "a ring",        "a frame",
                 "a watch", "a bracelet", "a clay jar",  "a ribbon",      "a candle",
                 "a diary", "a compass",  "a music box", "a wooden horse"};
  words.fees = {"the rent",    "the haircut",    "the taxi ride",  "the concert ticket",
                "the lessons", "the repairs",    "the fine",       "the hotel room",
                "the parking", "the phone bill", "the water bill", "the entrance fee",
                "the visa",    "the delivery",   "the membership", "the power bill"};
  words.shops = {"the supermarket",  "the bookshop",     "the street market", "the flower shop",
                 "the mall",         "the fruit stand",  "the antique shop",  "the bakery",
                 "the corner store", "the night market", "the post office",   "the craft shop",
                 "the flea market",  "the gift shop",    "the toy store",     "the village fair"};
  words.costs = {
      "two dollars",    "five dollars",        "eight dollars",         "ten dollars",
      "twelve dollars", "fifteen dollars",     "twenty dollars",        "thirty dollars",
      "forty dollars",  "fifty dollars",       "sixty dollars",         "seventy dollars",
      "ninety dollars", "one hundred dollars", "three hundred dollars", "nine dollars"};
  words.jobs = {"doctor",    "teacher", "driver",  "cook",      "painter",  "reporter",
                "carpenter", "nurse",   "lawyer",  "postman",   "singer",   "farmer",
                "sailor",    "guide",   "tailor",  "dentist",   "pilot",    "baker",
                "judge",     "barber",  "plumber", "librarian", "gardener", "waiter"};
  words.skills = {"swimming",      "calligraphy",     "juggling",     "playing guitar",
                  "wood carving",  "climbing",        "table tennis", "sewing",
                  "horse riding",  "ice skating",     "magic tricks", "archery",
                  "diving",        "origami",         "cycling",      "drumming",
                  "pottery",       "public speaking", "gymnastics",   "photography",
                  "sailing boats", "card games",      "wrestling",    "beekeeping"};
  words.vehicles = {"train", "plane", "ship", "bus",   "taxi",
                    "ferry", "tram",  "van",  "coach", "motorbike"};
  words.destinations = {"Lisbon",  "Vienna",  "Prague",  "Dublin", "Oslo",   "Athens",
                        "Warsaw",  "Seville", "Geneva",  "Naples", "Bergen", "Krakow",
                        "Tallinn", "Porto",   "Bristol", "Lyon"};
  words.ages = {"sixteen",     "eighteen",      "nineteen",     "twenty-one",
                "twenty-four", "twenty-six",    "thirty-three", "thirty-seven",
                "forty-one",   "forty-five",    "fifty-two",    "fifty-eight",
                "sixty-four",  "seventy-three", "eighty-one",   "sixty-six"};
  words.homes = {"Maple Street",  "Oak Lane",     "Station Road",  "Mill Road",
                 "Castle Hill",   "Baker Square", "River Walk",    "Elm Avenue",
                 "Chapel Street", "Garden Row",   "Market Lane",   "Harbor Road",
                 "Tower Street",  "Orchard Way",  "Bridge Street", "Windmill Lane"};
  words.kinds = english_kinds();
  return words;
}

}  // namespace

const Lexicon& english_lexicon() {
  static const Lexicon lexicon = make_english_lexicon();
  return lexicon;
}

}  // namespace spanforge::sample
