//! Reads the Verilog that Yosys, and Vivado with `-mode funcsim`, write of a flat, mapped module.

use super::dsp;
use super::family::{self, Instance};
use super::{Bit, Cell, Kind, Netlist, NetlistError, ONE, UNDEFINED, ZERO};
use std::collections::HashMap;

/// Reads a netlist: one module with wire declarations, assignments and instances of mapped cells. Directives, attributes
/// and what stands behind the module (Vivado's `glbl`) are passed over.
///
/// # Errors
/// [`NetlistError`] for any other text, cells that are not known, and bits with two drivers.
pub fn parse(text: &str) -> Result<Netlist, NetlistError> {
    let mut reader = Reader {
        tokens: tokens(text),
        at: 0,
        names: ["1'h0", "1'h1", "1'hx"].map(str::to_owned).to_vec(),
        same_as: vec![ZERO, ONE, UNDEFINED],
        nets: HashMap::new(),
        inputs: Vec::new(),
        outputs: Vec::new(),
        cells: Vec::new(),
    };
    reader.module()?;
    let ports = |names: &[&str]| {
        let port = |name: &&str| ((*name).to_owned(), reader.nets[name].bits.clone());
        names.iter().map(port).collect()
    };
    Ok(Netlist {
        inputs: ports(&reader.inputs),
        outputs: ports(&reader.outputs),
        cells: reader.cells,
        same_as: reader.same_as,
        names: reader.names,
    })
}

