// Driver of oracle_hub.py: fetches or finds a model according to the environment; prints its
// directory.
//   hub_driver ID

#include <iostream>

#include "spanforge/base/error.h"
#include "spanforge/hub/hub.h"

int main(int argc, char** argv) {
  try {
    std::cout << spanforge::resolve_model(argc > 1 ? argv[1] : "",
                                          spanforge::hub_options_from_environment())
                     .string()
              << "\n";
    return 0;
  } catch (const spanforge::Error& error) {
    std::cerr << error.what() << "\n";
    return spanforge::exit_code(error.code());
  }
}
