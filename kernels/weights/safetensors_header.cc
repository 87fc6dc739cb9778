// SPDX-License-Identifier: Apache-2.0
#include "kernels/weights/safetensors_header.h"

#include <algorithm>
#include <array>
#include <limits>
#include <nlohmann/json.hpp>
#include <set>
#include <utility>

#include "kernels/core/error.h"
#include "kernels/core/quoted.h"

namespace percept {
namespace {

struct FileDType {
  std::string_view name;
  int64_t bits;
};

constexpr FileDType kFileDTypes[] = {{"BOOL", 8},    {"U8", 8},   {"I8", 8},   {"F8_E5M2", 8}, {"F8_E4M3", 8},
                                     {"F8_E8M0", 8}, {"I16", 16}, {"U16", 16}, {"F16", 16},    {"BF16", 16},
                                     {"I32", 32},    {"U32", 32}, {"F32", 32}, {"I64", 64},    {"U64", 64},
                                     {"F64", 64},    {"C64", 64}, {"F4", 4},   {"F6_E2M3", 6}, {"F6_E3M2", 6}};

constexpr size_t kMaxRank = 64;
constexpr std::string_view kMetadata = "__metadata__";

std::string Count(int64_t count, const std::string& what) {
  return std::to_string(count) + " " + what + (count == 1 ? "" : "s");
}

std::string OfTensor(std::string_view name, const std::string& reason) {
  return "tensor " + Quoted(name) + ": " + reason;
}

// Follows the one form a header may have, value by value; anything else stops the parse with a reason. Keeping no
// tree makes duplicate names visible and bounds memory and depth by the form itself.
class HeaderReader : public nlohmann::json_sax<nlohmann::json> {
 public:
  std::vector<TensorEntry>& entries() { return entries_; }
  const std::string& reason() const { return reason_; }

  bool start_object(size_t) override {
    switch (place_) {
      case Place::kStart:
        place_ = Place::kNames;
        return true;
      case Place::kEntry:
        place_ = Place::kFields;
        return true;
      case Place::kMetadataEntry:
        place_ = Place::kMetadataKeys;
        return true;
      default:
        return Unexpected("an object");
    }
  }

  bool key(string_t& name) override {
    switch (place_) {
      case Place::kNames:
        if (!names_.insert(name).second) {
          return Stop(OfTensor(name, "named twice"));
        }
        if (name == kMetadata) {
          place_ = Place::kMetadataEntry;
          return true;
        }
        entries_.push_back({.name = name, .dtype = {}, .shape = {}});
        has_dtype_ = has_shape_ = has_offsets_ = false;
        place_ = Place::kEntry;
        return true;
      case Place::kFields:
        return BeginField(name);
      default:
        place_ = Place::kMetadataValue;
        return true;
    }
  }

  bool string(string_t& value) override {
    if (place_ == Place::kMetadataValue) {
      place_ = Place::kMetadataKeys;
      return true;
    }
    if (place_ == Place::kDType) {
      entries_.back().dtype = value;
      place_ = Place::kFields;
      return true;
    }
    return Unexpected("a string");
  }

  bool start_array(size_t) override {
    if (place_ != Place::kShape && place_ != Place::kOffsets) {
      return Unexpected("a list");
    }
    list_place_ = std::exchange(place_, Place::kList);
    list_.clear();
    return true;
  }

  bool number_unsigned(number_unsigned_t value) override {
    if (place_ != Place::kList) {
      return Unexpected("a number");
    }
    if (value > static_cast<uint64_t>(std::numeric_limits<int64_t>::max())) {
      return Stop(OfTensor(entries_.back().name, "number " + std::to_string(value) + " is too large"));
    }
    if (list_.size() == kMaxRank) {
      return Stop(OfTensor(entries_.back().name, "a list of more than " + std::to_string(kMaxRank) + " numbers"));
    }
    list_.push_back(static_cast<int64_t>(value));
    return true;
  }

  bool end_array() override {
    TensorEntry& entry = entries_.back();
    place_ = Place::kFields;
    if (list_place_ == Place::kShape) {
      entry.shape = list_;
      return true;
    }
    if (list_.size() != 2) {
      return Stop(
          OfTensor(entry.name, "data_offsets has " + Count(static_cast<int64_t>(list_.size()), "number") + ", not 2"));
    }
    entry.begin = list_[0];
    entry.end = list_[1];
    return true;
  }

  bool end_object() override {
    if (place_ == Place::kFields) {
      for (const auto& [present, field] :
           {std::pair{has_dtype_, "dtype"}, std::pair{has_shape_, "shape"}, std::pair{has_offsets_, "data_offsets"}}) {
        if (!present) {
          return Stop(OfTensor(entries_.back().name, std::string("has no ") + field));
        }
      }
    }
    place_ = place_ == Place::kNames ? Place::kEnd : Place::kNames;
    return true;
  }

  bool null() override { return Unexpected("null"); }
  bool boolean(bool) override { return Unexpected("a truth value"); }
  bool number_integer(number_integer_t) override { return Unexpected("a negative number"); }
  bool number_float(number_float_t, const string_t&) override { return Unexpected("a number that is no integer"); }
  bool binary(binary_t&) override { return Unexpected("binary data"); }
  bool parse_error(size_t position, const std::string&, const nlohmann::json::exception&) override {
    return Stop("the header is not valid JSON at byte " + std::to_string(position));
  }

