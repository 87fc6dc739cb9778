// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <string>

#include "decoder/text/answer_form.h"
#include "decoder/text/token_constraint.h"
#include "kernels/core/error.h"
#include "tests/decoder/text_support.h"

namespace percept {
namespace {

using ::testing::HasSubstr;

// Whether the form reads the whole text, and may end there.
bool Reads(const std::shared_ptr<const Automaton>& form, std::string_view text) {
  std::vector<Automaton::StateId> states = form->Start();
  for (const char byte : text) states = form->Step(states, static_cast<uint8_t>(byte));
  return !states.empty() && states.front() == Automaton::kAccept;
}

TEST(AnswerForm, OfChoices) {
  const auto form = FormOfChoices({"yes", "no", "no idea"});
  EXPECT_TRUE(Reads(form, "yes"));
  EXPECT_TRUE(Reads(form, "no"));
  EXPECT_TRUE(Reads(form, "no idea"));
  EXPECT_FALSE(Reads(form, ""));
  EXPECT_FALSE(Reads(form, "no i"));
  EXPECT_FALSE(Reads(form, "yesno"));
  EXPECT_EQ(MessageOf<InputError>([] { FormOfChoices({}); }), "there are no choices for the answer");
  EXPECT_EQ(MessageOf<InputError>([] { FormOfChoices({"a", ""}); }), "a choice of the answer is empty");
}

TEST(AnswerForm, OfScalars) {
  const auto of = [](const std::string& type) { return FormOfSchema(R"({"type":)" + type + "}"); };
  for (const char* text : {"0", "-0", "12", "1.5", "-1e10", "2.25E-3"})
    EXPECT_TRUE(Reads(of(R"("number")"), text)) << text;
  for (const char* text : {"", "-", "01", "1.", ".5", "1e", "+1"}) EXPECT_FALSE(Reads(of(R"("number")"), text)) << text;
  EXPECT_TRUE(Reads(of(R"("integer")"), "-120"));
  EXPECT_FALSE(Reads(of(R"("integer")"), "1.0"));
  EXPECT_TRUE(Reads(of(R"("boolean")"), "false"));
  EXPECT_TRUE(Reads(of(R"(["null","integer"])"), "null"));
  EXPECT_TRUE(Reads(of(R"(["null","integer"])"), "7"));
}

TEST(AnswerForm, OfStrings) {
  const auto form = FormOfSchema(R"({"type":"string"})");
  for (const char* text : {R"("")", R"("a \" \\ \n \u00e9 中 é 🦙")"}) EXPECT_TRUE(Reads(form, text)) << text;
  for (const char* text : {R"(")", R"("a)", "\"\n\"", R"("\x")", "\"\xC3\"", "\"\xED\xA0\x80\"", R"("a"b)"}) {
    EXPECT_FALSE(Reads(form, text)) << text;
  }
  const auto bounded = FormOfSchema(R"({"type":"string","minLength":2,"maxLength":3})");
  EXPECT_FALSE(Reads(bounded, R"("é")"));
  EXPECT_TRUE(Reads(bounded, R"("éa")"));
  EXPECT_TRUE(Reads(bounded, R"("中中中")"));
  EXPECT_FALSE(Reads(bounded, R"("abcd")"));
}

TEST(AnswerForm, OfObjectsAndArrays) {
  const auto form = FormOfSchema(R"({"type":"object","required":["a","c"],"properties":{
      "a":{"type":"integer"},"b":{"enum":["x",null]},"c":{"type":"array","items":{"type":"boolean"},"maxItems":2}}})");
  for (const char* text :
       {R"({"a":1,"c":[]})", R"({"a": 1, "b": "x", "c": [true, false]})", R"({"a":1,"b":null,"c":[true]})"}) {
    EXPECT_TRUE(Reads(form, text)) << text;
    EXPECT_TRUE(nlohmann::json::accept(text)) << text;
  }
  for (const char* text : {R"({"a":1})", R"({"c":[]})", R"({"a":1,"c":[true,true,true]})", R"({"a":1,"b":"y","c":[]})",
                           R"({"a":1,"c":[],"d":1})", R"({"a":1,"c":[]}{)", R"({"a":1,"c":[true,]})"}) {
    EXPECT_FALSE(Reads(form, text)) << text;
  }
  const auto optional = FormOfSchema(R"({"type":"object","properties":{"a":{"const":1},"b":{"const":2}}})");
  for (const char* text : {"{}", R"({"a":1})", R"({"b":2})", R"({"a":1,"b":2})"}) EXPECT_TRUE(Reads(optional, text));
  EXPECT_FALSE(Reads(optional, R"({,"b":2})"));
  const auto list = FormOfSchema(R"({"type":"array","minItems":2,"items":{"type":"integer"}})");
  EXPECT_FALSE(Reads(list, "[1]"));
  EXPECT_TRUE(Reads(list, "[1,2]"));
  EXPECT_TRUE(Reads(list, "[1,2, 3,4]"));
}

TEST(AnswerForm, NamesWhatOfASchemaIsNotSupported) {
  const auto refusal = [](const std::string& schema) { return MessageOf<InputError>([&] { FormOfSchema(schema); }); };
  EXPECT_EQ(refusal("{"), "the schema is not JSON");
  EXPECT_EQ(refusal("[]"), "the schema is not an object");
  EXPECT_EQ(refusal("{}"), "the schema has no 'type'");
  EXPECT_EQ(refusal(R"({"type":"object","properties":{"a":{"type":"string","pattern":"x"}}})"),
            "the schema at /a has the keyword 'pattern', which is not supported");
  EXPECT_EQ(refusal(R"({"type":"object","properties":{},"required":["b"]})"),
            "the schema requires \"b\", which is not among its properties");
  EXPECT_EQ(refusal(R"({"type":"array"})"), "the schema is an array's without 'items'");
  EXPECT_EQ(refusal(R"({"type":"thing"})"), "the schema has the unknown type \"thing\"");
  EXPECT_EQ(refusal(R"({"type":"string","minLength":3,"maxLength":2})"), "the schema has maxLength below minLength");
  const auto nest = [](const std::string& begin, std::string schema, int times) {
    for (int i = 0; i < times; ++i) schema.insert(0, begin).append("}");
    return schema;
  };
  const std::string deep = nest(R"({"type":"array","items":)", R"({"type":"null"})", 60);
  EXPECT_THAT(refusal(deep), HasSubstr("is nested too deep"));
  const std::string wide =
      nest(R"({"type":"array","maxItems":10000,"items":)", R"({"type":"string","maxLength":10000})", 3);
  EXPECT_THAT(refusal(wide), HasSubstr("describes too much"));
}

class TokenConstraintTest : public ::testing::Test {
 protected:
  TokenConstraint Make(std::shared_ptr<const Automaton> form, TokenConstraint::Place place = {}) const {
    return {std::move(form), tokenizer_, tokens_, std::vector<int32_t>{tokens_.turn_close}, place};
  }
  // What the tokens of `text` leave: whether each was allowed, and then a stop.
  bool Takes(TokenConstraint& constraint, std::string_view text) const {
    for (const int32_t id : tokenizer_.Encode(text, Trust::kTrusted)) {
      const std::vector<bool>* const allowed = constraint.Allowed();
      if (allowed != nullptr && !(*allowed)[static_cast<size_t>(id)]) return false;
      constraint.Push(id);
    }
    return true;
  }
  bool MayStop(TokenConstraint& constraint) const {
    const std::vector<bool>* const allowed = constraint.Allowed();
    return allowed == nullptr || (*allowed)[static_cast<size_t>(tokens_.turn_close)];
  }

