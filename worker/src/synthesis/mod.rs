//! One synthesis job: circuit, proof, RTL, simulation, synthesis.
//!
//! The rule this module keeps: a job fails closed. Each step has a check that names itself in the
//! failure's code, and no figure is stored unless every check before it passed.
//!
//! | step | check | code |
//! |---|---|---|
//! | freeze the trained weights | every part has an exact integer form | `not-exact` |
//! | build the circuit | its adders are the kernels, by coefficients | `kernel-mismatch` |
//! | evaluate the graph | equal to integer inference on every vector | `circuit-mismatch` |
//! | simulate the RTL | every output bit equal on every vector | `mismatch` |
//! | synthesise | only cells that were asked for | `cell-not-allowed` |
//! | count | LUTs and flip-flops within a factor of three of the estimate, DSP blocks as estimated | `implausible` |
//! | simulate the netlist | every output bit equal on every vector | `netlist-mismatch` |
//! | compile the hls4ml project (`vitis-hls`) | every output equal on every vector | `emulation-mismatch` |
//! | any tool | runs to its end within its limits | `tool-failed`, `time-limit`, `out-of-memory` |

mod compared;
mod engine;
mod evidence;
mod folder;
mod netlist;
mod process;
mod result;
mod simulate;
mod vectors;

#[cfg(test)]
mod count_tests;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use bitfront_hardware::Costs;
use bitfront_hardware::circuit::Ranges;
use bitfront_hardware::design::{Design, DesignOptions};
use bitfront_hardware::device::Devices;
use bitfront_hardware::engine::{Engine, Target, UnknownEngine, nextpnr, vivado};
use bitfront_network::{Candidate, IntegerProgram, Weights};
use bitfront_proto::v1::SynthesisWork;

pub use compared::Mismatch;
pub use result::SynthesisResult;

pub(crate) use compared::compare;
pub(crate) use evidence::Evidence;
use vectors::Vectors;

pub(crate) use vectors::FEWEST as FEWEST_VECTORS;

use crate::attempt::Attempt;
use crate::cache::Held;
use crate::config::Limits;
use crate::context::Context;
use crate::error::{Ended, Failure};
use crate::executor::{Produced, on_thread};
use crate::link::{Artifact, digest_of, download, retry};
use crate::tools::Tools;
use crate::trial::{self, no_circuit};

use engine::Synthesised;
use folder::JobFolder;
use process::Run;
use simulate::{BENCH, CONSTRAINTS, MODULE, RTL, Subject, VECTORS};

/// Runs a synthesis job to its measured circuit.
pub(crate) async fn run(
    context: &Arc<Context>,
    attempt: &Arc<Attempt>,
    work: SynthesisWork,
) -> Produced {
    match prepare(context, attempt, &work).await {
        Ok(job) => {
            let on_cpu = on_thread("synthesis", {
                let (context, attempt) = (Arc::clone(context), Arc::clone(attempt));
                move || job.produce(&context, &attempt)
            });
            match on_cpu.await {
                Ok(produced) => produced,
                Err(failure) => Produced::ended(failure),
            }
        }
        Err(ended) => Produced::ended(ended),
    }
}

/// Fetches what the job needs.
async fn prepare(context: &Context, attempt: &Attempt, work: &SynthesisWork) -> Result<Job, Ended> {
    let engine: Engine = work
        .tool
        .parse()
        .map_err(|e: UnknownEngine| Failure::lasting("tool-failed", e.to_string()))?;
    let here = context.tools.engines();
    if !here.contains(&engine) {
        let names: Vec<&str> = here.iter().map(|engine| engine.name()).collect();
        let message = format!(
            "engine {engine} needs {} on PATH; this worker has: {}",
            engine.programs().join(" and "),
            names.join(", ")
        );
        return Err(Failure::lasting("tool-failed", message).into());
    }
    let (search, candidate) = trial::parse(&work.search_json, &work.candidate_json)?;
    let part = Some(work.part.as_str()).filter(|part| !part.is_empty());
    // Checked again: what a part is called goes into scripts and command lines.
    let target = Target::new(engine, part, &search.device.part, Devices::known())
        .map_err(|e| Failure::lasting("tool-failed", e.to_string()))?;
    let (digest, file) = (&work.dataset_digest, &work.dataset_file);
    let data = trial::data(context, attempt, &search, digest, file).await?;
    target
        .check(&search.design_options())
        .map_err(|e| Failure::lasting("tool-failed", e.to_string()))?;
    let folder = JobFolder::new(context.cache.folder())
        .map_err(|e| Failure::internal(format!("make a folder for the job: {e}")))?;
    let path = folder.path().join("weights");
    tokio::select! {
        () = attempt.stopped() => return Err(Ended::Stopped),
        fetched = retry("get_artifact", || download(&context.link, &work.weights_digest, &path)) => {
            fetched.map_err(|status| {
                let digest = &work.weights_digest;
                Failure::internal(format!("fetch weights {digest}: {}", status.message()))
            })?;
        }
    }
    let bytes =
        std::fs::read(&path).map_err(|e| Failure::internal(format!("read the weights: {e}")))?;
    let weights = Weights::from_bytes(&candidate, &bytes)
        .map_err(|e| Failure::lasting("internal", format!("the trial's weights: {e}")))?;
    Ok(Job {
        folder,
        target,
        candidate,
        weights,
        data,
        vectors: work.vectors as usize,
        options: search.design_options(),
    })
}

