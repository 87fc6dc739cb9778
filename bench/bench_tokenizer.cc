// SPDX-License-Identifier: Apache-2.0
// How long a tokenizer takes to load and how much text a second it encodes:
//   bench_tokenizer [--benchmark_...] FILE    FILE: tokenizer.json, or the same with gzip
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <random>
#include <string>
#include <vector>

#include "bench/measure.h"
#include "decoder/text/tokenizer.h"
#include "kernels/weights/json_section.h"
#include "tests/support/gzip_file.h"

namespace percept {
namespace {

constexpr size_t kTextBytes = 10'000'000;

// Words of the vocabulary by Zipf's law, with commas, full stops and line ends between: each word's share is one over
// its rank.
std::string PlainText(const Tokenizer& tokenizer, bool newlines) {
  std::vector<std::string> words;
  for (int32_t id = 0; id < tokenizer.vocab_size(); ++id) {
    std::string word;
    tokenizer.AppendText(id, &word);
    const bool is_word = word.size() > 2 && word[0] == ' ' &&
                         word.find_first_not_of("abcdefghijklmnopqrstuvwxyz", 1) == std::string::npos;
    if (is_word) words.push_back(std::move(word));
  }
  std::mt19937 random(1);
  std::shuffle(words.begin(), words.end(), random);
  std::uniform_real_distribution<double> uniform(0, std::log(static_cast<double>(words.size())));
  std::string text;
  while (text.size() < kTextBytes) {
    text += words[static_cast<size_t>(std::exp(uniform(random))) - 1];
    const uint32_t mark = random() % 100;
    if (mark < 8) text += mark < 5 ? "," : ".";
    if (newlines && mark == 99) text += '\n';
  }
  return text;
}

// Every word another: nothing is met twice.
std::string RareText() {
  std::mt19937 random(2);
  std::string text;
  while (text.size() < kTextBytes) {
    text += ' ';
    for (size_t i = 4 + random() % 8; i > 0; --i) text += static_cast<char>('a' + random() % 26);
  }
  return text;
}

std::string WithoutSpaces(std::string text) {
  std::erase(text, ' ');
  return text;
}

void BM_Encode(benchmark::State& state, const Tokenizer& tokenizer, const std::string& text) {
  std::vector<int32_t> ids;
  Measure(state, "MB_per_s", static_cast<double>(text.size()) * 1e-6,
          [&] { ids = tokenizer.Encode(text, Trust::kUntrusted); });
  if (tokenizer.Decode(ids, /*keep_special=*/true) != text) state.SkipWithError("wrong result");
  state.counters["tokens"] = static_cast<double>(ids.size());
}

void BM_Load(benchmark::State& state, const std::string& json) {
  for (auto _ : state) benchmark::DoNotOptimize(Tokenizer::FromJson(json, "tokenizer.json"));
}

void Register(const Tokenizer& tokenizer, const std::string& json) {
  const auto add = [](const char* name, const auto& body) {
    benchmark::RegisterBenchmark(name, body)->UseRealTime()->Unit(benchmark::kMillisecond);
  };
  add("load", [&json](benchmark::State& state) { BM_Load(state, json); });
  const auto encode = [&](const char* name, const std::string& text) {
    add(name, [&tokenizer, text](benchmark::State& state) { BM_Encode(state, tokenizer, text); });
  };
  const std::string line = PlainText(tokenizer, /*newlines=*/false);
  encode("encode/plain", PlainText(tokenizer, /*newlines=*/true));
  encode("encode/one_line", line);
  encode("encode/tenth_of_the_line", line.substr(0, kTextBytes / 10));
  encode("encode/rare_words", RareText());
  encode("encode/one_word", WithoutSpaces(line));
  encode("encode/tenth_of_the_word", WithoutSpaces(line.substr(0, kTextBytes / 10)));
}

}  // namespace
}  // namespace percept

int main(int argc, char** argv) {
  benchmark::Initialize(&argc, argv);
  if (argc != 2) {
    std::fprintf(stderr, "usage: bench_tokenizer [--benchmark_...] FILE\n");
    return 2;
  }
  const std::filesystem::path file = argv[1];
  const std::string json = file.extension() == ".gz" ? ReadGzipFile(file) : percept::ReadTextFile(file);
  const percept::Tokenizer tokenizer = percept::Tokenizer::FromJson(json, file.string());
  percept::Register(tokenizer, json);
  benchmark::RunSpecifiedBenchmarks();
  return 0;
}
