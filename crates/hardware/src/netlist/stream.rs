//! Rows through a netlist clock by clock, beat by beat, every output bit compared.

use super::cycles::{Bus, Lanes, Machine, STREAMS, mixed};
use super::order::check_port;
use super::{Netlist, NetlistError};
use crate::circuit::{Circuit, Port};
use crate::streamed::StreamedCircuit;
use crate::verilog::BenchReport;

/// Streams the rows through the netlist of a streamed circuit, in streams side by side, each of two rows or more where there are
/// so many: every other one offers a beat whenever one may come and must keep the cycles that are said, the others pause at random.
/// `inputs` are rows of input codes, `expected` rows of logit codes. Cycles that differ count as a mismatch of the
/// stream's first row, as does an output beat that no row has.
///
/// # Errors
/// [`NetlistError`] for other ports than the circuit's, undriven bits, other clocks, and loops without a register.
///
/// # Panics
/// Unless both have as many whole rows.
pub fn simulate_streamed(
    netlist: &Netlist,
    circuit: &StreamedCircuit,
    inputs: &[i64],
    expected: &[i64],
) -> Result<BenchReport, NetlistError> {
    check_port("rst", netlist.input("rst"), 1)?;
    check_port("in_valid", netlist.input("in_valid"), 1)?;
    check_port("in_ready", netlist.output("in_ready"), 1)?;
    check_port("out_valid", netlist.output("out_valid"), 1)?;
    let protocol = Protocol {
        inputs: circuit.inputs(),
        outputs: circuit.outputs(),
        beats: circuit.beats(),
        output_beats: circuit.output_beats(),
        latency: circuit.latency(),
        interval: circuit.initiation_interval(),
        handshake: true,
    };
    protocol.simulate(netlist, inputs, expected)
}

/// Streams the rows of a circuit that takes one each clock, as [`simulate`](super::simulate()) does, through a netlist that may have loops
/// through registers.
///
/// # Errors
/// [`NetlistError`] for other ports than the circuit's, undriven bits, other clocks, and loops without a register.
///
/// # Panics
/// Unless both have as many whole rows.
pub fn simulate_by_cycles(
    netlist: &Netlist,
    circuit: &Circuit,
    inputs: &[i64],
    expected: &[i64],
) -> Result<BenchReport, NetlistError> {
    let protocol = Protocol {
        inputs: circuit.inputs(),
        outputs: circuit.outputs(),
        beats: 1,
        output_beats: 1,
        latency: u64::from(circuit.cycles()),
        interval: 1,
        handshake: false,
    };
    protocol.simulate(netlist, inputs, expected)
}

/// What comes when on which port.
struct Protocol<'a> {
    inputs: &'a [Port],
    outputs: &'a [Port],
    beats: usize,
    output_beats: usize,
    latency: u64,
    interval: u64,
    /// Whether `in_valid`, `in_ready` and `out_valid` say when beats pass; each clock one does otherwise.
    handshake: bool,
}

/// One of the streams.
struct Stream {
    /// Its rows, from and to.
    first: usize,
    end: usize,
    /// Beats that were taken and given so far.
    sent: usize,
    given: usize,
    pauses: bool,
}

/// Clock edges of the reset.
const RESET: u32 = 2;

