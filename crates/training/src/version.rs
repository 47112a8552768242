//! The number of the arithmetic that trains and scores, which stands with every result (promise P2).

/// Version of what turns (search file, data, point, seed, starting weights) into a trial's result: reading and
/// preparing rows, training, learned bit widths, integer inference, scores and cost estimates. A search keeps to
/// one version, so builds that announce the same number must give the same bits.
///
/// It rises by one, and never falls, whenever a change alters a result that the version before gave: always when the
/// hashes under `testdata/known-bits` do, which are stored with the version and cannot be blessed under it anew, and
/// also when a change is known to alter results that no test has. 0 is what workers are that announce none.
pub const ENGINE_VERSION: u32 = 1;