  const Tokenizer tokenizer_ = TinyTokenizer();
  const SpecialTokens tokens_ = FindSpecialTokens(tokenizer_);
};

TEST_F(TokenConstraintTest, EndsExactlyOnce) {
  const auto form =
      FormOfSchema(R"({"type":"object","properties":{"the user":{"type":"string"}},"required":["the user"]})");
  TokenConstraint constraint = Make(form);
  EXPECT_FALSE(MayStop(constraint));
  EXPECT_TRUE(Takes(constraint, R"({"the user": "the model 中)"));
  EXPECT_FALSE(MayStop(constraint));
  EXPECT_TRUE(Takes(constraint, R"("})"));
  EXPECT_TRUE(MayStop(constraint));
  const std::vector<bool>& allowed = *constraint.Allowed();
  EXPECT_EQ(std::count(allowed.begin(), allowed.end(), true), 1) << "nothing but the stop";
}

TEST_F(TokenConstraintTest, AllowsEveryCutIntoTokens) {
  for (const char* text : {"the model", "the mode", "them"}) {
    TokenConstraint constraint = Make(FormOfChoices({"the model", "the mode", "them"}));
    EXPECT_TRUE(Takes(constraint, text)) << text;
    EXPECT_TRUE(MayStop(constraint));
    TokenConstraint other = Make(FormOfChoices({"中"}));
    EXPECT_FALSE(Takes(other, text));
  }
}

TEST_F(TokenConstraintTest, BeginsAfterTheThought) {
  const auto form = FormOfChoices({"yes"});
  TokenConstraint plain = Make(form);
  EXPECT_FALSE(Takes(plain, "<|channel>")) << "thinking is off";
  TokenConstraint thinking = Make(form, {.may_think = true});
  EXPECT_FALSE(MayStop(thinking));
  EXPECT_TRUE(Takes(thinking, "<|channel>thought\nanything {\n<channel|>"));
  EXPECT_FALSE(MayStop(thinking));
  EXPECT_FALSE(Takes(thinking, "<|channel>")) << "one thought";
  EXPECT_TRUE(Takes(thinking, "yes"));
  EXPECT_TRUE(MayStop(thinking));
  TokenConstraint unthinking = Make(form, {.may_think = true});
  EXPECT_TRUE(Takes(unthinking, "yes"));
  EXPECT_FALSE(Takes(unthinking, "<|channel>"));
  TokenConstraint inside = Make(form, {.in_thought = true});
  EXPECT_TRUE(Takes(inside, "still\n<channel|>yes"));
  EXPECT_TRUE(MayStop(inside));
}

}  // namespace
}  // namespace percept
