//! Random numbers, and what is made from them.

use onionskin::workspace::glob::Select;

/// A generator of random numbers: SplitMix64.
pub(crate) struct Random(pub(crate) u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    pub(crate) fn below(&mut self, end: usize) -> usize {
        usize::try_from(self.next() % end as u64).expect("it is less than a usize")
    }

    fn one_of<'a>(&mut self, all: &[&'a str]) -> &'a str {
        all[self.below(all.len())]
    }

    pub(crate) fn path(&mut self) -> String {
        let depth = [1, 1, 2, 2, 2, 3][self.below(6)];
        let names: Vec<&str> = (0..depth).map(|_| self.one_of(&["a", "b", "c", "a-b"])).collect();
        names.join("/")
    }

    fn glob(&mut self) -> String {
        match self.below(6) {
            0..=2 => self.path(),
            3 => format!("**/{}", self.one_of(&["a", "b", "c", "a-b"])),
            4 => format!("{}/*", self.path()),
            _ => self.one_of(&["*", "a*", "**/?", "*/b", "a/**/c"]).to_owned(),
        }
    }

    pub(crate) fn select(&mut self) -> Select {
        let mut globs = |most: usize| (0..self.below(most)).map(|_| self.glob()).collect::<Vec<_>>();
        let (only, except) = (globs(3), globs(3));
        Select { only, except }
    }
}
