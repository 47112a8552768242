struct Axis {
    input: usize,
    output: usize,
    size: usize,
    stride: usize,
    dilation: usize,
    before: usize,
}

impl Axis {
    /// The element that a tap of an output reads; nothing in the border.
    fn source(&self, out: usize, tap: usize) -> Option<usize> {
        let at = (out * self.stride + tap * self.dilation).checked_sub(self.before)?;
        (at < self.input).then_some(at)
    }
}

struct Window {
    rows: Axis,
    columns: Axis,
}

impl Window {
    fn positions(&self) -> usize {
        self.rows.output * self.columns.output
    }

    /// The positions that the taps of an output read.
    fn sources(&self, position: usize) -> impl Iterator<Item = (usize, usize)> + '_ {
        (0..self.rows.size * self.columns.size).filter_map(move |tap| {
            let row = self.rows.source(position / self.columns.output, tap / self.columns.size)?;
            let column = self.columns.source(position % self.columns.output, tap % self.columns.size)?;
            Some((tap, row * self.columns.input + column))
        })
    }
}

fn wide<T: Copy + Into<i64>>(value: &T) -> i64 {
    (*value).into()
}

fn sums<K: Copy + Into<i64>, B: Copy + Into<i64>>(
    window: &Window,
    depthwise: bool,
    (inputs, outputs): (usize, usize),
    kernel: &[K],
    bias: &[B],
    x: &[i64],
) -> Vec<i64> {
    let mut y = Vec::with_capacity(window.positions() * outputs);
    for position in 0..window.positions() {
        for j in 0..outputs {
            let mut sum = wide(&bias[j]);
            for (tap, source) in window.sources(position) {
                let from = &x[source * inputs..(source + 1) * inputs];
                if depthwise {
                    sum += from[j / (outputs / inputs)] * wide(&kernel[tap * outputs + j]);
                } else {
                    for (i, x) in from.iter().enumerate() {
                        sum += x * wide(&kernel[(tap * inputs + i) * outputs + j]);
                    }
                }
            }
            y.push(sum);
        }
    }
    y
}

fn maxima(window: &Window, channels: usize, x: &[i64]) -> Vec<i64> {
    let mut y = Vec::new();
    for position in 0..window.positions() {
        for c in 0..channels {
            let values = window.sources(position).map(|(_, source)| x[source * channels + c]);
            y.push(values.max().unwrap_or(i64::MIN));
        }
    }
    y
}

fn means<F: Copy + Into<i64>>(window: &Window, channels: usize, factor: &[F], x: &[i64]) -> Vec<i64> {
    let mut y = Vec::new();
    for position in 0..window.positions() {
        for c in 0..channels {
            let (mut sum, mut count) = (0, 0);
            for (_, source) in window.sources(position) {
                sum += x[source * channels + c];
                count += 1;
            }
            y.push(sum * wide(&factor[count]));
        }
    }
    y
}

fn gather<P: Copy + Into<i64>>(places: &[P], x: &[i64]) -> Vec<i64> {
    let value = |place: &P| usize::try_from(wide(place)).map_or(0, |at| x[at]);
    places.iter().map(value).collect()
}

fn scale<F: Copy + Into<i64>, B: Copy + Into<i64>>(factor: &[F], offset: &[B], x: &[i64]) -> Vec<i64> {
    let channels = factor.iter().zip(offset).cycle();
    x.iter().zip(channels).map(|(x, (f, o))| x * wide(f) + wide(o)).collect()
}

fn add<F: Copy + Into<i64>>(factor: &[F], x: &[i64], y: &mut Vec<i64>) {
    y.resize(x.len(), 0);
    for ((sum, x), f) in y.iter_mut().zip(x).zip(factor.iter().cycle()) {
        *sum += x * wide(f);
    }
}

/// Puts the channels of `x` behind the first `before` of `all`.
fn join(before: usize, channels: usize, all: usize, x: &[i64], y: &mut Vec<i64>) {
    y.resize(x.len() / channels * all, 0);
    for (x, y) in x.chunks_exact(channels).zip(y.chunks_exact_mut(all)) {
        y[before..before + channels].copy_from_slice(x);
    }
}

/// `clamp(round_half_even(x * 2^shift))`
fn round<S: Copy + Into<i64>>(shift: &[S], (low, high): (i64, i64), x: &[i64]) -> Vec<i64> {
    let code = |(x, shift): (&i64, &S)| {
        let by = wide(shift);
        let code = if by >= 0 {
            // Codes have at most 26 bits: more places and more bits than these change nothing.
            (*x).clamp(-(1 << 30), 1 << 30) << by.min(30)
        } else if by >= -55 {
            let odd = (x >> -by) & 1;
            (x + (1 << (-by - 1)) - 1 + odd) >> -by
        } else {
            0
        };
        code.clamp(low, high)
    };
    x.iter().zip(shift.iter().cycle()).map(code).collect()
}

#[derive(Clone, Copy, PartialEq)]
enum Rounding {
    Trn,
    TrnZero,
    Rnd,
    RndZero,
    RndMinInf,
    RndInf,
    RndConv,
}

#[derive(Clone, Copy, PartialEq)]
enum Overflow {
    Wrap,
    WrapSm,
    Sat,
    SatZero,
    SatSym,
}

/// A fixed-point type: rounds to its fraction, then fits into its width.
struct Fixed {
    signed: bool,
    width: u32,
    rounding: Rounding,
    overflow: Overflow,
    saturated: u32,
    low: i64,
    high: i64,
}

