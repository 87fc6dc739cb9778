// SPDX-License-Identifier: Apache-2.0
#include "kernels/ops/linear_quant.h"

#include <algorithm>

#include "kernels/cpu/threads.h"
#include "kernels/ops/quant_panel.h"

namespace percept::ops {
namespace {

// Rows that one item of work takes through a panel while it stays in the nearest caches.
constexpr int64_t kItemRows = 96;
static_assert(kItemRows % kMaxCodedTile == 0);
// Neighbouring panels that one item takes, as many as an exact row wants at once.
constexpr int64_t kItemPanels = 4;
// Multiply-adds below which an item is not worth a task of its own.
constexpr int64_t kTaskProducts = 1 << 18;

int64_t CeilDivide(int64_t a, int64_t b) { return (a + b - 1) / b; }

// One call of LinearQuant.
struct Call {
  const KernelContext& context;
  const LinearArgs& args;
  CodedRows coded;  // empty in exact mode
};

void RunTask(const Call& call, const QuantTask& task) {
  if (call.coded.codes == nullptr) {
    RunExact(call.context.isa, call.args, task);
  } else {
    RunFast(call.context.isa, call.args, call.coded, task);
  }
}

void RunPacked(const Call& call, int64_t first_panel, int64_t num_panels, int64_t first_row, int64_t end_row) {
  const LinearArgs& args = call.args;
  const int64_t panel_bytes = QuantPanelBytes(args.dtype, args.in);
  RunTask(call, {args.dtype, args.weight + first_panel * panel_bytes, panel_bytes, first_panel, num_panels, 0,
                 args.in / kCodeBlock, first_row, end_row});
}

// Packs a unit of the panels at a time into a buffer that stays in the nearest cache.
void RunMapped(const Call& call, int64_t first_panel, int64_t num_panels, int64_t first_row, int64_t end_row) {
  constexpr int64_t kMaxUnitBytes = QuantLayoutOf(DType::kQ80).unit_bytes();
  alignas(64) std::byte units[kItemPanels * kMaxUnitBytes];
  const LinearArgs& args = call.args;
  const int64_t unit_bytes = QuantLayoutOf(args.dtype).unit_bytes();
  const ConstTensor weight{
      .bytes = args.weight, .dtype = args.dtype, .shape = {args.out, args.in}, .scales = args.scales};
  for (int64_t first = 0; first < args.in; first += kUnitDepth) {
    for (int64_t i = 0; i < num_panels; ++i) {
      PackQuantPanel(call.context.isa, weight, first_panel + i, first / kUnitDepth, 1, units + i * unit_bytes);
    }
    RunTask(call, {args.dtype, units, unit_bytes, first_panel, num_panels, first / kCodeBlock,
                   std::min(kUnitDepth, args.in - first) / kCodeBlock, first_row, end_row});
  }
}

CodedRows CodeInput(const Call& call, float input_min, float input_max, Arena& scratch) {
  const LinearArgs& args = call.args;
  const int64_t blocks = args.in / kCodeBlock;
  const CodedRows coded{.codes = scratch.Allocate<int8_t>(args.x.rows * args.in),
                        .scales = scratch.Allocate<float>(args.x.rows * blocks),
                        .corrections = scratch.Allocate<int32_t>(args.x.rows * blocks * 2)};
  ParallelFor(CeilDivide(args.x.rows, kMaxCodedTile), 2, [&](int64_t begin, int64_t end) {
    CodeRows(call.context.isa, args, input_min, input_max, begin * kMaxCodedTile,
             std::min(args.x.rows, end * kMaxCodedTile), coded);
  });
  return coded;
}

}  // namespace

void LinearQuant(const KernelContext& context, const LinearArgs& args, bool packed, float input_min, float input_max,
                 Arena& scratch) {
  Call call{context, args, {}};
  if (context.mode == Mode::kFast) {
    call.coded = CodeInput(call, input_min, input_max, scratch);
  }
  const int64_t panels = CeilDivide(args.out, kQuantPanelWidth);
  const int64_t row_items = CeilDivide(args.x.rows, kItemRows);
  const int64_t products = std::min(args.x.rows, kItemRows) * args.in * kQuantPanelWidth * kItemPanels;
  const int64_t grain = std::max<int64_t>(1, kTaskProducts / products);
  ParallelFor(CeilDivide(panels, kItemPanels) * row_items, grain, [&](int64_t begin, int64_t end) {
    for (int64_t item = begin; item < end; ++item) {
      const int64_t first_panel = item / row_items * kItemPanels;
      const int64_t first_row = item % row_items * kItemRows;
      const auto run = packed ? RunPacked : RunMapped;
      run(call, first_panel, std::min(kItemPanels, panels - first_panel), first_row,
          std::min(args.x.rows, first_row + kItemRows));
    }
  });
}

size_t LinearQuantScratchBytes(int64_t rows, int64_t max_in_features) {
  constexpr int64_t kAlignments = 3 * 64;
  return static_cast<size_t>(rows * (max_in_features + max_in_features / kCodeBlock * 12) + kAlignments);
}

}  // namespace percept::ops
