// SPDX-License-Identifier: Apache-2.0
#include "nodes/batch/database.h"

#include <fcntl.h>
#include <sqlite3.h>
#include <unistd.h>

#include <cerrno>
#include <system_error>
#include <utility>

#include "kernels/core/error.h"

namespace percept::nodes {
namespace {

// ": No space left on device", "" where the system said nothing.
std::string SystemReason(sqlite3* database) {
  const int error = sqlite3_system_errno(database);
  return error == 0 ? "" : ": " + std::generic_category().message(error);
}

// Why a file cannot be opened and made. SQLite tries more than one way, and tells of the last.
std::string WhyNotOpened(const std::filesystem::path& file) {
  std::error_code ignored;
  if (std::filesystem::is_directory(file, ignored)) {
    return std::generic_category().message(EISDIR);
  }
  const bool is_there = faccessat(AT_FDCWD, file.c_str(), F_OK, AT_EACCESS) == 0;
  const std::filesystem::path folder = file.has_parent_path() ? file.parent_path() : ".";
  const bool may = is_there ? faccessat(AT_FDCWD, file.c_str(), R_OK | W_OK, AT_EACCESS) == 0
                            : faccessat(AT_FDCWD, folder.c_str(), W_OK | X_OK, AT_EACCESS) == 0;
  return may ? "" : std::generic_category().message(errno);
}

}  // namespace

void Statement::Finalize::operator()(sqlite3_stmt* statement) const { sqlite3_finalize(statement); }
void Database::Close::operator()(sqlite3* database) const { sqlite3_close(database); }

Statement& Statement::Bind(int argument, int64_t value) {
  if (const int code = sqlite3_bind_int64(statement_.get(), argument, value); code != SQLITE_OK) {
    database_.Throw(code);
  }
  return *this;
}

Statement& Statement::Bind(int argument, std::string_view text) {
  const int code =
      sqlite3_bind_text(statement_.get(), argument, text.data(), static_cast<int>(text.size()), SQLITE_TRANSIENT);
  if (code != SQLITE_OK) {
    database_.Throw(code);
  }
  return *this;
}

Statement& Statement::BindBytes(int argument, std::string_view bytes) {
  const int code = sqlite3_bind_blob64(statement_.get(), argument, bytes.data(), bytes.size(), SQLITE_TRANSIENT);
  if (code != SQLITE_OK) {
    database_.Throw(code);
  }
  return *this;
}

bool Statement::Step() {
  const int code = sqlite3_step(statement_.get());
  if (code != SQLITE_ROW && code != SQLITE_DONE) {
    database_.Throw(code);
  }
  return code == SQLITE_ROW;
}

int64_t Statement::Int(int column) const { return sqlite3_column_int64(statement_.get(), column); }

std::string Statement::Text(int column) const {
  const void* const bytes = sqlite3_column_blob(statement_.get(), column);
  const int size = sqlite3_column_bytes(statement_.get(), column);
  return bytes == nullptr ? "" : std::string(static_cast<const char*>(bytes), static_cast<size_t>(size));
}

bool Statement::IsNull(int column) const { return sqlite3_column_type(statement_.get(), column) == SQLITE_NULL; }

Database::Database(std::filesystem::path file) : file_(std::move(file)) {
  sqlite3* database = nullptr;
  const int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX;
  const int code = sqlite3_open_v2(file_.c_str(), &database, flags, nullptr);
  database_.reset(database);
  if (code != SQLITE_OK) {
    Throw(code);
  }
}

void Database::Throw(int code) const {
  switch (code & 0xff) {
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
      throw Error(file_.string() + ": in use by another run");
    case SQLITE_NOTADB:
      throw Error(file_.string() + ": is no journal, and is left as it is: name another file");
    case SQLITE_CORRUPT:
      throw Error(file_.string() + ": is damaged (" + sqlite3_errmsg(database_.get()) + "): remove it to start anew");
    case SQLITE_CANTOPEN:
      if (const std::string reason = WhyNotOpened(file_); !reason.empty()) {
        throw Error(file_.string() + ": cannot be opened: " + reason);
      }
      [[fallthrough]];
    default:
      throw Error(file_.string() + ": " + sqlite3_errmsg(database_.get()) + SystemReason(database_.get()));
  }
}

void Database::Run(const std::string& sql) {
  if (const int code = sqlite3_exec(database_.get(), sql.c_str(), nullptr, nullptr, nullptr); code != SQLITE_OK) {
    Throw(code);
  }
}

Statement Database::Prepare(const std::string& sql) {
  sqlite3_stmt* statement = nullptr;
  const int code = sqlite3_prepare_v2(database_.get(), sql.c_str(), static_cast<int>(sql.size()), &statement, nullptr);
  if (code != SQLITE_OK) {
    Throw(code);
  }
  return {*this, statement};
}

Transaction::Transaction(Database& database) : database_(database) { database_.Run("BEGIN IMMEDIATE"); }

Transaction::~Transaction() {
  if (!is_open_) {
    return;
  }
  try {
    database_.Run("ROLLBACK");
  } catch (const Error&) {  // NOLINT(bugprone-empty-catch)
    // SQLite has rolled back by itself; the first fault is the one to tell.
  }
}

void Transaction::Commit() {
  database_.Run("COMMIT");
  is_open_ = false;
}

}  // namespace percept::nodes
