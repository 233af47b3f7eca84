//! The questions of `review`, as those of `git add -p`: a state that needs no terminal.

use super::super::text::{Text, text};
use super::lines::{Fate, Hunk};

/// The choices, for the answer `?`.
pub(super) const HELP: &str = "\
y  take this hunk, or this change
n  leave it
a  take it and all later hunks of this change
d  leave it and all later hunks of this change
s  split this hunk into smaller ones
k  go back to the one before
q  leave it and everything after it
";

/// A change about which there are questions.
pub(super) struct Question {
    pub(super) path: String,
    /// The text above the first hunk.
    head: Text,
    /// The parts that are asked about, each with its answer: the hunks of a text, or the change as a whole.
    parts: Vec<Part>,
}

struct Part {
    hunk: Option<Hunk>,
    taken: Option<bool>,
}

/// The decision about a change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Decision {
    Whole,
    /// These hunks of it.
    Hunks(Vec<Hunk>),
    Nothing,
}

/// What happens after an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reply {
    /// The next question, or the end.
    Next,
    /// The answer was `?`, or none of the choices.
    Help,
    /// The hunk cannot be split.
    Unsplittable,
}

/// All questions, and the place of the present one.
pub(super) struct Questions {
    all: Vec<Question>,
    change: usize,
    part: usize,
}

impl Question {
    /// A change with its hunks; without hunks, or with one, it is asked about as a whole.
    pub(super) fn new(path: String, head: Text, hunks: Vec<Hunk>) -> Self {
        let mut parts: Vec<Part> = hunks.into_iter().map(|hunk| Part { hunk: Some(hunk), taken: None }).collect();
        if parts.is_empty() {
            parts.push(Part { hunk: None, taken: None });
        }
        Self { path, head, parts }
    }

    fn decision(&self) -> Decision {
        let taken = || self.parts.iter().filter(|part| part.taken == Some(true));
        if taken().count() == self.parts.len() {
            Decision::Whole
        } else if taken().count() == 0 {
            Decision::Nothing
        } else {
            Decision::Hunks(taken().filter_map(|part| part.hunk.clone()).collect())
        }
    }
}

impl Questions {
    pub(super) fn new(all: Vec<Question>) -> Self {
        Self { all, change: 0, part: 0 }
    }

    /// Returns the text of the present question: the change or hunk, and the prompt. `None` at the end.
    pub(super) fn present(&self) -> Option<(Text, Text)> {
        let question = self.all.get(self.change)?;
        let part = &question.parts[self.part];
        let mut shown = if self.part == 0 { question.head.clone() } else { Text::default() };
        if let Some(hunk) = &part.hunk {
            shown.push(&hunk.shown());
        }
        let place = text!("({}/{})", self.part + 1, question.parts.len());
        let prompt = match part.hunk {
            Some(_) => text!("{} Take this hunk of {} [y,n,a,d,s,k,q,?]", place, question.path),
            None => text!("Take this change of {} [y,n,k,q,?]", question.path),
        };
        Some((shown, prompt))
    }

    /// Takes an answer. The end of the input is as `q`.
    pub(super) fn answer(&mut self, answer: Option<&str>) -> Reply {
        if self.change >= self.all.len() {
            return Reply::Next;
        }
        match answer.map_or_else(|| "q".to_owned(), str::to_ascii_lowercase).as_str() {
            "y" | "yes" => self.decide(true, 1),
            "n" | "no" => self.decide(false, 1),
            "a" => self.decide(true, usize::MAX),
            "d" => self.decide(false, usize::MAX),
            "s" => return self.split(),
            "k" => self.back(),
            "q" => {
                while self.change < self.all.len() {
                    self.decide(false, usize::MAX);
                }
            }
            _ => return Reply::Help,
        }
        Reply::Next
    }

    /// Returns the decisions, in the order of the questions.
    pub(super) fn decisions(self) -> Vec<(String, Decision)> {
        self.all.into_iter().map(|question| (question.path.clone(), question.decision())).collect()
    }

    /// Decides about so many parts of the present change, and goes on.
    fn decide(&mut self, taken: bool, parts: usize) {
        let question = &mut self.all[self.change];
        for part in question.parts[self.part..].iter_mut().take(parts) {
            part.taken = Some(taken);
            self.part += 1;
        }
        if self.part == question.parts.len() {
            (self.change, self.part) = (self.change + 1, 0);
        }
    }

    fn back(&mut self) {
        if self.part > 0 {
            self.part -= 1;
        } else if self.change > 0 {
            self.change -= 1;
            self.part = self.all[self.change].parts.len() - 1;
        }
    }

    fn split(&mut self) -> Reply {
        let parts = &mut self.all[self.change].parts;
        let Some(smaller) = parts[self.part].hunk.as_ref().map(split).filter(|smaller| smaller.len() > 1) else {
            return Reply::Unsplittable;
        };
        let smaller = smaller.into_iter().map(|hunk| Part { hunk: Some(hunk), taken: None });
        parts.splice(self.part..=self.part, smaller);
        Reply::Next
    }
}

