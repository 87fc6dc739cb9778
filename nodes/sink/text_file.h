// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "graph/node/params.h"
#include "nodes/runtime.h"

namespace percept::nodes {

// The file that a sink with this path writes: symbolic links followed, `.` and `..` gone. Nothing for what is written
// as it is: "-", a device, a pipe, an open file's name under /proc.
std::optional<std::filesystem::path> ReplacedFile(const std::string& path);

// Where a sink that writes `file` keeps what it has when its run fails.
std::filesystem::path PartialFile(const std::filesystem::path& file);

// Makes the entry of a new or renamed file durable. Throws Error that names the file.
void SyncFolderOf(const std::filesystem::path& file);

// What a sink writes to: a file, or with the path "-" the runtime's standard output.
//
// A regular file is written beside its place and takes it at the end, if anything was written: until then an old file
// stays what it is. Where there was nothing it stays until WriteEmptyOutputs: no sink knows whether its run has failed.
// Where the run fails or is cancelled before that, what was written is kept in PartialFile, or where something has that
// name with the first free number behind it (`.partial.2`), see Runtime::partial_outputs. In a run that is committed it
// is written where it is, so that what was committed stands there after a crash; what was written after the last commit
// is cut off again, when the run fails or else when it is taken up again.
class TextFile {
 public:
  // Of the sink whose parameter `path` this is. No other sink may write the file meanwhile: throws DefinitionError, at
  // the parameter, where one does.
  TextFile(const graph::ParamValues& params, Runtime& runtime);
  // Lets go what was not finished.
  ~TextFile();
  TextFile(const TextFile&) = delete;
  TextFile& operator=(const TextFile&) = delete;

  // Open and Write wait for who reads a pipe, as long as this is false: NodeContext::cancelled.
  using Cancelled = std::function<bool()>;

  // `committed`: NodeContext::committed_position. Throws Error that names the file.
  void Open(std::optional<int64_t> committed, const Cancelled& cancelled);
  // Written when it returns, as far as this process is concerned. Throws Error that names the file.
  void Write(std::string_view text, const Cancelled& cancelled);
  // A name to be written, as where it goes wants it (TextStream::Shown).
  std::string Shown(const std::string& name) const { return stream_ == nullptr ? name : stream_->Shown(name); }
  // The length so far.
  int64_t length() const { return length_; }
  // Makes it durable and returns the length. Throws Error that names the file.
  int64_t Commit();
  // After the last Write: puts the file in its place. One without a row only with `even_empty`: else the runtime is
  // told, for WriteEmptyOutputs. Throws Error that names the file.
  void Finish(bool even_empty = false);
  // After Finish nothing; else, in runs that have failed or were cancelled, keeps what was written as partial, without
  // a word of what fails. Others may then write the file.
  void Close();

 private:
  struct CloseFile {
    void operator()(std::FILE* file) const { std::fclose(file); }
  };

  void OpenDevice(const Cancelled& cancelled);
  bool WaitForRoom() const;
  void WritePiece(std::string_view piece);
  void OpenInPlace(const std::filesystem::path& target, int64_t committed);
  void OpenBeside(const std::filesystem::path& target);
  void CutToCommitted();
  void KeepPartial();
  // With `put`, which may choose another place and returns an errno. Returns an errno, 0 where all went well.
  int PutInPlace(std::filesystem::path& place, bool even_empty,
                 int (*put)(const std::filesystem::path& file, std::filesystem::path& place));

  const std::string path_;
  Runtime& runtime_;
  std::unique_ptr<OutputClaim> claim_;
  TextStream* stream_ = nullptr;  // instead of file_
  bool may_wait_ = true;          // for who reads it: not a regular file
  std::unique_ptr<std::FILE, CloseFile> file_;
  std::filesystem::path target_;
  std::filesystem::path written_;     // to be renamed to target_; empty where that is done or not wanted
  std::optional<int64_t> committed_;  // a regular file that is written in place: its length at the last commit
  int64_t length_ = 0;
};

// To be called when a run has ended without any failure: files of sinks that had no rows are empty from now on, what
// they held is no answer of this run. Throws Error that names the file.
void WriteEmptyOutputs(Runtime& runtime);

}  // namespace percept::nodes
