// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stdexcept>
#include <string>

namespace percept {

// Base of everything the model side (kernels, encoders, decoder, engine) throws.
class Error : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

// One input item (a picture, a prompt) cannot be used. The next item can.
class InputError : public Error {
 public:
  using Error::Error;
};

// A checkpoint, or one of its files, cannot be used. The message names the file and the key or tensor.
class CheckpointError : public Error {
 public:
  using Error::Error;
};

// An argument of a public function, or an option, is outside its range.
class ArgumentError : public Error {
 public:
  using Error::Error;
};

// A broken invariant of this program: our bug, never the user's.
class InternalError : public Error {
 public:
  using Error::Error;
};

}  // namespace percept
