// SPDX-License-Identifier: Apache-2.0
#include "kernels/weights/gguf_header.h"

#include <algorithm>
#include <bit>
#include <concepts>
#include <cstring>
#include <limits>
#include <set>
#include <utility>

#include "kernels/core/error.h"
#include "kernels/core/quoted.h"

namespace percept {
namespace {

constexpr uint32_t kVersion = 3;
constexpr uint32_t kSwappedVersion = 0x03000000;
constexpr size_t kMaxKeyBytes = (1 << 16) - 1;
constexpr size_t kMaxNameBytes = 63;
constexpr uint64_t kMaxElements = uint64_t{1} << 24;  // of a list; vocabularies and their merges are far smaller
constexpr int kMaxDims = 4;
// The least that one of them takes: a length, a type, a value; a length, dimensions, a type, an offset.
constexpr uint64_t kMinKeyBytes = 8 + 4 + 1;
constexpr uint64_t kMinTensorBytes = 8 + 4 + 8 + 4 + 8;

struct TensorType {
  uint32_t id;
  std::string_view name;
  int64_t block_elements;
  int64_t block_bytes;
  std::optional<DType> dtype;
};

constexpr TensorType kTensorTypes[] = {
    {0, "F32", 1, 4, DType::kF32},
    {1, "F16", 1, 2, DType::kF16},
    {2, "Q4_0", 32, 18, DType::kQ40},
    {3, "Q4_1", 32, 20, DType::kQ41},
    {6, "Q5_0", 32, 22, DType::kQ50},
    {7, "Q5_1", 32, 24, {}},
    {8, "Q8_0", 32, 34, DType::kQ80},
    {10, "Q2_K", 256, 84, {}},
    {11, "Q3_K", 256, 110, {}},
    {12, "Q4_K", 256, 144, DType::kQ4K},
    {13, "Q5_K", 256, 176, DType::kQ5K},
    {14, "Q6_K", 256, 210, DType::kQ6K},
    {15, "Q8_K", 256, 292, {}},
    {24, "I8", 1, 1, {}},
    {25, "I16", 1, 2, {}},
    {26, "I32", 1, 4, DType::kI32},
    {27, "I64", 1, 8, DType::kI64},
    {28, "F64", 1, 8, {}},
    {30, "BF16", 1, 2, DType::kBF16},
};

const TensorType* FindTensorType(uint32_t id) {
  const auto* it = std::find_if(std::begin(kTensorTypes), std::end(kTensorTypes),
                                [id](const TensorType& type) { return type.id == id; });
  return it == std::end(kTensorTypes) ? nullptr : it;
}

// Reads the header from front to back; every read is checked against the end of the file.
class HeaderReader {
 public:
  HeaderReader(const std::filesystem::path& file, std::span<const std::byte> bytes)
      : file_(file.string()), bytes_(bytes) {}

  GgufHeader Read() {
    ReadStart();
    const auto num_tensors = Get<uint64_t>();
    const auto num_keys = Get<uint64_t>();
    RequireRoom(num_keys, kMinKeyBytes, "keys");
    RequireRoom(num_tensors, kMinTensorBytes, "tensors");
    GgufMetadata metadata(file_);
    for (uint64_t i = 0; i < num_keys; ++i) ReadKey(metadata);
    RequireWhole(metadata);
    std::vector<GgufTensor> tensors;
    for (uint64_t i = 0; i < num_tensors; ++i) tensors.push_back(ReadTensor());
    Place(tensors, Alignment(metadata));
    return {std::move(metadata), std::move(tensors)};
  }

 private:
  [[noreturn]] void Fail(const std::string& reason) const { throw CheckpointError(file_ + ": " + reason); }
  [[noreturn]] void FailTensor(std::string_view name, const std::string& reason) const {
    Fail("tensor " + Quoted(name) + " " + reason);
  }

  size_t left() const { return bytes_.size() - position_; }

  const std::byte* Take(uint64_t size) {
    if (size > left()) {
      Fail("it ends at byte " + std::to_string(bytes_.size()) + ", within " + place_ +
           ": the file is cut short or damaged");
    }
    const std::byte* start = bytes_.data() + position_;
    position_ += size;
    return start;
  }

  template <class T>
  T Get() {
    T value;
    std::memcpy(&value, Take(sizeof(T)), sizeof(T));
    return value;
  }

  std::string_view GetString() {
    const auto size = Get<uint64_t>();
    return {reinterpret_cast<const char*>(Take(size)), size};
  }

  void ReadStart() {
    if (bytes_.size() < 4 || std::memcmp(bytes_.data(), "GGUF", 4) != 0) Fail("not a GGUF file");
    position_ = 4;
    const auto version = Get<uint32_t>();
    if (version == kSwappedVersion) Fail("a GGUF file for big-endian machines; only little-endian ones can be read");
    if (version != kVersion) {
      Fail("a GGUF file of version " + std::to_string(version) + "; only version 3 can be read");
    }
  }

