#include <new>
#include <thread>
#include <vector>

#include <fmt/core.h>

#include "access_log.h"
#include "command.h"
#include "flags.h"
#include "load_model.h"
#include "machine.h"
#include "output.h"
#include "serve_options.h"
#include "serve_signals.h"
#include "served_models.h"
#include "spanforge/base/error.h"
#include "spanforge/serve/http_server.h"
#include "spanforge/serve/memory.h"
#include "spanforge/version.h"
#include "start_threads.h"

namespace spanforge::app {
namespace {

// Loads the models of the command line, if they fit into memory.
class Loader {
 public:
  Loader(const ServeOptions& o, const LoadChoices& choices)
      : o_(o), choices_(choices), sources_(parse_models(o.models)) {
    for (const ModelToServe& source : sources_) estimates_.push_back(estimate(source));
    const int64_t machine = memory_megabytes("MemTotal") << 20;
    budget_ = o.memory_bytes > 0 ? o.memory_bytes : machine;
    const serve::MemoryPlan plan = serve::plan_memory(estimates_, o.limits);
    if (plan.total() > budget_) {
      throw Error(ErrorCode::kUsage,
                  {.parameter = o.memory_bytes > 0 ? "max_memory_bytes" : "model"},
                  fmt::format("models and requests may take {}; {} are available", describe(plan),
                              megabytes(budget_)));
    }
    stated_ = fmt::format("memory: at most {} of {}", describe(plan), megabytes(budget_));
  }

  const std::string& stated() const { return stated_; }  // the line about memory

  std::vector<serve::ModelPtr> load() const {
    std::vector<serve::ModelPtr> loaded;
    for (const ModelToServe& source : sources_) {
      loaded.push_back(load_served_model(source, choices_));
    }
    return loaded;
  }

  // Replaces each model after the new one has answered once. A model that cannot be loaded changes
  // nothing.
  void reload(serve::Models& models, serve::Metrics& metrics) {
    for (size_t i = 0; i < sources_.size(); ++i) {
      try {
        const serve::ModelPtr model = load_beside(i);
        models.replace(model);
        metrics.count_reload(true);
        note(fmt::format("{}: version {} answers now", model->name, model->version));
      } catch (const Error& error) {
        metrics.count_reload(false);
        note(fmt::format("{}: the model is not replaced: {}", sources_[i].name,
                         with_flags(error).what()));
      } catch (const std::bad_alloc&) {
        metrics.count_reload(false);
        note(fmt::format("{}: the model is not replaced: not enough memory", sources_[i].name));
      }
    }
  }

 private:
  static std::string megabytes(int64_t bytes) { return fmt::format("{:.0f} MB", bytes / 1e6); }
  static std::string describe(const serve::MemoryPlan& plan) {
    return fmt::format("{} (models {}, batches {}, requests {}, program and connections {})",
                       megabytes(plan.total()), megabytes(plan.models), megabytes(plan.batches),
                       megabytes(plan.messages + plan.queue),
                       megabytes(plan.program + plan.connections));
  }
  serve::ModelMemory estimate(const ModelToServe& source) const {
    return estimate_served_model(source, choices_, o_.limits.batch_tokens);
  }
  // The old model stays in memory until its last request has ended.
  serve::ModelPtr load_beside(size_t i) {
    const serve::ModelMemory fresh = estimate(sources_[i]);
    std::vector<serve::ModelMemory> both = estimates_;
    both.push_back(fresh);
    const serve::MemoryPlan plan = serve::plan_memory(both, o_.limits);
    if (plan.total() > budget_) {
      throw Error(ErrorCode::kUsage, {.parameter = "max_memory_bytes"},
                  fmt::format("with the old model in memory, all may take {}; {} are available",
                              describe(plan), megabytes(budget_)));
    }
    serve::ModelPtr model = load_served_model(sources_[i], choices_);
    estimates_[i] = fresh;
    return model;
  }

  const ServeOptions& o_;
  const LoadChoices choices_;
  const std::vector<ModelToServe> sources_;
  std::vector<serve::ModelMemory> estimates_;
  int64_t budget_ = 0;
  std::string stated_;
};

void show_models(const serve::Models& models, serve::Metrics& metrics) {
  std::vector<serve::Metrics::Model> shown;
  for (const auto& model : models.all()) shown.push_back({model->name, model->version});
  metrics.set_models(std::move(shown));
}

void reload(Loader& loader, serve::Models& models, serve::Metrics& metrics,
            serve::HttpServer& server) {
  loader.reload(models, metrics);
  show_models(models, metrics);
  try {
    server.reload_certificate();
  } catch (const Error& error) {
    note(fmt::format("the certificate is not replaced: {}", with_flags(error).what()));
  }
  release_notes();
}

}  // namespace

int run_serve(const Arguments& arguments) {
  ServeOptions o;
  OptionTable table;
  declare(table, o);
  if (!table.parse(arguments)) return 0;
  settle(table, o);
  const serve::Access access = make_access(o);
  allow_open_files(o);
  ServeSignals signals;
  start_threads(o.threads);
  Loader loader(o, {resolve_precision(o.bf16), o.verify, o.threads});
  serve::Models models(loader.load());
  serve::Metrics metrics;
  show_models(models, metrics);
  serve::Engine engine(o.limits, metrics, 2);
  serve::Service service(o.limits, access, models, engine, metrics, SPANFORGE_VERSION);
  AccessLog log;
  serve::HttpServer server(o.listening, service,
                           [&log](const serve::LogLine& line) { log.add(line); });
  release_notes();
  write_stderr(fmt::format("spanforge: serving at {}\n", server.address()));
  note(loader.stated());
  release_notes();

  std::thread network([&] {
    server.run();
    engine.stop();
  });
  signals.serve([&] { server.drain(milliseconds(o.drain_delay)); },
                [&] { reload(loader, models, metrics, server); });
  engine.run_compute();
  network.join();
  engine.shut_down();  // while the server exists, because ends of calls use it
  signals.finish();    // while everything that they stop or load exists
  return 0;
}

}  // namespace spanforge::app
