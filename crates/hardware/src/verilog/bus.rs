//! Packed buses: words side by side, the first in the lowest bits.

use crate::circuit::Port;

/// The 32-bit words of a packed bus, lowest first.
///
/// # Panics
/// Unless there is one code for each port.
pub fn pack_words(ports: &[Port], codes: &[i64]) -> Vec<u32> {
    assert_eq!(ports.len(), codes.len(), "one code a port");
    let bits = ports.iter().map(|port| port.width).sum::<u32>();
    let mut words = vec![0_u32; bits.div_ceil(32).max(1) as usize];
    for (port, &code) in ports.iter().zip(codes) {
        for bit in 0..port.width {
            if (code >> bit.min(63)) & 1 == 1 {
                let place = port.low_bit + bit;
                words[(place / 32) as usize] |= 1 << (place % 32);
            }
        }
    }
    words
}

/// A packed bus as hexadecimal digits, the highest first, without prefix.
pub fn pack_hex(ports: &[Port], codes: &[i64]) -> String {
    let words = pack_words(ports, codes);
    let digits: Vec<String> = words
        .iter()
        .rev()
        .map(|word| format!("{word:08x}"))
        .collect();
    digits.concat()
}

#[cfg(test)]
mod tests {
    use super::*;
    use bitfront_network::Interval;

    #[test]
    fn the_first_word_lies_lowest_and_negative_codes_are_twos_complement() {
        let ports = Port::pack(
            [(-4, 3), (0, 1), (-300, 5)]
                .map(|(lo, hi)| (Interval { lo, hi }, 0))
                .into_iter(),
        );
        assert_eq!(
            ports.iter().map(|p| p.width).collect::<Vec<_>>(),
            [3, 1, 10]
        );
        // Ten bits of -2, one of 1, three of -1: 1111111110 1 111.
        assert_eq!(
            pack_hex(&ports, &[-1, 1, -2]),
            format!("{:08x}", 0b11_1111_1110_1111)
        );
    }
}
