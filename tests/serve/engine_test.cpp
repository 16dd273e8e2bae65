#include "spanforge/serve/engine.h"

#include <future>

#include <gtest/gtest.h>

#include "spanforge/base/error.h"
#include "spanforge/base/hash.h"
#include "spanforge/base/json.h"
#include "spanforge/model/model.h"
#include "spanforge/model/predictor.h"
#include "spanforge/serve/service.h"

namespace spanforge::serve {
namespace {

const char* const kWords[] = {"ana",    "ben",  "carla", "went", "home",
                              "stayed", "with", "who",   "where"};

Tokenizer make_tokenizer() {
  std::vector<std::string> vocabulary = {"[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"};
  vocabulary.insert(vocabulary.end(), std::begin(kWords), std::end(kWords));
  return Tokenizer::from_vocabulary(vocabulary, {}, "test");
}

QuestionAnsweringModel make_model(uint64_t seed) {
  ModelConfig config;
  config.vocab_size = 20;
  config.hidden_size = 32;
  config.num_hidden_layers = 2;
  config.num_attention_heads = 2;
  config.intermediate_size = 48;
  config.max_position_embeddings = 64;
  config.initializer_range = 0.4;
  return QuestionAnsweringModel::create(config, seed);
}

// A network whose passes take the time that a test sets.
class SlowModel : public Predictor {
 public:
  explicit SlowModel(Milliseconds time) : model_(make_model(11)), time_(time) {}
  const ModelConfig& config() const override { return model_.config(); }
  void predict(const PackedBatch& batch, Workspace& workspace,
               const Tensor& logits) const override {
    std::this_thread::sleep_for(time_);
    windows += batch.window_count();
    if (fails) throw Error(ErrorCode::kNonFinite, {.where = "logits"}, "NaN");
    model_.predict(batch, workspace, logits);
  }
  mutable std::atomic<int> windows = 0;
  mutable std::atomic<bool> fails = false;

