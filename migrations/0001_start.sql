-- The schema of a coordinator: searches, their units of work, and what came of them.
--
-- Forward-only: a change is a new file. Rules that hold for every table:
--   * ids are UUID v7, made by the coordinator; states are text with a check, so that a dump reads well;
--   * time is the database's (`now()`), never a client's;
--   * a unit of work (a trial or a synthesis job) has its state and its lease in ONE narrow table, `units`,
--     so that claim, renew, complete, fail, release, cancel and reap exist once for both kinds, and a
--     heartbeat rewrites a small row; `trials` and `synthesis_jobs` hold what is particular to each kind under
--     the same id.

-- Data sets, registered by upload; the bytes are an artifact named by `digest`.
create table datasets (
    id          uuid primary key,
    -- SHA-256 of the file, lowercase hex: registering the same bytes again is the same data set.
    digest      text not null unique check (digest ~ '^[0-9a-f]{64}$'),
    -- File name, whose extension names the format.
    file        text not null check (file ~ '^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$'),
    bytes       bigint not null check (bytes >= 0),
    -- What a reader found in it: inputs (features), classes, rows of each table.
    info        jsonb not null,
    created_at  timestamptz not null default now()
);

-- Bearer tokens: only the SHA-256 of a 256-bit random secret is stored.
create table tokens (
    id           uuid primary key,
    name         text not null check (length(name) between 1 and 128),
    scope        text not null check (scope in ('user', 'worker')),
    digest       text not null unique check (digest ~ '^[0-9a-f]{64}$'),
    created_at   timestamptz not null default now(),
    expires_at   timestamptz,
    revoked_at   timestamptz,
    last_used_at timestamptz
);

-- Worker processes: one row for each process that ever registered.
create table workers (
    id             uuid primary key,
    name           text not null check (length(name) between 1 and 128),
    host           text not null default '',
    version        text not null default '',
    slots          integer not null check (slots >= 1),
    -- What it can run: 'trial', 'synthesis'.
    kinds          text[] not null,
    -- Tools found, name to version.
    tools          jsonb not null default '{}',
    -- Instruction set level of its training kernels.
    cpu_level      text not null default '',
    -- It finishes its last units and takes no more.
    draining       boolean not null default false,
    -- The next heartbeat tells it to drain and stop.
    stop_requested boolean not null default false,
    registered_at  timestamptz not null default now(),
    last_seen_at   timestamptz not null default now()
);

create table searches (
    id              uuid primary key,
    name            text not null,
    state           text not null default 'running'
                    check (state in ('running', 'paused', 'finished', 'cancelled', 'archived')),
    -- The file as submitted, and as resolved (every default written out): workers get the latter.
    file            jsonb not null,
    resolved        jsonb not null,
    dataset_id      uuid not null references datasets (id),
    -- Trials allowed at most.
    budget          integer not null check (budget >= 1),
    -- W of promise P2: trial n is proposed from outcomes of trials 0..=n-W only.
    parallel        integer not null check (parallel >= 1),
    -- `order: number` (reproducible) or `order: arrival` (not).
    proposal_order  text not null default 'number' check (proposal_order in ('number', 'arrival')),
    reproducible    boolean not null generated always as (proposal_order = 'number') stored,
    -- Number of the next trial. Incremented in the statement that inserts the trial: whoever loses the row's
    -- lock sees another number and inserts nothing, so coordinators cannot overshoot the budget together.
    next_number     integer not null default 0,
    -- The sampler has nothing more to propose, although budget is left.
    exhausted       boolean not null default false,
    -- The synthesis jobs that the policy owes have been queued; set once, when all trials have ended.
    synthesis_owed  boolean not null default true,
    -- Leased earlier when higher.
    priority        integer not null default 0,
    -- A client's own key: submitting twice with the same key is one search.
    idempotency_key text unique check (length(idempotency_key) between 1 and 200),
    created_at      timestamptz not null default now(),
    ended_at        timestamptz,
    constraint searches_budget_kept check (next_number between 0 and budget),
    constraint searches_ended check ((state in ('running', 'paused')) = (ended_at is null))
);
create index searches_open on searches (priority desc, id) where state in ('running', 'paused');

