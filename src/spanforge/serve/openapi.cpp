#include <fmt/core.h>

#include "spanforge/base/error.h"
#include "spanforge/base/json.h"
#include "spanforge/serve/routes.h"
#include "spanforge/serve/schema.h"

namespace spanforge::serve {
namespace {

// Components that routes refer to. openapi_json() adds the bounds of Limits.
constexpr std::string_view kSchemas = R"json({
"Text": {"type": "string", "minLength": 1},
"Count": {"type": "integer", "minimum": 1, "maximum": 2147483647},
"Question": {"type": "object", "additionalProperties": false, "required": ["question", "context"],
  "properties": {"id": {"type": "string"}, "question": {"$ref": "#/components/schemas/Text"},
    "context": {"oneOf": [{"$ref": "#/components/schemas/Text"},
      {"type": "integer", "minimum": 0, "maximum": 2147483647}],
      "description": "The text, or its index in contexts"}}},
"AnswerRequest": {"type": "object", "additionalProperties": false, "required": ["questions"],
  "properties": {"model": {"type": "string"}, "top_k": {"$ref": "#/components/schemas/TopK"},
    "timeout_ms": {"$ref": "#/components/schemas/Count"},
    "decoder": {"$ref": "#/components/schemas/Decoder"},
    "offset_unit": {"$ref": "#/components/schemas/OffsetUnit"},
    "max_answer_length": {"$ref": "#/components/schemas/Count"},
    "handle_impossible_answer": {"type": "boolean"}, "align_to_words": {"type": "boolean"},
    "contexts": {"type": "array", "items": {"$ref": "#/components/schemas/Text"}},
    "questions": {"type": "array", "minItems": 1, "items": {"$ref": "#/components/schemas/Question"}}}},
"Span": {"type": "object", "required": ["answer", "start", "end", "score"],
  "properties": {"answer": {"type": "string"}, "start": {"type": "integer"}, "end": {"type": "integer"},
    "score": {"type": "number"}}},
"Answer": {"type": "object", "required": ["id", "no_answer", "windows", "spans"],
  "properties": {"id": {"type": "string"}, "no_answer": {"type": "number"}, "windows": {"type": "integer"},
    "spans": {"type": "array", "items": {"$ref": "#/components/schemas/Span"}}}},
"AnswerReply": {"type": "object", "required": ["model", "model_version", "decoder", "answers"],
  "properties": {"model": {"type": "string"}, "model_version": {"type": "string"},
    "decoder": {"type": "string"},
    "answers": {"type": "array", "items": {"$ref": "#/components/schemas/Answer"}}}},
"Texts": {"oneOf": [{"$ref": "#/components/schemas/Text"},
  {"type": "array", "minItems": 1, "items": {"$ref": "#/components/schemas/Text"}}]},
"Switch": {"type": ["boolean", "null"]},
"CountOrNull": {"type": ["integer", "null"], "minimum": 1, "maximum": 2147483647},
"HuggingFaceParameters": {"type": ["object", "null"], "additionalProperties": false,
  "not": {"required": ["top_k", "topk"]}, "properties": {
  "top_k": {"$ref": "#/components/schemas/TopKOrNull"},
  "topk": {"$ref": "#/components/schemas/TopKOrNull"},
  "doc_stride": {"type": ["integer", "null"], "minimum": 0, "maximum": 2147483647},
  "max_answer_len": {"$ref": "#/components/schemas/CountOrNull"},
  "max_answer_length": {"$ref": "#/components/schemas/CountOrNull"},
  "max_seq_len": {"$ref": "#/components/schemas/CountOrNull"},
  "max_question_len": {"$ref": "#/components/schemas/CountOrNull"},
  "handle_impossible_answer": {"$ref": "#/components/schemas/Switch"},
  "align_to_words": {"$ref": "#/components/schemas/Switch"},
  "timeout_ms": {"$ref": "#/components/schemas/CountOrNull"},
  "decoder": {"oneOf": [{"$ref": "#/components/schemas/Decoder"}, {"type": "null"}]},
  "offset_unit": {"oneOf": [{"$ref": "#/components/schemas/OffsetUnit"}, {"type": "null"}]}}},
"HuggingFaceRequest": {"oneOf": [
  {"type": "object", "additionalProperties": false, "required": ["inputs"], "properties": {
    "inputs": {"type": "object", "additionalProperties": false, "required": ["question", "context"],
      "properties": {"question": {"$ref": "#/components/schemas/Texts"},
        "context": {"$ref": "#/components/schemas/Texts"}}},
    "parameters": {"$ref": "#/components/schemas/HuggingFaceParameters"},
    "options": {"description": "Ignored"}}},
  {"type": "object", "additionalProperties": false, "required": ["question", "context"], "properties": {
    "question": {"$ref": "#/components/schemas/Texts"},
    "context": {"$ref": "#/components/schemas/Texts"},
    "parameters": {"$ref": "#/components/schemas/HuggingFaceParameters"},
    "options": {"description": "Ignored"}}}]},
"HuggingFaceReply": {"oneOf": [{"$ref": "#/components/schemas/Span"}, {"type": "array"}]},
"Model": {"type": "object", "required": ["id", "version", "decoder"],
  "properties": {"id": {"type": "string"}, "version": {"type": "string"}, "decoder": {"type": "string"}}},
"ModelList": {"type": "object", "required": ["models"],
  "properties": {"models": {"type": "array", "items": {"$ref": "#/components/schemas/Model"}}}},
"Health": {"type": "object", "required": ["status"], "properties": {"status": {"type": "string"}}},
"Error": {"type": "object", "required": ["error", "error_type", "place", "request_id"],
  "properties": {"error": {"type": "string"}, "error_type": {"type": "string"}, "place": {"type": "string"},
    "request_id": {"type": "string"}}}
})json";

