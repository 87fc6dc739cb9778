// SPDX-License-Identifier: Apache-2.0
#include "encoders/audio/spectrum.h"

#include <cmath>
#include <numbers>

namespace percept {
namespace {

using Complex = std::complex<double>;

// The operator of the standard library also looks for infinities.
Complex Product(Complex a, Complex b) {
  return {a.real() * b.real() - a.imag() * b.imag(), a.real() * b.imag() + a.imag() * b.real()};
}

}  // namespace

Spectrum::Spectrum() {
  for (size_t k = 0; k < kHalf; ++k) {
    roots_[k] = std::polar(1.0, -2 * std::numbers::pi * static_cast<double>(k) / kSize);
  }
  for (size_t k = 1; k < kHalf; ++k) {
    reversed_[k] = static_cast<uint8_t>(reversed_[k / 2] / 2 + (k % 2) * (kHalf / 2));
  }
}

// Of 256 values, radix 2, decimation in time; they come in bit-reversed order.
void Spectrum::Transform(HalfTransform* values) const {
  for (size_t half = 1; half < kHalf; half *= 2) {
    const size_t root_step = kHalf / half;
    for (size_t first = 0; first < kHalf; first += 2 * half) {
      for (size_t k = 0; k < half; ++k) {
        Complex& low = (*values)[first + k];
        Complex& high = (*values)[first + half + k];
        const Complex turned = Product(high, roots_[k * root_step]);
        high = low - turned;
        low += turned;
      }
    }
  }
}

// The values of even and odd places are the two parts of z, whose transform is half as long:
// X_k = (Z_k + conj Z_-k) / 2 + e^(-2 pi i k / 512) * (Z_k - conj Z_-k) / 2i.
void Spectrum::Compute(const Values& values, Magnitudes* magnitudes) const {
  HalfTransform z;
  for (size_t k = 0; k < kHalf; ++k) {
    z[reversed_[k]] = {values[2 * k], values[2 * k + 1]};
  }
  Transform(&z);
  for (size_t k = 0; k < kHalf; ++k) {
    const Complex mirrored = std::conj(z[(kHalf - k) % kHalf]);
    const Complex odd = Product(roots_[k], z[k] - mirrored);
    const Complex doubled = z[k] + mirrored + Complex(odd.imag(), -odd.real());
    (*magnitudes)[k] = std::sqrt(std::norm(doubled)) / 2;
  }
  (*magnitudes)[kHalf] = std::abs(z[0].real() - z[0].imag());
}

}  // namespace percept
