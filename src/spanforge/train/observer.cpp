#include "spanforge/train/observer.h"

namespace spanforge {

Observer::~Observer() = default;
std::string Observer::name() const { return {}; }
void Observer::on_notice(const Notice&) {}
void Observer::on_progress(const Progress&) {}
void Observer::on_train_begin(const TrainView&) {}
void Observer::on_epoch_begin(const TrainView&) {}
void Observer::on_step_begin(const TrainView&) {}
void Observer::on_step_end(const TrainView&) {}
void Observer::on_epoch_end(const TrainView&) {}
void Observer::on_log(const TrainView&, const LogLine&, const LogLine&) {}
void Observer::on_evaluate(const TrainView&, const Dataset&, const Evaluation&, const LogLine&) {}
void Observer::on_before_save(const TrainView&) {}
void Observer::on_save(const TrainView&, const std::filesystem::path&) {}
void Observer::on_train_end(const TrainView&) {}
void Observer::choose_events(const TrainView&, DueEvents&) {}
void Observer::add_events(DueEvents&) {}
bool Observer::wants_saves_at_once() const { return false; }
bool Observer::wants_stop() const { return false; }
Json Observer::save_state() const { return nullptr; }
void Observer::load_state(const JsonView&) {}

}  // namespace spanforge
