#pragma once
// What: Lets the ranks of a group do work of any length, each its own or only one of them, while
//   the others see that it is alive; and makes an error of one rank the end of all.
// How: A thread tells the others once a second that this rank is at work. So a rank that is
//   stopped or disconnected is noticed within the group's deadline, and one that only needs long is
//   not.

#include <exception>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "spanforge/parallel/group.h"

namespace spanforge {

// Runs work() on this rank and returns when all ranks have run theirs. work() must not use the
// group. If work() throws on some ranks, these throw it, and the others throw an Error with the
// first failed rank's code, whose where is "rank K".
void work_together(Group& group, const std::function<void()>& work);

// The second half of it: `failure` is what this rank caught, or null.
void fail_together(Group& group, const std::exception_ptr& failure);

// Every rank's text, by rank. For small texts.
std::vector<std::string> gather_texts(Group& group, const std::string& text);

// The first rank whose text is not rank 0's.
std::optional<size_t> find_other_rank(const std::vector<std::string>& texts);

}  // namespace spanforge