/// A job with everything on this machine.
struct Job {
    folder: JobFolder,
    target: Target,
    candidate: Candidate,
    weights: Weights,
    data: Arc<Held>,
    vectors: usize,
    options: DesignOptions,
}

impl Job {
    fn produce(self, context: &Context, attempt: &Attempt) -> Produced {
        let mut artifacts = Vec::new();
        let result = self
            .measure(context, attempt, &mut artifacts)
            .and_then(|result| {
                serde_json::to_string(&result)
                    .map_err(|e| Failure::internal(format!("write the result: {e}")).into())
            });
        Produced { result, artifacts }
    }

    fn measure(
        &self,
        context: &Context,
        attempt: &Attempt,
        artifacts: &mut Vec<Artifact>,
    ) -> Result<SynthesisResult, Ended> {
        let program = trial::freeze(&self.candidate, &self.weights)?;
        let stopped = || attempt.is_stopped();
        let (options, wanted) = (&self.options, self.vectors);
        let evidence =
            Evidence::new(&program, options, &self.data, wanted, &stopped).ok_or(Ended::Stopped)?;
        measure(
            &Workbench {
                target: &self.target,
                tools: &context.tools,
                limits: context.config.limits,
                folder: self.folder.path(),
                cache: context.cache.folder(),
                stopped: &stopped,
                log: &|line| attempt.log(line),
                options: self.options,
            },
            &program,
            &evidence,
            artifacts,
        )
    }
}

/// Takes a program through all steps of a Yosys job on this machine, without a coordinator: `vectors` rows or the fewest that
/// a job takes, the first of them from `test_rows` (row-major features), in a folder of its own in `cache`.
///
/// # Errors
/// The code and message that the job would have ended with.
pub fn measure_with_yosys(
    program: &IntegerProgram,
    test_rows: &[f32],
    vectors: usize,
    options: DesignOptions,
    cache: &Path,
) -> Result<SynthesisResult, String> {
    let tools = Tools::find();
    let folder = JobFolder::new(cache).map_err(|e| format!("make a folder for the job: {e}"))?;
    let bench = Workbench {
        target: &Target::default(),
        tools: &tools,
        limits: Limits::default(),
        folder: folder.path(),
        cache,
        stopped: &|| false,
        log: &|_| {},
        options,
    };
    if options.circuit.ranges == Ranges::Data {
        return Err(
            "ranges `data` take train rows, which are not here; accepted: `proven`".to_owned(),
        );
    }
    let evidence = Evidence::proven(program, options.circuit.output, test_rows, vectors);
    measure(&bench, program, &evidence, &mut Vec::new()).map_err(|ended| match ended {
        Ended::Failed(failure) => failure.to_string(),
        Ended::Stopped => "stopped".to_owned(),
    })
}

/// Where and how a circuit is measured.
struct Workbench<'a> {
    target: &'a Target,
    tools: &'a Tools,
    limits: Limits,
    folder: &'a Path,
    cache: &'a Path,
    stopped: &'a dyn Fn() -> bool,
    log: &'a dyn Fn(&str),
    options: DesignOptions,
}

