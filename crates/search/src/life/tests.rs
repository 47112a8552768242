//! Laws of the state machines, over every state and random histories.

use super::{Remaining, SearchEvent, SearchState, UnitEvent, UnitKind, UnitState, may_retry};
use proptest::prelude::*;

const UNIT_EVENTS: [UnitEvent; 12] = [
    UnitEvent::Lease,
    UnitEvent::Complete,
    UnitEvent::Share,
    UnitEvent::Fail { retry: true },
    UnitEvent::Fail { retry: false },
    UnitEvent::Expire { retry: true },
    UnitEvent::Expire { retry: false },
    UnitEvent::Release,
    UnitEvent::Pause,
    UnitEvent::Promote,
    UnitEvent::Prune,
    UnitEvent::Cancel,
];

const SEARCH_EVENTS: [SearchEvent; 5] = [
    SearchEvent::Pause,
    SearchEvent::Resume,
    SearchEvent::Finish,
    SearchEvent::Cancel,
    SearchEvent::Archive,
];

const KINDS: [UnitKind; 2] = [UnitKind::Trial, UnitKind::Synthesis];

#[test]
fn terminal_states_absorb() {
    for state in UnitState::ALL
        .into_iter()
        .filter(|state| state.is_terminal())
    {
        for kind in KINDS {
            for event in UNIT_EVENTS {
                let refused = state
                    .next(kind, event)
                    .expect_err("a terminal state absorbs");
                assert_eq!(refused.state, state.name());
                assert_eq!(refused.event, event.name());
            }
        }
    }
}

#[test]
fn an_open_unit_can_always_be_cancelled() {
    for state in UnitState::ALL
        .into_iter()
        .filter(|state| !state.is_terminal())
    {
        let next = state.next(UnitKind::Trial, UnitEvent::Cancel);
        assert_eq!(next, Ok(UnitState::Cancelled));
    }
}

#[test]
fn a_synthesis_job_is_never_pruned_or_paused() {
    for state in UnitState::ALL {
        for event in UNIT_EVENTS {
            let next = state.next(UnitKind::Synthesis, event);
            assert!(!matches!(next, Ok(UnitState::Pruned | UnitState::Paused)));
        }
    }
}

#[test]
fn only_a_waiting_synthesis_job_shares_a_result() {
    for state in UnitState::ALL {
        for kind in KINDS {
            let may = state == UnitState::Queued && kind == UnitKind::Synthesis;
            assert_eq!(state.next(kind, UnitEvent::Share).is_ok(), may);
        }
    }
}

#[test]
fn only_a_leased_unit_ends_by_report() {
    for state in UnitState::ALL {
        for kind in KINDS {
            for event in [
                UnitEvent::Complete,
                UnitEvent::Fail { retry: false },
                UnitEvent::Fail { retry: true },
                UnitEvent::Expire { retry: false },
                UnitEvent::Expire { retry: true },
                UnitEvent::Release,
            ] {
                assert_eq!(state.next(kind, event).is_ok(), state == UnitState::Leased);
            }
        }
    }
}

#[test]
fn failures_and_expiries_are_charged_and_releases_are_not() {
    assert!(UnitEvent::Fail { retry: true }.is_charged());
    assert!(UnitEvent::Expire { retry: false }.is_charged());
    assert!(!UnitEvent::Release.is_charged());
    assert!(!UnitEvent::Complete.is_charged());
    assert!(may_retry(2, 3));
    assert!(!may_retry(3, 3));
}

#[test]
fn names_read_back() {
    for state in UnitState::ALL {
        assert_eq!(UnitState::from_name(state.name()), Some(state));
        assert_eq!(
            serde_json::to_value(state).expect("serialises"),
            state.name()
        );
    }
    for state in SearchState::ALL {
        assert_eq!(SearchState::from_name(state.name()), Some(state));
        assert_eq!(
            serde_json::to_value(state).expect("serialises"),
            state.name()
        );
    }
}

#[test]
fn a_repeated_request_is_answered_like_the_first() {
    for state in SearchState::ALL {
        for event in SEARCH_EVENTS {
            if let Ok(next) = state.next(event) {
                assert_eq!(next.next(event), Ok(next), "{state} after {}", event.name());
            }
        }
    }
}

#[test]
fn a_search_is_finished_when_nothing_is_left() {
    let nothing = Remaining {
        proposals: false,
        open_trials: 0,
        owed_synthesis: 0,
        open_synthesis: 0,
    };
    assert!(nothing.is_finished());
    for something in [
        Remaining {
            proposals: true,
            ..nothing
        },
        Remaining {
            open_trials: 1,
            ..nothing
        },
        Remaining {
            owed_synthesis: 1,
            ..nothing
        },
        Remaining {
            open_synthesis: 1,
            ..nothing
        },
    ] {
        assert!(!something.is_finished());
    }
}

proptest! {
    /// Whatever happens in whatever order, a unit gets at most one outcome and keeps it, and it is
    /// completed only while leased.
    #[test]
    fn at_most_one_outcome(
        events in prop::collection::vec(prop::sample::select(UNIT_EVENTS.to_vec()), 0..60),
        kind in prop::sample::select(KINDS.to_vec()),
    ) {
        let mut state = UnitState::Queued;
        let mut outcomes = 0;
        let mut leases = 0_u32;
        let mut returns = 0_u32;
        for event in events {
            let Ok(next) = state.next(kind, event) else { continue };
            prop_assert!(!state.is_terminal());
            leases += u32::from(next == UnitState::Leased);
            returns += u32::from(state == UnitState::Leased);
            outcomes += u32::from(next.is_terminal());
            state = next;
            let held = u32::from(state == UnitState::Leased);
            prop_assert_eq!(leases, returns + held);
        }
        prop_assert_eq!(outcomes, u32::from(state.is_terminal()));
    }

    /// A closed search never opens again, and work is leased in one state only.
    #[test]
    fn a_closed_search_stays_closed(
        events in prop::collection::vec(prop::sample::select(SEARCH_EVENTS.to_vec()), 0..40),
    ) {
        let mut state = SearchState::Running;
        for event in events {
            let Ok(next) = state.next(event) else { continue };
            prop_assert!(state.is_open() || !next.is_open());
            prop_assert!(!next.leases() || next.is_open());
            state = next;
        }
    }
}