template <Spelled E>
Json words_of() {
  Json::Array words;
  for (const auto& spelling : spellings(E{})) words.emplace_back(spelling.word);
  return {{"type", "string"}, {"enum", Json(std::move(words))}};
}

Json reference(std::string_view schema) {
  return {{"$ref", fmt::format("#/components/schemas/{}", schema)}};
}

Json content(std::string_view type, Json schema) {
  return {{std::string(type), {{"schema", std::move(schema)}}}};
}

struct Form {
  std::string_view request, reply, type = "application/json";
};

Form form_of(Action action) {
  switch (action) {
    case Action::kAnswer: return {"AnswerRequest", "AnswerReply"};
    case Action::kHuggingFace: return {"HuggingFaceRequest", "HuggingFaceReply"};
    case Action::kListModels: return {"", "ModelList"};
    case Action::kShowModel: return {"", "Model"};
    case Action::kLive:
    case Action::kReady: return {"", "Health"};
    case Action::kMetrics: return {"", "", "text/plain"};
    case Action::kOpenApi: return {"", ""};
    case Action::kPage: return {"", "", "text/html"};
  }
  return {};
}

Json describe(const Route& route) {
  const Form form = form_of(route.action);
  Json schema = form.reply.empty() ? Json::object() : reference(form.reply);
  if (form.type != "application/json") schema = {{"type", "string"}};
  Json replies = {{"200", {{"description", "OK"}, {"content", content(form.type, schema)}}}};
  std::vector<std::string> errors = {"400", "403", "408", "414", "417", "431", "501", "503"};
  if (route.needs_token) errors.insert(errors.end(), {"401"});
  if (!form.request.empty())
    errors.insert(errors.end(), {"413", "415", "422", "429", "500", "504"});
  const bool names_a_model = route.path.find('{') != std::string_view::npos;
  if (names_a_model || route.action == Action::kAnswer) errors.push_back("404");
  for (const std::string& status : errors) {
    replies[status] = {{"description", "Refused"},
                       {"content", content("application/json", reference("Error"))}};
  }
  Json operation = {{"summary", route.summary}, {"responses", replies}};
  if (!form.request.empty()) {
    operation["requestBody"] = {{"required", true},
                                {"content", content("application/json", reference(form.request))}};
  }
  if (names_a_model) {
    operation["parameters"] = Json::array({{{"name", "id"},
                                            {"in", "path"},
                                            {"required", true},
                                            {"schema", {{"type", "string"}, {"minLength", 1}}}}});
  }
  if (route.needs_token) {
    Json bearer = Json::object();
    bearer["bearer"] = Json::array();
    operation["security"] = Json::array();
    operation["security"].push_back(Json::object());  // a server without a token needs none
    operation["security"].push_back(std::move(bearer));
  }
  return operation;
}

}  // namespace

std::string openapi_json(const Limits& limits, std::string_view version) {
  Json schemas = parse_json(kSchemas, "openapi", ErrorCode::kInternal);
  schemas["Decoder"] = words_of<DecoderKind>();
  schemas["OffsetUnit"] = words_of<OffsetUnit>();
  schemas["TopK"] = {{"type", "integer"}, {"minimum", 1}, {"maximum", limits.top_k}};
  schemas["TopKOrNull"] = {
      {"type", Json::array({"integer", "null"})}, {"minimum", 1}, {"maximum", limits.top_k}};
  schemas["AnswerRequest"]["properties"]["questions"]["maxItems"] = limits.questions;
  schemas["AnswerRequest"]["properties"]["contexts"]["maxItems"] = limits.questions;
  Json paths = Json::object();
  for (const Route& route : routes()) {
    paths[route.path][route.method == "GET" ? "get" : "post"] = describe(route);
  }
  return Json{{"openapi", "3.1.0"},
              {"info", {{"title", "spanforge serve"}, {"version", version}}},
              {"paths", std::move(paths)},
              {"components",
               {{"schemas", std::move(schemas)},
                {"securitySchemes", {{"bearer", {{"type", "http"}, {"scheme", "bearer"}}}}}}}}
      .dump();
}

}  // namespace spanforge::serve
