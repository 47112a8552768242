//! Checkpoints: one content, one spelling, and nothing else is read.

use std::collections::BTreeMap;

use bitfront_network::{BestEpoch, Checkpoint, CheckpointError, Tensor, TensorValues};
use proptest::prelude::*;
use sha2::{Digest, Sha256};

/// A file of a payload, its header right.
fn file(payload: &[u8]) -> Vec<u8> {
    let mut out = b"BITFRCKP\x01\0\0\0".to_vec();
    out.extend((payload.len() as u64).to_le_bytes());
    out.extend(Sha256::digest(payload));
    out.extend(payload);
    out
}

const HEADER: usize = 52;

fn fault(bytes: &[u8]) -> String {
    Checkpoint::from_bytes(bytes)
        .expect_err("refused")
        .to_string()
}

fn tensor(shape: &[u64], values: TensorValues) -> Tensor {
    Tensor {
        shape: shape.to_vec(),
        values,
    }
}

fn sample() -> Checkpoint {
    let named = |name: &str| name.to_owned();
    Checkpoint {
        run: named("sha256:00ff"),
        step: 1_234,
        epoch: 7,
        best: Some(BestEpoch {
            epoch: 5,
            score: -0.0,
        }),
        scalars: BTreeMap::from([(named("beta1^t"), 0.1), (named("rate"), f64::MIN_POSITIVE)]),
        random: BTreeMap::from([(named("order"), vec![1, u64::MAX, 3])]),
        tensors: BTreeMap::from([
            (
                named("fc1.kernel"),
                tensor(&[2, 2], TensorValues::F32(vec![1.0, -0.0, 1e-45, 3.0])),
            ),
            (
                named("moment"),
                tensor(&[1], TensorValues::F64(vec![f64::MAX])),
            ),
            (named("order"), tensor(&[0, 3], TensorValues::U64(vec![]))),
            (named("δ"), tensor(&[], TensorValues::U8(vec![9]))),
        ]),
    }
}

fn values() -> impl Strategy<Value = Tensor> {
    let shape = prop::collection::vec(0_u64..4, 0..5);
    (shape, 0_u8..4, any::<u64>()).prop_map(|(shape, kind, seed)| {
        let count = shape.iter().product::<u64>();
        let word = |i: u64| (seed ^ i).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let f32s = |i| Some(f32::from_bits(word(i) as u32)).filter(|v| v.is_finite());
        let f64s = |i| Some(f64::from_bits(word(i))).filter(|v| v.is_finite());
        let values = match kind {
            0 => TensorValues::F32((0..count).map(|i| f32s(i).unwrap_or(0.5)).collect()),
            1 => TensorValues::F64((0..count).map(|i| f64s(i).unwrap_or(0.5)).collect()),
            2 => TensorValues::U64((0..count).map(word).collect()),
            _ => TensorValues::U8((0..count).map(|i| word(i) as u8).collect()),
        };
        Tensor { shape, values }
    })
}

fn checkpoints() -> impl Strategy<Value = Checkpoint> {
    let name = || "[a-zä./^ ]{1,12}";
    let finite = || prop::num::f64::NORMAL | prop::num::f64::SUBNORMAL | prop::num::f64::ZERO;
    let words = prop::collection::vec(any::<u64>(), 0..6);
    (
        (".{0,20}", any::<u64>(), any::<u64>()),
        prop::option::of((any::<u64>(), finite())),
        prop::collection::btree_map(name(), finite(), 0..5),
        prop::collection::btree_map(name(), words, 0..4),
        prop::collection::btree_map(name(), values(), 0..6),
    )
        .prop_map(
            |((run, step, epoch), best, scalars, random, tensors)| Checkpoint {
                run,
                step,
                epoch,
                best: best.map(|(epoch, score)| BestEpoch { epoch, score }),
                scalars,
                random,
                tensors,
            },
        )
}

