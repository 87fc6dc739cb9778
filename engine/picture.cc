// SPDX-License-Identifier: Apache-2.0
#include "engine/picture.h"

#include <utility>

namespace percept {

Picture::Picture(ImagePatches the_patches, int64_t decoder_hidden, std::shared_ptr<PictureListener> the_listener)
    : patches(std::move(the_patches)),
      listener(std::move(the_listener)),
      tokens(std::make_shared<SoftTokens>(SoftTokens{Matrix(patches.grid.num_soft_tokens(), decoder_hidden)})) {}

void Picture::Finish() noexcept {
  try {
    if (complete) {
      listener->OnSoftTokens(std::move(tokens));
    } else {
      listener->OnPictureFailed(finish, std::move(failure));
    }
  } catch (...) {  // NOLINT(bugprone-empty-catch)
  }
}

}  // namespace percept