 private:
  QuestionAnsweringModel model_;
  Milliseconds time_;
};

std::string long_context(size_t words) {
  std::string text;
  for (size_t i = 0; i < words; ++i)
    text += std::string(kWords[(i * 7 + i / 5) % std::size(kWords)]) + ' ';
  return text;
}

std::shared_ptr<AnswerCall> call_of(std::vector<QuestionContext> questions) {
  auto call = std::make_shared<AnswerCall>();
  call->questions = std::move(questions);
  call->question_places.assign(call->questions.size(), "questions[0].question");
  call->context_places.assign(call->questions.size(), "questions[0].context");
  return call;
}

// An engine, its compute thread and one model.
struct Running {
  explicit Running(Milliseconds time = Milliseconds(0), const Limits& limits = {})
      : engine(limits, metrics, 2) {
    auto network = std::make_unique<const SlowModel>(time);
    slow = network.get();
    model = std::make_shared<const ServedModel>(
        ServedModel{"m", "v", Pipeline(std::move(network), make_tokenizer())});
    compute = std::thread([this] { engine.run_compute(); });
  }
  ~Running() {
    engine.stop();
    compute.join();
  }
  std::future<Outcome> submit(std::shared_ptr<AnswerCall> call, Engine::CallId* id = nullptr) {
    auto promise = std::make_shared<std::promise<Outcome>>();
    const auto given = engine.submit(model, std::move(call), [promise](Outcome outcome) {
      promise->set_value(std::move(outcome));
    });
    if (id != nullptr) *id = given;
    return promise->get_future();
  }
  Metrics metrics;
  Engine engine;
  const SlowModel* slow;
  ModelPtr model;
  std::thread compute;
};

TEST(Engine, AnswersEqualThePipelinesUnderManyCallsAtOnce) {
  Running running;
  std::vector<std::future<Outcome>> outcomes;
  std::vector<std::shared_ptr<AnswerCall>> calls;
  for (size_t i = 0; i < 60; ++i) {
    std::vector<QuestionContext> questions;
    for (size_t q = 0; q <= i % 4; ++q) {
      questions.push_back({"who went", long_context(3 + (i * 37 + q * 11) % 200), ""});
    }
    calls.push_back(call_of(questions));
    outcomes.push_back(running.submit(calls.back()));
  }
  ASSERT_EQ(outcomes.size(), 60u);
  for (size_t i = 0; i < outcomes.size(); ++i) {
    const Outcome outcome = outcomes[i].get();
    ASSERT_FALSE(outcome.refusal) << outcome.refusal->message;
    const auto wanted = running.model->pipeline.answer_each(calls[i]->questions);
    ASSERT_EQ(outcome.results.size(), wanted.size());
    EXPECT_EQ(outcome.work.questions, wanted.size());
    size_t windows = 0;
    for (size_t q = 0; q < wanted.size(); ++q) {
      EXPECT_EQ(outcome.results[q].answers[0].span, wanted[q].answers[0].span);
      EXPECT_NEAR(outcome.results[q].answers[0].score, wanted[q].answers[0].score, 1e-5);
      windows += static_cast<size_t>(wanted[q].windows);
    }
    EXPECT_EQ(outcome.work.windows, windows);
    EXPECT_EQ(outcome.work.tokens,
              running.model->pipeline.count_window_tokens(calls[i]->questions));
  }
}

TEST(Engine, ADeadlineFiresWhileABatchRuns) {
  Running running(Milliseconds(600));
  auto call = call_of({{"who", "ana", ""}});
  call->timeout = Milliseconds(100);
  const auto began = Engine::Clock::now();
  const Outcome outcome = running.submit(call).get();
  ASSERT_TRUE(outcome.refusal);
  EXPECT_EQ(outcome.refusal->status, 504);
  EXPECT_LT(Engine::Clock::now() - began, Milliseconds(300));
}

TEST(Engine, WhatADoneUsesMayGoWithTheEndOfItsCall) {
  Running running(Milliseconds(600));
  auto used = std::make_shared<int>(0);
  const std::weak_ptr<int> seen = used;
  std::promise<void> called;
  auto call = call_of({{"who", "ana", ""}});
  call->timeout = Milliseconds(100);
  running.engine.submit(running.model, call, [used, &called](Outcome) { called.set_value(); });
  const auto cancelled = running.engine.submit(running.model, call_of({{"who", "ana", ""}}),
                                               [used](Outcome) { ADD_FAILURE(); });
  used.reset();
  called.get_future().wait();
  running.engine.cancel(cancelled);
  std::this_thread::sleep_for(Milliseconds(50));
  EXPECT_TRUE(seen.expired());  // though the batch still runs
  auto kept = std::make_shared<int>(0);
  const std::weak_ptr<int> left = kept;
  running.engine.submit(running.model, call_of({{"who", "ana", ""}}),
                        [kept](Outcome) { ADD_FAILURE(); });
  kept.reset();
  running.engine.shut_down();
  EXPECT_TRUE(left.expired());
}

TEST(Engine, ACancelledCallDropsItsOwnWindowsAndIsNotAnswered) {
  Limits limits;
  limits.batch_tokens = 64;
  Running running(Milliseconds(50), limits);
  Engine::CallId id = 0;
  auto gone = running.submit(call_of({{"who went", long_context(1000), ""}}), &id);
  auto stays = running.submit(call_of({{"who", "ana stayed", ""}}));
  std::this_thread::sleep_for(Milliseconds(120));
  running.engine.cancel(id);
  EXPECT_FALSE(stays.get().refusal);
  const auto windows =
      running.model->pipeline.prepare({{"who went", long_context(1000), ""}})->window_count();
  ASSERT_GT(windows, 20u);
  std::this_thread::sleep_for(Milliseconds(150));
  EXPECT_LT(running.slow->windows, 12);
  EXPECT_THROW(gone.get(), std::future_error);  // its callback was dropped uncalled
  EXPECT_NE(running.metrics.text().find("spanforge_cancelled_total 1\n"), std::string::npos);
}

TEST(Engine, AFullQueueSaysHowLongToWait) {
  Limits limits;
  limits.batch_tokens = 64;
  limits.queue_tokens = 4000;
  Running running(Milliseconds(300), limits);
  auto first = running.submit(call_of({{"who", long_context(1300), ""}}));
  std::this_thread::sleep_for(Milliseconds(100));
  EXPECT_EQ(first.wait_for(Milliseconds(0)), std::future_status::timeout);
  const Outcome outcome = running.submit(call_of({{"who", long_context(1000), ""}})).get();
  ASSERT_TRUE(outcome.refusal);
  EXPECT_EQ(outcome.refusal->status, 429);
  ASSERT_FALSE(outcome.refusal->fields.empty());
  EXPECT_EQ(outcome.refusal->fields[0].first, "Retry-After");
  EXPECT_GE(std::stoi(outcome.refusal->fields[0].second), 1);
}

TEST(Engine, RetryAfterIsTheTimeThatTheQueueTakes) {
  Limits limits;
  limits.batch_tokens = 64;
  limits.queue_tokens = 4000;
  Running running(Milliseconds(100), limits);  // 640 tokens a second at most
  EXPECT_FALSE(running.submit(call_of({{"who", long_context(50), ""}})).get().refusal);
  const auto began = Engine::Clock::now();
  auto first = running.submit(call_of({{"who", long_context(1300), ""}}));
  std::this_thread::sleep_for(Milliseconds(150));
  const Outcome full = running.submit(call_of({{"who", long_context(1300), ""}})).get();
  ASSERT_TRUE(full.refusal);
  const double said = std::stod(full.refusal->fields.at(0).second);
  EXPECT_FALSE(first.get().refusal);
  const double took = std::chrono::duration<double>(Engine::Clock::now() - began).count();
  EXPECT_GE(took, 2);
  EXPECT_NEAR(said, took, 1 + 0.5 * took);
}

TEST(Engine, TextsOfAllCallsTogetherAreBounded) {
  Limits limits;
  limits.held_texts_bytes = 700;
  Running running(Milliseconds(300), limits);
  auto first = running.submit(call_of({{"who", long_context(100), ""}}));
  const Outcome second = running.submit(call_of({{"who", long_context(100), ""}})).get();
  ASSERT_TRUE(second.refusal);
  EXPECT_EQ(second.refusal->status, 429);
  EXPECT_EQ(second.refusal->error_type, "texts");
  EXPECT_FALSE(first.get().refusal);
  EXPECT_FALSE(running.submit(call_of({{"who", long_context(100), ""}})).get().refusal);
}

TEST(Engine, AFaultOfTheModelIsNoFaultOfTheServer) {
  Running running;
  running.slow->fails = true;
  const Outcome outcome = running.submit(call_of({{"who", "ana stayed", ""}})).get();
  ASSERT_TRUE(outcome.refusal);
  EXPECT_EQ(outcome.refusal->status, 500);
  running.slow->fails = false;
  EXPECT_FALSE(running.submit(call_of({{"who", "ana stayed", ""}})).get().refusal);
}

TEST(Engine, WhatCannotBeAskedIsRefusedWithItsPlace) {
  Limits limits;
  limits.request_tokens = 1000;
  Running running(Milliseconds(0), limits);
  const Outcome large = running.submit(call_of({{"who", long_context(2000), ""}})).get();
  ASSERT_TRUE(large.refusal);
  EXPECT_EQ(large.refusal->status, 413);
  EXPECT_NE(large.refusal->message.find("1000 are allowed"), std::string::npos);
  const Outcome question = running.submit(call_of({{long_context(80), "ana", ""}})).get();
  ASSERT_TRUE(question.refusal);
  EXPECT_EQ(question.refusal->status, 422);
  EXPECT_EQ(question.refusal->place, "questions[0].question");
  auto call = call_of({{"who", "ana", ""}});
  call->options.max_seq_length = 1000;
  const Outcome window = running.submit(call).get();
  ASSERT_TRUE(window.refusal);
  EXPECT_EQ(window.refusal->status, 422);
  EXPECT_EQ(window.refusal->place, "max_seq_length");
}

TEST(Engine, CountedTokensAreThoseOfTheWindowsMade) {
  const Pipeline pipeline(make_model(11), make_tokenizer());
  size_t several = 0;
  for (const int32_t overlap : {0, 1, 20, 40}) {
    AskOptions options;
    options.window_overlap = overlap;
    for (size_t words = 1; words < 300; words += 13) {
      const std::vector<QuestionContext> questions = {{"who went", long_context(words), ""},
                                                      {"where", long_context(words), ""}};
      const auto prepared = pipeline.prepare(questions, options);
      EXPECT_EQ(pipeline.count_window_tokens(questions, options), prepared->token_count());
      several += prepared->window_count() > 2 ? 1 : 0;
    }
  }
  EXPECT_GT(several, 20u);
}

// A service over that engine.
struct Served : Running {
  explicit Served(Access access = {})
      : models({model}), service(Limits(), std::move(access), models, engine, metrics, "0") {}
  Answered ask(const std::string& method, const std::string& target, const std::string& body = "",
               std::vector<std::pair<std::string, std::string>> fields = {}) {
    Head head{method, target, 1, std::move(fields)};
    head.fields.emplace_back("Host", "localhost");
    if (!body.empty()) head.fields.emplace_back("Content-Type", "application/json");
    const FramingOrRefusal checked = check_head(head, Limits());
    if (checked.refusal) return {refusal_reply(*checked.refusal, "r"), {}};
    if (auto refusal = service.check(head, checked.framing))
      return {refusal_reply(*refusal, "r"), {}};
    auto promise = std::make_shared<std::promise<Answered>>();
    service.handle(head, checked.framing, body, "r",
                   [promise](Answered answered) { promise->set_value(std::move(answered)); });
    return promise->get_future().get();
  }
  Models models;
  Service service;
};

TEST(Service, MetricsNameTheBuildAndTheModels) {
  Served served;
  served.metrics.set_models({{"a\"b", "3f9a1c07"}});
  const std::string text = served.ask("GET", "/metrics").reply.body;
  EXPECT_NE(text.find("spanforge_build_info{version=\"0\"} 1\n"), std::string::npos) << text;
  EXPECT_NE(text.find("spanforge_model_info{model=\"a\\\"b\",version=\"3f9a1c07\"} 1\n"),
            std::string::npos);
}

TEST(Service, RoutesAnswer) {
  Served served;
  const std::string ours =
      R"({"questions": [{"question": "who went", "context": "ana went home"}]})";
  const std::string theirs = R"({"inputs": {"question": "who went", "context": "ana went home"}})";
  const auto wanted = served.model->pipeline.answer({{"who went", "ana went home", ""}})[0][0];
  EXPECT_NE(served.ask("POST", "/v1/answer", ours)
                .reply.body.find("\"answer\":\"" + wanted.answer + "\""),
            std::string::npos);
  for (const char* path : {"/", "/predict", "/invocations", "/models/m", "/?a=b"}) {
    const Reply reply = served.ask("POST", path, theirs).reply;
    EXPECT_EQ(reply.status, 200) << path << reply.body;
    EXPECT_NE(reply.body.find("\"answer\":\"" + wanted.answer + "\""), std::string::npos);
  }
  for (const char* path :
       {"/", "/v1/models", "/v1/models/m", "/metrics", "/openapi.json", "/health", "/health/live",
        "/health/ready", "/ping", "/v2/health/live", "/v2/health/ready"}) {
    EXPECT_EQ(served.ask("GET", path).reply.status, 200) << path;
    EXPECT_EQ(served.ask("HEAD", path).reply.status, 200) << path;
  }
  EXPECT_EQ(served.ask("GET", "/metrics").reply.content_type,
            "text/plain; version=0.0.4; charset=utf-8");
}

TEST(Service, StatusesSayWhatIsWrong) {
  Served served;
  EXPECT_EQ(served.ask("GET", "/nowhere").reply.status, 404);
  EXPECT_EQ(served.ask("GET", "/v1/models/x").reply.status, 404);
  EXPECT_EQ(served.ask("POST", "/models/x", R"({"inputs": {"question": "who", "context": "ana"}})")
                .reply.status,
            404);
  for (const char* method : {"GET", "PUT", "QUERY", "DELETE", "OPTIONS", "TRACE"}) {
    const Reply reply = served.ask(method, "/v1/answer").reply;
    EXPECT_EQ(reply.status, 405) << method;
    EXPECT_EQ(reply.fields.at(0), (std::pair<std::string, std::string>("Allow", "POST")));
  }
  EXPECT_EQ(served.ask("PUT", "/").reply.fields.at(0).second, "POST, GET, HEAD");
  EXPECT_EQ(served.ask("POST", "/v1/answer").reply.status, 415);
  EXPECT_EQ(served.ask("POST", "/v1/answer", "{").reply.status, 400);
  EXPECT_EQ(
      served.ask("POST", "/v1/answer", "{}", {{"Origin", "http://evil.example"}}).reply.status,
      403);
  const Json error =
      parse_json(served.ask("POST", "/v1/answer", "{").reply.body, "reply", ErrorCode::kInternal);
  for (const char* key : {"error", "error_type", "place", "request_id"})
    EXPECT_TRUE(error.at(key).is_string()) << key;
  served.service.begin_draining();
  EXPECT_EQ(served.ask("GET", "/health/ready").reply.status, 503);
  EXPECT_EQ(served.ask("GET", "/health/live").reply.status, 200);
}

TEST(Service, ATokenIsAskedForWhereWorkIsDone) {
  Access access;
  access.token_sha256 = sha256_hex("secret");
  Served served(access);
  for (const char* path : {"/metrics", "/v1/models", "/nowhere", "/openapi.json"}) {
    EXPECT_EQ(served.ask("GET", path).reply.status, 401) << path;
  }
  EXPECT_EQ(served.ask("POST", "/v1/answer", "{}").reply.status, 401);
  EXPECT_EQ(served.ask("GET", "/health/ready").reply.status, 200);
  EXPECT_EQ(served.ask("GET", "/metrics", "", {{"Authorization", "Bearer secret"}}).reply.status,
            200);
}

TEST(Service, ItsDescriptionHasEveryRoute) {
  const Json document = parse_json(openapi_json(Limits(), "1"), "openapi", ErrorCode::kInternal);
  ASSERT_FALSE(routes().empty());
  for (const Route& route : routes()) {
    EXPECT_TRUE(document["paths"][route.path].contains(route.method == "GET" ? "get" : "post"))
        << route.path;
  }
}

TEST(Service, AReplacedModelAnswersFromThenOn) {
  Served served;
  const ModelPtr old = served.models.find("");
  served.models.replace(std::make_shared<const ServedModel>(
      ServedModel{"m", "v2", Pipeline(make_model(12), make_tokenizer())}));
  EXPECT_EQ(old->version, "v");
  const std::string body =
      served
          .ask("POST", "/v1/answer",
               R"({"questions": [{"question": "who", "context": "ana went"}]})")
          .reply.body;
  EXPECT_NE(body.find("\"model_version\":\"v2\""), std::string::npos) << body;
}

}  // namespace
}  // namespace spanforge::serve
