// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stdexcept>
#include <string>
#include <string_view>

#include "graph/node/input_set.h"
#include "graph/node/pending.h"
#include "graph/node/services.h"
#include "graph/node/waker.h"

namespace percept::graph {

// What a call of Node::Process says about the next one.
enum class Process {
  kNeedInput,   // done with the set, if there was one: call again for the next set, or when the Waker is called
  kHaveOutput,  // more to send, for the same set if there was one: call again once the outputs have room
  kBlocked,     // cannot go on; keeps the set: call again when the Waker, which somebody holds, is called
  kFinished,    // nothing will be sent any more: the outputs end, what is left on the inputs is let go
};

// One input cannot be used. Thrown from Process with a set, it becomes an error packet at the set's time on every
// output; the rest of the graph goes on.
class BadInputError : public std::runtime_error {
  using std::runtime_error::runtime_error;
};

// What a node sees of the graph during one call. Valid for that call only; used only on the thread of the call.
class NodeContext {
 public:
  virtual ~NodeContext() = default;

  virtual const InputSet& inputs() const = 0;

  // Sends a packet. One without an item takes over item, epoch, trace id and capture time from the first packet of the
  // set (sources: from the last NewItem of this call). When Process is called, every port has room for one packet;
  // further ones need CanSend. A packet earlier than the port's bound is not sent: it becomes an error packet at the
  // bound. Throws std::logic_error: no such port, a payload of another type than the port's, no room.
  virtual void Send(std::string_view port, Packet packet) = 0;
  // The same for work that was pending: the packet takes over what the pending set was.
  virtual void Send(std::string_view port, Packet packet, const Pending& work) = 0;
  virtual bool CanSend(std::string_view port) const = 0;
  // False where nobody reads the port: what is sent there is dropped, so it need not be made.
  virtual bool IsRead(std::string_view port) const = 0;
  // Promises that nothing earlier than `time` will be sent on `port`; never moves back. Needed only by sources that
  // know more than their packets say: other nodes' bounds follow their inputs and pending work.
  virtual void SetBound(std::string_view port, Time time) = 0;

  // One error packet at the set's time on every output; counts the item as failed.
  virtual void SendError(ErrorKind kind, std::string reason) = 0;
  virtual void SendError(ErrorKind kind, std::string reason, const Pending& work) = 0;
  // For sources: about an item that is at `time`.
  virtual void SendError(ErrorKind kind, std::string reason, Time time, const ItemRef& item) = 0;

  // Sources: starts an item under the name that errors and records use. At most one a call: a credit for it is there
  // whenever Process is called.
  virtual ItemRef NewItem(std::string label) = 0;
  // Keeps the set's credit and time beyond this call.
  virtual Pending Hold() = 0;
  // Sources: keeps an item that goes on beyond this call, and the bounds at `time`.
  virtual Pending Hold(const ItemRef& item, Time time) = 0;

  // A new holder of this node's Waker.
  virtual Waker waker() = 0;
  // Long loops inside Process look at it and return early.
  virtual bool cancelled() const = 0;
  virtual const Services& services() const = 0;
  // The node's name in the pipeline.
  virtual const std::string& name() const = 0;
};

// A step of a pipeline. The graph calls, on worker threads but never two calls of one node at once (and with a
// happens-before edge between them, so members need no lock):
//   Open     once. Every node is opened before the first Process. No sending.
//   Process  with a set of inputs, or with an empty one: sources always; other nodes after kHaveOutput once their set
//   was
//            given back, and when a Waker that they gave away is called. Never waits: no sleep, no lock held for long,
//            no reading from a pipe. The return value says when the next call comes. A set stays the same from call to
//            call until kNeedInput.
//   Flush    when every input has ended and nothing is pending; repeatedly, until it returns kFinished. Its sets are
//   empty.
//            Sources are never flushed.
//   Close    once if Open was called, after the last other call, also after an error or a cancel; gives up pending
//   work.
//            No sending.
// A set with an error packet never reaches a node unless its contract accepts errors: it goes past it, in order. An
// exception from any call other than BadInputError from Process stops the graph with the node's path and line in the
// pipeline; the node then only sees Close.
class Node {
 public:
  virtual ~Node() = default;
  virtual void Open(NodeContext& context);
  virtual graph::Process Process(NodeContext& context) = 0;
  virtual graph::Process Flush(NodeContext& context);
  virtual void Close();
};

}  // namespace percept::graph
