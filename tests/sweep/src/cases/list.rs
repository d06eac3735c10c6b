//! Killed in changes of a list: at the end, of one element, and in the middle.

use processing::{Arena, SharedData, SharedList};
use processing_kill_tests::kinds::{Kind, Text, Word};
use processing_kill_tests::{Outcome, words};

use super::here;
use crate::case::{Case, case};
use crate::round::Scenario;

pub fn all() -> Vec<Box<dyn Scenario>> {
    vec![
        Box::new(push("push", Text, 2)),
        Box::new(push("push", Word, 2)),
        // There is no room in the segment: another one.
        Box::new(push("grow", Text, 8)),
        Box::new(change("pop", Text, &[1, 2], &[1], |list, _| drop(list.pop().expect("pop")))),
        Box::new(change("set", Text, &[1, 2], &[1, 7], |list, value| list.set(1, &value).expect("set"))),
        Box::new(change("insert", Text, &[1, 2], &[7, 1, 2], |list, value| {
            list.insert(0, &value).expect("insert");
        })),
    ]
}

/// The survivor's side.
struct Side<K: Kind> {
    list: SharedList<K::Message>,
    arena: Arena,
}

/// What the victim gets.
type Victims<K> = (SharedList<<K as Kind>::Message>,);

fn content<K: Kind>(kind: K, list: &SharedList<K::Message>) -> Outcome<Vec<u64>>
where
    K::Message: SharedData,
{
    let all = list.to_vec().map_err(words("to_vec"))?;
    all.into_iter().map(|element| kind.read(element)).collect()
}

/// So many elements there; the victim adds one.
fn push<K: Kind>(name: &str, kind: K, count: u64) -> Case<Side<K>, Victims<K>>
where
    K::Message: SharedData,
{
    let before: Vec<u64> = (1..=count).collect();
    let after: Vec<u64> = before.iter().copied().chain([7]).collect();
    change(name, kind, &before, &after, |list, value| list.push(&value).expect("push"))
}

/// The victim does this, with an element that says 7.
fn change<K: Kind>(
    name: &str,
    kind: K,
    before: &[u64],
    after: &[u64],
    act: fn(&SharedList<K::Message>, K::Message),
) -> Case<Side<K>, Victims<K>>
where
    K::Message: SharedData,
{
    let (before, after) = (before.to_vec(), after.to_vec());
    let (there, early, late) = (before.clone(), before.clone(), after.clone());
    case(
        format!("list.{name}-{}", kind.name()),
        move |world| {
            let arena = world.arena.clone();
            let list = SharedList::builder().arena(&arena).build().map_err(words("list"))?;
            for id in &there {
                list.push(&kind.make(&arena, *id)?).map_err(words("setup"))?;
            }
            let theirs = list.clone();
            Ok((Side { list, arena }, (theirs,)))
        },
        move |(list,), stage, world| {
            let value = kind.make(&here(world), 7).expect("element");
            stage.begin();
            act(&list, value);
            stage.end();
        },
        move |side: Side<K>, seen| {
            let found = content(kind, &side.list)?;
            if found != before && found != after {
                return Err(format!("{found:?}, and not {before:?} or {after:?}"));
            }
            if seen.completed && found != after {
                return Err(format!("the call returned, and the list is {found:?}"));
            }
            // An heir's own changes, at the end and in the middle.
            side.list.push(&kind.make(&side.arena, 80)?).map_err(words("push"))?;
            side.list.insert(0, &kind.make(&side.arena, 81)?).map_err(words("insert"))?;
            let mut all = content(kind, &side.list)?;
            let ends = (all.remove(0), all.pop());
            if ends != (81, Some(80)) || all != found {
                return Err(format!("{found:?} became {all:?} between {ends:?}"));
            }
            let fsck = side.arena.fsck().map_err(words("fsck"))?;
            if !fsck.is_clean() {
                return Err(format!("fsck with the list: {fsck}"));
            }
            Ok(Some(found == after))
        },
    )
    .beside(move |side| {
        // It may stand still with the lock: readers do not ask for it.
        let found = content(kind, &side.list)?;
        if found == early || found == late { Ok(()) } else { Err(format!("{found:?} beside a stopped one")) }
    })
}
