// SPDX-License-Identifier: Apache-2.0
#include "graph/node/contract.h"

#include <gtest/gtest.h>

#include <functional>

#include "graph/node/nearest.h"
#include "graph/node/registry.h"
#include "tests/support/word_nodes.h"

namespace percept::graph {
namespace {

Contract Good() { return WordContract("word.good", {"in"}, {"out"}); }

std::string ReasonOf(const std::function<void(Contract&)>& spoil) {
  Contract contract = Good();
  spoil(contract);
  try {
    ValidateContract(contract);
  } catch (const std::logic_error& error) {
    return error.what();
  }
  return "";
}

TEST(ContractTest, RefusesContradictions) {
  const std::string start = "contract of node type 'word.good': ";
  EXPECT_EQ(ReasonOf([](Contract&) {}), "");
  EXPECT_EQ(ReasonOf([](Contract& c) { c.doc = ""; }), start + "no doc");
  EXPECT_EQ(ReasonOf([](Contract& c) { c.example = ""; }), start + "no example");
  EXPECT_EQ(ReasonOf([](Contract& c) { c.inputs.clear(); }), start + "no inputs, and not a source");
  EXPECT_EQ(ReasonOf([](Contract& c) { c.source = SourceKind::kLive; }), start + "a source with inputs");
  EXPECT_EQ(ReasonOf([](Contract& c) { c.dynamic_inputs = DynamicInputs{}; }),
            start + "inputs of its own and of the pipeline's");
  EXPECT_EQ(ReasonOf([](Contract& c) { c.outputs.push_back(c.outputs[0]); }), start + "output 'out' twice");
  EXPECT_EQ(ReasonOf([](Contract& c) { c.outputs[0].name = "a.b"; }), start + "a dot in the name 'a.b'");
  EXPECT_EQ(ReasonOf([](Contract& c) { c.outputs[0].type = ""; }), start + "output 'out' without a type");
  EXPECT_EQ(ReasonOf([](Contract& c) { c.params = {{.name = "in", .doc = "x"}}; }),
            start + "parameter 'in' is a key of the graph itself");
  EXPECT_EQ(ReasonOf([](Contract& c) { c.params = {{.name = "x", .type = ParamType::kEnum, .doc = "x"}}; }),
            start + "enum 'x' without values");
  EXPECT_EQ(ReasonOf([](Contract& c) {
              c.params = {ParamDecl{.name = "x", .type = ParamType::kInt, .doc = "x", .max = 3}.Default("4")};
            }),
            start + "the default of a parameter is not valid: 'x' is 4, outside its range: 3 or less");
}

TEST(RegistryTest, HoldsEachTypeOnce) {
  Registry registry = WordRegistry();
  EXPECT_EQ(registry.Find("word.append")->contract.params.size(), 3u);
  EXPECT_EQ(registry.Find("word.none"), nullptr);
  const std::vector<std::string> types = registry.Types();
  EXPECT_TRUE(std::is_sorted(types.begin(), types.end()));
  EXPECT_THROW(RegisterScriptSource(registry), std::logic_error);
}

TEST(ParamsTest, ReadsEveryType) {
  const Position here;
  const auto parse = [&](ParamType type, const std::string& text) {
    return ParseParam(ParamDecl{.name = "x", .type = type}, Value::Scalar(text, here));
  };
  EXPECT_EQ(std::get<int64_t>(parse(ParamType::kInt, "-12")), -12);
  EXPECT_EQ(std::get<int64_t>(parse(ParamType::kInt, "+12")), 12);
  EXPECT_EQ(std::get<double>(parse(ParamType::kFloat, "2.5e1")), 25.0);
  EXPECT_EQ(std::get<bool>(parse(ParamType::kBool, "true")), true);
  EXPECT_EQ(std::get<std::string>(parse(ParamType::kString, "")), "");
  EXPECT_THROW(parse(ParamType::kInt, "1.5"), DefinitionError);
  EXPECT_THROW(parse(ParamType::kInt, "+-1"), DefinitionError);
  EXPECT_THROW(parse(ParamType::kInt, "99999999999999999999"), DefinitionError);
  EXPECT_THROW(parse(ParamType::kFloat, "nan"), DefinitionError);
  EXPECT_THROW(parse(ParamType::kBool, "yes"), DefinitionError);
  EXPECT_THROW(parse(ParamType::kPath, ""), DefinitionError);
  EXPECT_THROW(ParseParam(ParamDecl{.name = "x"}, Value::List({}, here)), DefinitionError);
  const ParamDecl list{.name = "x", .type = ParamType::kInt, .is_list = true};
  EXPECT_EQ(std::get<std::vector<int64_t>>(ParseParam(list, Value::Scalar("3", here))), std::vector<int64_t>{3});
}

TEST(ParamsTest, ReadingWhatWasNotDeclaredIsABug) {
  ParamValues values;
  values.Set("budget", int64_t{70}, {});
  EXPECT_EQ(values.Get<int64_t>("budget"), 70);
  EXPECT_THROW(values.Get<double>("budget"), ParamError);
  EXPECT_THROW(values.Get<int64_t>("budgte"), ParamError);
  EXPECT_FALSE(values.Has("budgte"));
}

TEST(NearestTest, ListsTheNearestOrAFewValidNames) {
  EXPECT_EQ(NearestNames("imgae", {"image", "imagine", "video"}), "; nearest: image");
  EXPECT_EQ(NearestNames("zzz", {"image", "video"}), "; valid: image, video");
  EXPECT_EQ(NearestNames("zzz", {}), "");
  EXPECT_EQ(NearestNames(std::string(100000, 'x'), {"image"}), "; valid: image");
}

}  // namespace
}  // namespace percept::graph
