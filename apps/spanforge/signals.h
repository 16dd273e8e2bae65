#pragma once
// Takes SIGINT, SIGTERM and SIGHUP as requests to stop. The first is recorded; another one more
// than a tenth of a second later ends the process at once. SIGHUP stays ignored if it was ignored
// at the start (nohup).

#include <atomic>

namespace spanforge::app {

// Installs the handlers. The value becomes true at the first signal.
const std::atomic<bool>& watch_stop_signals();
int stop_signal();  // the signal that was received; 0: none

}  // namespace spanforge::app
