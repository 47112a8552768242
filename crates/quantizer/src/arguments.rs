//! The argument list of a `QKeras` string: positional and keyword arguments by name.

use std::ops::RangeInclusive;

use crate::{Alpha, Rounding, Sigmoid};

/// What is wrong and what is accepted, as a fragment.
pub(crate) type Problem = String;

/// The arguments of one quantizer, by parameter.
pub(crate) struct Arguments<'a> {
    parameters: &'a [&'a str],
    values: Vec<Option<&'a str>>,
}

/// The name nearest to `name`, if any is near.
pub(crate) fn nearest<'a>(name: &str, names: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    names
        .map(|n| (strsim::jaro_winkler(name, n), n))
        .filter(|(likeness, _)| *likeness > 0.75)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, n)| n)
}

impl<'a> Arguments<'a> {
    /// Assigns the comma-separated `text` to `parameters`.
    pub(crate) fn read(text: &'a str, parameters: &'a [&'a str]) -> Result<Self, Problem> {
        let mut values = vec![None; parameters.len()];
        let mut keywords = false;
        let pieces: Vec<&str> = text.split(',').map(str::trim).collect();
        let empty = pieces.len() == 1 && pieces[0].is_empty();
        for (index, piece) in pieces.into_iter().enumerate().filter(|_| !empty) {
            let (at, value) = if let Some((key, value)) = piece.split_once('=') {
                keywords = true;
                let key = key.trim();
                let at = parameters.iter().position(|p| *p == key).ok_or_else(|| {
                    let hint = nearest(key, parameters.iter().copied())
                        .map_or(String::new(), |n| format!("did you mean `{n}`? "));
                    format!("unknown argument `{key}`; {hint}{}", accepted(parameters))
                })?;
                (at, value.trim())
            } else {
                if keywords {
                    return Err(format!(
                        "positional argument `{piece}` follows a keyword argument"
                    ));
                }
                if index >= parameters.len() {
                    return Err(format!("too many arguments; {}", accepted(parameters)));
                }
                (index, piece)
            };
            if value.is_empty() {
                return Err(format!("argument `{}` has no value", parameters[at]));
            }
            if values[at].replace(value).is_some() {
                return Err(format!("argument `{}` is given twice", parameters[at]));
            }
        }
        Ok(Self { parameters, values })
    }

    fn take(&mut self, name: &str) -> Option<&'a str> {
        let at = self.parameters.iter().position(|p| *p == name);
        at.and_then(|at| self.values[at].take())
    }

    /// `bits`, default 8.
    pub(crate) fn bits(&mut self, name: &str, range: RangeInclusive<u32>) -> Result<u32, Problem> {
        self.whole(name, 8, range)
    }

    /// A whole number, with its default.
    pub(crate) fn whole(
        &mut self,
        name: &str,
        default: u32,
        range: RangeInclusive<u32>,
    ) -> Result<u32, Problem> {
        let Some(value) = self.take(name) else {
            return Ok(default);
        };
        value
            .parse()
            .ok()
            .filter(|b| range.contains(b))
            .ok_or_else(|| {
                format!(
                    "{name} is `{value}`; accepted is a whole number from {} to {}",
                    range.start(),
                    range.end()
                )
            })
    }

    /// `integer`, default 0.
    pub(crate) fn integer(&mut self, name: &str) -> Result<i32, Problem> {
        let Some(value) = self.take(name) else {
            return Ok(0);
        };
        value
            .parse()
            .ok()
            .filter(|i| (-32..=32).contains(i))
            .ok_or_else(|| {
                format!("{name} is `{value}`; accepted is a whole number from -32 to 32")
            })
    }

    /// `True`, `False`, `1` or `0`.
    pub(crate) fn flag(&mut self, name: &str, default: bool) -> Result<bool, Problem> {
        match self.take(name) {
            None => Ok(default),
            Some("True" | "true" | "1" | "1.0") => Ok(true),
            Some("False" | "false" | "0" | "0.0") => Ok(false),
            Some(value) => Err(format!(
                "{name} is `{value}`; accepted is True, False, 1 or 0"
            )),
        }
    }

