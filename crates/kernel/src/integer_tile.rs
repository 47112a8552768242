//! A block of rows through a chain of packed layers, within the first-level cache.
//!
//! One tile holds the sums of `R` rows x `C` blocks of 16 outputs in registers from the start value
//! to the finished code. Tiles always have all their rows: a [`Scratch`] holds [`BLOCK`] of them, and
//! rows that are not in use give results that nobody reads.
#![expect(
    clippy::cast_ptr_alignment,
    reason = "rows start on multiples of four bytes of an aligned scratch; vectors are stored unaligned"
)]

use crate::Kernels;
use crate::buffer::LANES;
use crate::integer::Overflow;
use crate::integer_lanes::{IntegerLanes, Path, integer_dispatch};
use crate::integer_pack::{Finish, Form, Line, Pack, Round, Target};

/// Rows that are run together: a multiple of every tile's rows (8, 6 and 4).
pub(crate) const BLOCK: usize = 96;

/// Bytes of a [`Line`].
const LINE: usize = size_of::<Line>();

/// Codes of [`BLOCK`] rows, read by one layer and written by the next.
pub(crate) struct Scratch {
    from: Vec<Line>,
    to: Vec<Line>,
}

impl Scratch {
    /// Room for every tensor of a chain.
    pub(crate) fn new(packs: &[Pack]) -> Self {
        let input = packs.first().map_or(0, |pack| 4 * pack.groups);
        let widest = packs.iter().map(Pack::row_bytes).fold(input, usize::max);
        let lines = vec![Line([0; LANES]); (widest * BLOCK).div_ceil(LINE)];
        Self {
            from: lines.clone(),
            to: lines,
        }
    }

    /// Bytes of one of the two parts.
    fn len(&self) -> usize {
        self.from.len() * LINE
    }

    /// The last layer's results, padded rows of whole blocks.
    pub(crate) fn sums(&self) -> &[i32] {
        // SAFETY: lines are `repr(C)` arrays of i32 without padding, one after another.
        unsafe { std::slice::from_raw_parts(self.from.as_ptr().cast(), self.from.len() * LANES) }
    }
}

/// One layer over the rows of a block.
#[derive(Clone, Copy)]
struct Job<'a> {
    pack: &'a Pack,
    rows: usize,
    input: *const u8,
    /// Bytes between rows.
    input_row: usize,
    out: *mut u8,
    out_row: usize,
}

