//! The teacher of a search that distils: its float parent, or a wider one, trained once in this process.
//!
//! The rule this module keeps (promise P2): a teacher is a function of the search file and its data alone,
//! so every worker that trains it has the same logits, and keeping them changes no bit.

use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use bitfront_dataset::Prepared;
use bitfront_network::{Candidate, Weights};
use bitfront_search::search::Sampler;
use bitfront_search::{Search, trial_seed};
use bitfront_training::{Control, Recipe, outputs};

use super::{recipe, trainer, training_failure};
use crate::attempt::Attempt;
use crate::error::{Ended, Failure};

/// Teachers whose logits are kept, the newest; slots mostly work on one search at a time.
pub(super) const KEPT: usize = 2;

/// What a teacher is called in logs and failures.
const PARENT: &str = "the float parent";
const WIDE: &str = "a wider float parent";

/// How often a slot that waits for another's teacher looks whether it is to stop.
const LOOK: Duration = Duration::from_millis(200);

/// The teachers of this process, by what they are trained from.
#[derive(Default)]
pub(crate) struct Teachers {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    ready: VecDeque<(String, Arc<[f32]>)>,
    in_training: Vec<String>,
}

/// A teacher in training; whoever waits for it takes over when it is dropped.
struct InTraining<'a> {
    teachers: &'a Teachers,
    key: &'a str,
}

impl Drop for InTraining<'_> {
    fn drop(&mut self) {
        let key = self.key;
        self.teachers
            .state()
            .in_training
            .retain(|other| other != key);
        self.teachers.changed.notify_all();
    }
}

impl Teachers {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The logits under `key`: kept ones, another slot's once it has them, or `make`'s.
    fn logits(
        &self,
        key: &str,
        stopped: &dyn Fn() -> bool,
        make: impl FnOnce() -> Result<Vec<f32>, Ended>,
    ) -> Result<Arc<[f32]>, Ended> {
        let mut state = self.state();
        loop {
            if let Some((_, logits)) = state.ready.iter().find(|(other, _)| other == key) {
                return Ok(Arc::clone(logits));
            }
            if !state.in_training.iter().any(|other| other == key) {
                break;
            }
            if stopped() {
                return Err(Ended::Stopped);
            }
            let waited = self.changed.wait_timeout(state, LOOK);
            (state, _) = waited.unwrap_or_else(PoisonError::into_inner);
        }
        state.in_training.push(key.to_owned());
        drop(state);
        let _in_training = InTraining {
            teachers: self,
            key,
        };
        let logits: Arc<[f32]> = make()?.into();
        let mut state = self.state();
        state.ready.push_back((key.to_owned(), Arc::clone(&logits)));
        if state.ready.len() > KEPT {
            state.ready.pop_front();
        }
        Ok(logits)
    }
}

/// The teacher of a trial: a candidate, or bit widths, learn from it, the float parent itself does not.
pub(super) fn teacher_of(search: &Search, candidate: &Candidate) -> Option<Candidate> {
    let learns_bits = matches!(search.sampler, Sampler::LearnedBits(_));
    let learns = learns_bits || *candidate != search.network.float;
    search.teacher().filter(|_| learns)
}

/// How the teacher is trained: as a trial of a float network, but whole.
pub(super) fn teacher_recipe(search: &Search, train_rows: usize) -> Recipe {
    Recipe {
        distillation: None,
        pruning: None,
        ..recipe(&search.training, train_rows)
    }
}

/// The teacher's logits of all train rows, `train rows x outputs`, row-major.
pub(super) fn logits(
    teachers: &Teachers,
    attempt: &Attempt,
    search: &Search,
    teacher: &Candidate,
    start: Option<Weights>,
    data: &Prepared,
) -> Result<Arc<[f32]>, Ended> {
    let parent = *teacher == search.network.float;
    let name = if parent { PARENT } else { WIDE };
    let seed = trial_seed(search.seed, &teacher.digest(), 0);
    let recipe = teacher_recipe(search, data.train.rows);
    // A registered model's weights are the parent's; another network starts from its seed.
    let start = start.filter(|_| parent);
    let from = (&search.dataset, teacher, &search.start, &recipe, seed);
    let key = serde_json::to_string(&from)
        .map_err(|e| Failure::internal(format!("name the teacher: {e}")))?;
    let mut trained_here = false;
    let logits = teachers.logits(&key, &|| attempt.is_stopped(), || {
        trained_here = true;
        let begin = Instant::now();
        let trainer = trainer(teacher, start, data, &recipe, seed).map_err(|e| failed(name, &e))?;
        let trained = trainer
            .run(&mut |_| Control::Continue, &|| attempt.is_stopped())
            .map_err(|e| failed(name, &e))?;
        let accuracy = trained.curve.last().map_or(0.0, |e| e.validation_accuracy);
        let logits =
            outputs(teacher, &trained.weights, &data.train.x).map_err(|e| failed(name, &e))?;
        attempt.log(&format!(
            "teacher: {name}, seed {seed}, trained in {:.2} s: accuracy {accuracy:.5} (validation)",
            begin.elapsed().as_secs_f64()
        ));
        Ok(logits)
    })?;
    if !trained_here {
        attempt.log(&format!(
            "teacher: {name}, seed {seed}, trained in this process before"
        ));
    }
    Ok(logits)
}

/// The failure of a teacher's training, which is said to be the teacher's.
fn failed(name: &str, error: &bitfront_training::TrainError) -> Ended {
    match training_failure(error) {
        Ended::Failed(failure) => Failure {
            message: format!("the teacher, {name}: {}", failure.message),
            ..failure
        }
        .into(),
        Ended::Stopped => Ended::Stopped,
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};
    use std::sync::mpsc;
    use std::thread;

    use super::*;

    const GO_ON: &dyn Fn() -> bool = &|| false;

    #[test]
    fn the_newest_are_kept() {
        let teachers = Teachers::default();
        let made = AtomicU32::new(0);
        let ask = |key: &str| {
            let make = || {
                made.fetch_add(1, Ordering::SeqCst);
                Ok(vec![key.len() as f32])
            };
            teachers.logits(key, GO_ON, make).unwrap()[0]
        };
        let asked = ["a", "a", "bb", "ccc", "bb", "a"].map(ask);
        assert_eq!(asked, [1.0, 1.0, 2.0, 3.0, 2.0, 1.0]);
        // The first was pushed out by the third.
        assert_eq!(made.into_inner(), 4);
    }

    #[test]
    fn whoever_waits_gets_the_others_or_takes_over() {
        for fails in [false, true] {
            let teachers = Teachers::default();
            let (began, begin) = mpsc::channel();
            let (end, ended) = mpsc::channel();
            thread::scope(|scope| {
                let first = scope.spawn(|| {
                    teachers.logits("a", GO_ON, move || {
                        began.send(()).unwrap();
                        ended.recv().unwrap();
                        if fails {
                            Err(Ended::Stopped)
                        } else {
                            Ok(vec![1.0])
                        }
                    })
                });
                begin.recv().unwrap();
                // One that is to stop does not wait for the end.
                let stopped = teachers.logits("a", &|| true, || Ok(vec![3.0]));
                assert_eq!(stopped, Err(Ended::Stopped));
                let second = scope.spawn(|| teachers.logits("a", GO_ON, || Ok(vec![2.0])));
                end.send(()).unwrap();
                let first = first.join().unwrap();
                assert_eq!(first.is_err(), fails);
                let expected = if fails { 2.0 } else { 1.0 };
                assert_eq!(second.join().unwrap().unwrap()[0], expected);
            });
        }
    }
}
