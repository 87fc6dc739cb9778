// SPDX-License-Identifier: Apache-2.0
#include "graph/config/yaml_reader.h"

#include <yaml-cpp/depthguard.h>
#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/exceptions.h>
#include <yaml-cpp/parser.h>

#include <memory>
#include <sstream>
#include <unordered_map>
#include <utility>
#include <vector>

namespace percept::graph {
namespace {

class TreeBuilder : public YAML::EventHandler {
 public:
  explicit TreeBuilder(std::shared_ptr<const std::string> file) : file_(std::move(file)) {}

  Position At(const YAML::Mark& mark) const { return Position{file_, mark.line + 1, mark.column + 1}; }
  Value Take() { return std::move(root_); }

  void OnDocumentStart(const YAML::Mark&) override {}
  void OnDocumentEnd() override {}
  void OnNull(const YAML::Mark& mark, YAML::anchor_t anchor) override {
    RefuseAnchor(mark, anchor);
    Add(Value::Null(At(mark)));
  }
  void OnAlias(const YAML::Mark& mark, YAML::anchor_t) override { RefuseAnchor(mark, 1); }
  void OnScalar(const YAML::Mark& mark, const std::string&, YAML::anchor_t anchor, const std::string& text) override {
    RefuseAnchor(mark, anchor);
    Add(Value::Scalar(text, At(mark)));
  }
  void OnSequenceStart(const YAML::Mark& mark, const std::string&, YAML::anchor_t anchor,
                       YAML::EmitterStyle::value) override {
    Begin(mark, anchor, Value::Kind::kList);
  }
  void OnSequenceEnd() override {
    Frame frame = End();
    Add(Value::List(std::move(frame.items), frame.position));
  }
  void OnMapStart(const YAML::Mark& mark, const std::string&, YAML::anchor_t anchor,
                  YAML::EmitterStyle::value) override {
    Begin(mark, anchor, Value::Kind::kMap);
  }
  void OnMapEnd() override {
    Frame frame = End();
    Add(Value::Map(std::move(frame.entries), frame.position));
  }

 private:
  struct Frame {
    Value::Kind kind;
    Position position;
    std::vector<Value> items;
    std::vector<Value::Entry> entries;
    bool has_key = false;  // the last entry still waits for its value
    std::unordered_map<std::string, Position> seen;
  };

  void RefuseAnchor(const YAML::Mark& mark, YAML::anchor_t anchor) const {
    if (anchor) throw DefinitionError(At(mark), "anchors and aliases are not allowed in a pipeline file");
  }

  void RefuseKey(const Position& position) const {
    const bool is_key = !frames_.empty() && frames_.back().kind == Value::Kind::kMap && !frames_.back().has_key;
    if (is_key) throw DefinitionError(position, "a key must be a scalar");
  }

  void Begin(const YAML::Mark& mark, YAML::anchor_t anchor, Value::Kind kind) {
    RefuseAnchor(mark, anchor);
    RefuseKey(At(mark));
    Frame frame;
    frame.kind = kind;
    frame.position = At(mark);
    frames_.push_back(std::move(frame));
  }

  Frame End() {
    Frame frame = std::move(frames_.back());
    frames_.pop_back();
    return frame;
  }

  void Add(Value value) {
    if (frames_.empty()) {
      root_ = std::move(value);
      return;
    }
    Frame& frame = frames_.back();
    if (frame.kind == Value::Kind::kList) {
      frame.items.push_back(std::move(value));
    } else if (frame.has_key) {
      frame.entries.back().value = std::move(value);
      frame.has_key = false;
    } else {
      AddKey(frame, value);
    }
  }

  void AddKey(Frame& frame, const Value& key) {
    if (!key.is_scalar()) throw DefinitionError(key.position(), "a key must be a scalar");
    const auto [first, is_new] = frame.seen.emplace(key.scalar(), key.position());
    if (!is_new) {
      throw DefinitionError(key.position(),
                            "duplicate key '" + key.scalar() + "'; the first is at " + first->second.ToString());
    }
    frame.entries.push_back({key.scalar(), key.position(), Value()});
    frame.has_key = true;
  }

  std::shared_ptr<const std::string> file_;
  std::vector<Frame> frames_;
  Value root_;
};

}  // namespace

Value ReadYaml(const std::string& text, const std::string& file_name) {
  TreeBuilder tree(std::make_shared<const std::string>(file_name));
  YAML::Mark start;
  try {
    std::istringstream stream(text);
    YAML::Parser parser(stream);
    if (!parser.HandleNextDocument(tree)) throw DefinitionError(tree.At(start), "the file is empty");
    Value root = tree.Take();
    if (parser.HandleNextDocument(tree)) throw DefinitionError(tree.At(start), "the file holds more than one document");
    return root;
  } catch (const YAML::DeepRecursion& error) {
    throw DefinitionError(tree.At(error.mark), "nested too deep");
  } catch (const YAML::Exception& error) {
    throw DefinitionError(tree.At(error.mark.is_null() ? start : error.mark), "not valid YAML: " + error.msg);
  }
}

}  // namespace percept::graph