/// Runs at most [`BLOCK`] dense rows of `codes`; the results are in [`Scratch::sums`] with the stride
/// that is returned. False when a code is out of range; then there are no results.
pub(crate) fn run_block(
    kernels: Kernels,
    packs: &[Pack],
    codes: &[i32],
    scratch: &mut Scratch,
) -> (bool, usize) {
    let path = Path::of(kernels);
    let Some(first) = packs.first() else {
        return (true, 0);
    };
    let rows = codes.len() / first.inputs;
    assert!(rows <= BLOCK, "{rows} rows in a block of {BLOCK}");
    let mut input_row = 4 * first.groups;
    assert!(BLOCK * input_row <= scratch.len(), "input of a block");
    let room = scratch.from.as_mut_ptr().cast::<u8>();
    let within =
        integer_dispatch!(path, store_codes(first: &Pack, codes: &[i32], room: *mut u8) -> bool);
    if !within {
        return (false, 0);
    }
    for pack in packs {
        assert!(4 * pack.groups <= input_row, "a layer reads within a row");
        assert!(
            BLOCK * pack.row_bytes() <= scratch.len(),
            "output of a block"
        );
        let job = Job {
            pack,
            rows,
            input: scratch.from.as_ptr().cast(),
            input_row,
            out: scratch.to.as_mut_ptr().cast(),
            out_row: pack.row_bytes(),
        };
        integer_dispatch!(path, layer(job: Job<'_>));
        std::mem::swap(&mut scratch.from, &mut scratch.to);
        input_row = pack.row_bytes();
    }
    (true, input_row / size_of::<i32>())
}

/// Stores dense rows of codes in the first layer's form; whether all are in its range.
#[inline(always)]
unsafe fn store_codes<V: IntegerLanes>(pack: &Pack, codes: &[i32], out: *mut u8) -> bool {
    let bytes = pack.form != Form::Words;
    let per_group = if bytes { 4 } else { 2 };
    // Rows without padding are one long row.
    let inputs = if pack.inputs.is_multiple_of(per_group) {
        codes.len()
    } else {
        pack.inputs
    };
    let (low, high) = pack.input_range;
    let (mut least, mut most) = (high, low);
    for (r, row) in codes.chunks_exact(inputs.max(1)).enumerate() {
        for code in row {
            least = least.min(*code);
            most = most.max(*code);
        }
        let to = out.add(r * 4 * pack.groups);
        if bytes {
            for (i, code) in row.iter().enumerate() {
                *to.add(i) = code.wrapping_sub(pack.offset) as u8;
            }
        } else {
            let to = to.cast::<i16>();
            for (i, code) in row.iter().enumerate() {
                *to.add(i) = code.wrapping_sub(pack.offset) as i16;
            }
        }
    }
    least >= low && most <= high
}

#[inline(always)]
unsafe fn layer<V: IntegerLanes>(job: Job<'_>) {
    match job.pack.form {
        Form::Words => layer_of::<V, WORDS>(job),
        Form::Bytes => layer_of::<V, BYTES>(job),
        Form::SmallBytes => layer_of::<V, SMALL_BYTES>(job),
    }
}

const WORDS: u8 = 0;
const BYTES: u8 = 1;
const SMALL_BYTES: u8 = 2;

#[inline(always)]
unsafe fn layer_of<V: IntegerLanes, const FORM: u8>(job: Job<'_>) {
    let blocks = job.pack.blocks();
    let mut block = 0;
    if V::WIDE {
        while block + 4 <= blocks {
            column_of_tiles::<V, FORM, 6, 4>(job, block);
            block += 4;
        }
        while block + 2 <= blocks {
            column_of_tiles::<V, FORM, 8, 2>(job, block);
            block += 2;
        }
        while block < blocks {
            column_of_tiles::<V, FORM, 8, 1>(job, block);
            block += 1;
        }
    } else {
        while block < blocks {
            column_of_tiles::<V, FORM, 4, 1>(job, block);
            block += 1;
        }
    }
}

#[inline(always)]
unsafe fn column_of_tiles<V: IntegerLanes, const FORM: u8, const R: usize, const C: usize>(
    job: Job<'_>,
    block: usize,
) {
    let mut row = 0;
    while row < job.rows {
        tile::<V, FORM, R, C>(job, row, block);
        row += R;
    }
}

#[inline(always)]
unsafe fn tile<V: IntegerLanes, const FORM: u8, const R: usize, const C: usize>(
    job: Job<'_>,
    row: usize,
    block: usize,
) {
    let pack = job.pack;
    let groups = pack.groups;
    let mut start = [V::splat(0); C];
    for (c, start) in start.iter_mut().enumerate() {
        *start = V::load(pack.start.as_ptr().add(block + c).cast());
    }
    let mut sums = [start; R];
    let input = job.input.add(row * job.input_row);
    let weights = pack.weights.as_ptr().add(block * groups);
    for group in 0..groups {
        let mut w = [V::splat(0); C];
        for (c, w) in w.iter_mut().enumerate() {
            *w = V::load(weights.add(c * groups + group).cast());
        }
        for (r, line) in sums.iter_mut().enumerate() {
            let four = input.add(r * job.input_row + 4 * group).cast::<i32>();
            let x = V::splat(four.read_unaligned());
            for (sum, w) in line.iter_mut().zip(w) {
                *sum = match FORM {
                    WORDS => sum.dot_words(x, w),
                    BYTES => sum.dot_bytes(x, w),
                    _ => sum.dot_small_bytes(x, w),
                };
            }
        }
    }
    if let Some(finish) = pack.finish {
        round(pack, finish.round, block, &mut sums);
        limit(finish, &mut sums);
    }
    let out = job.out.add(row * job.out_row);
    match pack.target {
        Target::Sums => each(&mut sums, |r, c, sum| {
            sum.store(
                out.add(r * job.out_row)
                    .cast::<i32>()
                    .add((block + c) * LANES),
            );
        }),
        Target::Bytes { offset } => {
            let offset = V::splat(offset);
            each(&mut sums, |r, c, sum| {
                let to = out.add(r * job.out_row + (block + c) * LANES);
                sum.sub(offset).store_bytes(to);
            });
        }
        Target::Words { offset } => {
            let offset = V::splat(offset);
            each(&mut sums, |r, c, sum| {
                let to = out.add(r * job.out_row).cast::<i16>();
                sum.sub(offset).store_words(to.add((block + c) * LANES));
            });
        }
    }
}

/// Calls `f` with row, block and value of a tile.
#[inline(always)]
fn each<V: IntegerLanes, const R: usize, const C: usize>(
    sums: &mut [[V; C]; R],
    mut f: impl FnMut(usize, usize, &mut V),
) {
    for (r, line) in sums.iter_mut().enumerate() {
        for (c, sum) in line.iter_mut().enumerate() {
            f(r, c, sum);
        }
    }
}

#[inline(always)]
unsafe fn round<V: IntegerLanes, const R: usize, const C: usize>(
    pack: &Pack,
    round: Round,
    block: usize,
    sums: &mut [[V; C]; R],
) {
    for c in 0..C {
        let at = |lines: &[Line]| V::load(lines.as_ptr().add(block + c).cast());
        let shift = at(&pack.shift);
        match round {
            Round::Constant => {
                for line in &mut *sums {
                    line[c] = line[c].shift_right(shift);
                }
            }
            Round::Even => {
                let mask = at(&pack.mask);
                for line in &mut *sums {
                    line[c] = line[c].shift_right(shift).even_where_tied(line[c], mask);
                }
            }
            Round::BySign => {
                let (add, mask) = (at(&pack.add), at(&pack.mask));
                for line in &mut *sums {
                    let extra = add.add(line[c].sign().and(mask));
                    line[c] = line[c].add(extra).shift_right(shift);
                }
            }
        }
    }
}

#[inline(always)]
unsafe fn limit<V: IntegerLanes, const R: usize, const C: usize>(
    finish: Finish,
    sums: &mut [[V; C]; R],
) {
    let (low, high) = (V::splat(finish.low), V::splat(finish.high));
    match finish.overflow {
        Overflow::Saturate => each(sums, |_, _, v| *v = v.max(low).min(high)),
        Overflow::Zero => each(sums, |_, _, v| *v = v.keep_within(low, high)),
        Overflow::Wrap => {
            let mask = high.sub(low);
            each(sums, |_, _, v| *v = v.sub(low).and(mask).add(low));
        }
    }
}
