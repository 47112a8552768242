//! The store obeys `bitfront_search::life`: random histories of a unit move its row exactly as the diagram says.

use bitfront_coordinator::store::leases::{Holding, Renewal};
use bitfront_search::life::{UnitEvent, UnitKind, UnitState, may_retry};
use proptest::{
    prelude::*,
    test_runner::{Config, TestRunner},
};

use crate::support::{Row, TTL, TestStore, TestWorker, Wanted};

const MAX_ATTEMPTS: u32 = 3;

#[derive(Clone, Copy, Debug)]
enum Step {
    /// A worker asks for work.
    Lease {
        worker: usize,
    },
    /// A worker reports for an attempt, which need not be the present one nor its own.
    Complete {
        worker: usize,
        back: u32,
    },
    Fail {
        worker: usize,
        back: u32,
        retryable: bool,
    },
    Release {
        worker: usize,
        back: u32,
    },
    Renew {
        worker: usize,
        back: u32,
    },
    /// The lease runs out and is reaped.
    Expire,
    /// The reaper comes while the lease lives.
    Reap,
    Cancel,
}

fn step() -> impl Strategy<Value = Step> {
    let who = || (0..2_usize, prop_oneof![4 => Just(0_u32), 1 => 1..3_u32]);
    prop_oneof![
        6 => (0..2_usize).prop_map(|worker| Step::Lease { worker }),
        2 => who().prop_map(|(worker, back)| Step::Complete { worker, back }),
        2 => (who(), any::<bool>()).prop_map(|((worker, back), retryable)| Step::Fail { worker, back, retryable }),
        3 => who().prop_map(|(worker, back)| Step::Release { worker, back }),
        2 => who().prop_map(|(worker, back)| Step::Renew { worker, back }),
        3 => Just(Step::Expire),
        1 => Just(Step::Reap),
        1 => Just(Step::Cancel),
    ]
}

/// What the diagram says of one unit.
struct Model {
    state: UnitState,
    attempt: u32,
    charged: u32,
    owner: usize,
    cancel_requested: bool,
}

impl Model {
    fn holds(&self, worker: usize, attempt: u32) -> bool {
        self.state == UnitState::Leased && self.owner == worker && self.attempt == attempt
    }

    fn apply(&mut self, event: UnitEvent) {
        self.charged += u32::from(event.is_charged());
        // A unit whose cancel was asked for ends as cancelled wherever it would be queued or fail.
        let event = match event {
            UnitEvent::Fail { .. } | UnitEvent::Expire { .. } | UnitEvent::Release
                if self.cancel_requested =>
            {
                UnitEvent::Cancel
            }
            other => other,
        };
        self.state = self
            .state
            .next(UnitKind::Trial, event)
            .expect("the store did what the diagram allows");
    }

    fn retry(&self) -> bool {
        may_retry(self.charged + 1, MAX_ATTEMPTS)
    }
}