proptest! {
    #[test]
    fn round_trips(checkpoint in checkpoints()) {
        let bytes = checkpoint.to_bytes().unwrap();
        let read = Checkpoint::from_bytes(&bytes).unwrap();
        prop_assert_eq!(&read, &checkpoint);
        // Equality of floats forgets the sign of zero; bytes do not.
        prop_assert_eq!(read.to_bytes().unwrap(), bytes);
    }

    /// Payloads of random edits, their digest right: what is accepted is spelt the one way.
    #[test]
    fn what_is_read_is_written_the_same_way(
        checkpoint in checkpoints(),
        edits in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
        cut in prop::option::of(any::<prop::sample::Index>()),
    ) {
        let mut payload = checkpoint.to_bytes().unwrap()[HEADER..].to_vec();
        for (at, value) in edits {
            let at = at.index(payload.len());
            payload[at] = value;
        }
        if let Some(cut) = cut {
            payload.truncate(cut.index(payload.len()));
        }
        let bytes = file(&payload);
        if let Ok(read) = Checkpoint::from_bytes(&bytes) {
            prop_assert_eq!(read.to_bytes().unwrap(), bytes);
        }
    }

    #[test]
    fn any_payload_is_read_or_refused(payload in prop::collection::vec(any::<u8>(), 0..200)) {
        let bytes = file(&payload);
        if let Ok(read) = Checkpoint::from_bytes(&bytes) {
            prop_assert_eq!(read.to_bytes().unwrap(), bytes);
        }
    }
}

#[test]
fn the_layout_stays_as_it_is() {
    let bytes = sample().to_bytes().unwrap();
    assert_eq!(bytes, file(&bytes[HEADER..]));
    // Of a file that a writer of the documented table made, apart from this code.
    let digest: [u8; 32] = [
        0x7b, 0xe5, 0x49, 0xee, 0x8d, 0x32, 0x8a, 0x19, 0xcd, 0xa5, 0x63, 0xf4, 0xa9, 0x4e, 0xf1,
        0x66, 0x3b, 0xa4, 0xc9, 0xfc, 0x30, 0xd9, 0x25, 0x67, 0x44, 0x5e, 0xf5, 0x51, 0x5e, 0x6d,
        0x2e, 0x3f,
    ];
    assert_eq!(Sha256::digest(&bytes)[..], digest);
    assert_eq!(Checkpoint::from_bytes(&bytes).unwrap(), sample());
    assert_eq!(
        Checkpoint::from_bytes(&file(&[0; 31])).unwrap(),
        Checkpoint::default()
    );
}

#[test]
fn every_changed_bit_and_every_cut_is_refused() {
    let bytes = sample().to_bytes().unwrap();
    for at in 0..bytes.len() {
        for bit in 0..8 {
            let mut changed = bytes.clone();
            changed[at] ^= 1 << bit;
            assert!(
                Checkpoint::from_bytes(&changed).is_err(),
                "byte {at} bit {bit}"
            );
        }
        assert!(Checkpoint::from_bytes(&bytes[..at]).is_err(), "{at} bytes");
        // Also with a digest that is right, no beginning of a payload is a payload.
        if at >= HEADER {
            assert!(
                Checkpoint::from_bytes(&file(&bytes[HEADER..at])).is_err(),
                "{at} bytes"
            );
        }
    }
    let mut longer = bytes.clone();
    longer.push(0);
    assert!(Checkpoint::from_bytes(&longer).is_err());
    assert_eq!(
        fault(&file(&longer[HEADER..])),
        "not a checkpoint: 1 bytes follow the end of its payload"
    );
}

#[test]
fn headers_are_refused_with_their_reason() {
    let good = sample().to_bytes().unwrap();
    let with = |at: usize, bytes: &[u8]| {
        let mut out = good.clone();
        out[at..at + bytes.len()].copy_from_slice(bytes);
        fault(&out)
    };
    assert_eq!(
        fault(b""),
        "not a checkpoint: its header ends early: 8 bytes are needed, 0 are left"
    );
    assert_eq!(
        with(0, b"\x93NUMPY\x01\0"),
        "not a checkpoint: it does not start with `BITFRCKP`"
    );
    assert_eq!(
        with(8, &2_u32.to_le_bytes()),
        "checkpoint of format version 2; this build reads version 1: it was written by a newer build"
    );
    assert_eq!(
        with(8, &0_u32.to_le_bytes()),
        "checkpoint of format version 0; this build reads version 1"
    );
    let follow = good.len() - HEADER;
    assert_eq!(
        with(12, &u64::MAX.to_le_bytes()),
        format!(
            "not a checkpoint: its header tells of {} bytes, {follow} follow",
            u64::MAX
        )
    );
    assert!(matches!(
        Checkpoint::from_bytes(&{
            let mut out = good.clone();
            out[20] ^= 1;
            out
        }),
        Err(CheckpointError::Digest)
    ));
}

