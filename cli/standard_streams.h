// SPDX-License-Identifier: Apache-2.0
#pragma once

namespace percept::cli {

// Puts /dev/null in the place of standard streams that the program was started without, so that no other file gets
// their numbers. What stands for standard output refuses to be written. Call it before any file is opened.
void OpenClosedStreams();

}  // namespace percept::cli
