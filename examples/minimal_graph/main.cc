// SPDX-License-Identifier: Apache-2.0
// Builds the OCR pipeline in code and runs it on one picture:  minimal_graph MODEL_FOLDER PICTURE
#include <cstdio>

#include "graph/config/graph_builder.h"
#include "graph/run/graph.h"
#include "nodes/runtime.h"

struct StandardOutput : percept::nodes::TextStream {
  void Write(std::string_view text) override { std::fwrite(text.data(), 1, text.size(), stdout); }
};

int main(int argc, char** argv) {
  if (argc != 3) {
    std::fprintf(stderr, "usage: minimal_graph MODEL_FOLDER PICTURE\n");
    return 2;
  }
  try {
    StandardOutput out;
    percept::nodes::Runtime runtime({.default_model = argv[1], .standard_output = &out});
    percept::graph::GraphBuilder builder("minimal");
    builder.Node("image", "image.file").Set("path", std::vector<std::string>{argv[2]});
    builder.Node("see", "encode.vision").In("image");
    builder.Node("say", "decode.gemma4").In("see").Set("prompt", "Read all text in the image.");
    builder.Node("text", "sink.text").In("say.record").Set("path", "-");
    percept::graph::Graph graph(builder.Check(runtime.registry()), runtime.executor(), runtime.services());
    return graph.Run().num_failed_items == 0 ? 0 : 1;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "minimal_graph: %s\n", error.what());
    return 3;
  }
}
