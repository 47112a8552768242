//! The HDF5 reader: the public jet sets as they are published, and plain arrays named as in an npz file.

mod number;
mod store;

use std::path::Path;

use hdf5_pure::Datatype;

use self::number::Number;
use self::store::{Array, Store};
use crate::arrays::{self, Arrays, LABELS, Labels, wrong};
use crate::error::DatasetError;
use crate::jets::{self, Columns};
use crate::scaling::Scaling;
use crate::table::{Dataset, Table};

/// The jets of Zenodo 3602260 (and 3602254, 3601436): rows x columns, named by `jetFeatureNames`.
const JETS: (&str, &str) = ("jets", "jetFeatureNames");
/// The jets of the files of arXiv:1804.06913: one compound array.
const RECORDS: &str = "t_allpar_new";
/// Most names of columns.
const MAX_NAMES: u64 = 4096;

pub(crate) fn read(bytes: &[u8], file: &str) -> Result<Dataset, DatasetError> {
    let mut store = Store::of_bytes(bytes, file)?;
    let train = if store.has(RECORDS) {
        jets::without_repeats(&read_records(&store)?)
    } else if store.has(JETS.0) {
        read_jets(&store)?
    } else if store.has("x_train") || store.has("x") {
        return arrays::read(&mut store);
    } else {
        let mut names = store.list();
        names.sort_unstable();
        names.truncate(20);
        let problem = format!("none that is known; the file has {}", names.join(", "));
        let accepted = "t_allpar_new, or jets with jetFeatureNames (public jets), or x_train, y_train, x_test, y_test, or x, y";
        return Err(wrong(file, "names", problem, accepted));
    };
    let (features, classes) = jets::names();
    Ok(Dataset {
        features,
        classes,
        targets: Vec::new(),
        train,
        test: None,
        scaling: Scaling::Features,
        digest: String::new(),
    })
}

/// The jets of a file that is read where it lies; images and particles in it are passed over.
pub(crate) fn read_jets_of(path: &Path) -> Result<Table, DatasetError> {
    read_jets(&Store::of_path(path)?)
}

fn read_jets(store: &Store) -> Result<Table, DatasetError> {
    let jets = store.array(JETS.0)?;
    let names = names(store, &store.array(JETS.1)?)?;
    let number = Number::of(&jets.kind);
    let (Some(number), 2) = (number, jets.shape.len()) else {
        let problem = format!("shape {:?}, or a type that is no number", jets.shape);
        return Err(wrong(
            &store.name,
            JETS.0,
            problem,
            "rows x columns of numbers",
        ));
    };
    if jets.shape[1] != names.len() as u64 {
        let problem = format!("{} names for {} columns", names.len(), jets.shape[1]);
        return Err(wrong(
            &store.name,
            JETS.1,
            problem,
            "a name for each column of jets",
        ));
    }
    let columns = Columns::find(&names, &store.name, JETS.1)?;
    let width = number.bytes();
    fill(store, &jets, &columns, |row, column| {
        number.value(&row[column * width..])
    })
}

fn read_records(store: &Store) -> Result<Table, DatasetError> {
    let records = store.array(RECORDS)?;
    let Datatype::Compound { members, .. } = &records.kind else {
        let problem = "no compound type";
        return Err(wrong(
            &store.name,
            RECORDS,
            problem,
            "a compound of named numbers",
        ));
    };
    if records.shape.len() != 1 || members.len() as u64 > MAX_NAMES {
        let problem = format!("shape {:?} of {} fields", records.shape, members.len());
        let accepted = format!("one axis, at most {MAX_NAMES} fields");
        return Err(wrong(&store.name, RECORDS, problem, &accepted));
    }
    let names: Vec<String> = members.iter().map(|member| member.name.clone()).collect();
    let columns = Columns::find(&names, &store.name, RECORDS)?;
    let mut fields = vec![None; members.len()];
    for at in columns.features.iter().chain(&columns.classes) {
        let member = &members[*at];
        let field = Number::of(&member.datatype)
            .zip(usize::try_from(member.byte_offset).ok())
            .filter(|(number, offset)| {
                let end = offset.checked_add(number.bytes());
                end.is_some_and(|end| end <= records.width)
            });
        fields[*at] = Some(field.ok_or_else(|| {
            let problem = format!("field {} is no number inside of its record", member.name);
            let accepted = "floats of 4 or 8 bytes and integers";
            wrong(&store.name, RECORDS, problem, accepted)
        })?);
    }
    fill(store, &records, &columns, |row, column| {
        match fields[column] {
            Some((number, offset)) => number.value(&row[offset..]),
            None => f32::NAN,
        }
    })
}

