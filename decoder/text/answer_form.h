// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "decoder/text/automaton.h"

namespace percept {

// What an answer may be, as an automaton over its bytes.

// One of the texts. Throws InputError where there is none, or an empty one.
std::shared_ptr<const Automaton> FormOfChoices(const std::vector<std::string>& choices);

// JSON that a schema describes, on one line, members in the order of the schema's properties, no others. Understood:
// type, properties, required, items, minItems, maxItems, minLength, maxLength, enum, const, anyOf, oneOf; titles,
// descriptions and the like are passed over. Throws InputError that names any other keyword and where it stands: an
// answer that only looks as if it kept to the schema is worse than none.
std::shared_ptr<const Automaton> FormOfSchema(std::string_view schema);

}  // namespace percept
