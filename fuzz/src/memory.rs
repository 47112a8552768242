//! Memory in proportion to the input: an allocator that counts, and a limit while a target runs.
//!
//! Beyond the limit an allocation fails, which ends the process: libFuzzer reports it as a crash. A
//! reader that asks first (`try_reserve`) may refuse instead.

use std::alloc::System;
use std::sync::{Mutex, PoisonError};

use cap::Cap;

#[global_allocator]
static ALLOCATOR: Cap<System> = Cap::new(System, usize::MAX);

static ONE: Mutex<()> = Mutex::new(());

/// What every input may take.
const FLOOR: usize = 64 << 20;

/// What an input may take for each of its bytes, beyond [`FLOOR`].
const PER_BYTE: usize = 64;

/// Bytes that may be alive at once on behalf of an input of `length` bytes.
pub const fn limit(length: usize) -> usize {
    FLOOR + PER_BYTE * length
}

/// Runs `body`, which may hold [`limit`]`(length)` bytes more than are held now.
pub fn limited<T>(length: usize, body: impl FnOnce() -> T) -> T {
    // One limit, so one at a time; a panic in `body` leaves nothing half done.
    let _one = ONE.lock().unwrap_or_else(PoisonError::into_inner);
    let most = ALLOCATOR.allocated().saturating_add(limit(length));
    // Fails only for a limit below what is held, which this is not.
    let set = ALLOCATOR.set_limit(most);
    debug_assert!(set.is_ok());
    let result = body();
    let set = ALLOCATOR.set_limit(usize::MAX);
    debug_assert!(set.is_ok());
    result
}