/// Reads all rows; `value` takes a column out of a row's bytes.
fn fill(
    store: &Store,
    array: &Array,
    columns: &Columns,
    value: impl Fn(&[u8], usize) -> f32,
) -> Result<Table, DatasetError> {
    let row_bytes = array.columns() as usize * array.width;
    let (mut x, mut y) = (Vec::new(), Vec::new());
    store.rows(array, |first, bytes| {
        for (row, number) in bytes.chunks_exact(row_bytes.max(1)).zip(first..) {
            let place = (store.name.as_str(), array.name.as_str(), number);
            columns.push(place, |column| value(row, column), (&mut x, &mut y))?;
        }
        Ok(())
    })?;
    if y.is_empty() {
        return Err(wrong(
            &store.name,
            &array.name,
            "no rows",
            "at least one row",
        ));
    }
    Ok(Table {
        rows: y.len(),
        columns: jets::FEATURES.len(),
        x: x.into(),
        y,
        values: Vec::new(),
    })
}

impl Store {
    /// All numbers of an array, in row-major order.
    fn numbers<T>(
        &self,
        array: &Array,
        number: Number,
        of: fn(Number, &[u8]) -> T,
    ) -> Result<Vec<T>, DatasetError> {
        let mut all = Vec::new();
        self.rows(array, |_, bytes| {
            all.extend(bytes.chunks_exact(number.bytes()).map(|b| of(number, b)));
            Ok(())
        })?;
        Ok(all)
    }
}

/// The strings of an array of one axis.
fn names(store: &Store, array: &Array) -> Result<Vec<String>, DatasetError> {
    let text = matches!(
        array.kind,
        Datatype::String { .. }
            | Datatype::VariableLength {
                is_string: true,
                ..
            }
    );
    if !text || array.shape.len() != 1 || array.shape[0] > MAX_NAMES {
        let problem = format!("shape {:?}, or a type that is no string", array.shape);
        let accepted = format!("one axis of at most {MAX_NAMES} strings");
        return Err(wrong(&store.name, &array.name, problem, &accepted));
    }
    store.texts(array)
}

impl Arrays for Store {
    fn file(&self) -> &str {
        &self.name
    }

    fn has(&self, name: &str) -> bool {
        Store::has(self, name)
    }

    fn list(&self) -> Vec<String> {
        Store::list(self)
    }

    fn features(&mut self, name: &str) -> Result<(Table, Scaling), DatasetError> {
        let array = self.array(name)?;
        let number = Number::of(&array.kind);
        let (Some(number), true) = (number, array.shape.len() >= 2) else {
            let problem = format!("shape {:?}, or a type that is no number", array.shape);
            return Err(wrong(&self.name, name, problem, arrays::FEATURES));
        };
        if array.shape.contains(&0) {
            let problem = format!("shape {:?}", array.shape);
            let accepted = "at least one row and one feature";
            return Err(wrong(&self.name, name, problem, accepted));
        }
        let x = self.numbers(&array, number, Number::value)?;
        let table = Table {
            rows: array.shape[0] as usize,
            columns: array.columns() as usize,
            x: x.into(),
            y: Vec::new(),
            values: Vec::new(),
        };
        Ok((table, arrays::scaling(&array.shape[1..], number.is_byte())))
    }

    fn labels(&mut self, name: &str) -> Result<Labels, DatasetError> {
        let array = self.array(name)?;
        let is_row = matches!(array.shape[..], [_] | [_, 1]);
        let is_table = is_row || matches!(array.shape[..], [_, columns] if columns > 0);
        match Number::of(&array.kind) {
            Some(number) if number.is_integer() && is_row => {
                let labels = self.numbers(&array, number, Number::integer)?;
                Ok(Labels::Classes(labels))
            }
            Some(number) if !number.is_integer() && is_table => {
                let values = self.numbers(&array, number, Number::value)?;
                let columns = array.columns() as usize;
                Ok(Labels::Values { values, columns })
            }
            number => {
                let mut problem = format!("shape {:?}", array.shape);
                if number.is_none() {
                    problem.push_str(" of a type that is no number");
                }
                Err(wrong(&self.name, name, problem, LABELS))
            }
        }
    }

    fn names(&mut self, name: &str, count: usize) -> Result<Option<Vec<String>>, DatasetError> {
        if !Store::has(self, name) {
            return Ok(None);
        }
        let names = names(self, &self.array(name)?)?;
        if count > 0 && names.len() != count {
            let accepted = format!("one name for each of the {count} columns");
            return Err(wrong(
                &self.name,
                name,
                format!("{} names", names.len()),
                &accepted,
            ));
        }
        Ok(Some(names))
    }
}
