//! Typed ids: a UUID that knows what it names, so that a trial's id cannot be handed in for a search's.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};
use uuid::Uuid;

macro_rules! ids {
    ($($(#[$doc:meta])+ $name:ident;)+) => {$(
        $(#[$doc])+
        #[derive(
            Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, sqlx::Type,
            utoipa::ToSchema,
        )]
        #[serde(transparent)]
        #[sqlx(transparent)]
        #[schema(value_type = Uuid)]
        pub struct $name(pub Uuid);

        impl $name {
            /// A new id: UUID v7, so that later ids sort after earlier ones and neighbours lie together in an index.
            #[expect(clippy::new_without_default, reason = "a default id would be a new one each time")]
            pub fn new() -> Self {
                Self(Uuid::now_v7())
            }

            /// The bare UUID, as the statements bind it.
            pub fn get(self) -> Uuid {
                self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }

        impl FromStr for $name {
            type Err = uuid::Error;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                text.parse().map(Self)
            }
        }

        impl From<Uuid> for $name {
            fn from(id: Uuid) -> Self {
                Self(id)
            }
        }
    )+};
}

ids! {
    /// A search.
    SearchId;
    /// A trial; it is also the id of the trial's unit of work.
    TrialId;
    /// A synthesis job; it is also the id of the job's unit of work.
    SynthesisId;
    /// A unit of work: a trial or a synthesis job. An attempt is named by its unit and its number.
    UnitId;
    /// A worker process.
    WorkerId;
    /// A registered data set.
    DatasetId;
    /// A model that searches start from.
    ModelId;
    /// A bearer token (the row, never the secret).
    TokenId;
}

impl From<TrialId> for UnitId {
    fn from(id: TrialId) -> Self {
        Self(id.0)
    }
}

impl From<SynthesisId> for UnitId {
    fn from(id: SynthesisId) -> Self {
        Self(id.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_the_plain_uuid_in_text_and_json() {
        let id = SearchId::new();
        assert_eq!(id.to_string().parse::<SearchId>().unwrap(), id);
        assert_eq!(serde_json::to_string(&id).unwrap(), format!("\"{id}\""));
        assert!("not an id".parse::<TrialId>().is_err());
    }

    #[test]
    fn later_ids_sort_after_earlier_ones() {
        let ids: Vec<_> = (0..100).map(|_| TrialId::new()).collect();
        assert!(ids.is_sorted());
    }
}