-- Units of work: the one lease protocol. `attempt` is the fencing token: it grows with every claim and never
-- shrinks. `charged` counts the attempts that count against `max_attempts` (expiry and errors, not releases).
create table units (
    id               uuid primary key,
    kind             text not null check (kind in ('trial', 'synthesis')),
    search_id        uuid not null references searches (id),
    state            text not null default 'queued'
                     check (state in ('queued', 'leased', 'paused', 'completed', 'failed', 'pruned', 'cancelled')),
    attempt          integer not null default 0 check (attempt >= 0),
    charged          integer not null default 0 check (charged >= 0),
    max_attempts     integer not null default 3 check (max_attempts >= 1),
    priority         integer not null default 0,
    not_before       timestamptz not null default now(),
    lease_owner      uuid references workers (id),
    lease_expires_at timestamptz,
    -- The Lease request that this lease answered, and its place in the answer: unique, so that a request sent
    -- twice at the same moment cannot take two sets of units.
    lease_request_id uuid,
    lease_slot       integer,
    -- The worker learns of it with its next heartbeat.
    cancel_requested boolean not null default false,
    -- SHA-256 of the accepted result: an equal report again is answered as accepted.
    result_digest    text,
    error_code       text,
    error_message    text,
    created_at       timestamptz not null default now(),
    started_at       timestamptz,
    ended_at         timestamptz,
    constraint units_lease_whole check (
        (state = 'leased') = (lease_owner is not null and lease_expires_at is not null)
        and (state = 'leased' or (lease_owner is null and lease_expires_at is null and lease_request_id is null and lease_slot is null))),
    constraint units_ended check ((state in ('completed', 'failed', 'pruned', 'cancelled')) = (ended_at is not null)),
    constraint units_charged_within check (charged <= attempt and charged <= max_attempts),
    constraint units_synthesis_never_pruned check (kind = 'trial' or state not in ('paused', 'pruned')),
    constraint units_failed_says_why check ((state = 'failed') <= (error_code is not null)),
    unique (lease_request_id, lease_slot)
)
-- Heartbeats rewrite rows: leave room for it, and keep the expiry out of every index, so that they stay in place.
with (fillfactor = 80, autovacuum_vacuum_scale_factor = 0.02, autovacuum_analyze_scale_factor = 0.02);
create index units_queued on units (priority desc, not_before, id) where state = 'queued';
create index units_leased on units (lease_owner) where state = 'leased';
create index units_of_search on units (search_id, kind, state);

-- One worker's run of a unit. Append-only but for its end and its live log tail.
create table attempts (
    unit_id       uuid not null references units (id),
    attempt       integer not null check (attempt >= 1),
    worker_id     uuid not null references workers (id),
    started_at    timestamptz not null default now(),
    ended_at      timestamptz,
    end_reason    text check (end_reason in ('completed', 'failed', 'released', 'lease_expired', 'cancelled')),
    error_code    text,
    error_message text,
    -- The last part of its log, at most 64 Ki characters; the whole log, capped, is an artifact.
    log_tail      text not null default '',
    primary key (unit_id, attempt),
    constraint attempts_ended check ((ended_at is null) = (end_reason is null))
)
with (fillfactor = 80);
create index attempts_of_worker on attempts (worker_id, started_at desc);
-- A unit has at most one attempt that runs.
create unique index attempts_one_open on attempts (unit_id) where ended_at is null;

-- What is particular to a trial.
create table trials (
    id               uuid primary key references units (id),
    search_id        uuid not null references searches (id),
    -- From 0 in its search.
    number           integer not null check (number >= 0),
    -- The choice indexes; null for a seed trial of the file that lies outside the space.
    point            jsonb,
    candidate        jsonb not null,
    -- Equal candidates of a search are never trained twice (but for a repetition that is asked for).
    candidate_digest text not null,
    repeat           integer not null default 0 check (repeat >= 0),
    -- Where it came from: a seed trial with its label, a random draw, a child of other trials.
    origin           jsonb not null,
    -- H(search seed, candidate digest, repeat): an unsigned 64-bit number stored in two's complement.
    seed             bigint not null,
    -- Costs that need no training (tier 0), where the proposal computed them.
    tier0            jsonb,
    unique (search_id, number),
    unique (search_id, candidate_digest, repeat)
);