impl Fixed {
    fn rounds_up(&self, rest: u32, negative: bool, odd: bool) -> bool {
        match (self.rounding, rest) {
            (_, 0) | (Rounding::Trn, _) => false,
            (Rounding::TrnZero, _) => negative,
            (_, 1) => false,
            (_, 3) => true,
            (Rounding::Rnd, _) => true,
            (Rounding::RndZero, _) => negative,
            (Rounding::RndMinInf, _) => false,
            (Rounding::RndInf, _) => !negative,
            (Rounding::RndConv, _) => odd,
        }
    }

    fn read(&self, bits: u64) -> i64 {
        let bits = bits & ((1 << self.width) - 1);
        let top = self.signed && bits >> (self.width - 1) == 1;
        bits as i64 - if top { 1 << self.width } else { 0 }
    }

    fn saturate_top(&self, bits: u64, negative: bool) -> i64 {
        let kept = (1u64 << (self.width - self.saturated.min(self.width))) - 1;
        let extreme = if negative { self.low } else { self.high };
        self.read((bits & kept) | (extreme as u64 & !kept))
    }

    fn fit(&self, code: i64) -> i64 {
        if (self.low..=self.high).contains(&code) {
            return code;
        }
        let negative = code < 0;
        let bit = |at: u32| (code >> at) & 1 == 1;
        let turned = |keep: bool| if keep { code as u64 } else { !code as u64 };
        match (self.overflow, self.saturated) {
            (Overflow::SatZero, _) => 0,
            (Overflow::Wrap, 0) => self.read(code as u64),
            (Overflow::Wrap, _) => self.saturate_top(code as u64, negative),
            (Overflow::WrapSm, 0) => self.read(turned(bit(self.width) == bit(self.width - 1))),
            (Overflow::WrapSm, 1) => self.saturate_top(turned(bit(self.width - 1) == negative), negative),
            (Overflow::WrapSm, n) => {
                let lowest = bit(self.width - n.min(self.width));
                self.saturate_top(turned(lowest != negative), negative)
            }
            (Overflow::Sat | Overflow::SatSym, _) if negative => self.low,
            (Overflow::Sat | Overflow::SatSym, _) => self.high,
        }
    }

    fn code(&self, x: i64, shift: i64) -> i64 {
        if shift >= 0 {
            return self.fit(x << shift);
        }
        let down = (-shift).min(62);
        let floor = x >> down;
        let rest = match (x - (floor << down)).cmp(&(1 << (down - 1))) {
            _ if x == floor << down => 0,
            std::cmp::Ordering::Less => 1,
            std::cmp::Ordering::Equal => 2,
            std::cmp::Ordering::Greater => 3,
        };
        self.fit(floor + i64::from(self.rounds_up(rest, x < 0, floor & 1 == 1)))
    }
}

fn fixed<S: Copy + Into<i64>>(shift: &[S], to: &Fixed, x: &[i64]) -> Vec<i64> {
    let values = x.iter().zip(shift.iter().cycle());
    values.map(|(x, shift)| to.code(*x, wide(shift))).collect()
}

/// The code behind the thresholds that are at most x.
fn steps<P: Copy + Into<i64>, T: Copy + Into<i64>, C: Copy + Into<i64>>(
    start: &[P],
    thresholds: &[T],
    codes: &[C],
    channels: usize,
    x: &[i64],
) -> Vec<i64> {
    let code = |(k, x): (usize, &i64)| {
        let c = k % channels;
        let (from, to) = (wide(&start[c]) as usize, wide(&start[c + 1]) as usize);
        let below = thresholds[from..to].partition_point(|t| wide(t) <= *x);
        wide(&codes[from + c + below])
    };
    x.iter().enumerate().map(code).collect()
}

fn table<P: Copy + Into<i64>, L: Copy + Into<i64>, C: Copy + Into<i64>>(
    start: &[P],
    lowest: &[L],
    codes: &[C],
    x: &[i64],
) -> Vec<i64> {
    let channels = start.iter().zip(lowest).cycle();
    let code = |(x, (start, lowest)): (&i64, (&P, &L))| wide(&codes[(wide(start) + x - wide(lowest)) as usize]);
    x.iter().zip(channels).map(code).collect()
}

struct Softmax {
    address_bits: u32,
    address_shift: i32,
    exp_fraction: u32,
    inverse_shift: u32,
    down: i32,
    output_fraction: u32,
}

impl Softmax {
    fn address(&self, distance: u64) -> usize {
        let last = (1u64 << self.address_bits) - 1;
        let address = if self.address_shift > 0 {
            let shift = self.address_shift.min(16);
            if distance > last >> shift { last } else { distance << shift }
        } else {
            distance.checked_shr(self.address_shift.unsigned_abs()).unwrap_or(0)
        };
        address.min(last) as usize
    }

    fn probabilities<E: Copy + Into<i64>, I: Copy + Into<i64>>(&self, exp: &[E], inverse: &[I], logits: &[i64]) -> Vec<u32> {
        let most = logits.iter().copied().max().unwrap_or(0);
        let e: Vec<u64> = logits.iter().map(|l| wide(&exp[self.address(most.abs_diff(*l))]) as u64).collect();
        let sum: u64 = e.iter().sum();
        let bucket = (sum - (1 << self.exp_fraction)) >> self.inverse_shift;
        let by = wide(&inverse[bucket as usize]) as u64;
        let probability = |each: &u64| {
            let product = each * by;
            let down = self.down.unsigned_abs();
            let scaled = if self.down >= 0 { product >> down } else { product << down };
            scaled.min(1 << self.output_fraction) as u32
        };
        e.iter().map(probability).collect()
    }
}
