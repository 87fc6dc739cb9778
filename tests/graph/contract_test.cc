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

std::string FaultOf(const std::function<void()>& function) {
  try {
    function();
  } catch (const DefinitionError& error) {
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
  EXPECT_EQ(ReasonOf([](Contract& c) { c.own_thread = true; }), start + "a thread of its own, and not a source");
  EXPECT_EQ(ReasonOf([](Contract& c) { c.drains = true; }), start + "drains, and is no source");
  EXPECT_EQ(ReasonOf([](Contract& c) { c.dynamic_inputs = DynamicInputs{}; }),
            start + "inputs of its own and of the pipeline's");
  EXPECT_EQ(ReasonOf([](Contract& c) { c.outputs.push_back(c.outputs[0]); }), start + "output 'out' twice");
  EXPECT_EQ(ReasonOf([](Contract& c) { c.outputs[0].name = "a.b"; }), start + "a dot in the name 'a.b'");
  EXPECT_EQ(ReasonOf([](Contract& c) { c.outputs[0].type = ""; }), start + "output 'out' without a type");
  EXPECT_EQ(ReasonOf([](Contract& c) { c.params = {{.name = "in", .doc = "x"}}; }),
            start + "parameter 'in' is a key of the graph itself");
  EXPECT_EQ(ReasonOf([](Contract& c) { c.params = {{.name = "parallel", .doc = "x"}}; }),
            start + "parameter 'parallel' is a key of the graph itself");
  EXPECT_EQ(ReasonOf([](Contract& c) { c.outputs[0].type = "$ni[]"; }),
            start + "output 'out' has the type of 'ni', which is no input");
  EXPECT_EQ(ReasonOf([](Contract& c) {
              c.outputs[0].type = "";
              c.outputs[0].type_param = "kind";
            }),
            start + "the type of 'out' is said by 'kind', which is no string parameter that always has a value");
  EXPECT_EQ(ReasonOf([](Contract& c) { c.outputs[0].type_param = "kind"; }),
            start + "the type of 'out' is said by 'kind', which is no string parameter");
  EXPECT_EQ(ReasonOf([](Contract& c) {
              c.inputs.clear();
              c.outputs.clear();
              c.dynamic_inputs = DynamicInputs{.doc = "x", .grows = true};
              c.dynamic_outputs = DynamicOutputs{.type = "$in"};
            }),
            start + "inputs that grow, and an output for each");
  EXPECT_EQ(ReasonOf([](Contract& c) { c.dynamic_outputs = DynamicOutputs{.type = "$in"}; }),
            start + "an output per input, but inputs of its own");
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

TEST(ParamsTest, ReadsQuantitiesWithTheirUnits) {
  const auto duration = [](const std::string& text) {
    const ParamDecl decl{.name = "x", .type = ParamType::kDuration, .min = 0.001, .max = 3600};
    return std::get<Duration>(ParseParam(decl, Value::Scalar(text, {}))).nanoseconds();
  };
  EXPECT_EQ(duration("200ms"), 200'000'000);
  EXPECT_EQ(duration("1.5min"), 90'000'000'000);
  EXPECT_EQ(duration("1h"), 3600'000'000'000);
  EXPECT_EQ(duration("2000us"), 2'000'000);
  EXPECT_EQ(FaultOf([&] { duration("2"); }), "'x' must be duration, found '2': write it as 200ms, 2s, 1.5min or 1h");
  EXPECT_EQ(FaultOf([&] { duration("2 s"); }),
            "'x' must be duration, found '2 s': write it as 200ms, 2s, 1.5min or 1h");
  EXPECT_EQ(FaultOf([&] { duration("0"); }), "'x' is 0, outside its range: 1ms to 3600s");
  EXPECT_EQ(FaultOf([&] { duration("1e9s"); }),
            "'x' must be duration, found '1e9s': write it as 200ms, 2s, 1.5min or 1h");
  EXPECT_EQ(FaultOf([&] { duration("9000000h"); }), "'x' is '9000000h', outside its range: 1ms to 3600s");
  const std::string endless = std::string(400, '9') + "s";
  EXPECT_EQ(FaultOf([&] { duration(endless); }),
            "'x' is '" + endless.substr(0, 80) + "...', outside its range: 1ms to 3600s");
  const auto bytes = [](const std::string& text) {
    const ParamDecl decl{.name = "x", .type = ParamType::kBytes, .max = 4294967296};
    return std::get<int64_t>(ParseParam(decl, Value::Scalar(text, {})));
  };
  EXPECT_EQ(bytes("64MiB"), 64 << 20);
  EXPECT_EQ(bytes("2GB"), 2'000'000'000);
  EXPECT_EQ(bytes("1.5KiB"), 1536);
  EXPECT_EQ(bytes("17"), 17);
  EXPECT_EQ(FaultOf([&] { bytes("64mb"); }), "'x' must be bytes, found '64mb': write it as 64MiB, 2GB or 4096");
  EXPECT_EQ(FaultOf([&] { bytes("-1"); }), "'x' must be bytes, found '-1': write it as 64MiB, 2GB or 4096");
  EXPECT_EQ(FaultOf([&] { bytes("5GiB"); }), "'x' is 5GiB, outside its range: 4GiB or less");
  EXPECT_EQ(FaultOf([&] { bytes("9000000TiB"); }), "'x' is '9000000TiB', outside its range: 4GiB or less");
  const auto whole = [](const std::string& text) {
    return ParseParam(ParamDecl{.name = "x", .type = ParamType::kInt}, Value::Scalar(text, {}));
  };
  EXPECT_EQ(FaultOf([&] { whole("99999999999999999999"); }), "'x' is '99999999999999999999', which is too large");
  EXPECT_EQ(FaultOf([&] { whole("-99999999999999999999"); }),
            "'x' is '-99999999999999999999', which is too far below zero");
  const auto counted = [](const std::string& text) {
    return ParseParam(ParamDecl{.name = "x", .type = ParamType::kInt, .min = 1}, Value::Scalar(text, {}));
  };
  EXPECT_EQ(FaultOf([&] { counted("99999999999999999999"); }), "'x' is '99999999999999999999', which is too large");
  EXPECT_EQ(FaultOf([&] { counted("-99999999999999999999"); }),
            "'x' is '-99999999999999999999', outside its range: 1 or more");
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
