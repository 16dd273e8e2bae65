#include "spanforge/serve/service.h"

#include <utility>

#include <fmt/core.h>

#include "spanforge/base/json.h"

namespace spanforge::serve {
namespace {

constexpr std::string_view kPage =
    "<!doctype html>\n<html lang=\"en\"><meta charset=\"utf-8\"><title>spanforge serve</title>\n"
    "<h1>spanforge serve</h1>\n<p>This server answers questions about texts. "
    "Send them by <code>POST /v1/answer</code>. "
    "<a href=\"openapi.json\">openapi.json</a> describes every route.\n</html>\n";

Json model_to_json(const ServedModel& model) {
  return {{"id", model.name}, {"version", model.version}, {"decoder", model.pipeline.decoder()}};
}

Refusal no_such_model(const std::string& name) {
  return {404, "not_found", fmt::format("no model is named \"{}\"", quote_for_message(name)),
          "model"};
}

}  // namespace

Service::Service(const Limits& limits, Access access, Models& models, Engine& engine,
                 Metrics& metrics, std::string program_version)
    : limits_(limits),
      access_(std::move(access)),
      models_(models),
      engine_(engine),
      metrics_(metrics),
      openapi_(openapi_json(limits, program_version)) {
  metrics_.set_build(std::move(program_version));
}

std::optional<Refusal> Service::check(const Head& head, const Framing& framing) const {
  if (auto refusal = check_origin(head, framing, access_)) return refusal;
  const Found found = find_route(head.method, framing.path);
  if (found.label.empty()) {
    if (auto refusal = check_token(head, access_)) return refusal;
    return Refusal{404, "not_found", "there is no such path; /openapi.json lists all paths"};
  }
  if (found.route == nullptr) {
    // A browser asks first whether a page of another origin may send a request (CORS).
    if (head.method == "OPTIONS" && head.find("Origin") != nullptr &&
        head.find("Access-Control-Request-Method") != nullptr) {
      return std::nullopt;
    }
    return Refusal{405, "method", fmt::format("this path allows only {}", found.allow),
                   "",  false,    {{"Allow", found.allow}}};
  }
  if (found.route->needs_token) {
    if (auto refusal = check_token(head, access_)) return refusal;
  }
  if (found.route->method != "POST") return std::nullopt;
  if (draining_) {
    Refusal refusal = Refusal::retry_later(503, "draining", "the server is stopping", 1);
    refusal.close = true;
    return refusal;
  }
  return check_content_type(head);
}

std::vector<std::pair<std::string, std::string>> Service::cors_fields(const Head& head) const {
  const std::string* origin = head.find("Origin");
  if (origin == nullptr) return {};
  for (const std::string& allowed : access_.cors_origins) {
    if (allowed != *origin) continue;
    return {{"Access-Control-Allow-Origin", allowed}, {"Vary", "Origin"}};
  }
  return {};
}

Engine::CallId Service::handle(const Head& head, const Framing& framing, std::string body,
                               const std::string& request_id, Send send) {
  const Found found = find_route(head.method, framing.path);
  if (found.route == nullptr) {  // a browser's question before a request
    Reply reply;
    reply.status = 204;
    reply.fields = {{"Allow", found.allow},
                    {"Access-Control-Allow-Methods", found.allow},
                    {"Access-Control-Allow-Headers", "Authorization, Content-Type"},
                    {"Access-Control-Max-Age", "600"}};
    send({std::move(reply), {}});
    return 0;
  }
  switch (found.route->action) {
    case Action::kAnswer:
      return answer(parse_answer_call(body, limits_), "", request_id, std::move(send));
    case Action::kHuggingFace:
      return answer(parse_hugging_face_call(body, limits_), found.id, request_id, std::move(send));
    default: break;
  }
  send({show(found, request_id), {}});
  return 0;
}

Reply Service::show_models(const Found& found, const std::string& request_id) const {
  Reply reply;
  if (found.route->action == Action::kShowModel) {
    const ModelPtr model = models_.find(found.id);
    if (!model) return refusal_reply(no_such_model(found.id), request_id);
    reply.body = model_to_json(*model).dump();
    return reply;
  }
  Json::Array list;
  for (const ModelPtr& model : models_.all()) list.push_back(model_to_json(*model));
  reply.body = Json{{"models", Json(std::move(list))}}.dump();
  return reply;
}

Reply Service::show(const Found& found, const std::string& request_id) const {
  Reply reply;
  switch (found.route->action) {
    case Action::kListModels:
    case Action::kShowModel: return show_models(found, request_id);
    case Action::kReady:
      if (draining_) {
        return refusal_reply(Refusal::retry_later(503, "draining", "the server is stopping", 1),
                             request_id);
      }
      reply.body = R"({"status":"ready"})";
      return reply;
    case Action::kMetrics:
      reply.content_type = "text/plain; version=0.0.4; charset=utf-8";
      reply.body = metrics_.text();
      return reply;
    case Action::kOpenApi: reply.body = openapi_; return reply;
    case Action::kPage:
      reply.content_type = "text/html; charset=utf-8";
      reply.body = kPage;
      reply.fields = {{"Content-Security-Policy",
                       "default-src 'none'; frame-ancestors 'none'; base-uri 'none'"}};
      return reply;
    default: reply.body = R"({"status":"live"})"; return reply;
  }
}

Engine::CallId Service::answer(CallOrRefusal parsed, const std::string& model_name,
                               std::string request_id, Send send) {
  const auto refuse = [&](const Refusal& refusal) -> Engine::CallId {
    send({refusal_reply(refusal, request_id), {}});
    return 0;
  };
  if (parsed.refusal) return refuse(*parsed.refusal);
  auto call = std::make_shared<AnswerCall>(std::move(parsed.call));
  const std::string& name = model_name.empty() ? call->model : model_name;
  ModelPtr model = models_.find(name);
  if (!model) return refuse(no_such_model(name));
  return engine_.submit(model, call, [=, send = std::move(send)](Outcome outcome) {
    Answered answered;
    answered.work = outcome.work;
    if (outcome.refusal) {
      answered.reply = refusal_reply(*outcome.refusal, request_id);
    } else {
      answered.reply.body = answers_to_json(
          *call, outcome.results,
          {model->name, model->version, std::string(model->pipeline.decoder(call->options))});
    }
    send(std::move(answered));
  });
}

}  // namespace spanforge::serve
