//! Cells of iCE40 and ECP5, each said in those of [`Kind`]: a carry of iCE40 is the table of a majority, one of ECP5 four
//! tables and two bits of carry.
//!
//! The rule this module keeps: a cell is recognised by its name (a `LUT4` with an output `Z` is ECP5's), and a pin or a parameter
//! that is not known, or has another value than the network's flow gives it, is an error.

use super::parse::Reader;
use super::{Bit, Kind, NetlistError, ONE, UNDEFINED, ZERO};
use std::collections::HashMap;

/// An instance as it is written.
pub(super) struct Instance<'a> {
    pub(super) kind: &'a str,
    pub(super) parameters: &'a HashMap<&'a str, Vec<Bit>>,
    pub(super) pins: &'a HashMap<&'a str, Vec<Bit>>,
}

/// Table of a LUT that is one where at least two of its three inputs are.
const MAJORITY: u64 = 0b1110_1000;
const AND: u64 = 0b1000;

/// Adds the cells of an instance; false for a cell of neither family.
pub(super) fn add(reader: &mut Reader<'_>, instance: &Instance<'_>) -> Result<bool, NetlistError> {
    match instance.kind {
        "SB_LUT4" => lut(reader, instance, "LUT_INIT", ["I0", "I1", "I2", "I3", "O"])?,
        "SB_CARRY" => {
            instance.only(&[], &["I0", "I1", "CI", "CO"])?;
            let inputs = instance.inputs(&["I0", "I1", "CI"])?;
            let carry = instance.output(reader, "CO")?;
            reader.add(Kind::Lut { table: MAJORITY }, inputs, vec![carry]);
        }
        "SB_DFF" => register(reader, instance, "", None)?,
        "SB_DFFE" => register(reader, instance, "E", None)?,
        "SB_DFFSR" => register(reader, instance, "", Some(false))?,
        "SB_DFFSS" => register(reader, instance, "", Some(true))?,
        "SB_DFFESR" => register(reader, instance, "E", Some(false))?,
        "SB_DFFESS" => register(reader, instance, "E", Some(true))?,
        "LUT4" if instance.pins.contains_key("Z") => {
            lut(reader, instance, "INIT", ["A", "B", "C", "D", "Z"])?;
        }
        "PFUMX" => multiplexer(reader, instance, ["BLUT", "ALUT", "C0"])?,
        "L6MUX21" => multiplexer(reader, instance, ["D0", "D1", "SD"])?,
        "CCU2C" => carry_of_two(reader, instance)?,
        "TRELLIS_FF" => trellis(reader, instance)?,
        _ => return Ok(false),
    }
    Ok(true)
}

impl Instance<'_> {
    fn refused(&self, what: &str) -> NetlistError {
        let cell = format!("{} {what}", self.kind);
        NetlistError::Cell { cell }
    }

    /// Refuses parameters and pins of other names.
    fn only(&self, parameters: &[&str], pins: &[&str]) -> Result<(), NetlistError> {
        if let Some(name) = self
            .parameters
            .keys()
            .find(|name| !parameters.contains(name))
        {
            return Err(self.refused(&format!("with parameter {name}")));
        }
        match self.pins.keys().find(|name| !pins.contains(name)) {
            Some(name) => Err(self.refused(&format!("with pin {name}"))),
            None => Ok(()),
        }
    }

    fn input(&self, pin: &str) -> Result<Bit, NetlistError> {
        match self.pins.get(pin).map_or(&[][..], Vec::as_slice) {
            [bit] => Ok(*bit),
            found => Err(self.refused(&format!("with {} bits on pin {pin}", found.len()))),
        }
    }

    fn inputs(&self, pins: &[&str]) -> Result<Vec<Bit>, NetlistError> {
        pins.iter().map(|pin| self.input(pin)).collect()
    }

    /// The bit that a pin drives; one that nobody reads where it is open.
    fn output(&self, reader: &mut Reader<'_>, pin: &str) -> Result<Bit, NetlistError> {
        match self.pins.get(pin).map_or(&[][..], Vec::as_slice) {
            [] => Ok(reader.bit(format!("open {pin}"))),
            _ => self.input(pin),
        }
    }

    /// A table of 16 rows.
    fn table(&self, parameter: &str) -> Result<u64, NetlistError> {
        let bits = self
            .parameters
            .get(parameter)
            .map_or(&[][..], Vec::as_slice);
        if bits.len() != 16 || bits.contains(&UNDEFINED) {
            let what = format!("with a table {parameter} of {} bits", bits.len());
            return Err(self.refused(&what));
        }
        let rows = bits.iter().enumerate();
        Ok(rows.fold(0, |table, (at, bit)| table | u64::from(*bit) << at))
    }

    /// Which of the accepted texts a parameter is; the first where it is not written.
    fn choice(
        &self,
        parameter: &str,
        accepted: &[&'static str],
    ) -> Result<&'static str, NetlistError> {
        let Some(bits) = self.parameters.get(parameter) else {
            return Ok(accepted[0]);
        };
        let is = |text: &&&'static str| {
            let bytes = text.bytes().rev();
            let wanted = bytes.flat_map(|byte| (0..8).map(move |at| Bit::from(byte >> at & 1)));
            wanted.eq(bits.iter().copied())
        };
        let found = accepted.iter().find(is).copied();
        found.ok_or_else(|| self.refused(&format!("with another parameter {parameter}")))
    }
}

