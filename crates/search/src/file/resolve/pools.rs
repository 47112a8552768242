//! Pools: named lists of quantizers, the file's own over the default ones.

use crate::file::defaults::default_pools;
use crate::file::fault::Fault;
use crate::file::pointer::Pointer;
use crate::file::types::{QuantizerText, SearchFile};
use crate::space::Parameter;
use bitfront_quantizer::Quantizer;
use std::collections::BTreeMap;

/// The pools that a file's rules may name.
pub(super) struct Pools<'a> {
    own: &'a BTreeMap<String, Vec<QuantizerText>>,
    default: BTreeMap<String, Vec<QuantizerText>>,
}

static NO_POOLS: BTreeMap<String, Vec<QuantizerText>> = BTreeMap::new();

impl<'a> Pools<'a> {
    pub(super) fn new(file: &'a SearchFile) -> Self {
        Self {
            own: file
                .search_space
                .as_ref()
                .map_or(&NO_POOLS, |space| &space.pools),
            default: default_pools(),
        }
    }

    /// Names of all pools.
    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        let default = self
            .default
            .keys()
            .filter(|name| !self.own.contains_key(*name));
        self.own.keys().chain(default).map(String::as_str)
    }

    /// Whether there is a pool of this name.
    pub(super) fn contains(&self, name: &str) -> bool {
        self.own.contains_key(name) || self.default.contains_key(name)
    }

    /// The quantizers of pool `name` for `parameter`, by ascending bits (the pool's order among
    /// equals); `None`, with faults at the pool's own entries, if one cannot be scored there.
    pub(super) fn choices(
        &self,
        name: &str,
        parameter: Parameter,
        faults: &mut Vec<Fault>,
    ) -> Option<Vec<Quantizer>> {
        let before = faults.len();
        let pool = self.own.get(name).or_else(|| self.default.get(name))?;
        let at = Pointer::root().at("search_space").at("pools").at(name);
        if pool.is_empty() {
            push_once(faults, Fault::new(&at, "has no quantizers"));
        }
        let mut choices: Vec<Quantizer> = Vec::with_capacity(pool.len());
        for (index, text) in pool.iter().enumerate() {
            let at = at.at(index);
            let Some(quantizer) = self.quantizer(text, parameter, &at, faults) else {
                continue;
            };
            if let Some(first) = choices.iter().position(|one| *one == quantizer) {
                let detail = format!("`{quantizer}` stands in this pool already, at {first}");
                push_once(faults, Fault::new(&at, detail));
            }
            choices.push(quantizer);
        }
        choices.sort_by_key(Quantizer::bits);
        (faults.len() == before).then_some(choices)
    }

    /// A quantizer that may stand at `parameter`; `None`, with a fault, if it cannot be scored
    /// there.
    #[expect(
        clippy::unused_self,
        reason = "the pools are where quantizers are looked up"
    )]
    pub(super) fn quantizer(
        &self,
        text: &QuantizerText,
        parameter: Parameter,
        at: &Pointer,
        faults: &mut Vec<Fault>,
    ) -> Option<Quantizer> {
        let quantizer = match text.0.parse::<Quantizer>() {
            Ok(quantizer) => quantizer,
            Err(error) => {
                push_once(faults, Fault::new(at, error.to_string()));
                return None;
            }
        };
        match quantizer.check_frozen(parameter.role()) {
            Ok(()) => Some(quantizer),
            Err(error) => {
                push_once(faults, Fault::new(at, error.to_string()));
                None
            }
        }
    }
}

/// Pools are read once for each rule that names them; their faults are told once.
fn push_once(faults: &mut Vec<Fault>, fault: Fault) {
    if !faults.contains(&fault) {
        faults.push(fault);
    }
}
