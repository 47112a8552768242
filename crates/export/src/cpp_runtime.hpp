namespace detail {

using Values = std::vector<std::int64_t>;

struct Axis {
  int input, output, size, stride, dilation, before;
  // The element that a tap of an output reads; -1 in the border.
  int source(int out, int tap) const {
    const int at = out * stride + tap * dilation - before;
    return at >= 0 && at < input ? at : -1;
  }
};

struct Window {
  Axis rows, columns;
  int positions() const { return rows.output * columns.output; }
  int taps() const { return rows.size * columns.size; }
  int source(int position, int tap) const {
    const int row = rows.source(position / columns.output, tap / columns.size);
    const int column = columns.source(position % columns.output, tap % columns.size);
    return row < 0 || column < 0 ? -1 : row * columns.input + column;
  }
};

template <class K, class B>
Values sums(const Window& window, bool depthwise, int inputs, int outputs, const K* kernel, const B* bias, const Values& x) {
  Values y;
  y.reserve(static_cast<std::size_t>(window.positions()) * outputs);
  for (int position = 0; position < window.positions(); position++) {
    for (int j = 0; j < outputs; j++) {
      std::int64_t sum = bias[j];
      for (int tap = 0; tap < window.taps(); tap++) {
        const int source = window.source(position, tap);
        if (source < 0) continue;
        const std::int64_t* from = x.data() + static_cast<std::size_t>(source) * inputs;
        if (depthwise) {
          sum += from[j / (outputs / inputs)] * kernel[tap * outputs + j];
        } else {
          const K* column = kernel + static_cast<std::size_t>(tap) * inputs * outputs + j;
          for (int i = 0; i < inputs; i++) sum += from[i] * column[static_cast<std::size_t>(i) * outputs];
        }
      }
      y.push_back(sum);
    }
  }
  return y;
}

inline Values maxima(const Window& window, int channels, const Values& x) {
  Values y;
  for (int position = 0; position < window.positions(); position++) {
    for (int c = 0; c < channels; c++) {
      std::int64_t most = INT64_MIN;
      for (int tap = 0; tap < window.taps(); tap++) {
        const int source = window.source(position, tap);
        if (source >= 0) most = std::max(most, x[static_cast<std::size_t>(source) * channels + c]);
      }
      y.push_back(most);
    }
  }
  return y;
}

template <class F>
Values means(const Window& window, int channels, const F* factor, const Values& x) {
  Values y;
  for (int position = 0; position < window.positions(); position++) {
    for (int c = 0; c < channels; c++) {
      std::int64_t sum = 0;
      int count = 0;
      for (int tap = 0; tap < window.taps(); tap++) {
        const int source = window.source(position, tap);
        if (source < 0) continue;
        sum += x[static_cast<std::size_t>(source) * channels + c];
        count++;
      }
      y.push_back(sum * factor[count]);
    }
  }
  return y;
}

template <class P>
Values gather(const P* places, int count, const Values& x) {
  Values y;
  for (int k = 0; k < count; k++) y.push_back(places[k] < 0 ? 0 : x[static_cast<std::size_t>(places[k])]);
  return y;
}

template <class F, class B>
Values scale(const F* factor, const B* offset, int channels, const Values& x) {
  Values y;
  for (std::size_t k = 0; k < x.size(); k++) y.push_back(x[k] * factor[k % channels] + offset[k % channels]);
  return y;
}

template <class F>
void add(const F* factor, int channels, const Values& x, Values& y) {
  y.resize(x.size(), 0);
  for (std::size_t k = 0; k < x.size(); k++) y[k] += x[k] * factor[k % channels];
}

// Puts the channels of `x` behind the first `before` of `all`.
inline void join(int before, int channels, int all, const Values& x, Values& y) {
  const std::size_t positions = x.size() / channels;
  y.resize(positions * all);
  for (std::size_t p = 0; p < positions; p++) {
    for (int c = 0; c < channels; c++) y[p * all + before + c] = x[p * channels + c];
  }
}

inline std::int64_t clamp(std::int64_t x, std::int64_t low, std::int64_t high) { return x < low ? low : x > high ? high : x; }

// clamp(round_half_even(x * 2^shift))
template <class S>
Values round(const S* shift, int channels, std::int64_t low, std::int64_t high, const Values& x) {
  Values y;
  for (std::size_t k = 0; k < x.size(); k++) {
    const int by = shift[k % channels];
    std::int64_t code = 0;
    if (by >= 0) {
      // Codes have at most 26 bits: more places and more bits than these change nothing.
      const std::int64_t limit = std::int64_t{1} << 30;
      code = clamp(x[k], -limit, limit) * (std::int64_t{1} << std::min(by, 30));
    } else if (by >= -55) {
      const std::int64_t odd = (x[k] >> -by) & 1;
      code = (x[k] + (std::int64_t{1} << (-by - 1)) - 1 + odd) >> -by;
    }
    y.push_back(clamp(code, low, high));
  }
  return y;
}

enum class Rounding { trn, trn_zero, rnd, rnd_zero, rnd_min_inf, rnd_inf, rnd_conv };
enum class Overflow { wrap, wrap_sm, sat, sat_zero, sat_sym };

// A fixed-point type: rounds to its fraction, then fits into its width.
struct Fixed {
  bool is_signed;
  int width;
  Rounding rounding;
  Overflow overflow;
  int saturated;
  std::int64_t low, high;

  bool rounds_up(int rest, bool negative, bool odd) const {
    if (rest == 0 || rounding == Rounding::trn) return false;
    if (rounding == Rounding::trn_zero) return negative;
    if (rest != 2) return rest > 2;
    switch (rounding) {
      case Rounding::rnd: return true;
      case Rounding::rnd_zero: return negative;
      case Rounding::rnd_inf: return !negative;
      case Rounding::rnd_conv: return odd;
      default: return false;
    }
  }

  std::int64_t read(std::uint64_t bits) const {
    bits &= (std::uint64_t{1} << width) - 1;
    const bool top = is_signed && (bits >> (width - 1)) == 1;
    return static_cast<std::int64_t>(bits) - (top ? std::int64_t{1} << width : 0);
  }

  std::int64_t saturate_top(std::uint64_t bits, bool negative) const {
    const std::uint64_t kept = (std::uint64_t{1} << (width - std::min(saturated, width))) - 1;
    return read((bits & kept) | (static_cast<std::uint64_t>(negative ? low : high) & ~kept));
  }

  std::int64_t fit(std::int64_t code) const {
    if (code >= low && code <= high) return code;
    const bool negative = code < 0;
    const std::uint64_t bits = static_cast<std::uint64_t>(code);
    const auto bit = [code](int at) { return ((code >> at) & 1) == 1; };
    switch (overflow) {
      case Overflow::sat_zero: return 0;
      case Overflow::wrap: return saturated == 0 ? read(bits) : saturate_top(bits, negative);
      case Overflow::wrap_sm:
        if (saturated == 0) return read(bit(width) == bit(width - 1) ? bits : ~bits);
        if (saturated == 1) return saturate_top(bit(width - 1) == negative ? bits : ~bits, negative);
        return saturate_top(bit(width - std::min(saturated, width)) == negative ? ~bits : bits, negative);
      default: return negative ? low : high;
    }
  }

  std::int64_t code(std::int64_t x, int shift) const {
    if (shift >= 0) return fit(x * (std::int64_t{1} << shift));
    const int down = std::min(-shift, 62);
    const std::int64_t floor = x >> down;
    const std::int64_t left = x - floor * (std::int64_t{1} << down), half = std::int64_t{1} << (down - 1);
    const int rest = left == 0 ? 0 : left < half ? 1 : left == half ? 2 : 3;
    return fit(floor + (rounds_up(rest, x < 0, (floor & 1) == 1) ? 1 : 0));
  }
};

template <class S>
Values fixed(const S* shift, int channels, const Fixed& type, const Values& x) {
  Values y;
  for (std::size_t k = 0; k < x.size(); k++) y.push_back(type.code(x[k], shift[k % channels]));
  return y;
}

// The code behind the thresholds that are at most x.
template <class P, class T, class C>
Values steps(const P* start, const T* thresholds, const C* codes, int channels, const Values& x) {
  Values y;
  for (std::size_t k = 0; k < x.size(); k++) {
    const std::size_t c = k % channels;
    std::int64_t at = start[c], end = start[c + 1];
    while (at < end) {
      const std::int64_t middle = at + (end - at) / 2;
      if (thresholds[middle] <= x[k]) at = middle + 1; else end = middle;
    }
    y.push_back(codes[at + static_cast<std::int64_t>(c)]);
  }
  return y;
}

template <class P, class L, class C>
Values table(const P* start, const L* lowest, const C* codes, int channels, const Values& x) {
  Values y;
  for (std::size_t k = 0; k < x.size(); k++) y.push_back(codes[start[k % channels] + (x[k] - lowest[k % channels])]);
  return y;
}

struct Softmax {
  int address_bits, address_shift, exp_fraction, inverse_shift, down, output_fraction;

  std::size_t address(std::uint64_t distance) const {
    const std::uint64_t last = (std::uint64_t{1} << address_bits) - 1;
    if (address_shift > 0) {
      const int shift = std::min(address_shift, 16);
      return static_cast<std::size_t>(distance > (last >> shift) ? last : std::min(distance << shift, last));
    }
    return static_cast<std::size_t>(-address_shift > 63 ? 0 : std::min(distance >> -address_shift, last));
  }

  template <class E, class I>
  std::vector<std::uint32_t> probabilities(const E* exp, const I* inverse, const Values& logits) const {
    const std::int64_t most = *std::max_element(logits.begin(), logits.end());
    std::vector<std::uint64_t> e;
    std::uint64_t sum = 0;
    for (const std::int64_t logit : logits) {
      e.push_back(static_cast<std::uint64_t>(exp[address(static_cast<std::uint64_t>(most - logit))]));
      sum += e.back();
    }
    const std::uint64_t by = static_cast<std::uint64_t>(inverse[(sum - (std::uint64_t{1} << exp_fraction)) >> inverse_shift]);
    std::vector<std::uint32_t> p;
    for (const std::uint64_t each : e) {
      const std::uint64_t product = each * by;
      const std::uint64_t scaled = down >= 0 ? product >> down : product << -down;
      p.push_back(static_cast<std::uint32_t>(std::min(scaled, std::uint64_t{1} << output_fraction)));
    }
    return p;
  }
};

}  // namespace detail