impl Protocol<'_> {
    fn simulate(
        &self,
        netlist: &Netlist,
        inputs: &[i64],
        expected: &[i64],
    ) -> Result<BenchReport, NetlistError> {
        let row = self.inputs.len() * self.beats;
        let row_out = self.outputs.len() * self.output_beats;
        let rows = inputs.len() / row;
        assert_eq!(rows * row, inputs.len(), "whole rows");
        assert_eq!(rows * row_out, expected.len(), "as many rows");
        netlist.check_ports(bits(self.inputs), bits(self.outputs))?;
        let (mut machine, driven, read) = Machine::new(
            netlist,
            &["inputs", "in_valid", "rst"],
            &["outputs", "in_ready", "out_valid"],
        )?;
        let [input_bus, in_valid, rst] = &driven[..] else {
            unreachable!("three ports")
        };
        let [output_bus, in_ready, out_valid] = &read[..] else {
            unreachable!("three ports")
        };
        let drive = |machine: &mut Machine, bus: &Bus, lanes: Lanes| {
            for wire in bus {
                machine.drive(*wire, lanes);
            }
        };
        let each = rows.div_ceil(STREAMS).max(2);
        let mut streams: Vec<Stream> = (0..rows.div_ceil(each))
            .map(|at| Stream {
                first: at * each,
                end: rows.min((at + 1) * each),
                sent: 0,
                given: 0,
                pauses: self.handshake && at % 2 == 1,
            })
            .collect();
        drive(&mut machine, rst, HIGH);
        for _ in 0..RESET {
            machine.settle();
            machine.clock();
        }
        drive(&mut machine, rst, NONE);
        let mut wrong = vec![false; rows];
        let patience = 4 * (self.latency + self.interval) + 1000;
        let (mut now, mut idle) = (0_u64, 0);
        // One more clock at the end for beats that no row has.
        let mut last_clock = false;
        while idle < patience {
            let offered = self.offer(&mut machine, input_bus, &streams, inputs, now);
            drive(&mut machine, in_valid, offered);
            machine.settle();
            let (ready, valid) = if self.handshake {
                (machine.read(in_ready[0]), machine.read(out_valid[0]))
            } else if now < self.latency {
                (HIGH, NONE)
            } else {
                (HIGH, HIGH)
            };
            idle += 1;
            let differs = self.compare(&machine, output_bus, &streams, expected);
            for (at, stream) in streams.iter_mut().enumerate() {
                let of = |lanes: &Lanes| lanes[at / 64] >> (at % 64) & 1 == 1;
                if of(&valid) {
                    idle = 0;
                    let row = stream.first + stream.given / self.output_beats;
                    stream.given += 1;
                    if row < stream.end {
                        wrong[row] |= of(&differs);
                        let ends_first = stream.given == self.output_beats;
                        let late = !stream.pauses && now != self.latency;
                        wrong[stream.first] |= ends_first && late;
                    } else {
                        wrong[stream.first] |= self.handshake;
                    }
                }
                if of(&offered) && of(&ready) {
                    idle = 0;
                    if stream.sent == self.beats && !stream.pauses && now != self.interval {
                        wrong[stream.first] = true;
                    }
                    stream.sent += 1;
                }
            }
            machine.clock();
            now += 1;
            let done =
                |stream: &Stream| stream.given >= (stream.end - stream.first) * self.output_beats;
            if std::mem::replace(&mut last_clock, streams.iter().all(done)) {
                break;
            }
        }
        for stream in &streams {
            let given = stream.first + stream.given / self.output_beats;
            wrong[given.min(stream.end)..stream.end].fill(true);
        }
        Ok(BenchReport {
            vectors: rows as u64,
            mismatches: wrong.iter().filter(|wrong| **wrong).count() as u64,
            first: wrong.iter().position(|wrong| *wrong).map(|row| row as u64),
        })
    }

    /// Puts each stream's next beat on the bus; which streams offer one.
    fn offer(
        &self,
        machine: &mut Machine,
        bus: &Bus,
        streams: &[Stream],
        inputs: &[i64],
        now: u64,
    ) -> Lanes {
        let mut offered = NONE;
        let mut driven = vec![NONE; bus.len()];
        for (at, stream) in streams.iter().enumerate() {
            if stream.sent == (stream.end - stream.first) * self.beats {
                continue;
            }
            let (word, place) = (at / 64, at % 64);
            let pause = stream.pauses && mixed(now * STREAMS as u64 + at as u64).is_multiple_of(3);
            offered[word] |= u64::from(!pause) << place;
            let beat = stream.first * self.beats + stream.sent;
            let codes = &inputs[beat * self.inputs.len()..];
            for_each_bit(self.inputs, codes, |bit, value| {
                driven[bit][word] |= value << place;
            });
        }
        for (wire, lanes) in bus.iter().zip(driven) {
            machine.drive(*wire, lanes);
        }
        offered
    }

    /// The streams whose output bus differs from the beat that they should give next.
    fn compare(&self, machine: &Machine, bus: &Bus, streams: &[Stream], expected: &[i64]) -> Lanes {
        let mut wanted = vec![NONE; bus.len()];
        for (at, stream) in streams.iter().enumerate() {
            let beat = stream.first * self.output_beats + stream.given;
            if beat < stream.end * self.output_beats {
                let codes = &expected[beat * self.outputs.len()..];
                for_each_bit(self.outputs, codes, |bit, value| {
                    wanted[bit][at / 64] |= value << (at % 64);
                });
            }
        }
        let mut differs = NONE;
        for (wire, wanted) in bus.iter().zip(wanted) {
            let found = machine.read(*wire);
            for ((differs, found), wanted) in differs.iter_mut().zip(found).zip(wanted) {
                *differs |= found ^ wanted;
            }
        }
        differs
    }
}

const NONE: Lanes = [0; STREAMS / 64];
const HIGH: Lanes = [u64::MAX; STREAMS / 64];

fn bits(ports: &[Port]) -> u32 {
    ports.iter().map(|port| port.width).sum()
}

/// The bits of a beat of codes on its bus, by their place.
fn for_each_bit(ports: &[Port], codes: &[i64], mut act: impl FnMut(usize, u64)) {
    for (port, code) in ports.iter().zip(codes) {
        for place in 0..port.width {
            let value = (code >> place.min(63)) as u64 & 1;
            act((port.low_bit + place) as usize, value);
        }
    }
}
