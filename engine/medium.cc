// SPDX-License-Identifier: Apache-2.0
#include "engine/medium.h"

#include <utility>

namespace percept {

Medium::Medium(const TowerWords& the_words, std::variant<ImagePatches, SoundSamples> the_content, int64_t the_num_rows,
               Matrix soft_tokens, std::shared_ptr<MediumListener> the_listener, const Urgency& the_urgency)
    : words(the_words),
      urgency(the_urgency),
      content(std::move(the_content)),
      num_rows(the_num_rows),
      listener(std::move(the_listener)),
      tokens(std::make_shared<SoftTokens>(SoftTokens{std::move(soft_tokens)})) {}

void Medium::Finish() noexcept {
  try {
    if (complete) {
      listener->OnSoftTokens(std::move(tokens));
    } else {
      listener->OnMediumFailed(finish, std::move(failure));
    }
  } catch (...) {  // NOLINT(bugprone-empty-catch)
  }
}

}  // namespace percept
