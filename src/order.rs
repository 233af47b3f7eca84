//! Sorting, of lists of every type by one function: the library compiles its own anew for each type and comparison, which
//! was a tenth of the component.

use alloc::vec::Vec;
use core::cmp::Ordering;

/// Sorts a list. Equal elements keep their order.
pub fn sort<T: Ord>(list: &mut Vec<T>) {
    sort_by(list, T::cmp);
}

/// Sorts a list by a comparison. Equal elements keep their order. Takes memory for one more list.
pub fn sort_by<T>(list: &mut Vec<T>, compare: impl Fn(&T, &T) -> Ordering) {
    let mut order: Vec<usize> = (0..list.len()).collect();
    sort_positions(&mut order, &|one, other| compare(&list[one], &list[other]));
    let mut elements: Vec<Option<T>> = list.drain(..).map(Some).collect();
    list.extend(order.into_iter().filter_map(|position| elements[position].take()));
}

fn sort_positions(order: &mut [usize], compare: &dyn Fn(usize, usize) -> Ordering) {
    order.sort_unstable_by(|one, other| compare(*one, *other).then(one.cmp(other)));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_is_sorted_and_equal_elements_keep_their_order() {
        let mut list: Vec<(u8, u8)> = (0..200).map(|index: u8| (index.wrapping_mul(37) % 10, index)).collect();
        let mut expected = list.clone();
        expected.sort_by_key(|(key, _)| *key);
        sort_by(&mut list, |one, other| one.0.cmp(&other.0));
        assert_eq!(list, expected);
        let mut words = Vec::from(["c", "a", "b", "a"]);
        sort(&mut words);
        assert_eq!(words, ["a", "a", "b", "c"]);
    }
}
