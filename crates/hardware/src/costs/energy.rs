//! Energy of one inference in pJ, in three modes.
//!
//! 45 nm figures (Horowitz, ISSCC 2014) as `QTools` fits them; the method is Coelho et al., Nature
//! Machine Intelligence 3, 675 (2021), "energy" paragraphs and table. A layer costs its operations
//! times (product + accumulator addition) plus moving its tensors once. The authors' own caveat
//! holds: valid to rank designs, not as watts.
//!
//! A convolution costs as many operations as it has products, borders included. An average pool adds
//! its taps (release 0.9 counts them once a channel, not once a position, which is not kept), a sum of
//! tensors its sources. A maximum costs its comparisons in the corrected mode and nothing in the
//! others, as in the original. Multiplying by frozen scales and reciprocals is counted in the
//! corrected mode only.

use super::{
    DataType, FloatFormat, LayerDescription, LayerKind, LayerTypes, Memory, NetworkDescription,
    layer_types, memory::access_pj,
};
use bitfront_network::Source;
use serde::{Deserialize, Serialize};

/// Whose rules count.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum EnergyMode {
    /// The paper's figures: accumulators one bit wider, `stochastic_*` weights counted wrong,
    /// `BatchNorm` left out of the total.
    #[serde(rename = "qtools-0.8")]
    Qtools08,
    /// The original's last release: `BatchNorm` still left out.
    #[serde(rename = "qtools-0.9")]
    Qtools09,
    /// `BatchNorm` counted, a memory model that never falls with size, logits instead of a softmax,
    /// nothing rounded.
    #[serde(rename = "corrected")]
    Corrected,
}

/// Settings of the energy model.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct EnergySettings {
    /// Whose rules count.
    pub mode: EnergyMode,
    /// Where kernels and biases live.
    pub parameters: Memory,
    /// Where activations live.
    pub activations: Memory,
    /// Smallest SRAM, in bits.
    pub min_sram_bits: u64,
    /// Whether the network's input and output come from and go to DRAM (else SRAM).
    pub io_on_dram: bool,
    /// What stands where a layer has no quantizer.
    pub unquantized: FloatFormat,
}

impl EnergySettings {
    /// The paper's setting: parameters and activations in the circuit, input and output through a
    /// 16 MB SRAM, fp16 where nothing is quantized.
    pub fn in_circuit(mode: EnergyMode) -> Self {
        Self {
            mode,
            parameters: Memory::Fixed,
            activations: Memory::Fixed,
            min_sram_bits: 16 * 8 * 1024 * 1024,
            io_on_dram: false,
            unquantized: FloatFormat::Half,
        }
    }
}

/// Energy of one layer in pJ. In the `qtools` modes each entry is rounded to two decimals.
#[derive(Clone, Debug, PartialEq)]
pub struct LayerEnergy {
    /// Name of the layer.
    pub name: String,
    /// Reading its inputs.
    pub inputs: f64,
    /// Writing its outputs.
    pub outputs: f64,
    /// Reading its parameters.
    pub parameters: f64,
    /// Its arithmetic.
    pub operations: f64,
    /// The part that its class counts towards the total.
    pub counted: f64,
}

/// Energy of a network in pJ.
#[derive(Clone, Debug, PartialEq)]
pub struct Energy {
    /// Layers, first to last.
    pub layers: Vec<LayerEnergy>,
    /// The counted parts; truncated to an integer in the `qtools` modes.
    pub total_pj: f64,
    /// Every entry of every layer, counted or not (`QTools`' `total_cost`), truncated likewise.
    pub total_cost_pj: f64,
}

/// Fixed-point addition of `bits`, in pJ: 8 bits 0.025, 32 bits 0.1.
pub(crate) fn add(bits: f64) -> f64 {
    0.003_125 * bits
}

/// Fixed-point multiplication of `bits x bits`, in pJ: 8 bits 0.2, 32 bits 3.1.
pub(crate) fn multiply(bits: f64) -> f64 {
    0.002_994_791_667 * bits.powi(2) + 0.001_041_666_667 * bits
}

/// Floating-point multiplication, in pJ.
pub(crate) fn float_multiply(bits: u32) -> f64 {
    if bits <= 16 { 1.1 } else { 3.7 }
}

fn accumulate(accumulator: DataType) -> f64 {
    match (accumulator.is_float(), accumulator.bits) {
        (false, bits) => add(f64::from(bits)),
        (true, ..=16) => 0.4,
        (true, _) => 0.9,
    }
}

impl Energy {
    /// The energy of one inference.
    pub fn of(network: &NetworkDescription, settings: &EnergySettings) -> Self {
        let corrected = settings.mode == EnergyMode::Corrected;
        let types = layer_types(network, settings.mode, settings.unquantized);
        let of_input = DataType::of(Some(&network.input), settings.unquantized);
        let counted: Vec<usize> = (0..network.layers.len())
            .filter(|&at| !(corrected && network.layers[at].kind == LayerKind::Softmax))
            .collect();
        let layers: Vec<LayerEnergy> = counted
            .iter()
            .map(|&at| {
                let layer = &network.layers[at];
                let reads = layer.sources.iter().map(|&source| {
                    let of_source = match source {
                        Source::Input => of_input,
                        Source::Layer(index) => types[index].output,
                    };
                    let bits = network.values(source) as u64 * u64::from(of_source.bits);
                    (source == Source::Input, bits)
                });
                let place = Place {
                    reads: reads.collect(),
                    last: counted.last() == Some(&at),
                    settings,
                };
                place.energy(layer, &types[at])
            })
            .collect();
        let everything = |l: &LayerEnergy| l.inputs + l.outputs + l.parameters + l.operations;
        let (total_pj, total_cost_pj) = if corrected {
            (
                layers.iter().map(|l| l.counted).sum(),
                layers.iter().map(everything).sum(),
            )
        } else {
            (
                truncated_sum(layers.iter().map(|l| l.counted)),
                truncated_sum(layers.iter().map(everything)),
            )
        };
        Self {
            layers,
            total_pj,
            total_cost_pj,
        }
    }
}

