// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "graph/packet/error_payload.h"
#include "graph/run/commit.h"
#include "nodes/batch/database.h"
#include "nodes/batch/file_mark.h"

namespace percept::nodes {

// One unit of a batch.
struct BatchInput {
  std::string name;  // a path, or what else the pipeline's `input` takes
  int page = 1;
};

// What a journal is about: it serves no other pipeline, set of parameters or model.
struct JournalKey {
  std::string pipeline_name;
  // Of the pipeline's contents, the parameters, the mode and so on, each under the name that a message has for it.
  std::map<std::string, std::string> parts;
  std::string model_hash;
};

enum class JournalState : int64_t {
  kStarted = 0,
  kDone = 1,
  kFailed = 2,  // in quarantine: some of its items failed, or its graph did
};

// What a batch wrote, as it stood when it was last committed; empty where nothing was yet.
struct WrittenFile {
  std::filesystem::path file;
  int64_t size = 0;
  std::string hash;  // HashStart of it
};

// What a journal holds of an input.
struct JournalEntry {
  int64_t id = 0;
  JournalState state = JournalState::kStarted;
  FileMark mark;
  int64_t num_chunks = 0;
  graph::ResumePoint resume;                   // of its last commit; its key is that chunk's
  std::map<std::string, WrittenFile> written;  // by node, of the same commit; devices and pipes have none
};

// What a batch has done, in a SQLite file: every call that returns has reached the disk. Held by one process at a time.
// Any thread. Each call throws Error that names the file where it cannot be read or written.
class Journal {
 public:
  // Opens or makes the file. Throws ArgumentError where it belongs to another pipeline or model, or to a newer version
  // of this program; Error where it is in use, damaged, or no journal.
  Journal(const std::filesystem::path& file, const JournalKey& key);

  struct Counts {
    int64_t done = 0, failed = 0, started = 0;
  };
  Counts counts();
  std::optional<JournalEntry> Find(const BatchInput& input);
  // All that were begun.
  std::vector<BatchInput> Inputs();
  // The input is begun anew: what was known of it is forgotten. `files`: by node, what it is about to write. Returns
  // its id.
  int64_t Start(const BatchInput& input, const FileMark& mark,
                const std::map<std::string, std::filesystem::path>& files = {});
  // A chunk is finished, and with the last one the input. `written`: by node, what stands at the commit's positions.
  void Commit(int64_t id, const graph::ChunkCommit& commit, const std::map<std::string, WrittenFile>& written = {});
  // What a node wrote has got another name.
  void Rename(int64_t id, const std::string& node, const std::filesystem::path& file);
  // The input goes into quarantine.
  void Fail(int64_t id, const graph::ErrorPayload& error);
  // Why an input is in quarantine, in the order in which it was found.
  std::vector<graph::ErrorPayload> Failures(int64_t id);

 private:
  void MakeTables(const JournalKey& key);
  void CheckKey(const JournalKey& key);
  void SetPosition(int64_t id, const std::string& node, int64_t position, const WrittenFile& written);
  void AddFailure(int64_t id, const graph::ErrorPayload& error);
  template <class T>
  std::map<std::string, T> ByNode(const char* column, const char* table, int64_t id);

  const std::filesystem::path file_;
  std::mutex mutex_;
  Database database_;
};

}  // namespace percept::nodes
