//! A subject with records of its recoveries and their results.

use std::collections::{BTreeMap, HashMap};
use std::sync::Mutex;

use onionskin_sim::explore::{Failure, Subject};
use onionskin_sim::{SimFs, Switches, Tree};

use super::Progress;

/// The subject, unchanged except for the records.
pub(super) struct Watched<'w> {
    pub(super) subject: &'w dyn Subject,
    pub(super) progress: &'w Progress,
    /// The result of each image, if they are kept.
    pub(super) results: Option<Mutex<Results>>,
}

/// The results of printed images. Images are kept as hashes, since there are many; results are few.
#[derive(Default)]
pub(super) struct Results {
    of: HashMap<blake3::Hash, usize>,
    printed: Vec<String>,
    numbers: HashMap<String, usize>,
}

impl Results {
    /// Of two results for images that are printed alike the lesser is kept, so that the order of threads does not
    /// matter.
    fn add(&mut self, image: &str, result: String) {
        let number = *self.numbers.entry(result).or_insert_with_key(|result| {
            self.printed.push(result.clone());
            self.printed.len() - 1
        });
        let known = self.of.entry(blake3::hash(image.as_bytes())).or_insert(number);
        if self.printed[number] < self.printed[*known] {
            *known = number;
        }
    }

    /// The results of some images.
    pub(super) fn of<'i>(&self, images: impl Iterator<Item = &'i str>) -> BTreeMap<String, String> {
        let known = |image: &str| self.of.get(&blake3::hash(image.as_bytes()));
        images.filter_map(|image| Some((image.to_owned(), self.printed[*known(image)?].clone()))).collect()
    }
}

impl Subject for Watched<'_> {
    fn name(&self) -> String {
        self.subject.name()
    }

    fn switches(&self) -> Switches {
        self.subject.switches()
    }

    fn setup(&self, fs: &SimFs) {
        self.subject.setup(fs);
    }

    fn run(&self, fs: &SimFs) -> Result<(), Failure> {
        self.subject.run(fs)
    }

    fn recover(&self, fs: &SimFs) -> Result<(), Failure> {
        self.progress.recovered();
        let Some(results) = &self.results else {
            return self.subject.recover(fs);
        };
        let image = fs.tree().to_string();
        self.subject.recover(fs)?;
        let result = fs.tree().to_string();
        results.lock().expect("no holder panics").add(&image, result);
        Ok(())
    }

    fn is_leftover(&self, path: &str) -> bool {
        self.subject.is_leftover(path)
    }

    fn stages(&self, seen: Vec<Tree>) -> Vec<Tree> {
        self.subject.stages(seen)
    }

    fn matches(&self, found: &Tree, stage: &Tree) -> bool {
        self.subject.matches(found, stage)
    }
}
