// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>

#include "graph/node/graph_limits.h"
#include "graph/node/input_set.h"
#include "graph/node/pending.h"
#include "graph/node/services.h"
#include "graph/node/state_account.h"
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

// Something outside does not answer now and may later: a camera, a server. Thrown from Process or Flush, the same call
// comes again after a wait; see RetryPolicy.
class TransientError : public std::runtime_error {
  using std::runtime_error::runtime_error;
};

// The device that the node works on has failed or has run out of memory. Thrown from Process, the node is made anew and
// called with the same set; see RestartPolicy.
class DeviceError : public std::runtime_error {
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
  // bound. An error packet, passed on by a node that accepts errors, may be sent on any port. Throws std::logic_error:
  // no such port, a payload of another type than the port's, no room.
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

  // Nodes that keep packets to send something at their time later: no output's bound passes `time` until the node says
  // a later one; Max() lets go. It holds no credit.
  virtual void HoldBounds(Time time) = 0;

  // Sources: starts an item under the name that errors and records use. At most one a call: a credit for it is there
  // whenever Process is called.
  virtual ItemRef NewItem(std::string label) = 0;
  // Keeps the set's credit and time beyond this call.
  virtual Pending Hold() = 0;
  // Sources: keeps an item that goes on beyond this call, and the bounds at `time`.
  virtual Pending Hold(const ItemRef& item, Time time) = 0;

  // Sources: what they send from now on belongs to a new epoch, which tells nodes with state to start anew (a
  // reconnect, a new file). Returns the time it starts at, to which the bounds are raised: the latest bound of an
  // output, or `at` where that is later. The first packet on each output is marked Packet::kDiscontinuity.
  virtual Time StartEpoch(Time at) = 0;
  // Sources: where their timeline begins: 0, or, for one added to a graph that runs, where that stands. A batch source
  // counts its times from here; a live one sends nothing earlier. Not before the first Process.
  virtual Time start_time() const = 0;
  // Counts what a source mended or gave up on its way in ("reordered", "late"), for the report.
  virtual void CountRepair(std::string_view kind, int64_t num) = 0;

  // Sources: everything sent so far, with every item started so far, is one chunk under this name, or belongs to
  // earlier ones, and the bounds move past it (on a port that sends many per time, past its present bound). Names
  // differ within a run. A run that is committed can be taken up again after any of its chunks.
  virtual void EndChunk(std::string key) = 0;
  // The chunk that an earlier run was committed up to: a source goes on after it, at the times it would have had.
  // Nothing in a run that starts at the beginning.
  virtual std::optional<std::string> resume_chunk() const = 0;
  // In a run that is committed: where this node's output was when it was committed last, 0 at the beginning. Nothing in
  // other runs.
  virtual std::optional<int64_t> committed_position() const = 0;

  // What the node keeps between sets, against the bound of its contract: KeptPackets made with it keep packets, Add and
  // Remove account for anything else, which the node takes out again in its destructor. Lives as long as the run.
  virtual StateAccount& state() = 0;

  // A new holder of this node's Waker.
  virtual Waker waker() = 0;
  // The run clock: since the start of the run.
  virtual Duration Now() const = 0;
  // Calls the node as its Waker does, once Now() is `run_time` or later. A node has one such call ahead of it: a newer
  // one takes the place of the last.
  virtual void WakeAt(Duration run_time) = 0;
  void WakeAfter(Duration wait) { WakeAt(Now() + wait); }
  // Long loops inside Process look at it and return early.
  virtual bool cancelled() const = 0;
  // Another node has failed for good: what is under way goes through to the sinks, and the run then ends as failed. A
  // sink that would put its output in the place of an older one does not.
  virtual bool run_failed() const = 0;
  virtual const Services& services() const = 0;
  // `limits:` of the pipeline. The graph itself sees to host_bytes; who decodes pictures keeps to pixels.
  virtual const GraphLimits& limits() const = 0;
  // The node's name in the pipeline.
  virtual const std::string& name() const = 0;
};

// A step of a pipeline. The graph calls, on worker threads but never two calls of one node at once (and with a
// happens-before edge between them, so members need no lock):
//   Open     once. Every node is opened before the first Process. No sending.
//   Process  with a set of inputs, or with an empty one: sources always; other nodes after kHaveOutput once their set
//   was
//            given back, and when a Waker that they gave away is called or WakeAt falls due. Never waits: no sleep, no
//            lock held for long, no reading from a pipe. The return value says when the next call comes. A set stays
//            the same from call to call until kNeedInput.
//   Flush    when every input has ended and nothing is pending; repeatedly, until it returns kFinished. Its sets are
//   empty.
//            Sources are never flushed.
//   Close    once if Open was called, after the last other call, also after an error or a cancel; gives up pending
//   work.
//            No sending.
// A set with an error packet never reaches a node unless its contract accepts errors: it goes past it, in order.
// An exception from Process, beside the three classes above, makes error packets of the set and of everything the node
// has pending, and the node is closed, made anew and opened, so often as its RestartPolicy allows. Beyond that, and
// after an exception from any other call, or from a source or sink, the graph stops with the node's path and line in
// the pipeline; the node then only sees Close.
class Node {
 public:
  virtual ~Node() = default;
  virtual void Open(NodeContext& context);
  virtual graph::Process Process(NodeContext& context) = 0;
  virtual graph::Process Flush(NodeContext& context);
  virtual void Close();

  // Sources: nothing new is wanted, the graph is draining or is being cancelled. From any thread, also while Process
  // runs, and perhaps twice. A call that waits returns soon; one more follows while the source has work pending, and
  // what it then sends still goes through in a drain. Does not wait, throw or use the NodeContext.
  virtual void Interrupt();

  // For runs that can be taken up again where they were interrupted. Between two calls of the above:
  // Nodes with Contract::output kAppended: makes durable what was written and returns its length, which
  // NodeContext::committed_position gives back.
  virtual int64_t Commit();
  // Nodes with Contract::state_kind kSaved: what RestoreState, called after Open, makes the node go on from.
  virtual std::string SaveState() const;
  virtual void RestoreState(std::string_view state);
};

}  // namespace percept::graph
