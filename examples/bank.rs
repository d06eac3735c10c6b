//! Accounts under a lock, between processes one of which is killed while it has the lock: the next one is told, looks at
//! the books, and goes on.

use processing::{AcquireError, Condition, Event, Lock, Locked, Process, Semaphore};

/// What the clerks share: the lock of the books, how many transfers were made, and how many clerks may be at work.
type Bank = (Lock, Locked<(i64, i64)>, Semaphore);

/// Moves money from one account to the other, ten times.
fn clerk((lock, accounts, desks): Bank) -> processing::Result<()> {
    let _desk = desks.acquire()?;
    for _ in 0..10 {
        let _books = match lock.acquire() {
            Ok(guard) => guard,
            Err(AcquireError::OwnerDied(died)) => {
                println!("{} (pid {}) died with the books open", died.name(), died.pid());
                // The accounts are a `Locked`: whole at any instruction. So there is nothing to repair.
                died.recover()
            }
            Err(error) => return Err(error.into()),
        };
        accounts.update(|(from, to)| {
            *from -= 1;
            *to += 1;
        })?;
    }
    Ok(())
}

/// Takes the books and a desk, and never comes back.
fn sleeper((lock, _, desks): Bank, has_it: Event) -> processing::Result<()> {
    let _desk = desks.acquire()?;
    let _books = lock.acquire()?;
    has_it.set()?;
    loop {
        std::thread::park();
    }
}

fn main() -> processing::Result<()> {
    let bank: Bank = (Lock::new()?, Locked::new((100, 0))?, Semaphore::new(2)?);
    let has_it = Event::new()?;
    let p = Process::new(sleeper, (bank.clone(), has_it.clone())).name("sleeper").start()?;
    has_it.wait()?;
    println!("{}", bank.0);
    let clerks: Vec<Process> =
        (0..3).map(|_| Process::new(clerk, (bank.clone(),)).start()).collect::<processing::Result<_>>()?;
    p.kill()?;
    p.join()?;
    for clerk in clerks {
        clerk.join()?;
    }
    let (from, to) = bank.1.get()?;
    println!("{from} and {to}; desks {}", bank.2.value());
    assert_eq!((from, to, bank.2.value()), (70, 30, 2));

    // And a condition: wait until somebody has paid in.
    let paid = Condition::with_lock(&bank.0)?;
    let q = Process::new(pay, (paid.clone(), bank.1.clone())).start()?;
    let mut guard = paid.acquire()?;
    guard.wait_while(|| bank.1.get().is_ok_and(|(_, to)| to < 1000))?;
    drop(guard);
    q.join()?;
    println!("{:?}", bank.1.get()?);
    Ok(())
}

fn pay(paid: Condition, accounts: Locked<(i64, i64)>) -> processing::Result<()> {
    let guard = paid.acquire()?;
    accounts.update(|(_, to)| *to += 1000)?;
    guard.notify_one()?;
    Ok(())
}
