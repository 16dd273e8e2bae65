#pragma once
// GNU's OpenMP lets idle threads spin for milliseconds before they sleep. If another program needs
// the same cores, spinning takes time from the thread that the others wait for; a short question
// then takes 25 times as long. OpenMP reads the limit once, before main, and has no function to set
// it.

namespace spanforge::app {

// Starts this program again with a limit of some 50 microseconds. Returns if the environment
// already has a limit, or if the system refuses. A second start costs time, so commands that run no
// model do not call this.
void wait_briefly(char** argv);

}  // namespace spanforge::app
