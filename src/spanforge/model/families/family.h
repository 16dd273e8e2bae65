#pragma once
// Shared by the files of this folder. A family is a file NAME.cpp with the function NAME(), which
// returns its EncoderSpec; the build finds it. A family whose parts exist needs nothing else but a
// row in tests/oracle/families.py, its test.

#include "spanforge/model/encoder_spec.h"

namespace spanforge::families {

// Most families use BERT's keys, tables and module names; their functions start from this value and
// change what differs.
EncoderSpec bert();

}  // namespace spanforge::families