/// A payload up to its tensors.
fn start() -> Vec<u8> {
    // Run of no bytes, step, epoch, no best epoch, no scalars, no random streams.
    vec![0; 2 + 8 + 8 + 1 + 4 + 4]
}

/// A tensor's field, without its values.
fn head(name: &str, kind: u8, shape: &[u64]) -> Vec<u8> {
    let mut out = (name.len() as u16).to_le_bytes().to_vec();
    out.extend(name.as_bytes());
    out.extend([kind, shape.len() as u8]);
    out.extend(shape.iter().flat_map(|d| d.to_le_bytes()));
    out
}

fn tensors(count: u32, parts: &[&[u8]]) -> String {
    let mut payload = start();
    payload.extend(count.to_le_bytes());
    payload.extend(parts.concat());
    fault(&file(&payload))
}

#[test]
fn hostile_payloads_are_refused_before_they_cost_memory() {
    let ends = "not a checkpoint: its payload ends early";
    let cases = [
        (
            tensors(u32::MAX, &[]),
            "checkpoint, tensors: 4294967295; at most 65536",
        ),
        (tensors(65_536, &[]), ends),
        (tensors(1, &[&head("a", 0, &[1 << 40])]), ends),
        (tensors(1, &[&head("a", 3, &[u64::MAX])]), ends),
        (tensors(1, &[&head("a", 1, &[u64::MAX])]), ends),
        (
            tensors(1, &[&head("a", 0, &[1 << 32, 1 << 32])]),
            "checkpoint, tensor `a`: its shape [4294967296, 4294967296] has too many values",
        ),
        (
            tensors(1, &[&head("a", 0, &[1; 9])]),
            "checkpoint, tensor `a`: 9 dimensions; at most 8",
        ),
        (
            tensors(1, &[&head("a", 4, &[]), &[0; 4]]),
            "checkpoint, tensor `a`: a type of 4; accepted are 0 (f32) to 3 (u8)",
        ),
        (
            tensors(2, &[&head("a", 3, &[]), &[0], &head("a", 3, &[]), &[0]]),
            "checkpoint, tensor `a`: comes after `a`; names ascend",
        ),
        (
            tensors(2, &[&head("b", 3, &[]), &[0], &head("a", 3, &[]), &[0]]),
            "checkpoint, tensor `a`: comes after `b`; names ascend",
        ),
        (
            tensors(1, &[&head("", 3, &[]), &[0]]),
            "checkpoint, tensor: a name of 0 bytes; accepted are 1 to 256",
        ),
        (
            tensors(1, &[&[0xff, 0xff]]),
            "checkpoint, tensor: a name of 65535 bytes; accepted are 1 to 256",
        ),
        (
            tensors(1, &[&[1, 0, 0xff, 3, 0, 0]]),
            "checkpoint, tensor: its name is not UTF-8",
        ),
        (
            tensors(1, &[&head("a", 0, &[2]), &[0; 4], &f32::NAN.to_le_bytes()]),
            "checkpoint, tensor `a`: value 1 is not finite",
        ),
        (
            tensors(1, &[&head("a", 1, &[]), &f64::INFINITY.to_le_bytes()]),
            "checkpoint, tensor `a`: value 0 is not finite",
        ),
    ];
    for (found, expected) in cases {
        assert!(found.starts_with(expected), "{found} / {expected}");
    }
    let mut flag = start();
    flag[18] = 2;
    flag.extend([0; 4]);
    assert_eq!(
        fault(&file(&flag)),
        "checkpoint, best epoch: a flag of 2; accepted are 0 and 1"
    );
    let mut words = vec![0; 2 + 8 + 8 + 1 + 4];
    words.extend(1_u32.to_le_bytes());
    words.extend(b"\x01\0r");
    words.extend(65_537_u32.to_le_bytes());
    assert_eq!(
        fault(&file(&words)),
        "checkpoint, random stream `r`: 65537; at most 65536"
    );
    let mut score = vec![0; 18];
    score.push(1);
    score.extend([0; 8]);
    score.extend(f64::NAN.to_le_bytes());
    assert_eq!(
        fault(&file(&score)),
        "checkpoint, best epoch: NaN is not finite"
    );
}

