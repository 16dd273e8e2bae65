#pragma once
// SIGINT, SIGTERM and SIGHUP as a request to stop: the first is noted, one that comes more than a
// tenth of a second later ends the process at once. SIGHUP stays ignored where the process was
// started so (nohup).

#include <atomic>

namespace spanforge::app {

// Installs the handlers; the value becomes true with the first signal.
const std::atomic<bool>& watch_stop_signals();
int stop_signal();  // the signal that came; 0: none

}  // namespace spanforge::app
