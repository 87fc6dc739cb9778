// SPDX-License-Identifier: Apache-2.0
#include "nodes/batch/journal.h"

#include <type_traits>
#include <utility>

#include "kernels/core/error.h"

namespace percept::nodes {
namespace {

constexpr int64_t kApplicationId = 0x50435054;  // "PCPT"
constexpr int64_t kSchemaVersion = 3;

constexpr const char* kTables = R"sql(
  CREATE TABLE about (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
  CREATE TABLE inputs (
    id INTEGER PRIMARY KEY, name TEXT NOT NULL, page INTEGER NOT NULL, state INTEGER NOT NULL,
    size INTEGER NOT NULL, modified_ns INTEGER NOT NULL, ends_hash TEXT NOT NULL, whole_hash TEXT NOT NULL,
    chunk TEXT NOT NULL DEFAULT '', end_ns INTEGER, epoch INTEGER NOT NULL DEFAULT 0,
    num_chunks INTEGER NOT NULL DEFAULT 0, UNIQUE (name, page));
  CREATE TABLE positions (
    input INTEGER NOT NULL, node TEXT NOT NULL, position INTEGER NOT NULL, file BLOB NOT NULL, hash TEXT NOT NULL,
    PRIMARY KEY (input, node)) WITHOUT ROWID;
  CREATE TABLE states (
    input INTEGER NOT NULL, node TEXT NOT NULL, state BLOB NOT NULL, PRIMARY KEY (input, node)) WITHOUT ROWID;
  CREATE TABLE failures (
    id INTEGER PRIMARY KEY, input INTEGER NOT NULL, item TEXT NOT NULL, kind INTEGER NOT NULL, node TEXT NOT NULL,
    reason TEXT NOT NULL);
  CREATE INDEX failures_of_input ON failures (input);
)sql";

}  // namespace

Journal::Journal(const std::filesystem::path& file, const JournalKey& key) : file_(file), database_(file) {
  // The lock is taken with the first write and kept; it goes with the process, however that ends.
  database_.Run("PRAGMA locking_mode = EXCLUSIVE");
  const auto number = [this](const char* query) {
    Statement row = database_.Prepare(query);
    return row.Step() ? row.Int(0) : 0;
  };
  const int64_t id = number("PRAGMA application_id"), version = number("PRAGMA user_version");
  const bool is_new = id == 0 && number("SELECT count(*) FROM sqlite_master") == 0;
  if (!is_new && id != kApplicationId) {
    throw ArgumentError(file_.string() + ": is a database of something else, and is left as it is: name another file");
  }
  if (!is_new && version != kSchemaVersion) {
    throw ArgumentError(file_.string() + ": written by another version of this program (journal version " +
                        std::to_string(version) + ", this one writes " + std::to_string(kSchemaVersion) + ")");
  }
  if (is_new) {
    database_.Run("PRAGMA journal_mode = WAL");
    MakeTables(key);
  }
  database_.Run("PRAGMA synchronous = FULL");
  database_.Run("BEGIN IMMEDIATE; COMMIT");
  CheckKey(key);
}

void Journal::MakeTables(const JournalKey& key) {
  Transaction transaction(database_);
  database_.Run(kTables);
  database_.Run("PRAGMA application_id = " + std::to_string(kApplicationId));
  database_.Run("PRAGMA user_version = " + std::to_string(kSchemaVersion));
  std::map<std::string, std::string> rows = key.parts;
  rows["pipeline"] = key.pipeline_name;
  rows["model_hash"] = key.model_hash;
  for (const auto& [name, value] : rows) {
    database_.Prepare("INSERT INTO about VALUES (?, ?)").Bind(1, name).Bind(2, value).Step();
  }
  transaction.Commit();
}

void Journal::CheckKey(const JournalKey& key) {
  std::map<std::string, std::string> about;
  Statement rows = database_.Prepare("SELECT key, value FROM about");
  while (rows.Step()) {
    about[rows.Text(0)] = rows.Text(1);
  }
  const std::string start = file_.string() + ": is the journal of ";
  const std::string advice = "; name another with --journal, or remove it to start anew";
  std::string others;
  for (const auto& [name, value] : key.parts) {
    if (about[name] != value) {
      others += (others.empty() ? " with " : " and ") + name;
    }
  }
  if (!others.empty()) {
    throw ArgumentError(start + about["pipeline"] + others + advice);
  }
  if (about["model_hash"] != key.model_hash) {
    throw ArgumentError(start + about["pipeline"] + " with another model" + advice);
  }
}

Journal::Counts Journal::counts() {
  const std::lock_guard lock(mutex_);
  Statement rows = database_.Prepare("SELECT state, count(*) FROM inputs GROUP BY state");
  Counts counts;
  while (rows.Step()) {
    const auto state = static_cast<JournalState>(rows.Int(0));
    (state == JournalState::kDone     ? counts.done
     : state == JournalState::kFailed ? counts.failed
                                      : counts.started) = rows.Int(1);
  }
  return counts;
}

template <class T>
std::map<std::string, T> Journal::ByNode(const char* column, const char* table, int64_t id) {
  std::map<std::string, T> values;
  Statement rows = database_.Prepare(std::string("SELECT node, ") + column + " FROM " + table + " WHERE input = ?");
  rows.Bind(1, id);
  while (rows.Step()) {
    if constexpr (std::is_same_v<T, int64_t>) {
      values[rows.Text(0)] = rows.Int(1);
    } else {
      values[rows.Text(0)] = rows.Text(1);
    }
  }
  return values;
}

std::optional<JournalEntry> Journal::Find(const BatchInput& input) {
  const std::lock_guard lock(mutex_);
  Statement row = database_.Prepare(
      "SELECT id, state, size, modified_ns, ends_hash, whole_hash, chunk, num_chunks, end_ns, epoch FROM inputs WHERE "
      "name = ? AND "
      "page = ?");
  row.Bind(1, input.name).Bind(2, input.page);
  if (!row.Step()) {
    return std::nullopt;
  }
  JournalEntry entry;
  entry.id = row.Int(0);
  entry.state = static_cast<JournalState>(row.Int(1));
  entry.mark = {row.Int(2), row.Int(3), row.Text(4), row.Text(5)};
  entry.resume.key = row.Text(6);
  entry.num_chunks = row.Int(7);
  if (!row.IsNull(8)) {
    entry.resume.end = graph::Time::Nanoseconds(row.Int(8));
  }
  entry.resume.epoch = row.Int(9);
  entry.resume.positions = ByNode<int64_t>("position", "positions", entry.id);
  Statement written =
      database_.Prepare("SELECT node, position, file, hash FROM positions WHERE input = ? AND file <> x''");
  written.Bind(1, entry.id);
  while (written.Step()) {
    entry.written[written.Text(0)] = {written.Text(2), written.Int(1), written.Text(3)};
  }
  entry.resume.states = ByNode<std::string>("state", "states", entry.id);
  return entry;
}

std::vector<BatchInput> Journal::Inputs() {
  const std::lock_guard lock(mutex_);
  std::vector<BatchInput> inputs;
  Statement rows = database_.Prepare("SELECT name, page FROM inputs");
  while (rows.Step()) {
    inputs.push_back({rows.Text(0), static_cast<int>(rows.Int(1))});
  }
  return inputs;
}

int64_t Journal::Start(const BatchInput& input, const FileMark& mark,
                       const std::map<std::string, std::filesystem::path>& files) {
  const std::lock_guard lock(mutex_);
  Transaction transaction(database_);
  for (const std::string table : {"positions", "states", "failures"}) {
    database_.Prepare("DELETE FROM " + table + " WHERE input IN (SELECT id FROM inputs WHERE name = ? AND page = ?)")
        .Bind(1, input.name)
        .Bind(2, input.page)
        .Step();
  }
  database_.Prepare("DELETE FROM inputs WHERE name = ? AND page = ?").Bind(1, input.name).Bind(2, input.page).Step();
  Statement row = database_.Prepare(
      "INSERT INTO inputs (name, page, state, size, modified_ns, ends_hash, whole_hash) VALUES (?, ?, ?, ?, ?, ?, ?) "
      "RETURNING id");
  row.Bind(1, input.name).Bind(2, input.page).Bind(3, static_cast<int64_t>(JournalState::kStarted));
  row.Bind(4, mark.size).Bind(5, mark.modified_ns).Bind(6, mark.ends_hash).Bind(7, mark.whole_hash);
  row.Step();
  const int64_t id = row.Int(0);
  row.Step();
  for (const auto& [node, file] : files) {
    SetPosition(id, node, 0, {file, 0, HashText("")});
  }
  transaction.Commit();
  return id;
}

void Journal::SetPosition(int64_t id, const std::string& node, int64_t position, const WrittenFile& written) {
  Statement row = database_.Prepare("REPLACE INTO positions VALUES (?, ?, ?, ?, ?)");
  row.Bind(1, id).Bind(2, node).Bind(3, position).BindBytes(4, written.file.native()).Bind(5, written.hash).Step();
}

void Journal::Rename(int64_t id, const std::string& node, const std::filesystem::path& file) {
  const std::lock_guard lock(mutex_);
  Statement row = database_.Prepare("UPDATE positions SET file = ? WHERE input = ? AND node = ?");
  row.BindBytes(1, file.native()).Bind(2, id).Bind(3, node).Step();
}

void Journal::AddFailure(int64_t id, const graph::ErrorPayload& error) {
  database_.Prepare("INSERT INTO failures (input, item, kind, node, reason) VALUES (?, ?, ?, ?, ?)")
      .Bind(1, id)
      .Bind(2, error.item)
      .Bind(3, static_cast<int64_t>(error.kind))
      .Bind(4, error.node)
      .Bind(5, error.reason)
      .Step();
}

void Journal::Commit(int64_t id, const graph::ChunkCommit& commit, const std::map<std::string, WrittenFile>& written) {
  const std::lock_guard lock(mutex_);
  Transaction transaction(database_);
  for (const auto& [node, position] : commit.positions) {
    const auto file = written.find(node);
    SetPosition(id, node, position, file == written.end() ? WrittenFile() : file->second);
  }
  for (const auto& [node, state] : commit.states) {
    database_.Prepare("REPLACE INTO states VALUES (?, ?, ?)").Bind(1, id).Bind(2, node).BindBytes(3, state).Step();
  }
  for (const graph::ErrorPayload& error : commit.failed_items) {
    AddFailure(id, error);
  }
  if (commit.is_last) {
    database_
        .Prepare(
            "UPDATE inputs SET state = CASE WHEN EXISTS (SELECT 1 FROM failures WHERE input = ?1) THEN ?2 ELSE ?3 "
            "END WHERE id = ?1")
        .Bind(1, id)
        .Bind(2, static_cast<int64_t>(JournalState::kFailed))
        .Bind(3, static_cast<int64_t>(JournalState::kDone))
        .Step();
  } else {
    Statement row = database_.Prepare(
        "UPDATE inputs SET chunk = ?, end_ns = ?, epoch = ?, num_chunks = num_chunks + 1 WHERE id = ?");
    row.Bind(1, commit.key).Bind(3, commit.epoch).Bind(4, id);
    if (!commit.end.is_special()) {
      row.Bind(2, commit.end.nanoseconds());
    }
    row.Step();
  }
  transaction.Commit();
}

void Journal::Fail(int64_t id, const graph::ErrorPayload& error) {
  const std::lock_guard lock(mutex_);
  Transaction transaction(database_);
  AddFailure(id, error);
  database_.Prepare("UPDATE inputs SET state = ? WHERE id = ?")
      .Bind(1, static_cast<int64_t>(JournalState::kFailed))
      .Bind(2, id)
      .Step();
  transaction.Commit();
}

std::vector<graph::ErrorPayload> Journal::Failures(int64_t id) {
  const std::lock_guard lock(mutex_);
  std::vector<graph::ErrorPayload> failures;
  Statement rows = database_.Prepare("SELECT item, kind, node, reason FROM failures WHERE input = ? ORDER BY id");
  rows.Bind(1, id);
  while (rows.Step()) {
    failures.push_back({static_cast<graph::ErrorKind>(rows.Int(1)), rows.Text(0), rows.Text(3), rows.Text(2)});
  }
  return failures;
}

}  // namespace percept::nodes