/// A pin with its bits.
pub(super) type Pin = (&'static str, usize);

/// A declared wire.
struct Net {
    /// Index of the lowest bit.
    low: u32,
    /// Lowest first.
    bits: Vec<Bit>,
}

pub(super) struct Reader<'a> {
    tokens: Vec<(&'a str, usize)>,
    at: usize,
    names: Vec<String>,
    same_as: Vec<Bit>,
    nets: HashMap<&'a str, Net>,
    /// Names of ports.
    inputs: Vec<&'a str>,
    outputs: Vec<&'a str>,
    cells: Vec<Cell>,
}

/// Words, numbers, texts and marks with their lines. An escaped name ends at a blank and is one word.
fn tokens(text: &str) -> Vec<(&str, usize)> {
    let mut found = Vec::new();
    let (mut rest, mut line) = (text, 1);
    while let Some(first) = rest.chars().next() {
        let length = if rest.starts_with("/*") {
            rest.find("*/").map_or(rest.len(), |end| end + 2)
        } else if rest.starts_with("(*") {
            rest.find("*)").map_or(rest.len(), |end| end + 2)
        } else if rest.starts_with("//") || first == '`' {
            rest.find('\n').unwrap_or(rest.len())
        } else if first.is_whitespace() {
            first.len_utf8()
        } else if first == '"' {
            rest[1..].find('"').map_or(rest.len(), |end| end + 2)
        } else if first == '\\' {
            rest.find(char::is_whitespace).unwrap_or(rest.len())
        } else {
            let word = |c: char| c.is_alphanumeric() || matches!(c, '_' | '$' | '\'');
            rest.find(|c| !word(c))
                .filter(|end| *end > 0)
                .unwrap_or(if word(first) {
                    rest.len()
                } else {
                    first.len_utf8()
                })
        };
        let (token, after) = rest.split_at(length);
        if !token.starts_with(char::is_whitespace)
            && !["/*", "//", "(*", "`"]
                .iter()
                .any(|mark| token.starts_with(mark))
        {
            found.push((token, line));
        }
        line += token.matches('\n').count();
        rest = after;
    }
    found
}

impl<'a> Reader<'a> {
    fn module(&mut self) -> Result<(), NetlistError> {
        self.expect("module")?;
        while self.next("`;`")? != ";" {}
        loop {
            match self.next("a declaration, an instance or `endmodule`")? {
                "endmodule" => return Ok(()),
                "wire" => {
                    self.declaration()?;
                }
                "input" => {
                    let name = self.declaration()?;
                    self.inputs.push(name);
                }
                "output" => {
                    let name = self.declaration()?;
                    self.outputs.push(name);
                }
                "assign" => self.assignment()?,
                cell => self.instance(cell)?,
            }
        }
    }

    fn peek(&self) -> &'a str {
        self.tokens.get(self.at).map_or("", |token| token.0)
    }

    fn next(&mut self, expected: &'static str) -> Result<&'a str, NetlistError> {
        let Some(&(token, _)) = self.tokens.get(self.at) else {
            return Err(self.fault(expected));
        };
        self.at += 1;
        Ok(token)
    }

    /// A fault at the next token.
    fn fault(&self, expected: &'static str) -> NetlistError {
        let last = self.tokens.last().map_or(1, |token| token.1);
        let (found, line) = self.tokens.get(self.at).copied().unwrap_or(("", last));
        NetlistError::Text {
            line,
            found: found.to_owned(),
            expected,
        }
    }

    fn expect(&mut self, wanted: &'static str) -> Result<(), NetlistError> {
        if self.peek() == wanted {
            self.at += 1;
            return Ok(());
        }
        Err(self.fault(wanted))
    }

    fn number(&mut self) -> Result<u32, NetlistError> {
        let number = self.peek().parse().map_err(|_| self.fault("a number"))?;
        self.at += 1;
        Ok(number)
    }

    /// `[7:4]`, `[3]` or nothing, as highest and lowest.
    fn range(&mut self) -> Result<Option<(u32, u32)>, NetlistError> {
        if self.peek() != "[" {
            return Ok(None);
        }
        self.at += 1;
        let high = self.number()?;
        let low = if self.peek() == ":" {
            self.at += 1;
            self.number()?
        } else {
            high
        };
        self.expect("]")?;
        if low > high {
            return Err(self.fault("a range with the highest bit first"));
        }
        Ok(Some((high, low)))
    }

    /// The name that is declared.
    fn declaration(&mut self) -> Result<&'a str, NetlistError> {
        let (high, low) = self.range()?.unwrap_or((0, 0));
        let name = self.next("a name")?;
        self.expect(";")?;
        // Ports are declared twice, as a port and as a wire.
        if !self.nets.contains_key(name) {
            let bits = (low..=high).map(|at| self.bit(format!("{name}[{at}]")));
            let net = Net {
                low,
                bits: bits.collect(),
            };
            self.nets.insert(name, net);
        }
        Ok(name)
    }

    pub(super) fn bit(&mut self, name: String) -> Bit {
        let bit = self.names.len() as Bit;
        self.names.push(name);
        self.same_as.push(bit);
        bit
    }

    pub(super) fn add(&mut self, kind: Kind, inputs: Vec<Bit>, outputs: Vec<Bit>) {
        self.cells.push(Cell {
            kind,
            inputs,
            outputs,
        });
    }

    /// A cell inside another, with the bit that it drives.
    pub(super) fn derived(&mut self, kind: Kind, inputs: Vec<Bit>, name: &str) -> Bit {
        let bit = self.bit(name.to_owned());
        self.add(kind, inputs, vec![bit]);
        bit
    }

    fn assignment(&mut self) -> Result<(), NetlistError> {
        let left = self.expression()?;
        self.expect("=")?;
        let right = self.expression()?;
        if left.len() != right.len() {
            return Err(self.fault("as many bits on the right as on the left"));
        }
        self.expect(";")?;
        left.into_iter()
            .zip(right)
            .try_for_each(|(left, right)| self.drive(left, right))
    }

    /// Makes a bit the same as another.
    fn drive(&mut self, bit: Bit, by: Bit) -> Result<(), NetlistError> {
        let same = &mut self.same_as[bit as usize];
        if bit <= UNDEFINED || *same != bit {
            return Err(NetlistError::DrivenTwice(self.names[bit as usize].clone()));
        }
        *same = by;
        Ok(())
    }

    /// Bits of a name, a part of one, a constant, or several in braces; lowest first.
    fn expression(&mut self) -> Result<Vec<Bit>, NetlistError> {
        let token = self.peek();
        if token == "{" {
            self.at += 1;
            let mut parts = vec![self.expression()?];
            while self.peek() == "," {
                self.at += 1;
                parts.push(self.expression()?);
            }
            self.expect("}")?;
            return Ok(parts.into_iter().rev().flatten().collect());
        }
        if let Some(constant) = constant(token) {
            self.at += 1;
            return Ok(constant);
        }
        if !self.nets.contains_key(token) {
            return Err(self.fault("a declared name, a constant or `{`"));
        }
        self.at += 1;
        let range = self.range()?;
        let net = &self.nets[token];
        let Some((high, low)) = range else {
            return Ok(net.bits.clone());
        };
        let part = low
            .checked_sub(net.low)
            .and_then(|from| net.bits.get(from as usize..=(high - net.low) as usize));
        part.map(<[Bit]>::to_vec)
            .ok_or_else(|| self.fault("a part within the declared range"))
    }

    /// `TYPE #( .INIT(4'h6) ) name ( .I0(a), .. );`
    fn instance(&mut self, kind: &str) -> Result<(), NetlistError> {
        let mut parameters = HashMap::new();
        if self.peek() == "#" {
            self.at += 1;
            parameters = self.pins()?;
        }
        self.next("the instance's name")?;
        let pins = self.pins()?;
        self.expect(";")?;
        // Cells of constants.
        if let Some((pin, value)) = [("GND", ("G", ZERO)), ("VCC", ("P", ONE))]
            .iter()
            .find_map(|(name, constant)| (*name == kind).then_some(*constant))
        {
            let [bit] = pins.get(pin).map_or(&[][..], Vec::as_slice) else {
                let cell = format!("{kind} without one bit on pin {pin}");
                return Err(NetlistError::Cell { cell });
            };
            return self.drive(*bit, value);
        }
        let instance = Instance {
            kind,
            parameters: &parameters,
            pins: &pins,
        };
        if family::add(self, &instance)? {
            return Ok(());
        }
        let cell = self.cell(kind, &parameters, &pins)?;
        self.cells.push(cell);
        Ok(())
    }

    /// `( .name(expression), .. )`; an open pin has no bits.
    fn pins(&mut self) -> Result<HashMap<&'a str, Vec<Bit>>, NetlistError> {
        let mut pins = HashMap::new();
        self.expect("(")?;
        while self.peek() != ")" {
            self.expect(".")?;
            let name = self.next("a pin's name")?;
            self.expect("(")?;
            let bits = if self.peek() == ")" {
                Vec::new()
            } else {
                self.expression()?
            };
            self.expect(")")?;
            pins.insert(name, bits);
            if self.peek() != ")" {
                self.expect(",")?;
            }
        }
        self.expect(")")?;
        Ok(pins)
    }

    fn cell(
        &mut self,
        kind: &str,
        parameters: &HashMap<&str, Vec<Bit>>,
        pins: &HashMap<&str, Vec<Bit>>,
    ) -> Result<Cell, NetlistError> {
        let unknown = |what: String| NetlistError::Cell { cell: what };
        let one_carry = |name: &str| {
            (kind, name) == ("CARRY8", "CARRY_TYPE")
                && parameters[name] == constant("\"SINGLE_CY8\"").unwrap_or_default()
        };
        let mut others = parameters.keys().filter(|name| **name != "INIT");
        if let Some(name) = others.find(|name| kind != dsp::NAME && !one_carry(name)) {
            return Err(unknown(format!("{kind} with parameter {name}")));
        }
        let initial = parameters.get("INIT").map_or(&[][..], Vec::as_slice);
        let lut = ["LUT1", "LUT2", "LUT3", "LUT4", "LUT5", "LUT6"];
        let lut = lut.iter().position(|name| *name == kind);
        let (kind_of, inputs, outputs): (_, &[Pin], &[Pin]) = match kind {
            _ if lut.is_some() => {
                let count = lut.unwrap_or_default() + 1;
                let wide = initial.len() == 1 << count && !initial.contains(&UNDEFINED);
                if !wide {
                    return Err(unknown(format!(
                        "{kind} with a table of {} bits",
                        initial.len()
                    )));
                }
                let bits = initial.iter().enumerate();
                let table = bits.fold(0, |table, (at, bit)| table | (u64::from(*bit) << at));
                (Kind::Lut { table }, &LUT_PINS[..count], &[("O", 1)])
            }
            "INV" => (Kind::Inverter, &[("I", 1)], &[("O", 1)]),
            "MUXF7" | "MUXF8" | "MUXF9" => (
                Kind::Multiplexer,
                &[("I0", 1), ("I1", 1), ("S", 1)],
                &[("O", 1)],
            ),
            "CARRY4" => (
                Kind::Carry { bits: 4 },
                &[("CI", 1), ("CYINIT", 1), ("S", 4), ("DI", 4)],
                &[("O", 4), ("CO", 4)],
            ),
            "CARRY8" => (
                Kind::Carry { bits: 8 },
                &[("CI", 1), ("CI_TOP", 1), ("S", 8), ("DI", 8)],
                &[("O", 8), ("CO", 8)],
            ),
            dsp::NAME => {
                dsp::check(parameters, pins)?;
                (Kind::Multiplier, &dsp::FACTORS, &dsp::PRODUCT)
            }
            "FDRE" | "FDSE" => {
                let set = kind == "FDSE";
                let initial = match initial {
                    [] => Some(set),
                    [UNDEFINED] => None,
                    [bit] => Some(*bit == ONE),
                    _ => return Err(unknown(format!("{kind} with a wide INIT"))),
                };
                let pins: &[_] = if set { &FDSE_PINS } else { &FDRE_PINS };
                (Kind::FlipFlop { set, initial }, pins, &[("Q", 1)])
            }
            _ => return Err(unknown(kind.to_owned())),
        };
        // Of a multiplier they are checked above.
        let known = |name: &str| {
            kind_of == Kind::Multiplier || inputs.iter().chain(outputs).any(|pin| pin.0 == name)
        };
        if let Some(name) = pins.keys().find(|name| !known(name)) {
            return Err(unknown(format!("{kind} with pin {name}")));
        }
        let mut joined = |wanted: &[Pin], is_output: bool| {
            let mut bits = Vec::new();
            for (name, width) in wanted {
                match pins.get(name).map_or(&[][..], Vec::as_slice) {
                    [] if is_output => {
                        for _ in 0..*width {
                            bits.push(self.bit(format!("open {name}")));
                        }
                    }
                    found if found.len() == *width => bits.extend(found),
                    found => {
                        let what = format!("{kind} with {} bits on pin {name}", found.len());
                        return Err(NetlistError::Cell { cell: what });
                    }
                }
            }
            Ok(bits)
        };
        Ok(Cell {
            kind: kind_of,
            inputs: joined(inputs, false)?,
            outputs: joined(outputs, true)?,
        })
    }
}