    /// `alpha=None|number|'auto'|'auto_po2'`.
    pub(crate) fn alpha(&mut self) -> Result<Alpha, Problem> {
        let Some(value) = self.take("alpha") else {
            return Ok(Alpha::None);
        };
        match value {
            "None" => Ok(Alpha::None),
            "'auto'" | "\"auto\"" => Ok(Alpha::Auto),
            "'auto_po2'" | "\"auto_po2\"" => Ok(Alpha::AutoPo2),
            _ => number(value)
                .filter(|a| (2f32.powi(-32)..=2f32.powi(32)).contains(a))
                .map(Alpha::Constant)
                .ok_or_else(|| {
                    format!(
                        "alpha is `{value}`; accepted is None, 'auto', 'auto_po2' or a number from \
                         2^-32 to 2^32"
                    )
                }),
        }
    }

    /// A number in a range of positive ones, with its default.
    pub(crate) fn number(
        &mut self,
        name: &str,
        default: f32,
        range: RangeInclusive<f32>,
    ) -> Result<f32, Problem> {
        let Some(value) = self.take(name) else {
            return Ok(default);
        };
        number(value).filter(|v| range.contains(v)).ok_or_else(|| {
            format!(
                "{name} is `{value}`; accepted is a number from {:?} to {:?}",
                range.start(),
                range.end()
            )
        })
    }

    /// `use_stochastic_rounding`; `'whole'` only where rounding to half steps is the original's.
    pub(crate) fn rounding(&mut self, half_steps: bool) -> Result<Rounding, Problem> {
        let name = "use_stochastic_rounding";
        match self.take(name) {
            None | Some("False" | "false" | "0") => Ok(Rounding::Nearest),
            Some("True" | "true" | "1") => Ok(Rounding::Stochastic),
            Some("'whole'" | "\"whole\"") if half_steps => Ok(Rounding::StochasticWhole),
            Some(value) => {
                let whole = if half_steps { " or 'whole'" } else { "" };
                Err(format!(
                    "{name} is `{value}`; accepted is True, False{whole}"
                ))
            }
        }
    }

    /// Which sigmoid is meant: `flag` (where the family has one) asks for the real one, and
    /// `sigmoid` for any by name.
    pub(crate) fn sigmoid(
        &mut self,
        flag: Option<&str>,
        default: Sigmoid,
    ) -> Result<Sigmoid, Problem> {
        let real = match flag {
            Some(flag) => self.flag(flag, default == Sigmoid::Real)?,
            None => default == Sigmoid::Real,
        };
        match self.take("sigmoid") {
            None if real => Ok(Sigmoid::Real),
            None | Some("'hard'" | "\"hard\"") => Ok(Sigmoid::Hard),
            Some("'smooth'" | "\"smooth\"") => Ok(Sigmoid::Smooth),
            Some("'real'" | "\"real\"") => Ok(Sigmoid::Real),
            Some(value) => Err(format!(
                "sigmoid is `{value}`; accepted is 'hard', 'smooth' or 'real'"
            )),
        }
    }

    /// `'rnd'` or `'floor'`.
    pub(crate) fn floor(&mut self, name: &str) -> Result<bool, Problem> {
        match self.take(name) {
            None | Some("'rnd'" | "\"rnd\"") => Ok(false),
            Some("'floor'" | "\"floor\"") => Ok(true),
            Some(value) => Err(format!("{name} is `{value}`; accepted is 'rnd' or 'floor'")),
        }
    }