/// From an integer program to its measured circuit. What was made before a failure is in
/// `artifacts` all the same: it is the evidence.
fn measure(
    bench: &Workbench<'_>,
    program: &IntegerProgram,
    evidence: &Evidence<'_>,
    artifacts: &mut Vec<Artifact>,
) -> Result<SynthesisResult, Ended> {
    let vectors = &evidence.vectors;
    let start = Instant::now();
    let step =
        |done: &str| (bench.log)(&format!("{:7.2} s  {done}", start.elapsed().as_secs_f64()));
    let run = Run {
        tools: bench.tools,
        limits: bench.limits,
        folder: bench.folder,
        stopped: bench.stopped,
    };
    let circuit = Design::build_within(program, &bench.options, evidence.observed())
        .map_err(|e| no_circuit(&e))?;
    if let Some(within) = &evidence.within {
        let output = bench.options.circuit.output;
        let unseen = within
            .unseen(program, &circuit, output, bench.stopped)
            .ok_or(Ended::Stopped)?;
        for (split, rows) in [("validation", &unseen.validation), ("test", &unseen.test)] {
            step(&format!(
                "sums within the ranges of the train rows, which {} of {} {split} rows leave; {} have other outputs",
                rows.outside, rows.rows, rows.different
            ));
        }
    }
    check_circuit(&circuit, program, vectors, bench.stopped)?;
    step(&format!(
        "circuit of {} cycles, a row every {}: kernels proved, {} vectors equal to integer inference",
        circuit.cycles(),
        circuit.initiation_interval(),
        vectors.rows
    ));
    let rtl = circuit.verilog(MODULE);
    let test_bench = circuit.test_bench(MODULE);
    let period_ps = circuit.period_ps();
    let vectors_text = circuit.vectors_file(&vectors.inputs, &vectors.expected);
    for (kind, name, text) in [
        ("rtl", RTL, rtl),
        ("testbench", BENCH, test_bench),
        ("vectors", VECTORS, vectors_text),
        (
            "constraints",
            CONSTRAINTS,
            vivado::constraints("clk", period_ps),
        ),
    ] {
        std::fs::write(bench.folder.join(name), &text)
            .map_err(|e| Failure::internal(format!("write {name}: {e}")))?;
        artifacts.push(Artifact {
            kind,
            bytes: text.into_bytes(),
        });
    }
    let compared = simulate::simulate(&run, Subject::Rtl, &circuit, vectors, bench.cache)?;
    step(&format!(
        "RTL simulated: every output bit of {compared} vectors equal"
    ));
    let Target { engine, part } = bench.target;
    let engine = *engine;
    let subject = engine::Subject {
        program,
        circuit: &circuit,
        vectors,
    };
    let part_name = part.as_deref().unwrap_or_default();
    let synthesised = engine::of(engine).synthesise(&run, &subject, part_name, period_ps);
    // What the engine was told is evidence, however it went.
    for (kind, name) in engine::SCRIPTS {
        if let Ok(bytes) = std::fs::read(bench.folder.join(name)) {
            artifacts.push(Artifact { kind, bytes });
        }
    }
    let files = files(artifacts);
    let synthesised = synthesised?;
    step(&synthesised.summary());
    // The evidence first: it is kept whatever the checks below say.
    let (report, netlist) = (&synthesised.report, &synthesised.netlist);
    for (kind, bytes) in [("report", Some(report)), ("netlist", netlist.as_ref())] {
        artifacts.extend(bytes.map(|bytes| Artifact {
            kind,
            bytes: bytes.clone(),
        }));
    }
    let estimate = circuit.costs(program);
    check_counts(engine, &synthesised, &estimate)?;
    let (netlist_compared, netlist_simulator) = match netlist {
        Some(netlist) => netlist::check(&run, engine, netlist, &circuit, vectors, bench.cache)?,
        None => (0, ""),
    };
    if netlist.is_some() {
        step(&format!(
            "netlist simulated: every output bit of {netlist_compared} vectors equal"
        ));
    }
    let last_program = engine.programs().last().copied().unwrap_or_default();
    Ok(SynthesisResult {
        tool: engine.name().to_owned(),
        tool_version: version(bench.tools, last_program),
        tool_versions: versions(bench.tools, engine),
        untested_on_the_tool: !engine.is_tested_on_the_tool(),
        options: bench.target.options(&bench.options),
        part: part.clone(),
        period_ps: Some(period_ps),
        slack_ns: synthesised.slack_ns,
        fmax_mhz: synthesised.fmax_mhz,
        simulator: "verilator".to_owned(),
        simulator_version: version(bench.tools, "verilator"),
        command: synthesised.command,
        stage: engine.stage(),
        rtl_digest: digest_of(&artifacts[0].bytes),
        files,
        report_digest: digest_of(&synthesised.report),
        netlist_digest: netlist.as_deref().map_or_else(String::new, digest_of),
        lut_measured: synthesised.lut,
        ff_measured: synthesised.ff,
        carry_measured: synthesised.carry,
        dsp_measured: synthesised.dsp,
        bram_measured: synthesised.bram,
        uram_measured: synthesised.uram,
        levels: synthesised.levels,
        cells: synthesised.cells,
        cycles: synthesised.cycles.unwrap_or(circuit.cycles()),
        initiation_interval: circuit.initiation_interval(),
        lut_estimate: estimate.lut_estimate,
        vectors_checked: compared,
        netlist_vectors_checked: netlist_compared,
        netlist_simulator: netlist_simulator.to_owned(),
        vectors_seed: vectors::SEED,
        cells_digest: digest_of(bitfront_hardware::verilog::cells(engine).as_bytes()),
        cpu_s: synthesised.cpu_s,
        peak_rss_kib: synthesised.peak_rss_kib,
        wall_s: start.elapsed().as_secs_f64(),
    })
}

