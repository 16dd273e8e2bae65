#pragma once
// Bytes that file formats put around what tests make, written without the readers' own code.

#include <cstddef>
#include <cstdint>
#include <string>

namespace spanforge::testing {

std::string little_endian(uint64_t value, size_t size);

// A record of an event file (TFRecord): length, its masked CRC-32C, body, the body's.
std::string event_record(const std::string& body);

}  // namespace spanforge::testing
