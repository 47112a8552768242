//! What the API shows: one statement a file under `sql/`, each with the rule it keeps; nothing here writes.

mod datasets;
mod estimators;
mod events;
mod models;
mod searches;
mod synthesis;
mod totals;
mod trials;
mod units;
mod workers;

pub use datasets::DatasetRow;
pub use estimators::EstimatorRatios;
pub use events::{EventBounds, EventRow};
pub use models::ModelRow;
pub use searches::{SearchDocuments, SearchRow};
pub use synthesis::{SynthesisFilter, SynthesisRow};
pub use totals::UnitTotal;
pub use trials::{TrialDocuments, TrialFilter, TrialNeighbours, TrialOrder, TrialRow};
pub use units::{AttemptLog, AttemptRow, CurvePoint, UnitArtifact};
pub use workers::WorkerRow;