  void RequireRoom(uint64_t count, uint64_t min_bytes, const char* what) const {
    if (count > left() / min_bytes) {
      Fail("it cannot hold " + std::to_string(count) + " " + what + " in " + std::to_string(left()) + " bytes");
    }
  }

  void ReadKey(GgufMetadata& metadata) {
    place_ = "a key";
    const std::string_view key = GetString();
    if (key.empty() || key.size() > kMaxKeyBytes) {
      Fail("a key has " + std::to_string(key.size()) + " bytes; 1 to " + std::to_string(kMaxKeyBytes) +
           " are possible");
    }
    place_ = "the value of key " + Quoted(key);
    GgufValue value;
    value.type = GetType(key);
    if (value.type == GgufType::kList) {
      ReadList(key, value);
    } else {
      ReadScalar(key, value);
    }
    if (!metadata.Add(key, std::move(value))) Fail("key " + Quoted(key) + " is there twice");
  }

  GgufType GetType(std::string_view key) {
    const auto type = Get<uint32_t>();
    if (type > static_cast<uint32_t>(GgufType::kF64)) {
      Fail("key " + Quoted(key) + " is of the unknown type " + std::to_string(type));
    }
    return static_cast<GgufType>(type);
  }

  // Calls use(T{}) with the C++ type that the file stores for `type`, a type of integers or floats.
  template <class Use>
  static void WithType(GgufType type, Use use) {
    switch (type) {
      case GgufType::kU8:
      case GgufType::kBool:
        return use(uint8_t{});
      case GgufType::kI8:
        return use(int8_t{});
      case GgufType::kU16:
        return use(uint16_t{});
      case GgufType::kI16:
        return use(int16_t{});
      case GgufType::kU32:
        return use(uint32_t{});
      case GgufType::kI32:
        return use(int32_t{});
      case GgufType::kU64:
        return use(uint64_t{});
      case GgufType::kI64:
        return use(int64_t{});
      case GgufType::kF32:
        return use(float{});
      case GgufType::kF64:
        return use(double{});
      case GgufType::kString:
      case GgufType::kList:
        return;
    }
  }

  void ReadScalar(std::string_view key, GgufValue& value) {
    if (value.type == GgufType::kString) {
      value.value = GetString();
      return;
    }
    WithType(value.type, [&]<class T>(T) {
      if constexpr (std::floating_point<T>) {
        value.value = static_cast<double>(Get<T>());
      } else {
        value.value = AsInteger(key, value.type, Get<T>());
      }
    });
  }

  template <class T>
  int64_t AsInteger(std::string_view key, GgufType type, T number) const {
    if constexpr (std::same_as<T, uint64_t>) {
      if (number > static_cast<uint64_t>(std::numeric_limits<int64_t>::max())) {
        Fail("key " + Quoted(key) + " is too large: " + std::to_string(number));
      }
    }
    if (type == GgufType::kBool && number > 1) {
      Fail("key " + Quoted(key) + " is a boolean of the value " + std::to_string(number));
    }
    return static_cast<int64_t>(number);
  }

  void ReadList(std::string_view key, GgufValue& value) {
    value.is_list = true;
    value.type = GetType(key);
    const auto count = Get<uint64_t>();
    if (value.type == GgufType::kList) Fail("key " + Quoted(key) + " is a list of lists");
    if (value.type == GgufType::kString) {
      RequireElements(key, count, sizeof(uint64_t));
      std::vector<std::string_view> strings(count);
      for (std::string_view& string : strings) string = GetString();
      value.value = std::move(strings);
      return;
    }
    WithType(value.type, [&]<class T>(T) {
      RequireElements(key, count, sizeof(T));
      using Element = std::conditional_t<std::floating_point<T>, double, int64_t>;
      std::vector<Element> elements(count);
      for (Element& element : elements) {
        if constexpr (std::floating_point<T>) {
          element = Get<T>();
        } else {
          element = AsInteger(key, value.type, Get<T>());
        }
      }
      value.value = std::move(elements);
    });
  }

  void RequireElements(std::string_view key, uint64_t count, uint64_t min_bytes) const {
    if (count > kMaxElements || count > left() / min_bytes) {
      Fail("key " + Quoted(key) + " cannot have " + std::to_string(count) + " elements in " + std::to_string(left()) +
           " bytes");
    }
  }

  void RequireWhole(const GgufMetadata& metadata) const {
    constexpr std::string_view kSplitCount = "split.count";
    if (metadata.Has(kSplitCount) && metadata.Integer(kSplitCount) > 1) {
      Fail("one of the " + std::to_string(metadata.Integer(kSplitCount)) +
           " files of a split model; join them into one file");
    }
  }

