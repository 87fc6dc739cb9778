// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <string_view>

struct sqlite3;
struct sqlite3_stmt;

namespace percept::nodes {

class Database;

// A prepared statement. Arguments and columns count from 1 and from 0, as SQLite has it.
class Statement {
 public:
  Statement& Bind(int argument, int64_t value);
  Statement& Bind(int argument, std::string_view text);
  Statement& BindBytes(int argument, std::string_view bytes);
  // True where there is a row to read.
  bool Step();
  int64_t Int(int column) const;
  // "" where it is null.
  std::string Text(int column) const;
  bool IsNull(int column) const;

 private:
  friend class Database;
  struct Finalize {
    void operator()(sqlite3_stmt* statement) const;
  };
  Statement(const Database& database, sqlite3_stmt* statement) : database_(database), statement_(statement) {}

  const Database& database_;
  std::unique_ptr<sqlite3_stmt, Finalize> statement_;
};

// One SQLite file, held by this process alone from the first statement on. Not for two threads at once. What fails
// throws Error that names the file: in use, no database, damaged, full.
class Database {
 public:
  explicit Database(std::filesystem::path file);
  void Run(const std::string& sql);
  Statement Prepare(const std::string& sql);

 private:
  friend class Statement;
  struct Close {
    void operator()(sqlite3* database) const;
  };
  [[noreturn]] void Throw(int code) const;

  const std::filesystem::path file_;
  std::unique_ptr<sqlite3, Close> database_;
};

// Rolls back what was done since it was made, unless it was committed.
class Transaction {
 public:
  explicit Transaction(Database& database);
  ~Transaction();
  Transaction(const Transaction&) = delete;
  Transaction& operator=(const Transaction&) = delete;
  void Commit();

 private:
  Database& database_;
  bool is_open_ = true;
};

}  // namespace percept::nodes