/// The name that an artifact of a job of this engine has in the job's folder, where scripts and benches look for it, by its
/// kind; `None` of a kind that this version does not know.
pub fn file_name(engine: Engine, kind: &str) -> Option<&'static str> {
    Some(match kind {
        "rtl" => RTL,
        "testbench" => BENCH,
        "vectors" => VECTORS,
        "constraints" => CONSTRAINTS,
        "script" | "settings" | "pads" => return engine::script_name(engine, kind),
        "report" => "report.txt",
        "netlist" => simulate::NETLIST,
        "log" => "job.log",
        _ => return None,
    })
}

/// Digests of what runs a job again, beside its RTL.
fn files(artifacts: &[Artifact]) -> BTreeMap<String, String> {
    let others = artifacts.iter().filter(|artifact| artifact.kind != "rtl");
    let digest = |artifact: &Artifact| (artifact.kind.to_owned(), digest_of(&artifact.bytes));
    others.map(digest).collect()
}

/// Versions of the programs that an engine ran.
fn versions(tools: &Tools, engine: Engine) -> BTreeMap<String, String> {
    let programs = engine.programs().iter();
    programs
        .map(|name| ((*name).to_owned(), version(tools, name)))
        .collect()
}

/// SHA-256 of the RTL that a job would write of this circuit: what makes two circuits equal.
pub(crate) fn rtl_digest(circuit: &Design) -> String {
    digest_of(circuit.verilog(MODULE).as_bytes())
}

/// Smallest counts are not compared with their estimates: a handful of cells may all fold away.
const FEW: u64 = 30;

/// Counts against their estimates.
fn check_counts(engine: Engine, counted: &Synthesised, estimate: &Costs) -> Result<(), Failure> {
    let (tables, estimated) = match engine {
        Engine::Ice40 => nextpnr::ICE40.tables(counted.lut, counted.carry, estimate.lut_estimate),
        Engine::Ecp5 => nextpnr::ECP5.tables(counted.lut, counted.carry, estimate.lut_estimate),
        // The vendor's own circuit has tables and registers of its own.
        Engine::Vitis => return Ok(()),
        Engine::Yosys | Engine::Vivado => (counted.lut, estimate.lut_estimate),
    };
    if tables == 0 && estimated > 0 {
        return Err(Failure::lasting(
            "implausible",
            format!(
                "synthesis counts no LUT where {estimated} are estimated: nothing is computed; accepted is none of a circuit of wires and constants alone"
            ),
        ));
    }
    plausible("LUT", tables, estimated)?;
    plausible("flip-flops", counted.ff, estimate.ff_estimate)?;
    match engine {
        Engine::Yosys => check_blocks(counted.dsp, estimate.dsp_estimate),
        _ => Ok(()),
    }
}

/// Products that were to be in DSP blocks, against the blocks that Yosys takes for them: it takes those that the circuit says, or
/// others than were meant.
fn check_blocks(measured: u64, estimate: u64) -> Result<(), Failure> {
    if measured == estimate {
        return Ok(());
    }
    let message = format!(
        "synthesis counts {measured} DSP blocks where {estimate} are expected; accepted is as many"
    );
    Err(Failure::lasting("implausible", message))
}

/// A count far from its estimate means that the tool did not read the network that was written.
fn plausible(what: &str, measured: u64, estimate: u64) -> Result<(), Failure> {
    let far = measured > 3 * estimate.max(FEW) || (estimate > FEW && 10 * measured < 3 * estimate);
    if !far {
        return Ok(());
    }
    Err(Failure::lasting(
        "implausible",
        format!(
            "synthesis counts {measured} {what} where {estimate} are estimated; accepted is 0.3 to 3 times as many"
        ),
    ))
}

/// The proofs on the graph, before any text is written.
fn check_circuit(
    circuit: &Design,
    program: &IntegerProgram,
    vectors: &Vectors,
    stopped: &dyn Fn() -> bool,
) -> Result<(), Ended> {
    compare(circuit, program, vectors, stopped).map_err(|e| e.failure())?;
    if stopped() {
        return Err(Ended::Stopped);
    }
    Ok(())
}

fn version(tools: &Tools, name: &str) -> String {
    tools
        .get(name)
        .map_or_else(String::new, |tool| tool.version.clone())
}