/// Splits a hunk where unchanged lines lie between changed ones. Those belong to the hunk before them.
fn split(hunk: &Hunk) -> Vec<Hunk> {
    let mut hunks: Vec<Hunk> = Vec::new();
    let (mut old, mut new) = (hunk.old.0, hunk.new.0);
    let mut present = Hunk { old: (old, 0), new: (new, 0), lines: Vec::new() };
    for line in &hunk.lines {
        let is_first_again = line.fate != Fate::Same
            && present.lines.last().is_some_and(|last| last.fate == Fate::Same)
            && present.lines.iter().any(|line| line.fate != Fate::Same);
        if is_first_again {
            hunks.push(std::mem::replace(&mut present, Hunk { old: (old, 0), new: (new, 0), lines: Vec::new() }));
        }
        if line.fate != Fate::Added {
            (old, present.old.1) = (old + 1, present.old.1 + 1);
        }
        if line.fate != Fate::Removed {
            (new, present.new.1) = (new + 1, present.new.1 + 1);
        }
        present.lines.push(line.clone());
    }
    hunks.push(present);
    hunks
}

#[cfg(test)]
mod tests {
    use super::super::lines::{applied, hunks};
    use super::*;

    const OLD: &str = "1\n2\n3\n4\n5\n6\n7\n8\n9\n10\n11\n12\n13\n14\n15\n16\n17\n18\n19\n20\n";

    /// Two hunks, of which the first can be split in two.
    fn new() -> String {
        OLD.replace("2\n3", "two\n3").replace("\n5\n", "\nfive\n").replace("18\n", "18\nmore\n")
    }

    fn questions() -> Questions {
        let hunks = hunks(OLD.as_bytes(), new().as_bytes());
        assert_eq!(hunks.len(), 2);
        let text = Question::new("text".to_owned(), text!("modified text\n"), hunks);
        let gone = Question::new("gone".to_owned(), text!("deleted gone\n"), Vec::new());
        Questions::new(vec![text, gone])
    }

    fn decided(answers: &str) -> Vec<Decision> {
        let mut questions = questions();
        for answer in answers.chars() {
            assert!(questions.present().is_some(), "{answers}: there is no question for {answer}");
            questions.answer(Some(answer.to_string().as_str()));
        }
        assert!(questions.present().is_none(), "{answers}: there are questions left");
        questions.decisions().into_iter().map(|(_, decision)| decision).collect()
    }

    /// Returns the content that a decision makes of the old one.
    fn content(decision: &Decision) -> String {
        let content = match decision {
            Decision::Whole => new().into_bytes(),
            Decision::Nothing => OLD.into(),
            Decision::Hunks(hunks) => applied(OLD.as_bytes(), hunks),
        };
        String::from_utf8(content).expect("it is ASCII")
    }

    #[test]
    fn answers_decide_as_in_git() {
        use Decision::{Nothing, Whole};
        let all = hunks(OLD.as_bytes(), new().as_bytes());
        let (first, second) = (Decision::Hunks(vec![all[0].clone()]), Decision::Hunks(vec![all[1].clone()]));
        for (answers, text, gone) in [
            ("yyy", &Whole, &Whole),
            ("ynn", &first, &Nothing),
            ("nyy", &second, &Whole),
            ("ay", &Whole, &Whole),
            ("dy", &Nothing, &Whole),
            ("yq", &first, &Nothing),
            ("q", &Nothing, &Nothing),
            ("yyq", &Whole, &Nothing),
            ("ynkyn", &Whole, &Nothing),
            ("kkynkkkkyyn", &Whole, &Nothing),
        ] {
            assert_eq!(decided(answers), [text.clone(), gone.clone()], "{answers}");
        }
    }

    #[test]
    fn a_split_hunk_is_two_choices() {
        let decisions = decided("synnn");
        assert_eq!(content(&decisions[0]), OLD.replace("2\n3", "two\n3"));
        let decisions = decided("snyyn");
        assert_eq!(content(&decisions[0]), OLD.replace("\n5\n", "\nfive\n").replace("18\n", "18\nmore\n"));
        assert_eq!(decided("syyyn")[0], Decision::Whole);
    }

    #[test]
    fn another_answer_gets_help_and_the_end_of_input_leaves_the_rest() {
        let mut questions = questions();
        assert_eq!([Some("?"), Some("x"), Some("")].map(|answer| questions.answer(answer)), [Reply::Help; 3]);
        questions.answer(Some("s"));
        assert_eq!(questions.answer(Some("s")), Reply::Unsplittable);
        questions.answer(Some("y"));
        questions.answer(None);
        assert!(questions.present().is_none());
        assert!(matches!(questions.decisions()[..], [(_, Decision::Hunks(_)), (_, Decision::Nothing)]));
    }
}
