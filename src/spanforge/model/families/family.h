#pragma once
// What the files of this folder share. A family is a file NAME.cpp with the function NAME() that
// gives its EncoderSpec; the build finds it there. Nothing else is to be written for a family whose
// parts exist: its test is a row in tests/oracle/families.py.

#include "spanforge/model/encoder_spec.h"

namespace spanforge::families {

// Most families took BERT's keys, tables and module names over; theirs begin with it and say what
// differs.
EncoderSpec bert();

}  // namespace spanforge::families
