// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <filesystem>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "graph/config/checked_graph.h"
#include "nodes/model_params.h"

namespace percept::nodes {

// What tells whether two names are of one file, hard and symbolic links included: its device and inode, or where there
// is none yet its place. "" for what cannot be lost by writing it: a device, a pipe, "".
std::string FileKey(const std::filesystem::path& file);

// Why a file cannot be written, nor made where there is none: "there is no folder /x", "a directory, not a file",
// "/x cannot be written: Permission denied". "" where it can, and for "-". Changes nothing.
std::string WhyUnwritable(const std::filesystem::path& file);

// A file that a node of a graph reads or writes.
struct NodeFile {
  std::string node;
  std::filesystem::path file;
  graph::Position position;  // of the parameter
};

// The files that the parameters of a graph's nodes name.
struct GraphFiles {
  std::vector<NodeFile> read;     // "-" is standard input
  std::vector<NodeFile> written;  // by sinks; "-" is standard output
};
GraphFiles FilesOf(const graph::CheckedGraph& graph);

// The files of a run, each with what it is there for ("the list"), so that none is written over another.
class FileUses {
 public:
  // Of a folder all files in it too. "-" is standard input. What a file is first it stays.
  void Add(const std::filesystem::path& file, const std::string& use);
  // What the file is already, "" where it is nothing. "-" is standard output.
  std::string UseOf(const std::filesystem::path& file) const;
  // Throws ArgumentError, which begins with `flag`, where the file is something already.
  void RefuseUsed(const std::filesystem::path& file, const std::string& flag) const;

 private:
  std::set<std::filesystem::path> names_;
  std::map<std::string, std::string> uses_;  // by key
};

void AddModelFiles(const ModelFiles& files, FileUses* uses);

// Throws DefinitionError, at the sink's parameter, where a file that the graph writes is one that it reads, that
// another of its sinks writes, or one of `uses`. Changes nothing.
void CheckOutputs(const graph::CheckedGraph& graph, FileUses uses);

}  // namespace percept::nodes