-- The outcome of a completed trial: at most one (primary key), by an attempt that existed (foreign key).
create table scores (
    trial_id   uuid primary key references trials (id),
    attempt    integer not null,
    search_id  uuid not null references searches (id),
    -- search::scores::TrialScores
    scores     jsonb not null,
    -- Not dominated by any other completed trial of the search, in its objectives (validation scores only, P5).
    on_front   boolean not null default false,
    created_at timestamptz not null default now(),
    foreign key (trial_id, attempt) references attempts (unit_id, attempt)
);
create index scores_front on scores (search_id) where on_front;
create index scores_of_search on scores (search_id);

-- Learning curves, one row an epoch and attempt. A loss that is not finite is stored as null.
create table measurements (
    unit_id             uuid not null,
    attempt             integer not null,
    -- From 1.
    epoch               integer not null check (epoch >= 1),
    train_loss          double precision,
    validation_loss     double precision,
    validation_accuracy double precision,
    learning_rate       double precision,
    measured_at         timestamptz not null default now(),
    primary key (unit_id, attempt, epoch),
    foreign key (unit_id, attempt) references attempts (unit_id, attempt)
);

-- What is particular to a synthesis job.
create table synthesis_jobs (
    id             uuid primary key references units (id),
    search_id      uuid not null references searches (id),
    trial_id       uuid not null references trials (id),
    -- Owed by the search's policy, or asked for by a user.
    requested_by   text not null check (requested_by in ('policy', 'user')),
    tool           text not null,
    -- Test vectors at least.
    vectors        integer not null check (vectors >= 1),
    weights_digest text not null,
    -- Cell counts, levels, tool, version, command: as the worker reported it.
    result         jsonb,
    result_attempt integer,
    foreign key (id, result_attempt) references attempts (unit_id, attempt),
    unique (trial_id, tool)
);
create index synthesis_jobs_of_search on synthesis_jobs (search_id);

-- Bytes the coordinator keeps, named by their SHA-256. A row is written after the file is safe on disk.
create table artifacts (
    digest     text primary key check (digest ~ '^[0-9a-f]{64}$'),
    bytes      bigint not null check (bytes >= 0),
    created_at timestamptz not null default now()
);

-- Which attempt produced what: "weights", "log", "rtl", "report", "netlist", "testbench".
create table unit_artifacts (
    unit_id uuid not null,
    attempt integer not null,
    kind    text not null check (kind ~ '^[a-z][a-z0-9_-]{0,31}$'),
    digest  text not null references artifacts (digest),
    primary key (unit_id, attempt, kind, digest),
    foreign key (unit_id, attempt) references attempts (unit_id, attempt)
);

-- What happened, for live pages and watchers. A reader that has seen `seq` reads `where seq > $1 order by seq`.
create sequence events_seq;
create table events (
    -- Given by the trigger below.
    seq       bigint primary key,
    search_id uuid references searches (id),
    -- search.submitted, search.updated, search.progress, trial.updated, front.changed, synthesis.updated, worker.updated
    kind      text not null,
    payload   jsonb not null,
    at        timestamptz not null default now()
);
create index events_of_search on events (search_id, seq);

-- A sequence number is taken before its transaction commits, so two writers could commit in the other order and a
-- reader would skip the later one for ever. Writers therefore take turns from their first event to their commit, and
-- the number is drawn within the turn: the order of `seq` is the order of commits. Insert events last in a
-- transaction, to keep the turn short. (A row trigger: a statement that inserts nothing takes no turn.)
create function events_take_turn() returns trigger language plpgsql as $$
begin
    perform pg_advisory_xact_lock(7305809155955516005);
    new.seq := nextval('events_seq');
    return new;
end
$$;
create trigger events_take_turn before insert on events
    for each row execute function events_take_turn();
