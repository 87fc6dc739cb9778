// SPDX-License-Identifier: Apache-2.0
#include "graph/node/condition.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <map>

#include "graph/config/yaml_reader.h"
#include "graph/node/node.h"
#include "tests/support/word_payload.h"

namespace percept::graph {

// A payload whose fields the test gives.
struct Facts {
  std::map<std::string, FieldValue, std::less<>> fields;
};

template <>
struct PayloadTraits<Facts> {
  static constexpr const char* kName = "Facts";
  static size_t Bytes(const Facts&) { return 1; }
  static std::optional<FieldValue> Field(const Facts& facts, std::string_view name) {
    const auto it = facts.fields.find(name);
    return it == facts.fields.end() ? std::nullopt : std::optional<FieldValue>(it->second);
  }
};

namespace {

Condition Parse(const std::string& yaml) { return Condition::Parse(ReadYaml(yaml, "w")); }

Packet At(int64_t ms, std::map<std::string, FieldValue, std::less<>> fields) {
  return Packet::Make(Facts{std::move(fields)}, Time::Milliseconds(ms));
}

bool Holds(Condition& condition, const Packet& packet) { return condition.Holds(packet, packet.timestamp()); }

bool Once(const std::string& yaml, std::map<std::string, FieldValue, std::less<>> fields) {
  Condition condition = Parse(yaml);
  return Holds(condition, At(40, std::move(fields)));
}

template <class Error>
std::string FaultOf(const std::function<void()>& function) {
  try {
    function();
  } catch (const Error& error) {
    return error.what();
  }
  return "";
}

TEST(ConditionTest, ComparesFieldsByTheirType) {
  EXPECT_TRUE(Once("{ field: person, is: true }", {{"person", true}}));
  EXPECT_FALSE(Once("{ field: person, is_not: true }", {{"person", true}}));
  EXPECT_TRUE(Once("{ field: speed, is: 3.0 }", {{"speed", 3.0}}));
  EXPECT_FALSE(Once("{ field: speed, below: 3 }", {{"speed", 3.0}}));
  EXPECT_TRUE(Once("{ field: speed, at_most: 3 }", {{"speed", 3.0}}));
  EXPECT_FALSE(Once("{ field: speed, above: 3 }", {{"speed", 3.0}}));
  EXPECT_TRUE(Once("{ field: speed, at_least: 3 }", {{"speed", 3.0}}));
  EXPECT_TRUE(Once("{ field: label, is: 3.0 }", {{"label", std::string("3.0")}}));
  EXPECT_FALSE(Once("{ field: label, is: 3.0 }", {{"label", std::string("3")}}));
  EXPECT_TRUE(Once("{ field: label, contains: ca }", {{"label", std::string("a cat")}}));
}

TEST(ConditionTest, EveryPacketHasFieldsOfItsOwn) {
  const Packet packet = MakeWord("a", 1500).WithDuration(Duration::Milliseconds(40));
  const auto holds = [&](const std::string& yaml) {
    Condition condition = Parse(yaml);
    return Holds(condition, packet);
  };
  EXPECT_TRUE(holds("{ field: timestamp_s, is: 1.5 }"));
  EXPECT_TRUE(holds("{ field: duration_s, at_most: 0.04 }"));
  EXPECT_TRUE(holds("{ field: epoch, is: 0 }"));
  EXPECT_TRUE(holds("{ field: is_error, is: false }"));
  EXPECT_TRUE(holds("{ field: text, is: a }"));
}

TEST(ConditionTest, JoinsParts) {
  const std::string two = "[ { field: a, is: true }, { field: b, is: true } ]";
  EXPECT_TRUE(Once("{ all: " + two + " }", {{"a", true}, {"b", true}}));
  EXPECT_FALSE(Once("{ all: " + two + " }", {{"a", true}, {"b", false}}));
  EXPECT_TRUE(Once("{ any: " + two + " }", {{"a", false}, {"b", true}}));
  EXPECT_FALSE(Once("{ any: " + two + " }", {{"a", false}, {"b", false}}));
  EXPECT_TRUE(Once("{ not: { all: " + two + " } }", {{"a", true}, {"b", false}}));
}

TEST(ConditionTest, ChangedComparesWithThePacketBefore) {
  Condition condition = Parse("{ field: scene, changed: true }");
  EXPECT_FALSE(Holds(condition, At(0, {{"scene", 1.0}})));
  EXPECT_FALSE(Holds(condition, At(1, {{"scene", 1.0}})));
  EXPECT_TRUE(Holds(condition, At(2, {{"scene", 2.0}})));
  EXPECT_FALSE(Holds(condition, At(3, {{"scene", 2.0}})));
  condition.Reset();
  EXPECT_FALSE(Holds(condition, At(4, {{"scene", 1.0}})));
}

TEST(ConditionTest, PartsSeeEveryPacketWhateverTheOthersSay) {
  Condition condition = Parse("{ all: [ { field: on, is: true }, { field: scene, changed: true } ] }");
  EXPECT_FALSE(Holds(condition, At(0, {{"on", false}, {"scene", 1.0}})));
  EXPECT_FALSE(Holds(condition, At(1, {{"on", false}, {"scene", 2.0}})));
  EXPECT_FALSE(Holds(condition, At(2, {{"on", true}, {"scene", 2.0}})));
  EXPECT_TRUE(Holds(condition, At(3, {{"on", true}, {"scene", 3.0}})));
}

TEST(ConditionTest, ForWaitsUntilItHasHeldSoLong) {
  Condition condition = Parse("{ not: { field: quiet, is: true }, for: 3s }");
  EXPECT_FALSE(Holds(condition, At(0, {{"quiet", false}})));
  EXPECT_FALSE(Holds(condition, At(2999, {{"quiet", false}})));
  EXPECT_TRUE(Holds(condition, At(3000, {{"quiet", false}})));
  EXPECT_FALSE(Holds(condition, At(3001, {{"quiet", true}})));
  EXPECT_FALSE(Holds(condition, At(6000, {{"quiet", false}})));
  EXPECT_TRUE(Holds(condition, At(9000, {{"quiet", false}})));
  condition.Reset();
  EXPECT_FALSE(Holds(condition, At(9001, {{"quiet", false}})));
}

TEST(ConditionTest, AFieldThatIsMissingOrOfAnotherKindIsBadInput) {
  const auto fault = [](const std::string& yaml, FieldValue value) {
    return FaultOf<BadInputError>([&] { Once(yaml, {{"x", value}}); });
  };
  EXPECT_EQ(fault("{ field: y, is: 1 }", 1.0), "a packet of type Facts has no field 'y'");
  EXPECT_EQ(fault("{ field: x, is: yes }", true),
            "field 'x' of a packet of type Facts is true, which cannot be compared as 'is: yes'");
  EXPECT_EQ(fault("{ field: x, contains: 1 }", 1.0),
            "field 'x' of a packet of type Facts is 1, which cannot be compared as 'contains: 1'");
  EXPECT_EQ(fault("{ field: x, above: 1 }", std::string("2")),
            "field 'x' of a packet of type Facts is '2', which cannot be compared as 'above: 1'");
}

TEST(ConditionTest, GoesOnFromItsState) {
  const std::string yaml =
      "{ any: [ { field: a, changed: true }, { field: b, changed: true }, { field: c, is: 1, for: 2ms } ] }";
  const auto at = [](int64_t ms, double c) { return At(ms, {{"a", std::string("x:1 ;")}, {"b", true}, {"c", c}}); };
  Condition first = Parse(yaml);
  EXPECT_FALSE(Holds(first, at(1, 1)));
  const std::string state = first.SaveState();
  Condition second = Parse(yaml);
  std::string_view rest = state;
  second.RestoreState(rest);
  EXPECT_EQ(rest, "");
  EXPECT_EQ(second.SaveState(), state);
  EXPECT_FALSE(Holds(second, at(2, 1)));
  EXPECT_TRUE(Holds(second, at(3, 1)));
  EXPECT_TRUE(Holds(second, At(4, {{"a", std::string("x:1 ;")}, {"b", false}, {"c", 0.5}})));
  std::string_view cut = std::string_view(state).substr(0, 7);
  EXPECT_EQ(FaultOf<std::invalid_argument>([&] { second.RestoreState(cut); }),
            "a state of a condition that is cut short");
}

TEST(ConditionTest, RefusesOtherFormsWithTheirPlace) {
  const auto fault = [](const std::string& yaml) { return FaultOf<DefinitionError>([&] { Parse(yaml); }); };
  EXPECT_EQ(fault("person"), "w:1:1: a condition is a map, as { field: NAME, is: VALUE }, found a scalar");
  EXPECT_EQ(fault("{ is: true }"), "w:1:1: a condition has one of 'field', 'all', 'any' and 'not'");
  EXPECT_EQ(fault("{ field: a, si: true }"), "w:1:13: unknown key 'si' in a condition; nearest: is");
  EXPECT_EQ(fault("{ field: a }"),
            "w:1:1: field 'a' is not compared with anything: is, is_not, below, at_most, above, "
            "at_least, contains or changed");
  EXPECT_EQ(fault("{ field: a, above: 1, below: 3 }"),
            "w:1:23: 'above' and 'below' are two conditions: write all: [ {...}, {...} ]");
  EXPECT_EQ(fault("{ field: a, any: [ ] }"),
            "w:1:13: a condition has one of 'field', 'all', 'any' and 'not', found 'field' and 'any'");
  EXPECT_EQ(fault("{ any: [ ] }"), "w:1:8: 'any' is an empty list");
  EXPECT_EQ(fault("{ any: [ { field: a, above: x } ] }"), "w:1:29: 'above' must be a number, found 'x'");
  EXPECT_EQ(fault("{ field: a, changed: false }"), "w:1:22: 'changed' must be true; the opposite is not: { ... }");
  EXPECT_EQ(fault("{ field: is_error, is: 1 }"),
            "w:1:24: field 'is_error' is true or false, which cannot be compared as 'is: 1'");
  EXPECT_EQ(fault("{ field: is_error, above: 0 }"),
            "w:1:27: field 'is_error' is true or false, which cannot be compared as 'above: 0'");
  for (const std::string field : {"timestamp_s", "duration_s", "epoch"}) {
    EXPECT_THAT(fault("{ field: " + field + ", is: 2s }"),
                testing::EndsWith("field '" + field + "' is a number, which cannot be compared as 'is: 2s'"));
    EXPECT_THAT(fault("{ any: [ { field: " + field + ", contains: 1 } ] }"),
                testing::EndsWith("field '" + field + "' is a number, which cannot be compared as 'contains: 1'"));
    EXPECT_EQ(fault("{ field: " + field + ", changed: true }"), "");
  }
  EXPECT_EQ(fault("{ field: text, above: 1 }"), "");  // a payload may have a number of that name
  EXPECT_EQ(fault("{ not: { field: a, is: 1 }, is: 2 }"),
            "w:1:29: 'is' compares a field, and there is no 'field' here");
  EXPECT_EQ(fault("{ field: a, is: 1, for: 3 }"),
            "w:1:25: 'for' must be duration, found '3': write it as 200ms, 2s, 1.5min or 1h");
}

}  // namespace
}  // namespace percept::graph
