//! Sets of an organization's packages, checked with one bit test.

/// The packages of one organization that somebody may read.
///
/// Packages are numbered densely within their organization; the numbers are the catalog's.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum AccessSet {
    /// All of them, now and later.
    All,
    /// Those whose bit is set.
    Some(Box<[u64]>),
}

impl AccessSet {
    /// The set of the packages with these numbers; without any, it holds nothing.
    pub fn of(numbers: impl IntoIterator<Item = u32>) -> Self {
        let mut words = Vec::new();
        for number in numbers {
            let word = number as usize / 64;
            if words.len() <= word {
                words.resize(word + 1, 0);
            }
            words[word] |= 1_u64 << (number % 64);
        }
        Self::Some(words.into())
    }

    /// Adds everything that `other` holds.
    pub fn add(&mut self, other: &Self) {
        match (&mut *self, other) {
            (Self::All, _) => {}
            (_, Self::All) => *self = Self::All,
            (Self::Some(words), Self::Some(others)) => {
                if words.len() < others.len() {
                    let mut longer = words.to_vec();
                    longer.resize(others.len(), 0);
                    *words = longer.into();
                }
                words.iter_mut().zip(others).for_each(|(word, other)| *word |= other);
            }
        }
    }

    /// Whether nothing may be read.
    pub fn is_empty(&self) -> bool {
        match self {
            Self::All => false,
            Self::Some(words) => words.iter().all(|word| *word == 0),
        }
    }

    /// How many packages of `total` this set has and `after` has not.
    pub fn lost(&self, after: &Self, total: u32) -> u32 {
        match (self, after) {
            (_, Self::All) => 0,
            (Self::All, after) => total - after.count().min(total),
            (Self::Some(words), Self::Some(others)) => {
                let others = others.iter().copied().chain(std::iter::repeat(0));
                words.iter().zip(others).map(|(word, other)| (word & !other).count_ones()).sum()
            }
        }
    }

    /// How many packages are named one by one; none where all may be read.
    fn count(&self) -> u32 {
        match self {
            Self::All => 0,
            Self::Some(words) => words.iter().map(|word| word.count_ones()).sum(),
        }
    }

    /// How many packages of `total` may be read.
    pub fn size(&self, total: u32) -> u32 {
        if *self == Self::All { total } else { self.count() }
    }

    /// Whether the package with this number may be read.
    pub fn may_read(&self, number: u32) -> bool {
        match self {
            Self::All => true,
            Self::Some(words) => words.get(number as usize / 64).is_some_and(|word| word & (1 << (number % 64)) != 0),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::AccessSet;

    #[test]
    fn holds_what_it_was_made_of() {
        let set = AccessSet::of([0, 63, 64, 1000]);
        for number in 0..1100 {
            assert_eq!(set.may_read(number), [0, 63, 64, 1000].contains(&number), "{number}");
        }
        assert!(!set.may_read(u32::MAX));
    }

    #[test]
    fn an_empty_scope_opens_nothing() {
        assert!(!AccessSet::of([]).may_read(0));
        assert!(AccessSet::All.may_read(u32::MAX));
    }

    #[test]
    fn sets_are_added() {
        let mut set = AccessSet::of([1]);
        assert!(AccessSet::of([]).is_empty() && !set.is_empty());
        set.add(&AccessSet::of([100]));
        set.add(&AccessSet::of([2]));
        assert_eq!(set, AccessSet::of([1, 2, 100]));
        set.add(&AccessSet::All);
        assert_eq!(set, AccessSet::All);
        set.add(&AccessSet::of([1]));
        assert_eq!(set, AccessSet::All);
    }

    #[test]
    fn what_is_lost_is_counted() {
        let (some, less) = (AccessSet::of([1, 2, 100]), AccessSet::of([2]));
        assert_eq!((some.lost(&less, 200), less.lost(&some, 200)), (2, 0));
        assert_eq!((AccessSet::All.lost(&some, 200), some.lost(&AccessSet::All, 200)), (197, 0));
        assert_eq!(AccessSet::All.lost(&AccessSet::All, 200), 0);
        assert_eq!((AccessSet::All.size(200), some.size(200)), (200, 3));
    }

    #[test]
    fn equal_sets_are_equal_however_they_were_made() {
        assert_eq!(AccessSet::of([5, 1, 5]), AccessSet::of([1, 5]));
    }
}