/// A table of four inputs, the last pin its output.
fn lut(
    reader: &mut Reader<'_>,
    instance: &Instance<'_>,
    parameter: &'static str,
    pins: [&'static str; 5],
) -> Result<(), NetlistError> {
    instance.only(&[parameter], &pins)?;
    let table = instance.table(parameter)?;
    let inputs = instance.inputs(&pins[..4])?;
    let output = instance.output(reader, pins[4])?;
    reader.add(Kind::Lut { table }, inputs, vec![output]);
    Ok(())
}

/// Pins: what is chosen by zero, by one, and the choice.
fn multiplexer(
    reader: &mut Reader<'_>,
    instance: &Instance<'_>,
    [zero, one, choice]: [&'static str; 3],
) -> Result<(), NetlistError> {
    instance.only(&[], &[zero, one, choice, "Z"])?;
    let inputs = instance.inputs(&[zero, one, choice])?;
    let output = instance.output(reader, "Z")?;
    reader.add(Kind::Multiplexer, inputs, vec![output]);
    Ok(())
}

/// A flip-flop of iCE40, which starts at zero; where it has an enable, that also holds back its set or reset.
fn register(
    reader: &mut Reader<'_>,
    instance: &Instance<'_>,
    enable: &'static str,
    set: Option<bool>,
) -> Result<(), NetlistError> {
    let force = match set {
        None => "",
        Some(false) => "R",
        Some(true) => "S",
    };
    let pins: Vec<&str> = ["C", "D", "Q", enable, force]
        .into_iter()
        .filter(|pin| !pin.is_empty())
        .collect();
    instance.only(&[], &pins)?;
    let clock = instance.input("C")?;
    let data = instance.input("D")?;
    let output = instance.output(reader, "Q")?;
    let mut forced = match set {
        None => ZERO,
        Some(_) => instance.input(force)?,
    };
    let mut enabled = ONE;
    if !enable.is_empty() {
        enabled = instance.input(enable)?;
        if set.is_some() {
            forced = reader.derived(Kind::Lut { table: AND }, vec![enabled, forced], "enabled");
        }
    }
    let kind = Kind::FlipFlop {
        set: set.unwrap_or(false),
        initial: Some(false),
    };
    reader.add(kind, vec![clock, enabled, data, forced], vec![output]);
    Ok(())
}

/// Two bits of a carry chain of ECP5: each half is a table that decides between the carry and the table of its first two
/// inputs. Halves that keep their carry to themselves (`INJECT1`) no adder has.
fn carry_of_two(reader: &mut Reader<'_>, instance: &Instance<'_>) -> Result<(), NetlistError> {
    instance.only(
        &["INIT0", "INIT1", "INJECT1_0", "INJECT1_1"],
        &[
            "CIN", "A0", "B0", "C0", "D0", "A1", "B1", "C1", "D1", "S0", "S1", "COUT",
        ],
    )?;
    let (mut chosen, mut data) = (Vec::new(), Vec::new());
    for (half, parameter, pins) in [
        ("INJECT1_0", "INIT0", ["A0", "B0", "C0", "D0"]),
        ("INJECT1_1", "INIT1", ["A1", "B1", "C1", "D1"]),
    ] {
        if instance.choice(half, &["YES", "NO"])? == "YES" {
            return Err(instance.refused(&format!("with another parameter {half}")));
        }
        let table = instance.table(parameter)?;
        let inputs = instance.inputs(&pins)?;
        let first = inputs[..2].to_vec();
        chosen.push(reader.derived(Kind::Lut { table }, inputs, "table"));
        let table = table & 0b1111;
        data.push(reader.derived(Kind::Lut { table }, first, "half table"));
    }
    let carry_in = instance.input("CIN")?;
    let inputs = [vec![carry_in, ZERO], chosen, data].concat();
    let mut outputs = Vec::new();
    for pin in ["S0", "S1"] {
        outputs.push(instance.output(reader, pin)?);
    }
    outputs.push(reader.bit("carry inside".to_owned()));
    outputs.push(instance.output(reader, "COUT")?);
    reader.add(Kind::Carry { bits: 2 }, inputs, outputs);
    Ok(())
}

/// A flip-flop of ECP5 on the rising edge, its set or reset before its enable; it starts at what it is set to.
fn trellis(reader: &mut Reader<'_>, instance: &Instance<'_>) -> Result<(), NetlistError> {
    instance.only(
        &["CEMUX", "CLKMUX", "GSR", "LSRMUX", "REGSET", "SRMODE"],
        &["CLK", "CE", "DI", "LSR", "Q"],
    )?;
    for (parameter, only) in [
        ("CLKMUX", "CLK"),
        ("LSRMUX", "LSR"),
        ("SRMODE", "LSR_OVER_CE"),
    ] {
        instance.choice(parameter, &[only])?;
    }
    // The default is a reset of the whole device, which the flow takes out.
    if instance.choice("GSR", &["ENABLED", "DISABLED"])? == "ENABLED" {
        return Err(instance.refused("with another parameter GSR"));
    }
    let set = instance.choice("REGSET", &["RESET", "SET"])? == "SET";
    let enabled = match instance.choice("CEMUX", &["1", "CE", "INV"])? {
        "1" => ONE,
        "CE" => instance.input("CE")?,
        _ => {
            let enable = instance.input("CE")?;
            reader.derived(Kind::Inverter, vec![enable], "enabled")
        }
    };
    let inputs = vec![
        instance.input("CLK")?,
        enabled,
        instance.input("DI")?,
        instance.input("LSR")?,
    ];
    let output = instance.output(reader, "Q")?;
    let kind = Kind::FlipFlop {
        set,
        initial: Some(set),
    };
    reader.add(kind, inputs, vec![output]);
    Ok(())
}