/// The sum of amounts of two decimals, without its decimals. Counted in hundredths: a sum of binary
/// fractions would fall just below the integer it stands for.
fn truncated_sum(amounts: impl Iterator<Item = f64>) -> f64 {
    let hundredths: i64 = amounts.map(|pj| (pj * 100.0).round() as i64).sum();
    (hundredths / 100) as f64
}

/// Where a layer stands: what it reads (from the input port or not, bits) and whether it writes the
/// network's outputs.
struct Place<'a> {
    reads: Vec<(bool, u64)>,
    last: bool,
    settings: &'a EnergySettings,
}

impl Place<'_> {
    /// Moving `bits` once, not rounded.
    fn access(&self, memory: Memory, bits: u64) -> f64 {
        access_pj(
            memory,
            bits,
            self.settings.min_sram_bits,
            self.settings.io_on_dram,
            self.settings.mode == EnergyMode::Corrected,
        )
    }

    fn energy(&self, layer: &LayerDescription, types: &LayerTypes) -> LayerEnergy {
        let settings = self.settings;
        let corrected = settings.mode == EnergyMode::Corrected;
        let at_port = if settings.io_on_dram {
            Memory::Dram
        } else {
            Memory::Sram
        };
        let memory = |port: bool| if port { at_port } else { settings.activations };
        let reads = self.reads.iter();
        let inputs = reads.map(|&(port, bits)| self.access(memory(port), bits));
        let inputs = rounded(inputs.sum(), corrected);
        let written = layer.outputs as u64 * u64::from(types.output.bits);
        let outputs = rounded(self.access(memory(self.last), written), corrected);
        let (weights, biases) = match &layer.kind {
            LayerKind::Sums { kernel, bias, .. } => (kernel.values, bias.map_or(0, |b| b.values)),
            LayerKind::BatchNorm { scale, offset } => (scale.values, offset.values),
            _ => (0, 0),
        };
        let stored = [(weights, types.weight), (biases, types.bias)].map(|(values, held)| {
            let bits = values as u64 * u64::from(held.map_or(0, |held| held.bits));
            self.access(settings.parameters, bits)
        });
        let parameters = rounded(stored.iter().sum(), corrected);
        let operations = types.operations as f64 * self.operation(layer, types)
            + layer.outputs as f64 * types.scaling.map_or(0.0, |product| product.energy_pj);
        let operations = rounded(operations, corrected);
        let everything_read = inputs + parameters + operations;
        let mut counted = match layer.kind {
            LayerKind::Sums { .. } | LayerKind::AveragePool { .. } | LayerKind::Concatenate => {
                everything_read
            }
            LayerKind::Activation { .. }
            | LayerKind::ChannelActivation { .. }
            | LayerKind::Softmax => outputs,
            _ if corrected => everything_read,
            LayerKind::BatchNorm { .. } => parameters,
            LayerKind::Add | LayerKind::MaxPool { .. } => operations,
        };
        // Without a softmax, the logits of the last layer are what the network writes.
        let activation = matches!(
            layer.kind,
            LayerKind::Activation { .. } | LayerKind::ChannelActivation { .. }
        );
        if corrected && self.last && !activation {
            counted += outputs;
        }
        LayerEnergy {
            name: layer.name.clone(),
            inputs,
            outputs,
            parameters,
            operations,
            counted,
        }
    }

    /// One operation.
    fn operation(&self, layer: &LayerDescription, types: &LayerTypes) -> f64 {
        let corrected = self.settings.mode == EnergyMode::Corrected;
        match (&layer.kind, types.multiplier, types.accumulator) {
            // The original divides and multiplies in floats, whatever the quantizers are.
            (LayerKind::BatchNorm { .. }, Some(product), Some(sum)) => {
                if corrected && !sum.is_float() {
                    product.energy_pj + accumulate(sum)
                } else {
                    2.0 * float_multiply(self.settings.unquantized.bits())
                }
            }
            (_, Some(product), Some(sum)) => product.energy_pj + accumulate(sum),
            (_, None, Some(sum)) => accumulate(sum),
            // A comparison is a subtraction; the original takes maxima for free.
            (LayerKind::MaxPool { .. }, ..) if corrected => accumulate(types.input),
            _ => 0.0,
        }
    }
}

/// Two decimals, correctly rounded from the exact binary value as the original prints them.
fn rounded(pj: f64, corrected: bool) -> f64 {
    if corrected {
        return pj;
    }
    format!("{pj:.2}").parse().unwrap_or(pj)
}
