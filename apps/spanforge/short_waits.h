#pragma once
// GNU's OpenMP lets idle threads spin for milliseconds before they sleep. Where another program
// wants the same cores, the spinning takes the time from the very thread that is waited for: a
// short question then takes 25 times as long. It reads the limit once, before main, and has no
// function to set it.

namespace spanforge::app {

// Starts this program again with a limit of some 50 microseconds, unless the environment has one.
// Returns where that is so, and where the system refuses. Costs another start, so that commands
// that run no model leave it alone.
void wait_briefly(char** argv);

}  // namespace spanforge::app