 private:
  enum class Place : uint8_t {
    kStart,
    kNames,
    kEntry,
    kFields,
    kDType,
    kShape,
    kOffsets,
    kList,
    kMetadataEntry,
    kMetadataKeys,
    kMetadataValue,
    kEnd
  };

  bool BeginField(const std::string& name) {
    bool* present = nullptr;
    if (name == "dtype") {
      place_ = Place::kDType;
      present = &has_dtype_;
    } else if (name == "shape") {
      place_ = Place::kShape;
      present = &has_shape_;
    } else if (name == "data_offsets") {
      place_ = Place::kOffsets;
      present = &has_offsets_;
    } else {
      return Stop(OfTensor(entries_.back().name, "unknown key " + Quoted(name)));
    }
    if (std::exchange(*present, true)) {
      return Stop(OfTensor(entries_.back().name, "key '" + name + "' given twice"));
    }
    return true;
  }

  bool Unexpected(const std::string& what) {
    switch (place_) {
      case Place::kStart:
        return Stop("the header is " + what + ", not an object");
      case Place::kMetadataEntry:
      case Place::kMetadataValue:
        return Stop("__metadata__ holds " + what + " where only strings belong");
      default:
        return Stop(OfTensor(entries_.empty() ? kMetadata : entries_.back().name, what + " is not expected here"));
    }
  }

  bool Stop(std::string reason) {
    reason_ = std::move(reason);
    return false;
  }

  Place place_ = Place::kStart;
  Place list_place_ = Place::kStart;
  std::vector<int64_t> list_;
  std::set<std::string, std::less<>> names_;
  std::vector<TensorEntry> entries_;
  bool has_dtype_ = false;
  bool has_shape_ = false;
  bool has_offsets_ = false;
  std::string reason_;
};

std::string Dims(const std::vector<int64_t>& shape) {
  std::string text = "[";
  for (size_t i = 0; i < shape.size(); ++i) {
    text += (i > 0 ? ", " : "") + std::to_string(shape[i]);
  }
  return text + "]";
}

// What is wrong with the entry taken alone; empty where nothing is.
std::string FaultOf(const TensorEntry& entry, int64_t data_bytes) {
  const auto* dtype = std::find_if(std::begin(kFileDTypes), std::end(kFileDTypes),
                                   [&](const FileDType& known) { return known.name == entry.dtype; });
  if (dtype == std::end(kFileDTypes)) {
    return "unknown dtype " + Quoted(entry.dtype);
  }
  int64_t bits = dtype->bits;
  for (const int64_t dim : entry.shape) {
    if (__builtin_mul_overflow(bits, dim, &bits)) {
      return "shape " + Dims(entry.shape) + " overflows";
    }
  }
  if (bits % 8 != 0) {
    return "shape " + Dims(entry.shape) + " of " + entry.dtype + " is no whole number of bytes";
  }
  if (entry.begin > entry.end) {
    return "data_offsets " + Dims({entry.begin, entry.end}) + " run backwards";
  }
  if (entry.size_bytes() != bits / 8) {
    return "shape " + Dims(entry.shape) + " of " + entry.dtype + " takes " + Count(bits / 8, "byte") +
           ", data_offsets " + Dims({entry.begin, entry.end}) + " hold " + std::to_string(entry.size_bytes());
  }
  if (entry.end > data_bytes) {
    return "data_offsets " + Dims({entry.begin, entry.end}) + " reach past the " + Count(data_bytes, "byte") +
           " of data in the file, which is cut short";
  }
  return {};
}

}  // namespace

int64_t TensorEntry::elements() const {
  int64_t count = 1;
  for (const int64_t dim : shape) {
    count *= dim;
  }
  return count;
}

std::optional<DType> TensorEntry::op_dtype() const {
  for (const DType known : {DType::kF32, DType::kBF16, DType::kF16, DType::kI64, DType::kI32, DType::kU8}) {
    if (Traits(known).name == dtype) {
      return known;
    }
  }
  return std::nullopt;
}

std::vector<TensorEntry> ParseSafetensorsHeader(const std::filesystem::path& file, std::string_view json,
                                                int64_t data_bytes) {
  const auto fail = [&](const std::string& reason) { throw CheckpointError(file.string() + ": " + reason); };
  HeaderReader reader;
  if (!nlohmann::json::sax_parse(json.begin(), json.end(), &reader)) {
    fail(reader.reason());
  }
  std::vector<TensorEntry> entries = std::move(reader.entries());
  std::sort(entries.begin(), entries.end(), [](const TensorEntry& a, const TensorEntry& b) {
    return std::pair(a.begin, a.end) < std::pair(b.begin, b.end);
  });
  int64_t covered = 0;
  std::string_view before;
  for (const TensorEntry& entry : entries) {
    if (const std::string fault = FaultOf(entry, data_bytes); !fault.empty()) {
      fail(OfTensor(entry.name, fault));
    }
    if (entry.begin < covered) {
      fail(OfTensor(entry.name, "its data overlap those of " + Quoted(before)));
    }
    if (entry.begin > covered) {
      fail(OfTensor(entry.name, "bytes " + std::to_string(covered) + " to " + std::to_string(entry.begin) +
                                    " before it are unused"));
    }
    covered = entry.end;
    before = entry.name;
  }
  if (covered < data_bytes) {
    const int64_t rest = data_bytes - covered;
    fail(Count(rest, "byte") + (rest == 1 ? " follows" : " follow") + " the last tensor");
  }
  return entries;
}

}  // namespace percept
