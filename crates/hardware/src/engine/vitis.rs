//! Vitis HLS through an hls4ml project: the options of its C synthesis and the reading of its report.
//!
//! Its figures are the tool's estimate before synthesis of the RTL that it makes, and of its own circuit: not of ours.
//! Untested on the real tool: the report of the tests was written in the format that hls4ml 1.3.0 reads.

use super::{Measured, ReportError, number};
use roxmltree::{Document, Node};

/// Where the report stands in the project's folder.
pub const REPORT: &str = "myproject_prj/solution1/syn/report/myproject_csynth.xml";

/// `build_opt.tcl`, which the project's `build_prj.tcl` reads: C synthesis alone.
pub const BUILD_OPTIONS: &str = "array set opt {
    reset      1
    csim       0
    synth      1
    cosim      0
    validation 0
    export     0
    vsynth     0
    fifo_opt   0
}
";

/// Options that decide about the figures, as they are stored with a result.
pub fn options(period_ps: u32) -> String {
    format!(
        "hls4ml io_parallel, Latency, ReuseFactor 1; create_clock -period {:.3}; csynth_design",
        f64::from(period_ps) / 1000.0
    )
}

/// What the report says.
#[derive(Clone, Debug, PartialEq)]
pub struct Estimated {
    /// Counts and the highest clock, from the estimated period.
    pub measured: Measured,
    /// Clock cycles of the worst case.
    pub cycles: u32,
}

/// Reads `csynth.xml` of a project whose clock has `period_ps`. The tool tells no carry cells.
///
/// # Errors
/// [`ReportError`] where an element is missing or no number (a latency that the tool cannot tell is `undef`).
pub fn parse(report: &str, period_ps: u32) -> Result<Estimated, ReportError> {
    let document = Document::parse(report)
        .map_err(|e| ReportError::Missing(format!("well-formed XML ({e})")))?;
    let root = document.root_element();
    let count = |name| -> Result<u64, ReportError> {
        number(name, text(root, &["AreaEstimates", "Resources", name])?)
    };
    // Parts without them have no such element.
    let memories = |name| -> Result<Option<u64>, ReportError> {
        let text = text(root, &["AreaEstimates", "Resources", name]).ok();
        text.map(|text| number(name, text)).transpose()
    };
    let performance = "PerformanceEstimates";
    let (timing, latency) = ("SummaryOfTimingAnalysis", "SummaryOfOverallLatency");
    let period = text(root, &[performance, timing, "EstimatedClockPeriod"])?;
    let period_ns: f64 = number("EstimatedClockPeriod", period)?;
    let worst = "Worst-caseLatency";
    let cycles = number(worst, text(root, &[performance, latency, worst])?)?;
    Ok(Estimated {
        measured: Measured {
            lut: count("LUT")?,
            ff: count("FF")?,
            carry: 0,
            dsp: count("DSP")?,
            // Blocks of 18 Kb.
            bram: memories("BRAM_18K")?.map(|halves| halves.div_ceil(2)),
            uram: memories("URAM")?,
            slack_ns: Some(f64::from(period_ps) / 1000.0 - period_ns),
            fmax_mhz: (period_ns > 0.0).then(|| 1000.0 / period_ns),
        },
        cycles,
    })
}

/// The text of the element at a path.
fn text<'a>(root: Node<'a, '_>, path: &[&str]) -> Result<&'a str, ReportError> {
    let found = path.iter().try_fold(root, |node, name| {
        node.children().find(|child| child.has_tag_name(*name))
    });
    found
        .and_then(|node| node.text())
        .ok_or_else(|| ReportError::Missing(format!("element `{}`", path.join("/"))))
}

#[cfg(test)]
mod tests {
    use super::*;

    const REPORT: &str = r#"<?xml version="1.0"?>
<profile>
  <ReportVersion><Version>2024.1</Version></ReportVersion>
  <UserAssignments>
    <unit>ns</unit>
    <TargetClockPeriod>5.00</TargetClockPeriod>
    <TopModelName>myproject</TopModelName>
  </UserAssignments>
  <PerformanceEstimates>
    <PipelineType>yes</PipelineType>
    <SummaryOfTimingAnalysis>
      <unit>ns</unit>
      <EstimatedClockPeriod>3.640</EstimatedClockPeriod>
    </SummaryOfTimingAnalysis>
    <SummaryOfOverallLatency>
      <unit>clock cycles</unit>
      <Best-caseLatency>9</Best-caseLatency>
      <Average-caseLatency>9</Average-caseLatency>
      <Worst-caseLatency>9</Worst-caseLatency>
      <Interval-min>1</Interval-min>
      <Interval-max>1</Interval-max>
    </SummaryOfOverallLatency>
  </PerformanceEstimates>
  <AreaEstimates>
    <Resources>
      <BRAM_18K>4</BRAM_18K>
      <DSP>23</DSP>
      <FF>3802</FF>
      <LUT>51234</LUT>
      <URAM>0</URAM>
    </Resources>
    <AvailableResources>
      <BRAM_18K>4320</BRAM_18K>
      <DSP>6840</DSP>
      <FF>2364480</FF>
      <LUT>1182240</LUT>
      <URAM>960</URAM>
    </AvailableResources>
  </AreaEstimates>
</profile>
"#;

    #[test]
    fn a_report_of_c_synthesis_is_read() {
        let Estimated { measured, cycles } = parse(REPORT, 5_000).unwrap();
        assert_eq!((measured.lut, measured.ff), (51_234, 3_802));
        assert_eq!((measured.dsp, measured.carry, cycles), (23, 0, 9));
        // Four blocks of 18 Kb are two of 36.
        assert_eq!((measured.bram, measured.uram), (Some(2), Some(0)));
        let older = REPORT.replace("<BRAM_18K>4<", "<BRAM_18K>5<");
        let older = older.replacen("<URAM>0</URAM>", "", 1);
        let measured = parse(&older, 5_000).unwrap().measured;
        assert_eq!((measured.bram, measured.uram), (Some(3), None));
        assert!((measured.slack_ns.unwrap() - 1.36).abs() < 1e-9);
        assert!((measured.fmax_mhz.unwrap() - 1000.0 / 3.64).abs() < 1e-9);
    }

    #[test]
    fn incomplete_reports_are_refused() {
        let error = |from: &str, to: &str| {
            assert!(REPORT.contains(from), "{from}");
            parse(&REPORT.replacen(from, to, 1), 5_000)
                .unwrap_err()
                .to_string()
        };
        // What is available is not what is used.
        let says = error("<LUT>51234</LUT>", "");
        assert!(says.contains("`AreaEstimates/Resources/LUT`"), "{says}");
        let says = error("<Worst-caseLatency>9<", "<Worst-caseLatency>undef<");
        assert!(says.contains("Worst-caseLatency is \"undef\""), "{says}");
        let says = error("</profile>", "");
        assert!(says.contains("well-formed XML"), "{says}");
        assert!(error("<DSP>23", "<DSP>?").contains("DSP is \"?\""));
    }

    #[test]
    fn only_c_synthesis_is_asked_for() {
        let set: Vec<_> = BUILD_OPTIONS.lines().filter(|l| l.ends_with('1')).collect();
        assert_eq!(set, ["    reset      1", "    synth      1"]);
        assert!(options(2_500).contains("-period 2.500"));
    }
}