  // Below 8, a tensor might stand at an address that its type does not allow.
  int64_t Alignment(const GgufMetadata& metadata) const {
    constexpr std::string_view kAlignment = "general.alignment";
    if (!metadata.Has(kAlignment)) return 32;
    const int64_t alignment = metadata.Integer(kAlignment);
    if (alignment < 8 || !std::has_single_bit(static_cast<uint64_t>(alignment))) {
      metadata.Fail(kAlignment, "is " + std::to_string(alignment) + ", not a power of two from 8 on");
    }
    return alignment;
  }

  GgufTensor ReadTensor() {
    GgufTensor tensor;
    place_ = "the name of a tensor";
    tensor.name = GetString();
    if (tensor.name.empty() || tensor.name.size() > kMaxNameBytes) {
      Fail("a tensor's name has " + std::to_string(tensor.name.size()) + " bytes; 1 to 63 are possible");
    }
    if (!names_.insert(tensor.name).second) FailTensor(tensor.name, "is there twice");
    place_ = "the description of tensor " + Quoted(tensor.name);
    const auto num_dims = Get<uint32_t>();
    if (num_dims < 1 || num_dims > kMaxDims) {
      FailTensor(tensor.name, "has " + std::to_string(num_dims) + " dimensions; 1 to 4 are possible");
    }
    for (uint32_t i = 0; i < num_dims; ++i) ReadDim(tensor);
    std::reverse(tensor.shape.begin(), tensor.shape.end());
    ReadForm(tensor);
    return tensor;
  }

  void ReadDim(GgufTensor& tensor) {
    const auto dim = Get<uint64_t>();
    if (dim == 0 || dim > static_cast<uint64_t>(std::numeric_limits<int64_t>::max())) {
      FailTensor(tensor.name, "has the dimension " + std::to_string(dim));
    }
    tensor.shape.push_back(static_cast<int64_t>(dim));
  }

  void ReadForm(GgufTensor& tensor) {
    const auto id = Get<uint32_t>();
    const TensorType* type = FindTensorType(id);
    if (type == nullptr) FailTensor(tensor.name, "is of the unknown type " + std::to_string(id));
    tensor.type = type->name;
    tensor.dtype = type->dtype;
    tensor.begin = Get<uint64_t>();  // from the start of the data, until Place
    const int64_t width = tensor.shape.back();
    if (width % type->block_elements != 0) {
      FailTensor(tensor.name, "has rows of " + std::to_string(width) + " values, which are no whole blocks of " +
                                  std::string(type->name) + " (" + std::to_string(type->block_elements) + ")");
    }
    int64_t size = width / type->block_elements;
    bool overflows = __builtin_mul_overflow(size, type->block_bytes, &size);
    for (size_t i = 0; i + 1 < tensor.shape.size(); ++i) {
      overflows = overflows || __builtin_mul_overflow(size, tensor.shape[i], &size);
    }
    if (overflows) FailTensor(tensor.name, "is larger than any file");
    tensor.size_bytes = static_cast<size_t>(size);
  }

  void Place(std::vector<GgufTensor>& tensors, int64_t alignment) const {
    const auto step = static_cast<size_t>(alignment);
    const size_t data_begin = (position_ + step - 1) / step * step;
    std::vector<const GgufTensor*> by_place;
    for (GgufTensor& tensor : tensors) {
      if (tensor.begin % step != 0) {
        FailTensor(tensor.name,
                   "begins at " + std::to_string(tensor.begin) + ", not at a multiple of " + std::to_string(alignment));
      }
      size_t end = 0;
      if (__builtin_add_overflow(tensor.begin, data_begin, &tensor.begin) ||
          __builtin_add_overflow(tensor.begin, tensor.size_bytes, &end) || end > bytes_.size()) {
        FailTensor(tensor.name, "ends beyond the file's " + std::to_string(bytes_.size()) +
                                    " bytes: the file is cut short or damaged");
      }
      by_place.push_back(&tensor);
    }
    std::sort(by_place.begin(), by_place.end(),
              [](const GgufTensor* a, const GgufTensor* b) { return a->begin < b->begin; });
    for (size_t i = 1; i < by_place.size(); ++i) {
      if (by_place[i - 1]->begin + by_place[i - 1]->size_bytes > by_place[i]->begin) {
        FailTensor(by_place[i]->name, "overlaps tensor " + Quoted(by_place[i - 1]->name));
      }
    }
  }

  const std::string file_;
  const std::span<const std::byte> bytes_;
  size_t position_ = 0;
  std::string place_ = "the start";  // what is being read
  std::set<std::string, std::less<>> names_;
};

}  // namespace

GgufHeader ParseGgufHeader(const std::filesystem::path& file, std::span<const std::byte> bytes) {
  return HeaderReader(file, bytes).Read();
}

}  // namespace percept
