// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stdexcept>
#include <string>
#include <typeindex>
#include <typeinfo>
#include <unordered_map>

namespace percept::graph {

class ServiceError : public std::runtime_error {
  using std::runtime_error::runtime_error;
};

// What a program lends its nodes (models, limits, an executor), found by type, so that the graph need not know it.
// The objects outlive every graph that uses them.
class Services {
 public:
  template <class T>
  void Add(T& service) {
    services_[std::type_index(typeid(T))] = &service;
  }
  template <class T>
  T* Find() const {
    auto it = services_.find(std::type_index(typeid(T)));
    return it == services_.end() ? nullptr : static_cast<T*>(it->second);
  }
  // Throws ServiceError where the program lent none.
  template <class T>
  T& Get() const {
    if (T* service = Find<T>()) return *service;
    throw ServiceError(std::string("this program lends its nodes no service of type ") + typeid(T).name());
  }

 private:
  std::unordered_map<std::type_index, void*> services_;
};

}  // namespace percept::graph
