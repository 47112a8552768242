//! Reads the parts of messages, with an error that names the field.

use bitfront_hardware::engine::Engine;
use bitfront_proto::v1::{ArtifactRef, EpochMeasurement, UnitRef, WorkKind};
use bitfront_search::life::UnitKind;
use uuid::Uuid;

use crate::{
    artifacts::Digest,
    error::{Error, Result},
    ids::{UnitId, WorkerId},
    store::{
        leases::{Holding, Leased, Measured},
        outcomes::Produced,
    },
};

pub(super) fn invalid(field: &str, detail: impl std::fmt::Display) -> Error {
    Error::invalid("invalid-request", format!("{field}: {detail}"))
}

pub(super) fn uuid(field: &str, text: &str) -> Result<Uuid> {
    text.parse()
        .map_err(|_| invalid(field, format_args!("{text:?} is not a UUID")))
}

pub(super) fn worker(text: &str) -> Result<WorkerId> {
    uuid("worker_id", text).map(WorkerId)
}

pub(super) fn kinds(kinds: &[i32]) -> Result<Vec<UnitKind>> {
    if kinds.is_empty() {
        return Err(invalid("kinds", "empty: name at least one kind of work"));
    }
    kinds
        .iter()
        .map(|kind| match WorkKind::try_from(*kind) {
            Ok(WorkKind::Trial) => Ok(UnitKind::Trial),
            Ok(WorkKind::Synthesis) => Ok(UnitKind::Synthesis),
            _ => Err(invalid(
                "kinds",
                format_args!("{kind} is not a kind of work"),
            )),
        })
        .collect()
}

/// The engines of a worker. One from before they were announced has Yosys if it takes synthesis jobs.
pub(super) fn engines(kinds: &[UnitKind], engines: Vec<String>) -> Result<Vec<String>> {
    if engines.is_empty() && kinds.contains(&UnitKind::Synthesis) {
        return Ok(vec![Engine::Yosys.name().to_owned()]);
    }
    // A worker of a later version may have one that is unknown here: no job asks for it.
    let plain = |name: &String| (1..=64).contains(&name.len()) && !name.contains('\0');
    match engines.iter().find(|name| !plain(name)) {
        Some(name) => Err(invalid(
            "engines",
            format_args!("{name:?} is no name of 1 to 64 characters"),
        )),
        None => Ok(engines),
    }
}

pub(super) fn holding(unit: Option<&UnitRef>) -> Result<Holding> {
    let unit = unit.ok_or_else(|| invalid("unit", "missing"))?;
    if unit.attempt == 0 || unit.attempt > i32::MAX as u32 {
        return Err(invalid(
            "unit.attempt",
            format_args!("{} is not an attempt", unit.attempt),
        ));
    }
    Ok(Holding {
        unit: UnitId(uuid("unit.id", &unit.id)?),
        attempt: unit.attempt,
    })
}

pub(super) fn unit_ref(lease: &Leased) -> UnitRef {
    let kind = match lease.kind {
        UnitKind::Trial => WorkKind::Trial,
        UnitKind::Synthesis => WorkKind::Synthesis,
    };
    UnitRef {
        kind: kind.into(),
        id: lease.holding.unit.to_string(),
        attempt: lease.holding.attempt,
    }
}

pub(super) fn measured(holding: Holding, epochs: &[EpochMeasurement]) -> Result<Vec<Measured>> {
    epochs
        .iter()
        .map(|point| {
            if point.epoch == 0 || point.epoch > i32::MAX as u32 {
                return Err(invalid(
                    "epoch",
                    format_args!("{}: epochs count from 1", point.epoch),
                ));
            }
            Ok(Measured {
                holding,
                epoch: point.epoch,
                train_loss: Some(point.train_loss),
                validation_loss: Some(point.validation_loss),
                // Where values are predicted there is none.
                validation_accuracy: Some(point.validation_accuracy).filter(|it| it.is_finite()),
                learning_rate: Some(point.learning_rate),
            })
        })
        .collect()
}

pub(super) fn produced(artifacts: &[ArtifactRef]) -> Result<Vec<Produced>> {
    artifacts
        .iter()
        .map(|artifact| {
            let digest = Digest::parse(&artifact.digest)
                .map_err(|error| invalid("artifacts.digest", error.message()))?;
            let kind = &artifact.kind;
            let plain = kind.len() <= 32
                && kind.starts_with(|c: char| c.is_ascii_lowercase())
                && kind
                    .bytes()
                    .all(|b| matches!(b, b'a'..=b'z' | b'0'..=b'9' | b'_' | b'-'));
            if !plain {
                return Err(invalid(
                    "artifacts.kind",
                    format_args!("{kind:?} is not a word like weights or log"),
                ));
            }
            Ok(Produced {
                kind: kind.clone(),
                digest: digest.as_str().to_owned(),
            })
        })
        .collect()
}
