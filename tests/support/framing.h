#pragma once
// The bytes that file formats put around content, written without the readers' own code.

#include <cstddef>
#include <cstdint>
#include <string>

namespace spanforge::testing {

std::string little_endian(uint64_t value, size_t size);

// A record of an event file (TFRecord): length, masked CRC-32C of it, body, the body's CRC.
std::string event_record(const std::string& body);

}  // namespace spanforge::testing