#[test]
fn what_could_not_be_read_is_not_written() {
    let refused = |change: fn(&mut Checkpoint)| {
        let mut checkpoint = sample();
        change(&mut checkpoint);
        checkpoint.to_bytes().expect_err("refused").to_string()
    };
    let cases = [
        (
            refused(|c| c.run = "x".repeat(1_025)),
            "checkpoint, run: a name of 1025 bytes; accepted are 0 to 1024",
        ),
        (
            refused(|c| {
                c.best = Some(BestEpoch {
                    epoch: 0,
                    score: f64::NAN,
                });
            }),
            "checkpoint, best epoch: NaN is not finite",
        ),
        (
            refused(|c| {
                c.scalars.insert("rate".into(), f64::INFINITY);
            }),
            "checkpoint, scalar `rate`: inf is not finite",
        ),
        (
            refused(|c| {
                c.random.insert(String::new(), vec![]);
            }),
            "checkpoint, random stream: a name of 0 bytes; accepted are 1 to 256",
        ),
        (
            refused(|c| {
                c.random.insert("r".into(), vec![0; 65_537]);
            }),
            "checkpoint, random stream `r`: 65537; at most 65536",
        ),
        (
            refused(|c| {
                c.tensors
                    .insert("t".into(), tensor(&[2], TensorValues::U8(vec![1])));
            }),
            "checkpoint, tensor `t`: 1 values for the shape [2]",
        ),
        (
            refused(|c| {
                c.tensors
                    .insert("t".into(), tensor(&[1; 9], TensorValues::U8(vec![1])));
            }),
            "checkpoint, tensor `t`: 9 dimensions; at most 8",
        ),
        (
            refused(|c| {
                c.tensors
                    .insert("t".into(), Tensor::f32s(vec![0.0, f32::NAN]));
            }),
            "checkpoint, tensor `t`: value 1 is not finite",
        ),
    ];
    for (found, expected) in cases {
        assert_eq!(found, expected);
    }
}

#[test]
fn files_are_written_and_read() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("run.checkpoint");
    let old = sample();
    old.write_atomic(&path).unwrap();
    assert_eq!(Checkpoint::read(&path, 10_000).unwrap(), old);

    let mut new = sample();
    new.step += 1;
    new.write_atomic(&path).unwrap();
    assert_eq!(Checkpoint::read(&path, 10_000).unwrap(), new);

    let mut bad = sample();
    bad.scalars.insert("rate".into(), f64::NAN);
    assert!(bad.write_atomic(&path).is_err());
    assert_eq!(Checkpoint::read(&path, 10_000).unwrap(), new);
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);

    let bytes = std::fs::metadata(&path).unwrap().len();
    assert_eq!(Checkpoint::read(&path, bytes).unwrap(), new);
    let fault = Checkpoint::read(&path, bytes - 1);
    assert!(
        matches!(fault, Err(CheckpointError::TooLarge { .. })),
        "{fault:?}"
    );

    let missing = folder.path().join("missing").join("run.checkpoint");
    for fault in [
        new.write_atomic(&missing).err(),
        Checkpoint::read(&missing, 1).err(),
    ] {
        let fault = fault.expect("refused").to_string();
        assert!(
            fault.starts_with(&format!("checkpoint file {}: ", missing.display())),
            "{fault}"
        );
    }
}

#[cfg(unix)]
#[test]
fn an_endless_file_is_read_up_to_the_limit() {
    let fault = Checkpoint::read(std::path::Path::new("/dev/zero"), 100);
    assert!(
        matches!(
            fault,
            Err(CheckpointError::TooLarge {
                bytes: 101,
                limit: 100
            })
        ),
        "{fault:?}"
    );
}