async fn play(test: &TestStore, crew: &[TestWorker; 2], steps: &[Step]) {
    let search = test
        .submit(Wanted {
            trials: 1,
            ..Wanted::default()
        })
        .await;
    let first = crew[0].lease_one().await;
    let unit = first.unit;
    let mut model = Model {
        state: UnitState::Leased,
        attempt: 1,
        charged: 0,
        owner: 0,
        cancel_requested: false,
    };
    for step in steps {
        let attempt_back = |back: u32| model.attempt.saturating_sub(back).max(1);
        match *step {
            Step::Lease { worker } => {
                test.end_backoff().await;
                let leases = crew[worker].lease(1).await;
                assert_eq!(
                    leases.len(),
                    usize::from(model.state == UnitState::Queued),
                    "{step:?}"
                );
                if let Some(lease) = leases.first() {
                    model.apply(UnitEvent::Lease);
                    model.attempt += 1;
                    model.owner = worker;
                    assert_eq!(
                        (lease.holding.unit, lease.holding.attempt),
                        (unit, model.attempt)
                    );
                }
            }
            Step::Complete { worker, back } => {
                let attempt = attempt_back(back);
                let accepted = crew[worker]
                    .complete(Holding { unit, attempt })
                    .await
                    .is_ok();
                let doubled = model.state == UnitState::Completed
                    && model.owner == worker
                    && model.attempt == attempt;
                assert_eq!(
                    accepted,
                    model.holds(worker, attempt) || doubled,
                    "{step:?}"
                );
                if model.holds(worker, attempt) {
                    model.apply(UnitEvent::Complete);
                }
            }
            Step::Fail {
                worker,
                back,
                retryable,
            } => {
                let attempt = attempt_back(back);
                let accepted = crew[worker]
                    .fail(Holding { unit, attempt }, retryable)
                    .await
                    .is_ok();
                if model.holds(worker, attempt) {
                    assert!(accepted, "{step:?}");
                    model.apply(UnitEvent::Fail {
                        retry: retryable && model.retry(),
                    });
                }
            }
            Step::Release { worker, back } => {
                let attempt = attempt_back(back);
                let let_go = test
                    .store()
                    .release(crew[worker].id, &[Holding { unit, attempt }])
                    .await
                    .unwrap();
                assert_eq!(
                    let_go.len(),
                    usize::from(model.holds(worker, attempt)),
                    "{step:?}"
                );
                if model.holds(worker, attempt) {
                    model.apply(UnitEvent::Release);
                }
            }
            Step::Renew { worker, back } => {
                let attempt = attempt_back(back);
                let answers = test
                    .store()
                    .renew(crew[worker].id, &[Holding { unit, attempt }], TTL)
                    .await
                    .unwrap();
                let expected = match (model.holds(worker, attempt), model.cancel_requested) {
                    (false, _) => Renewal::Lost,
                    (true, true) => Renewal::Cancel,
                    (true, false) => Renewal::Extended,
                };
                assert_eq!(answers, [expected], "{step:?}");
            }
            Step::Expire => {
                test.run_out(unit).await;
                let reaped = test.store().reap(10).await.unwrap();
                assert_eq!(
                    reaped.len(),
                    usize::from(model.state == UnitState::Leased),
                    "{step:?}"
                );
                if model.state == UnitState::Leased {
                    model.apply(UnitEvent::Expire {
                        retry: model.retry(),
                    });
                }
            }
            Step::Reap => assert!(test.store().reap(10).await.unwrap().is_empty()),
            Step::Cancel => {
                test.store().cancel_unit(search, unit).await.unwrap();
                if !model.state.is_terminal() {
                    model.cancel_requested = true;
                    if model.state == UnitState::Queued {
                        model.apply(UnitEvent::Cancel);
                    }
                }
            }
        }
        check(test, unit, &model, step).await;
    }
    // Leave nothing for the next history to lease.
    test.store().cancel_unit(search, unit).await.unwrap();
    test.run_out(unit).await;
    test.store().reap(10).await.unwrap();
    test.store().settle(search).await.unwrap();
    assert_eq!(test.search_state(search).await, "finished");
}

async fn check(
    test: &TestStore,
    unit: bitfront_coordinator::ids::UnitId,
    model: &Model,
    step: &Step,
) {
    let Row {
        state,
        attempt,
        charged,
        cancel_requested,
        ..
    } = test.unit(unit).await;
    assert_eq!(
        (state.as_str(), attempt, charged, cancel_requested),
        (
            model.state.name(),
            model.attempt as i32,
            model.charged as i32,
            model.cancel_requested
        ),
        "after {step:?}"
    );
    let scores: i64 = sqlx::query_scalar("select count(*) from scores where trial_id = $1")
        .bind(unit.get())
        .fetch_one(&test.pool)
        .await
        .unwrap();
    assert_eq!(
        scores,
        i64::from(model.state == UnitState::Completed),
        "one outcome, after {step:?}"
    );
    let open: i64 =
        sqlx::query_scalar("select count(*) from attempts where unit_id = $1 and ended_at is null")
            .bind(unit.get())
            .fetch_one(&test.pool)
            .await
            .unwrap();
    assert_eq!(
        open,
        i64::from(model.state == UnitState::Leased),
        "one open attempt, after {step:?}"
    );
}

#[test]
fn random_histories_move_a_unit_as_the_diagram_says() {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .unwrap();
    let (test, crew) = runtime.block_on(async {
        let test = TestStore::new().await;
        let crew = [test.worker().await, test.worker().await];
        (test, crew)
    });
    let config = Config {
        cases: 48,
        failure_persistence: None,
        max_shrink_iters: 64,
        ..Config::default()
    };
    TestRunner::new(config)
        .run(&prop::collection::vec(step(), 1..20), |steps| {
            runtime.block_on(play(&test, &crew, &steps));
            Ok(())
        })
        .unwrap();
    let _guard = runtime.enter();
    drop(test);
}
