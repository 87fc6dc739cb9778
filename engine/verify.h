// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <filesystem>
#include <functional>
#include <string>
#include <vector>

namespace percept {

// Whether a checkpoint is whole and can be run: its files and settings, that every tensor is there in its shape and has
// finite values, that the tokenizer takes text apart and puts it together again, that a short prompt and, where the
// checkpoint takes pictures, a picture give finite numbers; the same of a `drafter` that is named, and that it drafts.
// Reads all of its data. What is wrong comes back, one problem a line with the file and the name; nothing where all is
// well. `tell` hears of each part that passed, in words. The later parts are left out where an earlier one found the
// checkpoint unusable. Runs on the calling thread, for as long as the reading takes.
std::vector<std::string> VerifyModel(const std::filesystem::path& path, const std::filesystem::path& mmproj,
                                     const std::filesystem::path& drafter,
                                     const std::function<void(const std::string& passed)>& tell);

}  // namespace percept
