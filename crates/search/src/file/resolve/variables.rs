//! Groups, and the variables that places make.

use super::space::Place;
use crate::file::fault::Fault;
use crate::file::pointer::Pointer;
use crate::space::{Parameter, Variable};

/// For each place the group it is in.
pub(super) fn groups(
    groups: &[Vec<String>],
    places: &[Place],
    at: &Pointer,
    faults: &mut Vec<Fault>,
) -> Vec<Option<usize>> {
    let mut group_of = vec![None; places.len()];
    for (group, names) in groups.iter().enumerate() {
        let at = at.at(group);
        if names.len() < 2 {
            faults.push(Fault::new(&at, "ties fewer than two layers"));
        }
        for (index, name) in names.iter().enumerate() {
            let at = at.at(index);
            let of_layer = |place: &usize| places[*place].layer == *name;
            let members: Vec<usize> = (0..places.len()).filter(of_layer).collect();
            if members.is_empty() {
                let names = || places.iter().map(|place| place.layer.as_str());
                let fault = Fault::new(&at, format!("no layer is named `{name}`"));
                faults.push(fault.did_you_mean(name, names()));
            }
            for place in members {
                if let Some(other) = group_of[place] {
                    let detail = format!("`{name}` is in group {other} already");
                    faults.push(Fault::new(&at, detail));
                    break;
                }
                group_of[place] = Some(group);
                let first = (0..place).find(|&first| {
                    group_of[first] == Some(group)
                        && places[first].parameter == places[place].parameter
                });
                let Some(first) = first else { continue };
                if places[first].choices != places[place].choices {
                    let detail = format!(
                        "`{name}` and `{}` cannot be tied: their {} quantizers differ",
                        places[first].layer, places[place].parameter
                    );
                    faults.push(Fault::new(&at, detail));
                }
            }
        }
        let mut kinds = (0..places.len())
            .filter(|place| group_of[*place] == Some(group))
            .map(|place| places[place].kind);
        let first = kinds.next();
        if kinds.any(|kind| Some(kind) != first) {
            faults.push(Fault::new(&at, "ties layers of different types"));
        }
    }
    group_of
}

/// One variable for each place or, in a group, for each parameter type.
pub(super) fn variables(places: &[Place], groups: &[Option<usize>]) -> Vec<Variable> {
    let mut variables: Vec<(Option<usize>, Variable)> = Vec::new();
    for (place, group) in places.iter().zip(groups) {
        let tied = variables.iter_mut().find(|(other, variable)| {
            group.is_some() && other == group && variable.parameter == place.parameter
        });
        if let Some((_, variable)) = tied {
            let end = variable.name.rfind('.').unwrap_or(variable.name.len());
            variable.name.insert_str(end, &format!("+{}", place.layer));
            variable.layers.push(place.index);
            continue;
        }
        let variable = Variable {
            name: match place.parameter {
                Parameter::Input => "input".to_owned(),
                parameter => format!("{}.{parameter}", place.layer),
            },
            parameter: place.parameter,
            layers: vec![place.index],
            choices: place.choices.clone().unwrap_or_default(),
        };
        variables.push((*group, variable));
    }
    variables
        .into_iter()
        .map(|(_, variable)| variable)
        .collect()
}