const LUT_PINS: [Pin; 6] = [
    ("I0", 1),
    ("I1", 1),
    ("I2", 1),
    ("I3", 1),
    ("I4", 1),
    ("I5", 1),
];
const FDRE_PINS: [Pin; 4] = [("C", 1), ("CE", 1), ("D", 1), ("R", 1)];
const FDSE_PINS: [Pin; 4] = [("C", 1), ("CE", 1), ("D", 1), ("S", 1)];

/// `4'hf`, `2'b0x`, `32'd7`, `32'sd7`, `"A"`: its bits, lowest first. Decimal ones have no undefined bits and at most
/// 64; a text has eight for each character, the last one lowest.
fn constant(token: &str) -> Option<Vec<Bit>> {
    if let Some(text) = token.strip_prefix('"') {
        let text = text.strip_suffix('"')?;
        let bits = |byte: u8| (0..8).map(move |at| Bit::from(byte >> at & 1));
        return Some(text.bytes().rev().flat_map(bits).collect());
    }
    let (width, digits) = token.split_once('\'')?;
    let digits = digits.strip_prefix('s').unwrap_or(digits);
    let width: usize = width.parse().ok()?;
    let (digit_bits, radix) = match digits.chars().next()? {
        'd' if width <= 64 => {
            let value: u64 = digits[1..].parse().ok()?;
            return Some((0..width).map(|at| (value >> at & 1) as Bit).collect());
        }
        'h' => (4, 16),
        'b' => (1, 2),
        _ => return None,
    };
    let mut bits = Vec::with_capacity(width + 3);
    for digit in digits[1..].chars().rev() {
        for at in 0..digit_bits {
            bits.push(match digit {
                'x' | 'z' => UNDEFINED,
                _ => (digit.to_digit(radix)? >> at) & 1,
            });
        }
    }
    // An undefined highest digit stands for all above it, as the language has it.
    let fill = if matches!(digits[1..].chars().next()?, 'x' | 'z') {
        UNDEFINED
    } else {
        ZERO
    };
    bits.resize(bits.len().max(width), fill);
    bits.truncate(width);
    Some(bits)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn constants_have_as_many_bits_as_they_say() {
        assert_eq!(constant("4'h6"), Some(vec![ZERO, ONE, ONE, ZERO]));
        assert_eq!(constant("1'hx"), Some(vec![UNDEFINED]));
        assert_eq!(
            constant("6'h21").unwrap(),
            [ONE, ZERO, ZERO, ZERO, ZERO, ONE]
        );
        assert_eq!(constant("3'bx01").unwrap(), [ONE, ZERO, UNDEFINED]);
        assert_eq!(constant("n7"), None);
        // Yosys writes 32-bit constants so, tables of five inputs among them.
        assert_eq!(constant("4'd10").unwrap(), [ZERO, ONE, ZERO, ONE]);
        assert_eq!(
            constant("32'd2991410610").unwrap()[28..],
            [ONE, ONE, ZERO, ONE]
        );
        assert_eq!(constant("4'sd10"), constant("4'd10"));
        assert_eq!(constant("\"A\""), constant("8'h41"));
        assert_eq!(
            constant("\"ONE48\"").unwrap()[..8],
            constant("8'h38").unwrap()
        );
        assert_eq!(constant("\"A"), None);
        assert_eq!(constant("65'd3"), None);
        assert_eq!(constant("4'o3"), None);
    }

    #[test]
    fn what_vivado_writes_around_a_module_is_passed_over() {
        let text = "`timescale 1 ps / 1 ps\n\n(* STRUCTURAL_NETLIST = \"yes\" *)\nmodule m\n   (clk,\n    inputs,\n    outputs);\n\
            input clk;\n  input [7:0]inputs;\n  output [1:0]outputs;\n\n  wire \\<const0> ;\n  wire \\<const1> ;\n  wire [7:0]sums;\n\
            GND GND\n       (.G(\\<const0> ));\n  VCC VCC\n       (.P(\\<const1> ));\n\
            (* ADDER_THRESHOLD = \"35\" *) \n  CARRY8 #(\n    .CARRY_TYPE(\"SINGLE_CY8\")) \n    a\n       \
            (.CI(\\<const0> ),\n        .CI_TOP(1'b0),\n        .CO(),\n        .DI(inputs),\n        .O(sums),\n        .S(inputs));\n\
            assign outputs[0] = sums[3];\n  assign outputs[1] = \\<const1> ;\nendmodule\n\
            `ifndef GLBL\n`define GLBL\nmodule glbl ();\n  parameter ROC_WIDTH = 100000;\n  initial begin\n  end\nendmodule\n`endif\n";
        let netlist = parse(text).unwrap();
        assert_eq!(netlist.cells.len(), 1);
        assert_eq!(netlist.cells[0].kind, Kind::Carry { bits: 8 });
        assert_eq!(
            netlist.same_as[netlist.output("outputs")[1] as usize],
            netlist.cells[0].inputs[0] + 1
        );
        let error = |from: &str, to: &str| parse(&text.replacen(from, to, 1)).unwrap_err();
        let dual = error("SINGLE_CY8", "DUAL_CY4").to_string();
        assert!(dual.contains("CARRY8 with parameter CARRY_TYPE"), "{dual}");
        let twice = error(".P(\\<const1> )", ".P(\\<const0> )").to_string();
        assert!(twice.contains("<const0>[0] is driven twice"), "{twice}");
    }

    #[test]
    fn whatever_is_not_known_is_an_error_that_names_it() {
        let module = |body: &str| {
            format!(
                "module m(clk, inputs, outputs);\n  input clk;\n  wire clk;\n  input [1:0] inputs;\n  wire [1:0] inputs;\n  output outputs;\n  wire outputs;\n  wire \\n1[0] ;\n{body}endmodule\n"
            )
        };
        let error = |body: &str| parse(&module(body)).unwrap_err().to_string();
        parse(&module(
            "  INV a (\n    .I(inputs[1]),\n    .O(\\n1[0] )\n  );\n",
        ))
        .unwrap();
        for (body, says) in [
            ("  SRL16E a (.Q(outputs));\n", "cell SRL16E"),
            (
                "  FDRE #(.IS_C_INVERTED(1'h1)) a (.C(clk));\n",
                "FDRE with parameter IS_C_INVERTED",
            ),
            (
                "  LUT2 #(.INIT(2'h2)) a (.O(outputs));\n",
                "LUT2 with a table of 2 bits",
            ),
            ("  INV a (.I(inputs), .O(outputs));\n", "2 bits on pin I"),
            ("  INV a (.A(inputs[0]), .O(outputs));\n", "INV with pin A"),
            ("  assign outputs = nowhere;\n", "line 9: found \"nowhere\""),
            (
                "  assign outputs = inputs[2];\n",
                "a part within the declared range",
            ),
            ("  assign outputs = inputs;\n", "as many bits"),
            (
                "  assign outputs = 1'h0;\n  assign outputs = 1'h1;\n",
                "outputs[0] is driven twice",
            ),
        ] {
            let found = error(body);
            assert!(found.contains(says), "{body}: {found}");
        }
        let cut = module("").replace("endmodule", "");
        assert!(parse(&cut).unwrap_err().to_string().contains("endmodule"));
    }
}