    /// `None` or a whole number from -126 to 127.
    pub(crate) fn exponent(&mut self, name: &str) -> Result<Option<i32>, Problem> {
        match self.take(name) {
            None | Some("None") => Ok(None),
            Some(value) => value
                .parse()
                .ok()
                .filter(|e| (-126..=127).contains(e))
                .map(Some)
                .ok_or_else(|| {
                    format!(
                        "{name} is `{value}`; accepted is None or a whole number from -126 to 127"
                    )
                }),
        }
    }

    /// The text of an argument, without quotes.
    pub(crate) fn word(&mut self, name: &str) -> Option<&'a str> {
        self.take(name).map(|v| v.trim_matches(['\'', '"']))
    }

    /// A number from 0 to 1, default 1.
    pub(crate) fn share(&mut self, name: &str) -> Result<f32, Problem> {
        let Some(value) = self.take(name) else {
            return Ok(1.0);
        };
        number(value)
            .filter(|f| (0.0..=1.0).contains(f))
            .map(|f| f + 0.0)
            .ok_or_else(|| format!("{name} is `{value}`; accepted is a number from 0 to 1"))
    }

    /// `negative_slope`: 0 or a power of two up to 16.
    pub(crate) fn slope(&mut self) -> Result<f32, Problem> {
        let Some(value) = self.take("negative_slope") else {
            return Ok(0.0);
        };
        let fits = |s: &f32| {
            *s == 0.0 || (power_of_two(*s).is_some() && (2f32.powi(-16)..=16.0).contains(s))
        };
        number(value).filter(fits).map(|s| s + 0.0).ok_or_else(|| {
            format!("negative_slope is `{value}`; accepted is 0 or a power of two from 2^-16 to 16")
        })
    }

    /// `None` or a number in a range of positive ones.
    pub(crate) fn positive(
        &mut self,
        name: &str,
        range: RangeInclusive<f32>,
    ) -> Result<Option<f32>, Problem> {
        match self.take(name) {
            None | Some("None") => Ok(None),
            Some(value) => number(value)
                .filter(|v| range.contains(v))
                .map(Some)
                .ok_or_else(|| {
                    format!(
                        "{name} is `{value}`; accepted is None or a number from {:?} to {:?}",
                        range.start(),
                        range.end()
                    )
                }),
        }
    }

    /// Arguments of the original that change no value here and are read at their default only.
    pub(crate) fn fixed(&mut self) -> Result<(), Problem> {
        for (name, accepted) in [
            ("scale_axis", &["None"][..]),
            ("var_name", &["None"]),
            ("use_variables", &["False", "0"]),
            ("elements_per_scale", &["None"]),
            ("post_training_scale", &["None"]),
        ] {
            if self.parameters.contains(&name) {
                self.only_default(name, accepted)?;
            }
        }
        Ok(())
    }

    /// An argument that is known and has only its default.
    pub(crate) fn only_default(&mut self, name: &str, accepted: &[&str]) -> Result<(), Problem> {
        match self.take(name) {
            Some(value) if !accepted.contains(&value) => Err(format!(
                "{name} is `{value}`; accepted is {} alone",
                accepted[0]
            )),
            _ => Ok(()),
        }
    }

    /// The quantizer, once every argument has been taken.
    pub(crate) fn finish<T>(self, value: T) -> T {
        debug_assert!(
            self.values.iter().all(Option::is_none),
            "every parameter is read"
        );
        value
    }
}

fn accepted(parameters: &[&str]) -> String {
    if parameters.is_empty() {
        "it takes no arguments".into()
    } else {
        format!("accepted are {}", parameters.join(", "))
    }
}

fn number(text: &str) -> Option<f32> {
    text.parse::<f32>().ok().filter(|v| v.is_finite())
}

/// The exponent of a positive power of two, `None` for any other number.
pub(crate) fn power_of_two(value: f32) -> Option<i32> {
    (value.is_normal() && value > 0.0 && value.to_bits().trailing_zeros() >= 23)
        .then(|| (value.to_bits() >> 23) as i32 - 127)
}
